# SPDX-License-Identifier: Apache-2.0
"""When something happened, as far as anybody knows, and what follows from it for an order.

A witness that polls knows only an interval. So an order is *broken* only if it is broken wherever in
their intervals the two things lie, it *holds* only if it holds wherever, and otherwise it is *open*. To
compare the times at which things were seen was refused: a poll a moment late would accuse an innocent.

Times are whole microseconds, since that is what a time stamp on the wire can say; a float could
make two stamps of the same moment differ.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

MICROSECONDS = 1_000_000


def microseconds(seconds: float) -> int:
    """Turn seconds since the epoch into whole microseconds, rounded as ``datetime`` does."""
    whole = math.floor(seconds)
    return whole * MICROSECONDS + round((seconds - whole) * MICROSECONDS)


class Point(NamedTuple):
    """A point in the order of a trace.

    Attributes:
        time_us: microseconds since the epoch.
        rank: the place among things of the same microsecond, where a witness knows it.
    """

    time_us: float
    rank: float


BEGINNING = Point(-math.inf, -math.inf)
END = Point(math.inf, math.inf)


class Result(StrEnum):
    """What the evidence says of a rule."""

    HELD = "held"
    BROKEN = "broken"
    OPEN = "not proven"


class Moment(NamedTuple):
    """When something happened: not before ``lower``, not after ``upper``."""

    lower: Point
    upper: Point

    @classmethod
    def between(cls, earliest_s: float, latest_s: float) -> Moment:
        """It happened between two times, in seconds since the epoch."""
        latest_us = microseconds(latest_s)
        earliest_us = latest_us if earliest_s == latest_s else microseconds(earliest_s)
        return cls(Point(earliest_us, -math.inf), Point(latest_us, math.inf))

    @classmethod
    def exactly(cls, time_s: float, rank: float) -> Moment:
        """It happened at a time and at a known place among the things of the same time."""
        point = Point(microseconds(time_s), rank)
        return cls(point, point)

    @property
    def known(self) -> bool:
        """True if the time is known to the microsecond."""
        return self.lower.time_us == self.upper.time_us

    @property
    def latest_s(self) -> float:
        """The latest time, in seconds since the epoch."""
        return self.upper.time_us / MICROSECONDS

    @property
    def earliest_s(self) -> float:
        """The earliest time, in seconds since the epoch."""
        return self.lower.time_us / MICROSECONDS


def in_order(first: Moment, then: Moment) -> Result:
    """Return whether ``first`` came before ``then``, or at the same time.

    Returns:
        Whether the order held, was broken, or cannot be told.
    """
    if first.lower > then.upper:
        return Result.BROKEN
    if first.upper.time_us <= then.lower.time_us:
        return Result.HELD
    return Result.OPEN


def surely_before(first: Moment, then: Moment) -> bool:
    """Return whether ``first`` came before ``then`` for certain, and not at the same time."""
    return first.upper < then.lower


def seconds_between(begin: Moment, end: Moment) -> tuple[float, float]:
    """Return the shortest and the longest time in seconds from ``begin`` to ``end``."""
    shortest = (end.lower.time_us - begin.upper.time_us) / MICROSECONDS
    longest = (end.upper.time_us - begin.lower.time_us) / MICROSECONDS
    return max(0.0, shortest), max(0.0, longest)
