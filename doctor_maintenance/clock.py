# SPDX-License-Identifier: Apache-2.0
"""The one source of time: what is asked for the time, and what wakes us later.

Every wait in the project is a callback on a clock that was handed in. One model thus runs in virtual
time (tests, the explorer), in real time, or in real time n times faster. A thread that sleeps was
refused: it can neither be replayed nor be hurried.

A clock is also what keeps a component's state whole: its callbacks run one at a time, and whoever
comes from another thread enters through :meth:`Clock.call`. Nothing else needs a lock.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

LOG = logging.getLogger(__name__)

T = TypeVar("T")
Callback = Callable[[], None]

VIRTUAL_EPOCH_S = 4_102_444_800.0
"""Where virtual time starts by default: 2100-01-01 00:00:00 UTC.

Later than any machine's clock, because keystoneauth compares a token's expiry with the machine's time
and would take every token of an earlier virtual time for expired.
"""


class TimerHandle:
    """A callback that is due at some time; keep it to be able to cancel it."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callback) -> None:
        self.when = when
        self.callback: Callback | None = callback

    @property
    def pending(self) -> bool:
        """True until the callback has run or was cancelled."""
        return self.callback is not None


class Clock(Protocol):
    """Time in seconds since the epoch (UTC, float), and callbacks at a time."""

    def now(self) -> float:
        """Return the present time."""

    def call_at(self, when: float, callback: Callback) -> TimerHandle:
        """Run callback at ``when``, or as soon as possible if that is past; ties run in order."""

    def call_later(self, delay_s: float, callback: Callback) -> TimerHandle:
        """Run callback ``delay_s`` seconds from now (0: as soon as the present callback is over)."""

    def cancel(self, handle: TimerHandle) -> None:
        """Forget a callback; one that has run or was cancelled is no error."""

    def call(self, function: Callable[[], T]) -> T:
        """Run function while no callback runs, and return what it returns."""


class _Heap:
    """Timers in order of time, then of insertion."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, TimerHandle]] = []
        self._order = itertools.count()

    def push(self, handle: TimerHandle) -> None:
        heapq.heappush(self._heap, (handle.when, next(self._order), handle))

    def next_time(self) -> float | None:
        while self._heap and self._heap[0][2].callback is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self) -> TimerHandle:
        return heapq.heappop(self._heap)[2]

    def next(self) -> tuple[float, TimerHandle] | None:
        """Take out the next timer that was not cancelled; None if there is none."""
        while self._heap:
            when, _, handle = heapq.heappop(self._heap)
            if handle.callback is not None:
                return when, handle
        return None


class VirtualClock:
    """Time that passes only when it is told to, and then at once.

    Args:
        start: the first value of :meth:`now`, in seconds since the epoch.
    """

    def __init__(self, start: float = VIRTUAL_EPOCH_S) -> None:
        self._now = start
        self._timers = _Heap()

    def now(self) -> float:
        """Return the virtual time."""
        return self._now

    def call_at(self, when: float, callback: Callback) -> TimerHandle:
        """Run callback when virtual time reaches ``when``."""
        handle = TimerHandle(max(self._now, when), callback)
        self._timers.push(handle)
        return handle

    def call_later(self, delay_s: float, callback: Callback) -> TimerHandle:
        """Run callback ``delay_s`` virtual seconds from now."""
        return self.call_at(self._now + delay_s, callback)

    def cancel(self, handle: TimerHandle) -> None:
        """Forget a callback."""
        handle.callback = None

    def call(self, function: Callable[[], T]) -> T:
        """Run function: in virtual time there is one thread, so nothing can run beside it."""
        return function()

    def step(self) -> bool:
        """Run the next callback.

        Returns:
            False if there was none.
        """
        due = self._timers.next()
        if due is None:
            return False
        when, handle = due
        if when > self._now:  # it may have jumped over this timer
            self._now = when
        callback, handle.callback = handle.callback, None
        if callback is not None:
            callback()
        return True

    def run(self, until: float | None = None, limit: int = 10_000_000) -> int:
        """Run callbacks in order.

        Args:
            until: stop after the callbacks due at this time, and set the time to it; None: until none is left.
            limit: the most callbacks to run; a larger number of them means a loop that never ends.

        Returns:
            How many callbacks ran.

        Raises:
            RuntimeError: the limit was reached.
        """
        count = 0
        while (due := self._timers.next_time()) is not None and (until is None or due <= until):
            if count >= limit:
                raise RuntimeError(f"{limit} callbacks ran and virtual time is still {self._now}")
            self.step()
            count += 1
        if until is not None and until > self._now:
            self._now = until
        return count

    def run_until(self, predicate: Callable[[], bool], deadline: float) -> bool:
        """Run callbacks until predicate holds or the next one is due after the deadline.

        Returns:
            Whether the predicate holds.
        """
        while not predicate():
            due = self._timers.next_time()
            if due is None or due > deadline:
                return False
            self.step()
        return True

    def jump(self, seconds: float) -> None:
        """Let it be later at once, as after a machine was suspended: what was due meanwhile runs late, in order."""
        self._now += seconds

    def advance(self, seconds: float) -> int:
        """Let ``seconds`` of virtual time pass, and return how many callbacks ran."""
        return self.run(until=self._now + seconds)


class WallClock:
    """Real time, at ``speed`` times its pace; callbacks run on a thread of the clock's own.

    Args:
        speed: how many seconds of this clock pass in a real second (> 0).
    """

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"the speed of a clock is above 0, not {speed}")
        self._speed = speed
        self._real_start = time.monotonic()
        self._start = time.time()
        self._timers = _Heap()
        self._changed = threading.Condition()
        self._running = threading.RLock()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def now(self) -> float:
        """Return the time; it never goes back, whatever is done to the machine's clock."""
        return self._start + (time.monotonic() - self._real_start) * self._speed

    def call_at(self, when: float, callback: Callback) -> TimerHandle:
        """Run callback on the clock's thread at ``when``; may be called from any thread."""
        handle = TimerHandle(when, callback)
        with self._changed:
            self._timers.push(handle)
            self._changed.notify()
        return handle

    def call_later(self, delay_s: float, callback: Callback) -> TimerHandle:
        """Run callback on the clock's thread in ``delay_s`` seconds of this clock."""
        return self.call_at(self.now() + delay_s, callback)

    def cancel(self, handle: TimerHandle) -> None:
        """Forget a callback; one that is running at this moment runs to its end."""
        handle.callback = None

    def call(self, function: Callable[[], T]) -> T:
        """Run function in the caller's thread while no callback runs."""
        with self._running:
            return function()

    def start(self) -> None:
        """Start the clock's thread; starting twice is no error."""
        if self._thread is None:
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread after the present callback; what is still due is forgotten."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def _run(self) -> None:
        while (handle := self._next()) is not None:
            with self._running:
                callback, handle.callback = handle.callback, None
                if callback is None:
                    continue
                try:
                    callback()
                except Exception:
                    LOG.exception("a callback of the clock failed; the clock goes on")

    def _next(self) -> TimerHandle | None:
        with self._changed:
            while not self._stopping:
                due = self._timers.next_time()
                if due is None:
                    self._changed.wait()
                    continue
                wait_s = (due - self.now()) / self._speed
                if wait_s <= 0:
                    return self._timers.pop()
                self._changed.wait(wait_s)
        return None
