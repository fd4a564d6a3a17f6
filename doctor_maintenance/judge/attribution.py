# SPDX-License-Identifier: Apache-2.0
"""Which step silenced a service: what happened, by other witnesses, while it was silent.

A probe knows that nobody answered, not why. What Nova, Neutron and the app manager showed at the same time
says it. Several things may have happened; the one named is that which concerns the instance that the
address led to, and of those the one that interrupts most surely.
"""

from __future__ import annotations

from typing import NamedTuple

from doctor_maintenance.judge.lives import Life, runs
from doctor_maintenance.judge.moment import Moment
from doctor_maintenance.judge.records import Address, Gap, Record
from doctor_maintenance.judge.rounds import Round
from doctor_maintenance.judge.story import Story
from doctor_maintenance.protocol import NotificationState


class Cause(NamedTuple):
    """What silenced a service.

    Attributes:
        step: the guideline's step, as a number or range.
        text: what happened, in words, beginning with the step.
        records: the evidence.
    """

    step: str
    text: str
    records: tuple[Record, ...] = ()


def cause_of(story: Story, address: str, gap: Gap) -> Cause:
    """Return what happened when a service fell silent.

    Args:
        story: what was seen.
        address: the service's floating IP.
        gap: the silence.
    """
    during = Moment.between(gap.begin, gap.end if gap.end is not None else story.end_s)
    life = _holder(story, address, during)
    causes = (
        _migration(story, life, during),
        _host_work(story, life, during),
        _switch_over(story, life, during),
        _not_running(life, during),
    )
    return next((cause for cause in causes if cause is not None), _last_step(story, during))


def _overlap(begin: Moment, end: Moment | None, during: Moment) -> bool:
    return begin.lower <= during.upper and (end is None or end.upper >= during.lower)


def _holder(story: Story, address: str, during: Moment) -> Life | None:
    """Return the instance that the address led to when the silence began, or before nobody had it."""
    found = None
    for seen in story.seen(Address):
        if seen.record.address == address and seen.record.instance_id is not None:
            if found is not None and seen.moment.lower > during.lower:
                break
            found = story.lives.get(seen.record.instance_id, found)
    return found


def _switch_over_said(story: Story, life: Life, before: Moment) -> str:
    """Return what became of the switch-over that should have saved the service, in words."""
    said = [
        seen.record
        for seen in story.switch_overs(life.project_id)
        if seen.record.from_instance == life.instance_id and seen.moment.lower <= before.upper
    ]
    if not said:
        return "its app manager had not switched over (step 4)"
    strategy = said[-1].strategy or "unknown"
    if said[-1].phase == "done":
        return f"its app manager said that it had switched over (strategy {strategy}), and the address had not moved"
    return f"the switch-over of its app manager (strategy {strategy}) had not come to its end: {said[-1].phase}"


def _migration(story: Story, life: Life | None, during: Moment) -> Cause | None:
    for move in story.moves if life is not None else ():
        assert life is not None
        if move.first.instance_id == life.instance_id and _overlap(move.begin, move.end, during):
            return Cause(
                "6",
                f"step 6 on {move.source}: the {move.first.type} of instance {life.instance_id}, to which the address"
                f" still led; {_switch_over_said(story, life, move.begin)}",
                move.records,
            )
    return None


def _host_work(story: Story, life: Life | None, during: Moment) -> Cause | None:
    for part in story.rounds if life is not None else ():
        assert life is not None
        step_7 = part.in_maintenance
        if step_7 is None or not _overlap(step_7.sent, part.end, during):
            continue
        there = [
            state.record
            for state in life.possible(during.lower, during.upper)
            if state.record.host == part.host
        ]
        if there:
            return Cause(
                "7 to 10",
                f"between steps 7 and 10 on {part.host}: it was in maintenance, and instance {life.instance_id}, to"
                " which the address led, was on it",
                (*step_7.records, *there),
            )
    return None


def _switch_over(story: Story, life: Life | None, during: Moment) -> Cause | None:
    if life is None:
        return None
    seen = story.switch_overs(life.project_id)
    for place, start in enumerate(seen):
        if start.record.phase != "start":
            continue
        done = next((item for item in seen[place + 1 :] if item.record.phase != "start"), None)
        if _overlap(start.moment, done.moment if done is not None else None, during):
            return Cause(
                "4",
                f"step 4: the switch-over from {start.record.from_instance} to {start.record.to_instance}"
                f" ({start.record.strategy or 'strategy unknown'})",
                (start.record, *((done.record,) if done is not None else ())),
            )
    return None


def _not_running(life: Life | None, during: Moment) -> Cause | None:
    if life is None:
        return None
    for state in life.possible(during.lower, during.upper):
        if not runs(state):
            record = state.record
            return Cause(
                "none",
                f"instance {life.instance_id}, to which the address led, was {record.status}",
                (record,),
            )
    return None


def _last_step(story: Story, during: Moment) -> Cause:
    steps = [step for part in story.rounds for step in _steps(part)]
    before = [step for step in steps if step[0].lower <= during.lower]
    if not before:
        return Cause("none", "before step 1 of any host")
    _, number, host = max(before, key=lambda step: step[0].lower)
    return Cause(number, f"after step {number} on {host}; nothing that was seen explains it")


def _steps(part: Round) -> list[tuple[Moment, str, str]]:
    found = []
    if part.disable is not None:
        found.append((part.disable.moment, "1", part.host))
    numbers = {
        NotificationState.PLANNED_MAINTENANCE: "2",
        NotificationState.IN_MAINTENANCE: "8",
        NotificationState.MAINTENANCE_CANCELED: "8",
        NotificationState.MAINTENANCE_OVER: "12",
    }
    for state, number in numbers.items():
        found += [(message.sent, number, part.host) for message in part.project_messages(state)]
    found += [(answer.moment, "5", part.host) for answer in part.answers if answer.record.accepted]
    if part.in_maintenance is not None:
        found.append((part.in_maintenance.sent, "7", part.host))
    if part.enable is not None:
        found.append((part.enable.moment, "10", part.host))
    if part.over is not None:
        found.append((part.over.sent, "11", part.host))
    return found
