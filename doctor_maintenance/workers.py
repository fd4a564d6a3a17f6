# SPDX-License-Identifier: Apache-2.0
"""Work that blocks (HTTP calls, SSH) is done off the clock; its outcome comes back on the clock.

In virtual time the same work runs inline and takes no time, because what it talks to is in the same
process and on the same clock. So one engine serves both, and never waits.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from doctor_maintenance.clock import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a piece of work came to: a value, or the error that it raised.

    Attributes:
        value: what was returned; None if there is an error.
        error: what was raised, or None.
    """

    value: T | None = None
    error: Exception | None = None

    def get(self) -> T:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


def attempt(function: Callable[[], T]) -> Outcome[T]:
    """Run function and return its outcome; the errors of the work belong to whoever asked for it."""
    try:
        return Outcome(value=function())
    except Exception as error:  # noqa: BLE001 - nothing is swallowed: it is told to whoever asked
        return Outcome(error=error)


class Workers(Protocol):
    """Somebody who does blocking work."""

    def submit(self, function: Callable[[], T], done: Callable[[Outcome[T]], None]) -> None:
        """Run function off the clock, then ``done(outcome)`` on the clock."""


class InlineWorkers:
    """Workers of virtual time: the work is done at once, the outcome is told in a callback.

    Args:
        clock: where ``done`` runs.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def submit(self, function: Callable[[], T], done: Callable[[Outcome[T]], None]) -> None:
        """Run function now and ``done`` as the clock's next callback."""
        outcome = attempt(function)
        self._clock.call_later(0.0, lambda: done(outcome))


class ThreadWorkers:
    """Workers of real time: a bounded pool of threads.

    Args:
        clock: where ``done`` runs.
        threads: how many pieces of work run at the same time (1 to 256).
    """

    def __init__(self, clock: Clock, threads: int = 8) -> None:
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="worker")

    def submit(self, function: Callable[[], T], done: Callable[[Outcome[T]], None]) -> None:
        """Run function in a thread of the pool and ``done`` on the clock."""

        def work() -> None:
            outcome = attempt(function)
            self._clock.call_later(0.0, lambda: done(outcome))

        self._pool.submit(work)

    def close(self, wait: bool = False) -> None:
        """Take no more work; what has not begun is dropped.

        Args:
            wait: whether to wait for the work that has begun.
        """
        self._pool.shutdown(wait=wait, cancel_futures=True)

    def __enter__(self) -> ThreadWorkers:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
