# SPDX-License-Identifier: Apache-2.0
"""The crash sweep: let the admin tool, or an app manager, die at every point of a case, one after another.

Seeds find what nobody thought of; a sweep proves that nothing was left out. What is swept is every event
of the session, each at three moments: before it is stored, when it is stored and nothing was done, and when
what follows from it was begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from doctor_maintenance.explorer.case import Case, Moment, Trouble, TroublePlan
from doctor_maintenance.explorer.run import Result, run
from doctor_maintenance.explorer.world import OPEN_S, START_S, World
from doctor_maintenance.judge import records as seen

_JUST_BEFORE_S = 0.001


@dataclass(frozen=True, slots=True)
class Crash:
    """One crash and what came of it.

    Attributes:
        trouble: who died, when.
        result: what came of the case.
    """

    trouble: TroublePlan
    result: Result


def sweep_tool(case: Case, down_s: float) -> Iterator[Crash]:
    """Let the admin tool die at every event.

    Args:
        case: what is swept.
        down_s: for how long it is down, in seconds.
    """
    for index in range(run(case).events):
        for moment in Moment:
            trouble = TroublePlan(Trouble.TOOL_DIES, moment.value, at=index, seconds=down_s)
            yield Crash(trouble, run(_with(case, trouble)))


def sweep_manager(case: Case, project: str, down_s: float) -> Iterator[Crash]:
    """Let a project's app manager die just before and just after everything that it does.

    Args:
        case: what is swept.
        project: whose app manager.
        down_s: for how long it is down, in seconds.
    """
    for at in _moments_of(case, project):
        trouble = TroublePlan(Trouble.MANAGER_DIES, project, at=at, seconds=down_s)
        yield Crash(trouble, run(_with(case, trouble)))


def _with(case: Case, trouble: TroublePlan) -> Case:
    return replace(case, troubles=(*case.troubles, trouble))


def _moments_of(case: Case, project: str) -> list[float]:
    """Return when to kill an app manager, in seconds since the session was opened."""
    world = World(case)
    world.run()
    source = f"app_manager:{project}"
    mine = {
        record.at
        for record in world.stage.witness.records
        if record.source == source
        or (isinstance(record, seen.Instance) and record.project_id == project)
    }
    begun_s = START_S + OPEN_S
    times = {at - begun_s + shift for at in mine for shift in (-_JUST_BEFORE_S, _JUST_BEFORE_S)}
    return sorted(at for at in times if at > 0)
