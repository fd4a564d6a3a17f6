# SPDX-License-Identifier: Apache-2.0
"""The maintenance itself, on the host over SSH (between steps 9 and 10), and the guests that stayed there.

Every command comes from the operator's configuration; nothing that came over the network is ever a part of
one.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial

from doctor_maintenance.admin_tool.calls import CloudCalls, Server
from doctor_maintenance.admin_tool.memos import Memos
from doctor_maintenance.admin_tool.patience import patiently
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import CloudError, MaintenanceError, RemoteError, RemoteTimeout
from doctor_maintenance.flow import Flow, blocking, callback, wait
from doctor_maintenance.observations import Observe
from doctor_maintenance.planning.commands import Maintain, RestoreInstances, WorkStep
from doctor_maintenance.remote import CommandResult, HostAddress, Remote

LOG = logging.getLogger(__name__)

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
_OUTPUT_SHOWN = 200
_SHORT_COMMAND_S = 10.0
_GUEST_GRACE_S = 10.0
"""How long a guest may take to be started by its host, before it is helped."""


class HostSideError(MaintenanceError):
    """A step of the maintenance itself did not come to a good end; the message names the host."""


@dataclass(frozen=True, slots=True)
class HostSideRules:
    """What is done on a host; durations in seconds.

    Attributes:
        maintenance_commands: run in this order; each must end with status 0.
        test_command: the operator's test of a host after full maintenance; None: no test.
        reboot_command: reboots the host.
        guests_command: prints the instance IDs of the guests that run on a host; None: Nova is believed.
        command_timeout_s: how long one of the first two may take.
        host_timeout_s: how long a host may take to come back, its nova-compute to be up, or its
            guests to run again.
        poll_s: the time between two looks.
        ssh_port: of every host.
    """

    maintenance_commands: tuple[str, ...] = ("true",)
    test_command: str | None = "true"
    reboot_command: str = "sudo systemctl reboot"
    guests_command: str | None = "sudo -n virsh list --uuid"
    command_timeout_s: float = 3600.0
    host_timeout_s: float = 900.0
    poll_s: float = 0.5
    ssh_port: int = 22


@dataclass(slots=True)
class HostSide:
    """Works on hosts.

    Attributes:
        clock: the time.
        calls: the cloud: it knows where a host is, and whether its nova-compute is up.
        remote: runs commands.
        rules: what is done.
        memos: where the boot ID from before a reboot is kept.
        observe: told of every check (kind ``ssh``).
    """

    clock: Clock
    calls: CloudCalls
    remote: Remote
    rules: HostSideRules
    memos: Memos
    observe: Observe
    _addresses: dict[str, HostAddress] = field(default_factory=dict)

    def maintain(self, command: Maintain) -> Flow[None]:
        """Do one step of the maintenance.

        Raises:
            HostSideError: it did not come to a good end.
            RemoteError: the host could not be worked on.
            CloudError: the cloud could not be asked.
        """
        match command.step:
            case WorkStep.COMMANDS:
                for line in self.rules.maintenance_commands:
                    yield from self._must_succeed(command.host, line, "maintenance")
            case WorkStep.REBOOT:
                yield from self._reboot(command)
            case WorkStep.SERVICE:
                yield from self._service_up(command.host)
            case WorkStep.TEST:
                if self.rules.test_command is not None:
                    yield from self._must_succeed(command.host, self.rules.test_command, "test")

    def restore(self, command: RestoreInstances) -> Flow[None]:
        """See to it that instances that were left on a host run again.

        Nova is not enough of a witness: after a reboot it says ACTIVE of guests that are down, until it
        finds out. So the host is asked as well, if it can tell.

        Raises:
            HostSideError: one does not run.
            CloudError: the cloud could not be asked.
        """
        host = command.host
        helped: set[str] = set()
        began = self.clock.now()
        while True:
            seen = yield from patiently(lambda: self.calls.servers_on(host))
            running = yield from self._guests(host)
            down = [
                item
                for item in seen
                if item.instance_id in command.instance_ids and not _runs(item, running)
            ]
            if not down:
                return
            now = self.clock.now()
            if now >= began + self.rules.host_timeout_s:
                found = ", ".join(f"{item.instance_id} is {item.status}" for item in down)
                raise HostSideError(
                    f"host {host}: expected the instances left there to run again within "
                    f"{self.rules.host_timeout_s:g} s; found: {found}"
                )
            for server in down:
                # A guest may just be on its way up, with Nova's help or without it.
                patient = server.status == "ACTIVE" and now < began + _GUEST_GRACE_S
                if not (server.task or patient or server.instance_id in helped):
                    helped.add(server.instance_id)
                    yield from self._start(server)
            yield from wait(self.rules.poll_s)

    def _guests(self, host: str) -> Flow[frozenset[str] | None]:
        """Return the guests that run on a host, by instance ID; None if it cannot tell."""
        if self.rules.guests_command is None:
            return None
        try:
            result = yield from self._run(host, self.rules.guests_command, _SHORT_COMMAND_S)
        except RemoteError as error:
            LOG.warning("%s", error)
            return None
        return frozenset(result.stdout.split()) if result.ok else None

    def _start(self, server: Server) -> Flow[None]:
        act = self.calls.start if server.status == "SHUTOFF" else self.calls.hard_reboot
        LOG.info(
            "instance %s is %s and does not run after the reboot: starting it",
            server.instance_id,
            server.status,
        )
        try:
            yield from patiently(lambda: act(server.instance_id))
        except CloudError as error:
            LOG.warning("instance %s: %s", server.instance_id, error)

    def _reboot(self, command: Maintain) -> Flow[None]:
        """Reboot, and wait for another boot ID; taken up after a restart, it reboots only what was not."""
        host = command.host
        before = self.memos.recall(command.key).get("boot_id")
        seen: str | None = None
        if before is None:
            before = seen = yield from self._boot_id(host)
            self._saw(host, "boot_id", True, before, "before")
            self.memos.remember(command.key, {"boot_id": before})
        deadline = self.clock.now() + self.rules.host_timeout_s
        asked, found = False, "it was not reachable"
        while True:
            try:
                boot_id = seen if seen is not None else (yield from self._boot_id(host))
            except (RemoteError, HostSideError) as error:
                found = str(error)
            else:
                if boot_id != before:
                    self._saw(host, "boot_id", True, boot_id, "after")
                    return
                if not asked:
                    yield from self._ask_to_reboot(host)
                asked, seen, found = True, None, "it still has the boot ID from before"
            if self.clock.now() >= deadline:
                self._saw(host, "boot_id", False, found, "after")
                raise HostSideError(
                    f"host {host}: expected it back with another boot ID within "
                    f"{self.rules.host_timeout_s:g} s; found: {found}"
                )
            yield from wait(self.rules.poll_s)

    def _ask_to_reboot(self, host: str) -> Flow[None]:
        """Give the command; a host that goes down before it can answer has understood."""
        line = self.rules.reboot_command
        try:
            result = yield from self._run(host, line, _SHORT_COMMAND_S)
        except RemoteTimeout:
            return
        if not result.ok and not result.dropped:
            raise HostSideError(_ended(host, line, result))

    def _boot_id(self, host: str) -> Flow[str]:
        result = yield from self._run(host, BOOT_ID, _SHORT_COMMAND_S)
        if not result.ok or not result.stdout.strip():
            raise HostSideError(_ended(host, BOOT_ID, result))
        return result.stdout.strip()

    def _service_up(self, host: str) -> Flow[None]:
        deadline = self.clock.now() + self.rules.host_timeout_s
        found = "it could not be asked for"
        while True:
            try:
                service = yield from blocking(lambda: self.calls.service(host))
                if service.up:
                    return
                found = f"it is down, last seen {service.updated_at or 'never'}"
            except CloudError as error:
                if error.permanent:
                    raise
                found = str(error)
            if self.clock.now() >= deadline:
                raise HostSideError(
                    f"host {host}: expected its nova-compute to be up within "
                    f"{self.rules.host_timeout_s:g} s; found: {found}"
                )
            yield from wait(self.rules.poll_s)

    def _must_succeed(self, host: str, line: str, check: str) -> Flow[None]:
        try:
            result = yield from self._run(host, line, self.rules.command_timeout_s)
        except RemoteError as error:
            self._saw(host, check, False, str(error), "during")
            raise
        self._saw(host, check, result.ok, f"{line}: status {result.status}", "during")
        if not result.ok:
            raise HostSideError(_ended(host, line, result))

    def _run(self, host: str, line: str, timeout_s: float) -> Flow[CommandResult]:
        address = self._addresses.get(host)
        if address is None:
            where = yield from patiently(lambda: self.calls.host_address(host))
            address = self._addresses[host] = HostAddress(host, where, self.rules.ssh_port)
        run = partial(self.remote.run, address, line, timeout_s)
        result: CommandResult = yield from callback(run)
        return result

    def _saw(self, host: str, check: str, ok: bool, value: str, phase: str) -> None:
        record = {"host": host, "check": check, "ok": ok, "value": value, "phase": phase}
        self.observe("ssh", record)


def _runs(server: Server, running: frozenset[str] | None) -> bool:
    return server.status in ("ACTIVE", "VERIFY_RESIZE") and (
        running is None or server.instance_id in running
    )


def _ended(host: str, line: str, result: CommandResult) -> str:
    how = "the connection was lost" if result.dropped else f"status {result.status}"
    said = (result.stderr.strip() or result.stdout.strip())[-_OUTPUT_SHOWN:]
    return f"host {host}: expected {line!r} to end with status 0; found {how}{': ' + said if said else ''}"
