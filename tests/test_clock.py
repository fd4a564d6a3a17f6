# SPDX-License-Identifier: Apache-2.0
"""Virtual time passes only when told and in order; real time calls back on one thread, one at a time."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor_maintenance.clock import VIRTUAL_EPOCH_S, VirtualClock, WallClock
from doctor_maintenance.workers import InlineWorkers, Outcome, ThreadWorkers, attempt


@given(st.lists(st.integers(0, 20), max_size=20))
def test_callbacks_run_by_time_and_ties_in_the_order_in_which_they_were_asked_for(
    delays: list[int],
) -> None:
    clock = VirtualClock()
    ran: list[tuple[float, int]] = []
    for number, delay in enumerate(delays):
        clock.call_later(delay, lambda number=number: ran.append((clock.now(), number)))  # type: ignore[misc]

    assert clock.run() == len(delays)

    expected = sorted((VIRTUAL_EPOCH_S + delay, number) for number, delay in enumerate(delays))
    assert ran == expected


def test_time_stands_still_between_callbacks_and_ends_where_it_was_told_to() -> None:
    clock = VirtualClock(start=100.0)
    seen: list[float] = []
    clock.call_later(2.5, lambda: seen.append(clock.now()))

    clock.advance(10.0)

    assert seen == [102.5]
    assert clock.now() == 110.0


def test_a_cancelled_callback_does_not_run_and_cancelling_twice_is_no_error() -> None:
    clock = VirtualClock()
    ran: list[str] = []
    handle = clock.call_later(1.0, lambda: ran.append("no"))

    clock.cancel(handle)
    clock.cancel(handle)

    assert clock.run() == 0
    assert ran == []
    assert not handle.pending


def test_a_time_in_the_past_is_now() -> None:
    clock = VirtualClock(start=100.0)
    seen: list[float] = []
    clock.call_at(5.0, lambda: seen.append(clock.now()))

    clock.run()

    assert seen == [100.0]


def test_run_until_stops_as_soon_as_the_predicate_holds() -> None:
    clock = VirtualClock(start=0.0)
    ran: list[int] = []
    for number in range(5):
        clock.call_later(number, lambda number=number: ran.append(number))  # type: ignore[misc]

    assert clock.run_until(lambda: 2 in ran, deadline=100.0)
    assert ran == [0, 1, 2]
    assert not clock.run_until(lambda: False, deadline=3.0)
    assert ran == [0, 1, 2, 3]


def test_callbacks_that_never_end_are_an_error() -> None:
    clock = VirtualClock()

    def again() -> None:
        clock.call_later(0.0, again)

    again()

    with pytest.raises(RuntimeError, match="100 callbacks ran"):
        clock.run(limit=100)


def test_inline_work_is_told_of_in_a_callback_of_its_own() -> None:
    clock = VirtualClock()
    told: list[Outcome[int]] = []

    InlineWorkers(clock).submit(lambda: 7, told.append)

    assert told == []
    clock.run()
    assert told[0].get() == 7


def test_the_error_of_work_is_an_outcome() -> None:
    outcome: Outcome[int] = attempt(lambda: int("seven"))

    with pytest.raises(ValueError, match="seven"):
        outcome.get()


def test_real_callbacks_run_on_one_thread_and_never_beside_a_call() -> None:
    clock = WallClock()
    clock.start()
    inside: list[str] = []
    overlaps: list[str] = []
    done = threading.Event()

    def enter(name: str) -> None:
        if inside:
            overlaps.append(name)
        inside.append(name)
        inside.pop()

    for _ in range(50):
        clock.call_later(0.0, lambda: enter("callback"))
    for _ in range(50):
        clock.call(lambda: enter("call"))
    clock.call_later(0.0, done.set)

    assert done.wait(10.0)
    clock.stop()
    assert overlaps == []


def test_a_callback_that_fails_does_not_stop_the_clock() -> None:
    clock = WallClock()
    clock.start()
    done = threading.Event()

    def fail() -> None:
        raise ValueError("a defect")

    clock.call_later(0.0, fail)
    clock.call_later(0.0, done.set)

    assert done.wait(10.0)
    clock.stop()


def test_a_faster_clock_is_waited_for_less() -> None:
    clock = WallClock(speed=1000.0)
    clock.start()
    done = threading.Event()
    begun = clock.now()

    clock.call_later(100.0, done.set)

    assert done.wait(10.0)
    assert clock.now() >= begun + 100.0
    clock.stop()


def test_the_outcome_of_a_workers_thread_comes_back_on_the_clock() -> None:
    clock = WallClock()
    clock.start()
    threads: dict[str, int] = {}
    done = threading.Event()

    def told(outcome: Outcome[int]) -> None:
        threads["worker"] = outcome.get()
        threads["clock"] = threading.get_ident()
        done.set()

    with ThreadWorkers(clock, threads=1) as workers:
        workers.submit(threading.get_ident, told)
        assert done.wait(10.0)
    clock.stop()

    assert len({threads["worker"], threads["clock"], threading.get_ident()}) == 3
