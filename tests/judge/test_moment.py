# SPDX-License-Identifier: Apache-2.0
"""An order is broken only if it is broken wherever in their intervals the two things lie."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from doctor_maintenance.judge.moment import Moment, Result, in_order, microseconds, seconds_between

TIMES = st.floats(min_value=0, max_value=4e9, allow_nan=False)


def test_an_order_holds_if_the_intervals_are_apart() -> None:
    assert in_order(Moment.between(1, 2), Moment.between(3, 4)) is Result.HELD


def test_an_order_is_broken_if_the_intervals_are_the_other_way_round() -> None:
    assert in_order(Moment.between(3, 4), Moment.between(1, 2)) is Result.BROKEN


def test_an_order_is_open_if_the_intervals_overlap() -> None:
    assert in_order(Moment.between(1, 3), Moment.between(2, 4)) is Result.OPEN


def test_what_happens_at_the_same_time_is_in_order() -> None:
    assert in_order(Moment.between(1, 1), Moment.between(1, 1)) is Result.HELD


def test_the_order_of_two_things_of_the_same_time_is_known_to_who_saw_both() -> None:
    assert in_order(Moment.exactly(1, 5), Moment.exactly(1, 4)) is Result.BROKEN
    assert in_order(Moment.exactly(1, 4), Moment.exactly(1, 5)) is Result.HELD


def test_downtime_between_two_intervals_is_an_interval() -> None:
    assert seconds_between(Moment.between(1, 2), Moment.between(4, 6)) == (2.0, 5.0)


@given(TIMES)
def test_a_time_and_its_time_stamp_are_the_same_microsecond(seconds: float) -> None:
    stamp = datetime.fromtimestamp(seconds, UTC)

    assert microseconds(seconds) == microseconds(stamp.timestamp())


@given(TIMES, TIMES, TIMES, TIMES)
def test_only_one_of_the_two_orders_can_be_broken(a: float, b: float, c: float, d: float) -> None:
    first, then = Moment.between(min(a, b), max(a, b)), Moment.between(min(c, d), max(c, d))

    assert Result.BROKEN not in (in_order(first, then), in_order(then, first)) or {
        in_order(first, then),
        in_order(then, first),
    } == {Result.BROKEN, Result.HELD}
