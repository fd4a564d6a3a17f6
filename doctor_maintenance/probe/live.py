# SPDX-License-Identifier: Apache-2.0
"""The probe on real sockets: one thread that asks at a fixed rate and reads who answers.

The schedule is absolute, so a late wake-up does not shift what follows. Slots that were missed because
this machine was busy are left out, not made up for in a burst: a burst would say nothing about the
time that was missed. The thread reads before it judges, so an answer that waited in the socket while
the thread did not run is an answer.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Callable

from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.probe.analysis import ProbeReport
from doctor_maintenance.probe.config import ProbeConfig, ProbeProtocol
from doctor_maintenance.probe.log import ProbeLog, Snapshot
from doctor_maintenance.probe.transports import TcpTransport, Transport, UdpTransport
from doctor_maintenance.probe.wire import check_nonce

LOG = logging.getLogger(__name__)


class LiveProbe:
    """Probes one address until it is stopped.

    Args:
        config: what to ask, and how often.
        now: seconds since the epoch, passing at the pace of real time (a ``WallClock``'s ``now`` at speed 1).
        nonce: 1 to 64 letters, digits or ``_.-`` that no other probe of the address uses.

    Raises:
        PreconditionError: no socket can be made for the address.
    """

    def __init__(self, config: ProbeConfig, *, now: Callable[[], float], nonce: str) -> None:
        self._config = config
        self._now = now
        self._log = ProbeLog(config.period_s, config.timeout_s)
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._wake_up, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._transport = self._make_transport(check_nonce(nonce))
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self._stopping = False
        self._until: float | None = None

    def start(self) -> None:
        """Send the first probe now and the others after it."""
        self._thread.start()

    def stop(self) -> ProbeReport:
        """Send no more, wait up to the timeout for answers still on their way, and return the report."""
        self._stopping = True
        if self._thread.ident is None:
            self._end()
        elif self._thread.is_alive():
            with contextlib.suppress(OSError):  # it may be ending by itself
                self._wake_up.send(b"x")
            self._thread.join()
        return self.report()

    def snapshot(self) -> Snapshot:
        """Return the counts of this moment."""
        with self._lock:
            return self._log.snapshot(self._now() if self._until is None else self._until)

    def report(self) -> ProbeReport:
        """Return the analysis of everything so far."""
        with self._lock:
            return self._log.report(self._now() if self._until is None else self._until)

    def _make_transport(self, nonce: str) -> Transport:
        config = self._config
        kind = UdpTransport if config.protocol is ProbeProtocol.UDP else TcpTransport
        try:
            return kind(self._selector, (config.address, config.port), nonce, config.give_up_s)
        except OSError as error:
            raise PreconditionError(
                f"probe: cannot ask {config.address} port {config.port} over {config.protocol}: {error}; "
                "check that the address is an IP address that this machine has a route to"
            ) from error

    def _run(self) -> None:
        try:
            start = self._now()
            self._send_until_stopped(start)
            self._read_stragglers()
        except Exception:
            LOG.exception("the probe of %s failed and sends no more", self._config.address)
        finally:
            self._end()

    def _end(self) -> None:
        if self._until is None:
            self._until = self._now()
            self._transport.close()
            self._selector.close()
            self._wake_up.close()
            self._woken.close()

    def _send_until_stopped(self, start: float) -> None:
        period_s = self._config.period_s
        slot = 0
        while not self._stopping:
            now = self._now()
            if start + slot * period_s <= now:
                with self._lock:
                    seq = self._log.sent(now)
                self._transport.send(seq, now)
                slot = int((now - start) / period_s) + 1
            self._read(max(0.0, start + slot * period_s - self._now()))

    def _read_stragglers(self) -> None:
        deadline = self._now() + self._config.timeout_s
        while (now := self._now()) < deadline:
            with self._lock:
                waiting = self._log.unanswered(now)
            if not waiting:
                return
            self._read(min(deadline - now, self._config.period_s))

    def _read(self, wait_s: float) -> None:
        for key, events in self._selector.select(wait_s):
            if key.fileobj is self._woken:
                self._drain_wake_up()
                continue
            for seq, responder in self._transport.ready(key, events):
                with self._lock:
                    self._log.answered(seq, self._now(), responder.who)
        self._transport.expire(self._now())

    def _drain_wake_up(self) -> None:
        try:
            self._woken.recv(16)
        except BlockingIOError:
            return
