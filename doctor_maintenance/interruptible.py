# SPDX-License-Identifier: Apache-2.0
"""An event whose wait no signal gets lost in.

Python runs a signal's handler on the main thread, between two of its instructions. ``threading.Event``
sleeps through a signal that arrives just before it falls asleep, or that the kernel gives to another
thread: the handler then runs when the wait is over, and that may be never. A wait with a limit, again and
again, was refused: it acts late, and wakes for nothing.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading

LOG = logging.getLogger(__name__)

_MAIN = threading.main_thread()


class InterruptibleEvent:
    """An event for one thread to wait for; on the main thread, signals are handled while it waits.

    It is a context manager, to be entered by the thread that waits. Setting it may be done by any thread and
    in a signal's handler, and is no error once it was left.
    """

    def __init__(self) -> None:
        self._set = False
        self._changing = threading.RLock()  # a handler may set it while its own thread does
        self._reader: socket.socket | None = None
        self._writer: socket.socket | None = None
        self._before = -1

    def __enter__(self) -> InterruptibleEvent:
        reader, writer = socket.socketpair()
        writer.setblocking(False)
        if threading.current_thread() is _MAIN:
            self._before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        self._reader, self._writer = reader, writer
        return self

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is _MAIN:
            signal.set_wakeup_fd(self._before)
        with self._changing:
            for end in (self._reader, self._writer):
                if end is not None:
                    end.close()
            self._reader = self._writer = None

    def is_set(self) -> bool:
        """Return whether it was set."""
        return self._set

    def set(self) -> None:
        """Set it, and wake who waits."""
        with self._changing:
            self._set = True
            if self._writer is None:
                return
            try:
                self._writer.send(b"\0")
            except BlockingIOError:
                LOG.debug("so much waits to be read that it wakes by that")

    def wait(self) -> None:
        """Return once it is set; what a signal's handler raises is raised here."""
        assert self._reader is not None, "it is entered before it is waited for"
        while not self._set:
            self._reader.recv(4096)
