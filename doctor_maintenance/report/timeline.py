# SPDX-License-Identifier: Apache-2.0
"""What happened on each host, step by step, as the witnesses saw it: the story that a report tells.

The steps carry the guideline's numbers. Who reads a report wants to see the maintenance go by, not 60
rules; and the numbers are the words in which a verdict names a cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from doctor_maintenance.judge.contract.evidence import settled, work_on
from doctor_maintenance.judge.moment import Moment
from doctor_maintenance.judge.rounds import Round
from doctor_maintenance.judge.story import Story
from doctor_maintenance.protocol import NotificationState

TOLD_BY: dict[str, tuple[str, str]] = {
    NotificationState.PLANNED_MAINTENANCE: ("2", "3"),
    NotificationState.IN_MAINTENANCE: ("8", "9"),
    NotificationState.MAINTENANCE_CANCELED: ("8", "9"),
    NotificationState.MAINTENANCE_OVER: ("12", "13"),
}
"""The steps at which a project is told a state, and at which that reaches it."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened in the maintenance of a host.

    Attributes:
        number: the guideline's number, or ``work`` for the maintenance itself.
        at_s: when it was seen, in seconds since the beginning of the trace.
        not_before_s: the earliest moment at which it can have happened; None if nothing bounds it.
        what: what happened, in words.
        project_id: the project that it is about, if it is about one.
    """

    number: str
    at_s: float
    not_before_s: float | None
    what: str
    project_id: str | None = None


@dataclass(frozen=True, slots=True)
class HostTimeline:
    """The maintenance of a host.

    Attributes:
        host: the host.
        state: its state at the end; None if no session says.
        steps: what happened, in order.
    """

    host: str
    state: str | None
    steps: tuple[Step, ...]


def timelines(story: Story) -> list[HostTimeline]:
    """Return the maintenance of each host, in the order in which they were maintained."""
    begin_s = story.trace.records[0].at
    found: dict[str, list[Step]] = {}
    for part in story.rounds:
        steps = sorted(_steps(story, part, begin_s), key=lambda step: (step.at_s, _order(step)))
        found.setdefault(part.host, []).extend(steps)
    for host in story.scenario.hosts:
        found.setdefault(host, [])
    return [HostTimeline(host, story.host_state(host), tuple(found[host])) for host in found]


def _order(step: Step) -> float:
    return 9.5 if step.number == "work" else float(step.number)


def _step(
    number: str, moment: Moment, begin_s: float, what: str, project_id: str | None = None
) -> Step:
    earliest_s = moment.earliest_s - begin_s
    return Step(
        number=number,
        at_s=round(moment.latest_s - begin_s, 6),
        not_before_s=None if earliest_s == float("-inf") else round(earliest_s, 6),
        what=what,
        project_id=project_id,
    )


def _steps(story: Story, part: Round, begin_s: float) -> Iterator[Step]:
    yield from _conversation(part, begin_s)
    yield from _switch_overs(story, part, begin_s)
    yield from _moves(story, part, begin_s)
    for work in work_on(story, part):
        yield _step("work", work.moment, begin_s, work.what)
    if part.disable is not None:
        yield _step("1", part.disable.moment, begin_s, "nova-compute disabled")
    if part.in_maintenance is not None:
        yield _step("7", part.in_maintenance.sent, begin_s, "inspector told IN_MAINTENANCE")
    if part.enable is not None:
        yield _step("10", part.enable.moment, begin_s, "nova-compute enabled")
    if part.over is not None:
        yield _step("11", part.over.sent, begin_s, "inspector told MAINTENANCE_OVER")


def _conversation(part: Round, begin_s: float) -> Iterator[Step]:
    for message in part.told_projects:
        state, project_id = message.content.state, message.content.project_id
        if state not in TOLD_BY:
            continue
        sent, arrived = TOLD_BY[state]
        yield _step(sent, message.sent, begin_s, f"told {state}", project_id)
        for seen in message.arrivals:
            yield _step(arrived, seen.moment, begin_s, f"alarm {state}", project_id)
    for answer in part.answers:
        record = answer.record
        what = f"reply {record.state} (HTTP {record.status})"
        yield _step("5", answer.moment, begin_s, what, record.project_id)


def _moves(story: Story, part: Round, begin_s: float) -> Iterator[Step]:
    for move in story.moves_in(part):
        life = story.lives.get(move.first.instance_id)
        owner = life.project_id if life is not None else None
        what = f"{move.first.type} of {move.first.instance_id}"
        yield _step("6", move.begin, begin_s, f"{what} begins", owner)
        end = settled(story, part, move)
        if end is not None:
            yield _step("6", end, begin_s, f"{what} ends: {move.records[-1].status}", owner)


def _switch_overs(story: Story, part: Round, begin_s: float) -> Iterator[Step]:
    lower, upper = part.window
    for project_id in part.project_ids():
        for seen in story.switch_overs(project_id):
            if lower <= seen.moment.upper and seen.moment.lower <= upper:
                record = seen.record
                done = record.phase == "done" and record.strategy is not None
                how = f" by {record.strategy}" if done else ""
                what = f"switch-over to {record.to_instance}: {record.phase}{how}"
                yield _step("4", seen.moment, begin_s, what, project_id)
