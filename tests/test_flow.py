# SPDX-License-Identifier: Apache-2.0
"""Flows: stories on a clock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise

import pytest

from doctor_maintenance.clock import VIRTUAL_EPOCH_S, VirtualClock, WallClock
from doctor_maintenance.flow import (
    Flow,
    FlowCancelled,
    FlowTimeout,
    blocking,
    callback,
    parallel,
    pause_s,
    poll,
    start,
    together,
    wait,
)
from doctor_maintenance.workers import InlineWorkers, Outcome, ThreadWorkers


def run(make: Callable[[VirtualClock], Flow[object]]) -> tuple[VirtualClock, Outcome[object]]:
    """Run a flow to its end in virtual time."""
    clock = VirtualClock()
    outcomes: list[Outcome[object]] = []
    start(clock, InlineWorkers(clock), make(clock), outcomes.append)
    clock.run()
    assert len(outcomes) == 1
    return clock, outcomes[0]


def test_a_flow_waits_in_virtual_time_and_returns_a_value() -> None:
    def flow(clock: VirtualClock) -> Flow[object]:
        yield from wait(2.5)
        value = yield from blocking(lambda: 40)
        return value + 2

    clock, outcome = run(flow)
    assert outcome.get() == 42
    assert clock.now() == VIRTUAL_EPOCH_S + 2.5


def test_the_first_step_is_taken_by_a_callback_not_by_start() -> None:
    taken = []

    def flow() -> Flow[None]:
        taken.append(True)
        yield from wait(0)

    clock = VirtualClock()
    start(clock, InlineWorkers(clock), flow())
    assert not taken
    clock.run()
    assert taken


def test_an_error_of_blocking_work_is_raised_in_the_flow() -> None:
    def fail() -> int:
        raise OSError("no route")

    def flow(clock: VirtualClock) -> Flow[object]:
        with pytest.raises(OSError, match="no route"):
            yield from blocking(fail)
        return "went on"

    assert run(flow)[1].get() == "went on"


def test_an_error_that_nobody_catches_is_the_outcome() -> None:
    def flow(clock: VirtualClock) -> Flow[object]:
        yield from wait(1)
        raise KeyError("lost")

    assert isinstance(run(flow)[1].error, KeyError)


def test_parallel_flows_take_as_long_as_the_longest() -> None:
    def one(seconds: float) -> Flow[float]:
        yield from wait(seconds)
        return seconds

    def flow(clock: VirtualClock) -> Flow[object]:
        return (yield from together([one(3), one(1), one(2)]))

    clock, outcome = run(flow)
    assert outcome.get() == [3, 1, 2]
    assert clock.now() == VIRTUAL_EPOCH_S + 3


def test_no_more_flows_than_the_limit_run_at_once() -> None:
    running: list[int] = []
    most = 0

    def one(number: int) -> Flow[None]:
        nonlocal most
        running.append(number)
        most = max(most, len(running))
        yield from wait(1)
        running.remove(number)

    def flow(clock: VirtualClock) -> Flow[object]:
        return (yield from parallel([one(number) for number in range(5)], limit=2))

    clock, _ = run(flow)
    assert most == 2
    assert clock.now() == VIRTUAL_EPOCH_S + 3


def test_one_error_does_not_end_the_flows_beside_it() -> None:
    def good() -> Flow[str]:
        yield from wait(2)
        return "good"

    def bad() -> Flow[str]:
        yield from wait(1)
        raise ValueError("bad")

    def flow(clock: VirtualClock) -> Flow[object]:
        return (yield from parallel([bad(), good()]))

    outcomes = run(flow)[1].get()
    assert isinstance(outcomes, list)
    bad_outcome, good_outcome = outcomes
    assert isinstance(bad_outcome.error, ValueError)
    assert good_outcome.get() == "good"


def test_no_flows_beside_each_other_end_at_once() -> None:
    def flow(clock: VirtualClock) -> Flow[object]:
        return (yield from parallel([]))

    assert run(flow)[1].get() == []


def test_poll_asks_until_the_answer_will_do() -> None:
    answers = iter(["BUILD", "BUILD", "ACTIVE"])

    def flow(clock: VirtualClock) -> Flow[object]:
        return (
            yield from poll(
                clock,
                lambda: next(answers),
                until=lambda answer: answer == "ACTIVE",
                every_s=0.5,
                within_s=10,
                what="the server",
            )
        )

    clock, outcome = run(flow)
    assert outcome.get() == "ACTIVE"
    assert clock.now() == VIRTUAL_EPOCH_S + 1.0


def test_poll_gives_up_in_time_and_says_what_it_last_saw() -> None:
    def flow(clock: VirtualClock) -> Flow[object]:
        return (
            yield from poll(
                clock, lambda: "BUILD", until=lambda _: False, every_s=1, within_s=3, what="it"
            )
        )

    clock, outcome = run(flow)
    assert isinstance(outcome.error, FlowTimeout)
    assert "BUILD" in str(outcome.error)
    assert clock.now() == VIRTUAL_EPOCH_S + 3


def test_who_is_quick_to_answer_is_asked_at_the_wanted_rate() -> None:
    assert pause_s(every_s=0.1, took_s=0.02) == 0.1


def test_who_is_slow_to_answer_is_left_in_peace_for_as_long() -> None:
    assert pause_s(every_s=0.1, took_s=2.5) == 2.5


def test_poll_leaves_a_slow_answerer_half_of_the_time() -> None:
    asked: list[tuple[float, float]] = []
    clock = WallClock()
    workers = ThreadWorkers(clock, threads=1)
    ended = threading.Event()

    def ask() -> bool:
        began = clock.now()
        threading.Event().wait(0.05)
        asked.append((began, clock.now()))
        return len(asked) == 3

    def flow() -> Flow[bool]:
        return (
            yield from poll(clock, ask, until=bool, every_s=0.001, within_s=5, what="the third")
        )

    clock.start()
    try:
        start(clock, workers, flow(), lambda _: ended.set())
        assert ended.wait(5)
    finally:
        workers.close()
        clock.stop()
    pauses = [after[0] - before[1] for before, after in pairwise(asked)]
    assert len(pauses) == 2
    assert min(pauses) >= 0.05


def test_a_callback_may_come_at_once_or_late() -> None:
    def flow(clock: VirtualClock) -> Flow[object]:
        def at_once(done: Callable[[Outcome[int]], None]) -> None:
            done(Outcome(value=1))

        def later(done: Callable[[Outcome[int]], None]) -> None:
            clock.call_later(5, lambda: done(Outcome(value=2)))

        first = yield from callback(at_once)
        second = yield from callback(later)
        return (first, second)

    assert run(flow)[1].get() == (1, 2)


def test_a_second_call_of_a_callback_is_ignored() -> None:
    def flow(clock: VirtualClock) -> Flow[object]:
        def twice(done: Callable[[Outcome[int]], None]) -> None:
            done(Outcome(value=1))
            done(Outcome(value=2))

        first = yield from callback(twice)
        yield from wait(1)
        return first

    assert run(flow)[1].get() == 1


def test_a_step_that_cannot_begin_raises_in_the_flow() -> None:
    def refuse(done: Callable[[Outcome[int]], None]) -> None:
        raise RuntimeError("the pool is closed")

    def flow(clock: VirtualClock) -> Flow[object]:
        return (yield from callback(refuse))

    assert isinstance(run(flow)[1].error, RuntimeError)


def test_cancelling_runs_finally_blocks_and_cancels_the_flows_within() -> None:
    clock = VirtualClock()
    ended: list[str] = []
    outcomes: list[Outcome[None]] = []

    def inner() -> Flow[None]:
        try:
            yield from wait(10)
        finally:
            ended.append("inner")

    def outer() -> Flow[None]:
        try:
            yield from parallel([inner(), inner()], limit=1)
        finally:
            ended.append("outer")

    task = start(clock, InlineWorkers(clock), outer(), outcomes.append)
    clock.run(until=clock.now() + 1)
    task.cancel()
    task.cancel()
    clock.run()
    assert ended == ["inner", "outer"]
    assert isinstance(outcomes[0].error, FlowCancelled)
    assert len(outcomes) == 1
    assert not task.running


def test_a_flow_cancelled_before_its_first_step_never_begins() -> None:
    clock = VirtualClock()
    begun: list[bool] = []

    def flow() -> Flow[None]:
        begun.append(True)
        yield from wait(0)

    start(clock, InlineWorkers(clock), flow()).cancel()
    clock.run()
    assert not begun


def test_the_same_flow_runs_in_real_time() -> None:
    clock = WallClock()
    workers = ThreadWorkers(clock, threads=2)
    ended = threading.Event()
    outcomes: list[Outcome[str]] = []

    def flow() -> Flow[str]:
        yield from wait(0.01)
        return (yield from blocking(lambda: threading.current_thread().name))

    def done(outcome: Outcome[str]) -> None:
        outcomes.append(outcome)
        ended.set()

    clock.start()
    try:
        start(clock, workers, flow(), done)
        assert ended.wait(5)
    finally:
        workers.close()
        clock.stop()
    assert outcomes[0].get().startswith("worker")
