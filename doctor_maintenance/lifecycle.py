# SPDX-License-Identifier: Apache-2.0
"""How a process of ours lives: it says when it is ready, ends when it is told, and never stays behind.

A parent reads ``ready <url>`` from the child's standard output, so it need not guess a port or poll.
With ``--die-with-parent`` the child ends when its standard input does: the kernel closes that pipe
however the parent ended, on every system. The Linux-only signal on a parent's death was refused,
for it follows the parent's thread, not the parent.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from doctor_maintenance.interruptible import InterruptibleEvent

LOG = logging.getLogger(__name__)

INTERRUPTED = 130
"""The exit status after Ctrl-C, as a shell has it: 128 and the signal's number."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every process that serves accepts."""
    parser.add_argument(
        "--die-with-parent",
        action="store_true",
        help="end when standard input ends, so when whoever started this is gone",
    )


class Stop:
    """What tells a process to end: a signal, or the end of its standard input.

    Args:
        told: what is waited for.

    Attributes:
        exit_status: what the process is to return: 0 after SIGTERM or the parent's end, 130 after
            Ctrl-C.
    """

    def __init__(self, told: InterruptibleEvent) -> None:
        self._told = told
        self.exit_status = 0

    @property
    def told(self) -> bool:
        """True from the moment that the process is to end."""
        return self._told.is_set()

    def tell(self, reason: str, exit_status: int = 0) -> None:
        """Let the process end; the first reason counts."""
        if not self._told.is_set():
            LOG.info("ending: %s", reason)
            self.exit_status = exit_status
            self._told.set()

    def wait(self) -> None:
        """Return when the process is to end."""
        self._told.wait()


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Turn SIGTERM and SIGINT into a :class:`Stop`; a second one ends the process at once.

    Only the main thread may enter. The handlers before are restored at the end.
    """
    told = InterruptibleEvent()
    stop = Stop(told)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        name = signal.Signals(number).name
        stop.tell(f"received {name}", INTERRUPTED if number == signal.SIGINT else 0)

    with told:
        before = {each: signal.signal(each, on_signal) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield stop
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def terminate_as_interrupted() -> None:
    """Let SIGTERM do what Ctrl-C does, as a CI job that is canceled is to end what it began; for the main thread."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def serve_until_stopped(
    url: str, close: Callable[[], None], *, die_with_parent: bool = False
) -> int:
    """Print ``ready <url>``, wait until the process is to end, and close.

    Call it from the main thread, when the process listens.

    Args:
        url: where it listens.
        close: ends everything; called once, also if this raises.
        die_with_parent: end as well when standard input ends.

    Returns:
        The exit status.
    """
    # What was imported stays: a collector that looks through it all stops a notification for 0.1 s.
    gc.collect()
    gc.freeze()
    with stop_on_signals() as stop:
        try:
            print(f"ready {url}", flush=True)  # noqa: T201 - the parent reads it
            if die_with_parent:
                watch_stdin(stop)
            stop.wait()
        except BrokenPipeError:
            stop.tell("nobody reads our standard output")
        finally:
            close()
        return stop.exit_status


def watch_stdin(stop: Stop) -> None:
    """Tell stop when standard input ends; what is written to it is ignored."""

    def read() -> None:
        descriptor = sys.__stdin__.fileno() if sys.__stdin__ is not None else -1
        try:
            while descriptor >= 0 and os.read(descriptor, 4096):
                pass
        except OSError as error:
            LOG.debug("standard input: %s", error)
        stop.tell("standard input ended, so the parent did")

    threading.Thread(target=read, name="parent-watch", daemon=True).start()
