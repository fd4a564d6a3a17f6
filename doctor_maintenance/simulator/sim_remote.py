# SPDX-License-Identifier: Apache-2.0
"""Commands on simulated hosts without sockets, for virtual time: the same answers, on the clock.

It fails as the real one does, with the same classes, so that whoever uses it cannot tell.
"""

from __future__ import annotations

from doctor_maintenance.exceptions import (
    RemoteError,
    RemoteHostKeyError,
    RemoteTimeout,
    RemoteUnreachable,
)
from doctor_maintenance.remote import DROPPED, CommandResult, Done, HostAddress
from doctor_maintenance.simulator.hosts import CommandAnswer, CommandTable, HostCloud, perform
from doctor_maintenance.workers import Outcome


class SimRemote:
    """Runs commands on the hosts of a simulated cloud, on the cloud's clock.

    Args:
        cloud: the simulated cloud.
        table: what the hosts' shells know.
        connect_timeout_s: how long a connection to a host that does not talk is waited for.
    """

    def __init__(
        self, cloud: HostCloud, table: CommandTable | None = None, connect_timeout_s: float = 10.0
    ) -> None:
        self._cloud = cloud
        self._table = table or CommandTable()
        self._connect_timeout_s = connect_timeout_s

    def run(self, host: HostAddress, command: str, timeout_s: float, done: Done) -> None:
        """Run a command; see ``Remote.run``."""
        clock = self._cloud.clock
        clock.call_later(0.0, lambda: self._begin(host, command, timeout_s, done))

    def _begin(self, host: HostAddress, command: str, timeout_s: float, done: Done) -> None:
        clock = self._cloud.clock
        delay_s, error = self._connect(host)
        if error is not None:
            outcome: Outcome[CommandResult] = Outcome(error=error)
            clock.call_later(delay_s, lambda: done(outcome))
            return
        boot_id = self._cloud.compute.hosts[host.name].boot_id
        answer = perform(self._cloud, self._table, host.name, command)
        if answer is None or answer.duration_s > timeout_s:
            late = RemoteTimeout(
                f"host {host.name}: {command!r} did not end within {timeout_s:g} s; it may still run there",
                host=host.name,
            )
            clock.call_later(timeout_s, lambda: done(self._unless_rebooted(host, boot_id, late)))
            return
        clock.call_later(answer.duration_s, lambda: self._end(host, boot_id, answer, done))

    def _connect(self, host: HostAddress) -> tuple[float, RemoteError | None]:
        """Return after what time a connection fails, and how; None if it does not."""
        record = self._cloud.compute.hosts.get(host.name)
        if record is None or not record.powered:
            return 0.0, RemoteUnreachable(
                f"host {host.name} ({host.address} port {host.port}): expected SSH to answer, found nobody; "
                "check that the host is up",
                host=host.name,
            )
        fault = self._cloud.faults.decide("host.connect", host=host.name)
        if fault is None:
            return 0.0, None
        where = f"host {host.name} ({host.address} port {host.port})"
        if fault.name == "ssh_hangs":
            limit_s = self._connect_timeout_s
            return limit_s, RemoteTimeout(f"{where}: no session in {limit_s:g} s", host=host.name)
        if fault.name == "ssh_host_key_changed":
            return 0.0, RemoteHostKeyError(
                f"{where}: the host key is not the known one; if the host was installed anew, replace "
                "its line in the known_hosts file",
                host=host.name,
            )
        return 0.0, RemoteUnreachable(f"{where}: connection refused", host=host.name)

    def _end(self, host: HostAddress, boot_id: str, answer: CommandAnswer, done: Done) -> None:
        outcome = self._unless_rebooted(
            host, boot_id, CommandResult(answer.status, answer.stdout, answer.stderr)
        )
        if answer.reboots and outcome.value is not None and not outcome.value.dropped:
            self._cloud.compute.machines.reboot(host.name)
        done(outcome)

    def _unless_rebooted(
        self, host: HostAddress, boot_id: str, ending: CommandResult | RemoteError
    ) -> Outcome[CommandResult]:
        """The ending, or a dropped connection if the host went down meanwhile."""
        record = self._cloud.compute.hosts[host.name]
        if not record.powered or record.boot_id != boot_id:
            return Outcome(value=CommandResult(DROPPED))
        if isinstance(ending, RemoteError):
            return Outcome(error=ending)
        return Outcome(value=ending)
