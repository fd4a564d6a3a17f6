# SPDX-License-Identifier: Apache-2.0
"""Something that takes time in the cloud, written as one readable sequence.

A process is a generator that yields how long to wait, in seconds. So a live migration reads from top to bottom as
the timeline that was recorded, instead of being spread over a dozen callbacks. A thread that sleeps would read as
well, and could neither be replayed nor stopped in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Generator

from doctor_maintenance.clock import Clock, TimerHandle

Steps = Generator[float, None, None]

FOREVER = math.inf
"""A wait that only :meth:`Process.stop` ends."""


class Process:
    """A sequence of steps on a clock; it begins at once and runs to its end or until it is stopped.

    Args:
        clock: what wakes it.
        steps: the sequence; a wait of 0 goes on at once.
    """

    __slots__ = ("_clock", "_steps", "_timer", "running")

    def __init__(self, clock: Clock, steps: Steps) -> None:
        self._clock = clock
        self._steps = steps
        self._timer: TimerHandle | None = None
        self.running = True
        self._advance()

    def _advance(self) -> None:
        self._timer = None
        for delay_s in self._steps:
            if delay_s == FOREVER:
                return
            if delay_s > 0:
                self._timer = self._clock.call_later(delay_s, self._advance)
                return
        self.running = False

    def stop(self) -> None:
        """End the process where it waits; its ``finally`` clauses run. A process that has ended is left alone."""
        if self._timer is not None:
            self._clock.cancel(self._timer)
            self._timer = None
        self.running = False
        self._steps.close()
