# SPDX-License-Identifier: Apache-2.0
"""Work of many steps, written top to bottom, that never blocks.

Deploying an application, or switching one over, is a story: ask, wait, look again, go on. As
callbacks it falls into pieces that nobody can read; as a thread that sleeps it can neither be
replayed nor be hurried. Here it is a generator that runs on a clock and yields what it waits for:
time (:func:`wait`), blocking work (:func:`blocking`), other flows (:func:`parallel`) or a callback
(:func:`callback`). asyncio was refused: its loop is a second clock, and openstacksdk blocks.

    def move(cloud, clock) -> Flow[str]:
        server = yield from blocking(lambda: cloud.start_moving())
        host = yield from poll(
            clock, lambda: cloud.host(server), until=bool, every_s=0.1, within_s=30.0, what="a move"
        )
        return host

    start(clock, workers, move(cloud, clock), done=print)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import MaintenanceError
from doctor_maintenance.workers import Outcome, Workers, attempt

T = TypeVar("T")


class FlowCancelled(MaintenanceError):
    """A flow was cancelled before it came to its end."""


class FlowTimeout(MaintenanceError):
    """What a flow waited for did not happen within its time."""


Resume = Callable[[Outcome[Any]], None]
Cancel = Callable[[], None]


class Step(Protocol):
    """Something that a flow can wait for."""

    def begin(self, clock: Clock, workers: Workers, resume: Resume) -> Cancel:
        """Begin to wait; call ``resume`` once, on the clock and never before returning.

        Returns:
            What ends the waiting when the flow is cancelled.
        """


Flow = Generator[Step, Any, T]
"""A flow that ends with a ``T``; made by a generator function, run by :func:`start`."""


def _nothing() -> None:
    return None


class _Wait:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def begin(self, clock: Clock, workers: Workers, resume: Resume) -> Cancel:
        handle = clock.call_later(self._seconds, lambda: resume(Outcome()))
        return lambda: clock.cancel(handle)


class _Blocking:
    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    def begin(self, clock: Clock, workers: Workers, resume: Resume) -> Cancel:
        workers.submit(self._function, resume)
        return _nothing


class _Callback:
    def __init__(self, begin: Callable[[Resume], None]) -> None:
        self._begin = begin

    def begin(self, clock: Clock, workers: Workers, resume: Resume) -> Cancel:
        self._begin(lambda outcome: _later(clock, partial(resume, outcome)))
        return _nothing


class _Parallel:
    def __init__(self, flows: Sequence[Flow[Any]], limit: int) -> None:
        self._waiting = list(enumerate(flows))
        self._waiting.reverse()
        self._limit = limit
        self._running: dict[int, Task[Any]] = {}
        self._outcomes: dict[int, Outcome[Any]] = {}
        self._cancelled = False

    def begin(self, clock: Clock, workers: Workers, resume: Resume) -> Cancel:
        count = len(self._waiting)

        def ended(index: int, outcome: Outcome[Any]) -> None:
            del self._running[index]
            self._outcomes[index] = outcome
            if not self._cancelled:
                launch()

        def launch() -> None:
            while self._waiting and len(self._running) < self._limit:
                index, flow = self._waiting.pop()
                self._running[index] = start(clock, workers, flow, partial(ended, index))
            if not self._running:
                resume(Outcome(value=[self._outcomes[index] for index in range(count)]))

        handle = clock.call_later(0.0, launch)

        def cancel() -> None:
            clock.cancel(handle)
            self._cancel()

        return cancel

    def _cancel(self) -> None:
        self._cancelled = True
        for _, flow in self._waiting:
            flow.close()
        self._waiting.clear()
        for task in list(self._running.values()):
            task.cancel()


def _later(clock: Clock, function: Callable[[], None]) -> None:
    clock.call_later(0.0, function)


class Task(Generic[T]):
    """A flow that runs.

    Attributes:
        outcome: what it came to; None while it runs.
    """

    def __init__(
        self,
        clock: Clock,
        workers: Workers,
        flow: Flow[T],
        done: Callable[[Outcome[T]], None] | None,
    ) -> None:
        self.outcome: Outcome[T] | None = None
        self._clock = clock
        self._workers = workers
        self._flow = flow
        self._done = done
        self._turn = 0
        self._cancel_step: Cancel = _nothing
        handle = clock.call_later(0.0, lambda: self._advance(0, Outcome()))
        self._cancel_step = lambda: clock.cancel(handle)

    @property
    def running(self) -> bool:
        """True until there is an outcome."""
        return self.outcome is None

    def cancel(self) -> None:
        """End the flow where it stands: ``finally`` blocks run, the outcome is ``FlowCancelled``.

        A ``finally`` block cannot wait for anything; clean-up that must is a flow of its own.
        Blocking work that has begun goes on, but nobody is told of its outcome. Call it on the
        clock; cancelling what is over is no error.
        """
        if self.outcome is None:
            self._turn += 1
            self._cancel_step()
            self._flow.close()
            self._end(Outcome(error=FlowCancelled("the flow was cancelled before its end")))

    def _advance(self, turn: int, outcome: Outcome[Any]) -> None:
        if turn != self._turn or not self.running:
            return
        self._turn += 1
        step = attempt(partial(_send, self._flow, outcome))
        if isinstance(step.error, StopIteration):
            self._end(Outcome(value=step.error.value))
        elif step.error is not None:
            self._end(Outcome(error=step.error))
        else:
            self._begin(step.get())

    def _begin(self, step: Step) -> None:
        resume = partial(self._advance, self._turn)
        begun = attempt(lambda: step.begin(self._clock, self._workers, resume))
        if begun.error is None:
            self._cancel_step = begun.get()
        else:
            self._cancel_step = _nothing
            _later(self._clock, lambda: resume(Outcome(error=begun.error)))

    def _end(self, outcome: Outcome[T]) -> None:
        self.outcome = outcome
        if self._done is not None:
            self._done(outcome)


def _send(flow: Flow[Any], outcome: Outcome[Any]) -> Step:
    if outcome.error is not None:
        return flow.throw(outcome.error)
    return flow.send(outcome.value)


def start(
    clock: Clock, workers: Workers, flow: Flow[T], done: Callable[[Outcome[T]], None] | None = None
) -> Task[T]:
    """Run a flow; its first step is taken by the clock's next callback.

    Args:
        clock: where the flow runs.
        workers: who does its blocking work.
        flow: what to run.
        done: called on the clock with the outcome: the flow's value or the error that ended it.

    Returns:
        The running flow, to look at it or to cancel it.
    """
    return Task(clock, workers, flow, done)


def wait(seconds: float) -> Flow[None]:
    """Let ``seconds`` pass (0: let what is due run first)."""
    yield _Wait(seconds)


def blocking(function: Callable[[], T]) -> Flow[T]:
    """Run function off the clock and return what it returns; what it raises is raised here."""
    value: T = yield _Blocking(function)
    return value


def callback(begin: Callable[[Callable[[Outcome[T]], None]], None]) -> Flow[T]:
    """Call ``begin(done)`` and go on once ``done(outcome)`` was called, from whatever thread."""
    value: T = yield _Callback(begin)
    return value


def parallel(flows: Sequence[Flow[T]], limit: int = 8) -> Flow[list[Outcome[T]]]:
    """Run flows beside each other and return their outcomes, in the order of the flows.

    An error of one is its outcome and does not end the others; cancelling cancels all.

    Args:
        flows: what to run.
        limit: how many run at the same time (at least 1).
    """
    outcomes: list[Outcome[T]] = yield _Parallel(flows, limit)
    return outcomes


def together(flows: Sequence[Flow[T]], limit: int = 8) -> Flow[list[T]]:
    """Run flows beside each other and return their values.

    Raises:
        Exception: the first error, in the order of the flows, after all have ended.
    """
    outcomes = yield from parallel(flows, limit)
    return [outcome.get() for outcome in outcomes]


def poll(
    clock: Clock,
    ask: Callable[[], T],
    *,
    until: Callable[[T], bool],
    every_s: float,
    within_s: float,
    what: str,
) -> Flow[T]:
    """Ask again and again, off the clock, until an answer will do; it is returned.

    Args:
        clock: tells when the time is up.
        ask: the blocking question; what it raises ends the waiting.
        until: whether an answer is the awaited one; may raise to give up early.
        every_s: seconds between an answer and the next question; see :func:`pause_s`.
        within_s: seconds after which no new question is asked; the first one always is.
        what: what is waited for, for the error.

    Raises:
        FlowTimeout: the time is up.
    """
    deadline = clock.now() + within_s
    while True:
        asked = clock.now()
        answer = yield from blocking(ask)
        if until(answer):
            return answer
        pause = pause_s(every_s, clock.now() - asked)
        if clock.now() + pause > deadline:
            raise FlowTimeout(
                f"waited {within_s:g} s for {what}; the last answer was {answer!r:.200}"
            )
        yield from wait(pause)


def pause_s(every_s: float, took_s: float) -> float:
    """Return how long to wait before a question is asked again, in seconds.

    Who takes long to answer is busy, most likely with what is waited for: so he is left in peace for as long as
    the answer took, and spends half of his time on questions at most.

    Args:
        every_s: the shortest pause.
        took_s: how long the last answer took.
    """
    return max(every_s, took_s)
