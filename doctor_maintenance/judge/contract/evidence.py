# SPDX-License-Identifier: Apache-2.0
"""What several clauses look for: what was done to an instance, and what was done on a host."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from doctor_maintenance.judge.lives import (
    BEING_MOVED,
    DELETED,
    Life,
    Seen,
    State,
    is_bound_to,
    runs,
)
from doctor_maintenance.judge.moment import END, Moment, Point
from doctor_maintenance.judge.records import Record, SshCheck
from doctor_maintenance.judge.rounds import Round
from doctor_maintenance.judge.story import Move, Story


class Touch(NamedTuple):
    """Something that was done to an instance, and not by its owner."""

    moment: Moment
    life: Life
    what: str
    records: tuple[Record, ...]


class Work(NamedTuple):
    """A part of the maintenance itself that was seen on a host.

    Attributes:
        moment: when it was done.
        what: what was done, in words.
        records: the evidence.
        sharp: False if it is only known from looks long before and long after.
    """

    moment: Moment
    what: str
    records: tuple[Record, ...]
    sharp: bool


def touches(story: Story, part: Round, project_id: str) -> list[Touch]:
    """Return what was done in a round to a project's instances on the host, but not by the project."""
    found = []
    for move in story.moves_in(part):
        life = story.lives.get(move.first.instance_id)
        if life is not None and life.project_id == project_id:
            what = f"its {move.first.type} off {part.host}"
            found.append(Touch(move.begin, life, what, move.records))
    for life in story.lives.values():
        if life.project_id == project_id:
            found.extend(_changes(part, life))
    return found


def _changes(part: Round, life: Life) -> Iterator[Touch]:
    lower, upper = part.window
    for earlier, now in itertools.pairwise(life.states):
        if earlier.record.host != part.host or earlier.origin not in (None, part.host):
            continue  # what was begun on another host is a matter of that one, also when it ends here
        if now.moment.upper < lower or now.moment.lower > upper:
            continue
        what = _change(earlier, now)
        if what:
            yield Touch(now.moment, life, what, (earlier.record, now.record))


def _change(earlier: State, later: State) -> str:
    before, now = earlier.record, later.record
    if now.status == DELETED:
        return "its deletion" if now.by_owner is False else ""
    if now.host != before.host:
        return f"its move from {before.host} to {now.host}"
    if now.by_owner or now.status == before.status:
        return ""
    if now.status in BEING_MOVED or (runs(earlier) and not runs(later)):
        return f"its change from {before.status} to {now.status}"
    return ""


def settled(story: Story, part: Round, move: Move) -> Moment | None:
    """Return when a migration was at its end: its record says so, or the instance runs elsewhere.

    Nova closes the record up to 0.7 s after the instance is active on its new host, so the earlier counts.
    """
    moments = [] if move.end is None else [move.end]
    life = story.lives.get(move.first.instance_id)
    bound = is_bound_to(part.host)
    for state in life.states if life is not None else ():
        if state.moment.lower >= move.begin.lower and not bound(state):
            moments.append(state.moment)
            break
    return min(moments, key=lambda moment: moment.upper, default=None)


def work_on(story: Story, part: Round) -> list[Work]:
    """Return what was seen of the maintenance itself: the commands, another boot, the test."""
    until = _until(story, part)
    commands, tests = story.checks(part.host, "maintenance"), story.checks(part.host, "test")
    found = [
        *_first_shown(commands, "the maintenance commands", part, until),
        *_first_shown(tests, "the operator's test", part, until),
        *_boots(story, part),
    ]
    return sorted(found, key=lambda work: work.moment)


def _first_shown(
    checks: Sequence[Seen[SshCheck]], what: str, part: Round, until: Point
) -> Iterator[Work]:
    before: Seen[SshCheck] | None = None
    for item in checks:
        if item.moment.upper < part.begin:
            before = item
            continue
        if item.record.phase == "during" and item.moment.lower >= until:
            return
        if item.record.ok and item.record.phase != "before":
            sharp = item.record.phase == "during"
            yield Work(_since(before, item, part), what, (item.record,), sharp)
            return
        before = item


def _since(before: Seen[SshCheck] | None, item: Seen[SshCheck], part: Round) -> Moment:
    """Return when the work was done that a check showed; afterwards, any time in the round may be it."""
    if item.record.phase == "during":
        return item.moment
    return Moment(before.moment.upper if before is not None else part.begin, item.moment.upper)


def _boots(story: Story, part: Round) -> Iterator[Work]:
    powers = story.powers(part.host)
    if powers:
        for up, down in itertools.pairwise(powers):
            began = down.moment.upper >= part.begin and down.moment.lower <= _until(story, part)
            if began and up.record.powered and not down.record.powered:
                yield Work(down.moment, "the reboot of the host", (up.record, down.record), True)
        return
    boots = [item for item in story.checks(part.host, "boot_id") if item.record.ok]
    for before, after in itertools.pairwise(boots):
        if after.moment.upper >= part.begin and before.record.value != after.record.value:
            moment = Moment(before.moment.upper, after.moment.upper)
            yield Work(moment, "the reboot of the host", (before.record, after.record), False)
            return


def _until(story: Story, part: Round) -> Point:
    later = [other.begin for other in story.rounds if other.host == part.host]
    return min((begin for begin in later if begin > part.begin), default=END)
