# SPDX-License-Identifier: Apache-2.0
"""Work that takes virtual time and comes to a result: a generator that yields how long to wait.

The flows of the real tools do the same for real time and real threads; this is what is left of one
when nothing blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from doctor_maintenance.clock import TimerHandle, VirtualClock

Work = Generator[float, None, Any]


class Job:
    """A piece of work on a clock; it begins at once.

    Args:
        clock: what wakes it.
        work: yields the seconds to wait, and returns the result.
        done: is given the result, after the work has ended.
    """

    __slots__ = ("_clock", "_done", "_timer", "_work")

    def __init__(self, clock: VirtualClock, work: Work, done: Callable[[Any], None]) -> None:
        self._clock = clock
        self._work = work
        self._done = done
        self._timer: TimerHandle | None = None
        self._go_on()

    def _go_on(self) -> None:
        self._timer = None
        try:
            delay_s = next(self._work)
        except StopIteration as ended:
            self._done(ended.value)
            return
        self._timer = self._clock.call_later(delay_s, self._go_on)

    def stop(self) -> None:
        """End the work where it waits; nobody is told."""
        if self._timer is not None:
            self._clock.cancel(self._timer)
            self._timer = None
            self._work.close()
