# SPDX-License-Identifier: Apache-2.0
"""Run a case, and have it judged."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field

from doctor_maintenance.explorer.case import Case
from doctor_maintenance.explorer.expectation import allowed_gap_s, defects
from doctor_maintenance.explorer.stage import TROUBLE_OF
from doctor_maintenance.explorer.tamper import HONEST, Tamper
from doctor_maintenance.explorer.world import START_S, World
from doctor_maintenance.judge import Trace, Verdict, judge
from doctor_maintenance.judge import records as seen

ERROR = "explorer.error"
"""Instead of a clause: something raised an exception where none may be."""


REFUSED = "REFUSED"
"""Instead of a state: the session never began."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a case.

    Attributes:
        defects: the clauses that failed without an excuse, each with what was found.
        state: the first session's last state.
        events: how many events all sessions took.
        happened: how often each trouble came about.
        judged: the clauses that had something to judge.
        others: the last states of the other sessions, ``REFUSED`` of one that never began.
    """

    defects: Mapping[str, str]
    state: str = "ERROR"
    events: int = 0
    happened: Mapping[str, int] = field(default_factory=dict)
    judged: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def run(case: Case, tamper: Tamper = HONEST) -> Result:
    """Run a case to its end, and judge it; an exception is a defect like any other."""
    try:
        world = World(case, tamper)
        world.run()
        verdict = judge(make_trace(world))
    except Exception:  # noqa: BLE001 - whatever a world raises is what the explorer looks for
        return Result({ERROR: traceback.format_exc(limit=-6)})
    states = [_state(world, session_id) for session_id in world.session_ids]
    return Result(
        defects=defects(world, verdict.failed),
        state=states[0],
        events=world.process.events,
        happened=happened(world),
        judged=tuple(check.check_id for check in verdict.checks if check.judged),
        others=tuple(states[1:]),
    )


def _state(world: World, session_id: str) -> str:
    tool = world.process.tools.get(session_id)
    if tool is None:
        return REFUSED
    return "DOWN" if tool.session is None else tool.session.state.value


def verdict_of(world: World) -> Verdict:
    """Judge a world that was run, with nothing excused."""
    return judge(make_trace(world))


def make_trace(world: World) -> Trace:
    """Return what was seen in a world that was run."""
    return Trace((_scenario(world), *world.stage.witness.records))


def _scenario(world: World) -> seen.Scenario:
    case, ids = world.case, world.stage.ids
    projects = {}
    for plan in case.projects:
        pairs: dict[int, list[str]] = {}
        for instance in plan.instances:
            if instance.pair is not None:
                pairs.setdefault(instance.pair, []).append(ids[instance.name])
        projects[plan.name] = seen.ProjectFacts(
            pairs=tuple(tuple(members) for members in pairs.values()),
            instances=tuple(ids[instance.name] for instance in plan.instances),
            only_if_agreed=plan.only_if_agreed,
            subscribed=plan.subscribed,
        )
    session = case.session
    begun = [
        plan
        for plan, session_id in zip(case.sessions, world.session_ids, strict=True)
        if session_id in world.process.tools
    ]
    affected = {
        host: tuple(ids[name] for name in names)
        for plan in begun
        for host, names in plan.affected.items()
    }
    return seen.Scenario(
        at=START_S,
        source="runner",
        name=f"seed-{case.seed}",
        type=session.type.value,
        hosts=tuple(dict.fromkeys(host for plan in begun for host in plan.hosts)),
        operator_disabled=session.operator_disabled,
        projects=projects,
        allowed_gap_s=allowed_gap_s(world),
        affected=affected or None,
        exact=True,
        sessions_at_once=len(begun),
    )


def happened(world: World) -> dict[str, int]:
    """Return how often each trouble came about in a world."""
    found = {trouble.value: count for trouble, count in world.stage.happened.items() if count}
    for fault in world.stage.armed:
        if fault.happened:
            name = TROUBLE_OF[fault.kind.name].value
            found[name] = found.get(name, 0) + fault.happened
    return found
