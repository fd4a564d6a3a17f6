# SPDX-License-Identifier: Apache-2.0
"""Run a case, and have it judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from doctor_maintenance.explorer.case import Case
from doctor_maintenance.explorer.expectation import allowed_gap_s, defects
from doctor_maintenance.explorer.tamper import HONEST, Tamper
from doctor_maintenance.explorer.world import START_S, World
from doctor_maintenance.judge import Trace, Verdict, judge
from doctor_maintenance.judge import records as seen


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a case.

    Attributes:
        defects: the clauses that failed without an excuse, each with what was found.
        state: the session's last state.
        events: how many events the session took.
        happened: how often each thing came about: troubles, manners, moves.
    """

    defects: Mapping[str, str]
    state: str
    events: int
    happened: Mapping[str, int]


def run(case: Case, tamper: Tamper = HONEST) -> Result:
    """Run a case to its end, and judge it."""
    world = World(case, tamper)
    world.run()
    verdict = judge(make_trace(world))
    session = world.tool.session
    return Result(
        defects=defects(world, verdict.failed),
        state="DOWN" if session is None else session.state.value,
        events=len(world.tool.journal),
        happened=_happened(world),
    )


def verdict_of(world: World) -> Verdict:
    """Judge a world that was run, with nothing excused."""
    return judge(make_trace(world))


def make_trace(world: World) -> Trace:
    """Return what was seen in a world that was run."""
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
    affected = {
        host: tuple(ids[name] for name in names) for host, names in session.affected.items()
    }
    scenario = seen.Scenario(
        at=START_S,
        source="runner",
        name=f"seed-{case.seed}",
        type=session.type.value,
        hosts=session.hosts,
        operator_disabled=session.operator_disabled,
        projects=projects,
        allowed_gap_s=allowed_gap_s(world),
        affected=affected or None,
        exact=True,
    )
    return Trace((scenario, *world.stage.witness.records))


def _happened(world: World) -> dict[str, int]:
    found = {trouble.value: count for trouble, count in world.stage.happened.items()}
    for fault in world.stage.faults.armed():
        if fault.happened:
            found[fault.kind.name] = found.get(fault.kind.name, 0) + fault.happened
    return found
