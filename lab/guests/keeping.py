# SPDX-License-Identifier: Apache-2.0
"""What a host runs, and runs again when it ends, as systemd does on any host.

A test that kills libvirtd is to see what that does to a maintenance, not that nobody is there to start it. Open
vSwitch could look after itself (``--monitor``), but then nobody would know that it began anew, and it does so with
every capability that had been taken from it. nova-compute is no service of the host here, see ``compute``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lab.guests.host import Service

PAUSE_S = 0.1
"""Between the end of a service and its next start: systemd's ``RestartSec`` by default."""

_BURST, _BURST_S = 5, 10.0


@dataclass(slots=True)
class Keeper:
    """The services of a host by their process IDs.

    Attributes:
        start: starts a service and returns its process ID.
        now: the time, in seconds.
        tell: writes a line to the host's log.
    """

    start: Callable[[Service], int]
    now: Callable[[], float]
    tell: Callable[[str], None]
    _running: dict[int, Service] = field(default_factory=dict)
    _due: list[tuple[float, Service]] = field(default_factory=list)
    _started: dict[str, list[float]] = field(default_factory=dict)

    def begin(self, service: Service) -> None:
        """Start a service, and keep it running from now on."""
        self._running[self.start(service)] = service
        self._started.setdefault(service.name, []).append(self.now())

    def ended(self, pid: int, status: int) -> None:
        """Take note that a process ended; one that is no service is nobody's business.

        As with systemd, five starts within ten seconds are enough: what cannot run is left alone.
        """
        service = self._running.pop(pid, None)
        if service is None:
            return
        lately = [at for at in self._started[service.name] if at > self.now() - _BURST_S]
        self._started[service.name] = lately
        if len(lately) >= _BURST:
            self.tell(
                f"{service.name} ended with status {status}, {_BURST} times in a row: left alone"
            )
            return
        self.tell(f"{service.name} ended with status {status}: starting it again")
        self._due.append((self.now() + PAUSE_S, service))

    def due(self) -> list[Service]:
        """Return what is to be begun again now; it is told once."""
        now = self.now()
        due = [service for at, service in self._due if at <= now]
        self._due = [(at, service) for at, service in self._due if at > now]
        return due

    @property
    def wait_s(self) -> float | None:
        """How long until something is due, in seconds; None: nothing is."""
        return max(0.0, min(at for at, _ in self._due) - self.now()) if self._due else None
