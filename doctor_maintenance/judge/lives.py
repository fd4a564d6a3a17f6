# SPDX-License-Identifier: Apache-2.0
"""Where an instance was and how it did, as far as its records prove it.

Between two looks a witness does not know which of the two states held, so a question here is about an
interval and has two forms: what is *possible* in it, and what is *certain* in all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from doctor_maintenance.judge.moment import END, Moment, Point
from doctor_maintenance.judge.records import Instance, Record

R = TypeVar("R", bound=Record)

DELETED = "DELETED"
RUNNING = frozenset({"ACTIVE", "MIGRATING", "VERIFY_RESIZE", "PASSWORD"})
"""The statuses in which Nova says that the guest runs; in a cold migration (RESIZE) it does not."""

BEING_MOVED = frozenset({"MIGRATING", "RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE"})
"""The statuses in which an instance is still a matter of two hosts."""


class Seen(NamedTuple, Generic[R]):
    """A record, and when what it tells happened.

    Attributes:
        moment: when it happened, as far as is proven.
        record: the record.
        place: its place in the trace; a guess at the order of things of the same time, and no proof.
    """

    moment: Moment
    record: R
    place: int

    @property
    def key(self) -> Point:
        """Where it stands in the trace."""
        return Point(self.moment.lower.time_us, self.place)


class State(NamedTuple):
    """A state of an instance: when it began, and what it was.

    Attributes:
        moment: when it began.
        record: what it was.
        origin: the host that a move of the instance began on, while it is not finished.
    """

    moment: Moment
    record: Instance
    origin: str | None


class Span(NamedTuple):
    """A state and how long it held: from ``begin`` until ``end``."""

    begin: Moment
    end: Moment
    state: State


Test = Callable[[State], bool]


class Life:
    """One instance, from its first record to its last.

    Args:
        seen: its records in order, at least one.

    Attributes:
        instance_id: its ID.
        name: its name.
        project_id: whose it is.
        states: its states in order.
        spans: the same with their ends.
    """

    __slots__ = ("instance_id", "name", "project_id", "spans", "states")

    def __init__(self, seen: Iterable[Seen[Instance]]) -> None:
        self.states = list(_with_origins(seen))
        first = self.states[0].record
        self.instance_id = first.instance_id
        self.name = next((state.record.name for state in self.states if state.record.name), "")
        self.project_id = first.project_id
        ends = [state.moment for state in self.states[1:]] + [Moment(END, END)]
        self.spans = [
            Span(state.moment, end, state) for state, end in zip(self.states, ends, strict=True)
        ]

    @property
    def last(self) -> Instance:
        """The last that was seen of it."""
        return self.states[-1].record

    def possible(self, lower: Point, upper: Point) -> list[State]:
        """Return the states that may have held somewhere in an interval."""
        return [
            span.state
            for span in self.spans
            if span.begin.lower <= upper and span.end.upper > lower
        ]

    def may(self, test: Test, lower: Point, upper: Point) -> bool:
        """Return whether a state that passes the test may have held in the interval."""
        return any(map(test, self.possible(lower, upper)))

    def must(self, test: Test, lower: Point, upper: Point) -> bool:
        """Return whether the instance was there all the time and every state that may have held passes."""
        known = self.states[0].moment.upper <= lower
        return known and all(map(test, self.possible(lower, upper)))


def _with_origins(seen: Iterable[Seen[Instance]]) -> Iterator[State]:
    origin: str | None = None
    host: str | None = None
    for moment, record, _ in seen:
        if record.status not in BEING_MOVED:
            origin = None
        elif origin is None:
            origin = host or record.host
        host = record.host
        yield State(moment, record, origin)


def is_on(host: str) -> Test:
    """Return the test whether an instance is on a host."""
    return lambda state: state.record.host == host and state.record.status != DELETED


def is_bound_to(host: str) -> Test:
    """Return the test whether an instance needs a host, be it only because a move off it is not finished."""
    return lambda state: (
        state.record.status != DELETED and host in (state.record.host, state.origin)
    )


def runs(state: State) -> bool:
    """Return whether Nova says that the guest runs."""
    return state.record.status in RUNNING


def lives_of(seen: Iterable[Seen[Instance]]) -> dict[str, Life]:
    """Sort the records of instances by instance."""
    states: dict[str, list[Seen[Instance]]] = {}
    for item in seen:
        states.setdefault(item.record.instance_id, []).append(item)
    return {instance_id: Life(found) for instance_id, found in states.items()}
