# SPDX-License-Identifier: Apache-2.0
"""What a host's shell answers: a small table of commands, pure, without the sockets around it.

The SSH server (``ssh_server``) and the remote of virtual time (``sim_remote``) both ask here, so a host answers
alike in real and in virtual time. A real shell in a container was refused: it would show the machine
that the simulator runs on, and cannot run in virtual time.

A command that nobody told the simulator of ends as in a shell that does not find it. To let hosts know one
more, add a function to ``_COMMANDS``, or tell it as data:
``CommandTable({"firmware-update --all": CommandAnswer(duration_s=3.0)})``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Protocol

from doctor_maintenance.clock import Clock
from doctor_maintenance.simulator.events import CloudEvent
from doctor_maintenance.simulator.faults import Faults

MAX_COMMAND = 4096
"""The longest command, in characters, that a host looks at."""


class HostRecord(Protocol):
    """What is used here of a host of the compute model."""

    @property
    def address(self) -> str:
        """Where its SSH answers."""

    @property
    def powered(self) -> bool:
        """Whether the machine runs."""

    @property
    def boot_id(self) -> str:
        """Another one after every boot."""

    @property
    def booted_at(self) -> float:
        """When it booted, seconds since the epoch."""

    @property
    def service(self) -> Any:
        """Its nova-compute; ``alive`` says whether the process runs."""


class MachineModel(Protocol):
    """What is used here of the hosts as machines."""

    def reboot(self, name: str) -> None:
        """Reboot a host."""


class HostModel(Protocol):
    """What is used here of the compute model."""

    @property
    def hosts(self) -> Mapping[str, HostRecord]:
        """Every host by name."""

    def guests_on(self, host: str) -> Sequence[Any]:
        """The instances whose guest is defined on a host."""

    def is_running(self, instance_id: str) -> bool:
        """Whether an instance's guest executes."""

    @property
    def machines(self) -> MachineModel:
        """Power of the hosts."""


class HostCloud(Protocol):
    """What is used here of a simulated cloud; everything is touched only on its clock."""

    @property
    def clock(self) -> Clock:
        """The cloud's clock."""

    @property
    def compute(self) -> HostModel:
        """Its hosts and instances."""

    @property
    def faults(self) -> Faults:
        """What goes wrong."""

    def emit(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Report what happened."""

    def subscribe(self, callback: Callable[[CloudEvent], None]) -> Callable[[], None]:
        """Tell of every change of state, until what is returned is called."""


@dataclass(frozen=True, slots=True)
class HostView:
    """What can be seen on a host by somebody who is logged in to it.

    Attributes:
        name: the host's name.
        boot_id: as in ``/proc/sys/kernel/random/boot_id``.
        booted_at: when it booted, seconds since the epoch.
        compute_running: whether its nova-compute process runs.
        guests: ID and name of every guest that is defined on it, and whether it runs.
    """

    name: str
    boot_id: str
    booted_at: float
    compute_running: bool
    guests: tuple[Guest, ...] = ()


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest, as libvirt knows it."""

    instance_id: str
    name: str
    running: bool


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """What a command does.

    Attributes:
        status: its exit status.
        stdout: its output.
        stderr: its errors.
        duration_s: how long it takes (≥ 0).
        reboots: whether it then reboots the host, which drops the connection.
    """

    status: int = 0
    stdout: str = ""
    stderr: str = ""
    duration_s: float = 0.0
    reboots: bool = False


@dataclass(frozen=True, slots=True)
class CommandTable:
    """What the hosts' shells know.

    Attributes:
        canned: commands that the simulator was told of (the operator's maintenance and test commands),
            as they are sent, and their answers; they go before the built-in ones.
    """

    canned: Mapping[str, CommandAnswer] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def succeeding(cls, commands: Iterable[str], duration_s: float = 0.0) -> CommandTable:
        """Return a table in which these commands succeed, after ``duration_s``.

        Commands that are built in keep their own meaning, so a reboot stays one.
        """
        told = {_words(command): command for command in commands}
        return cls(
            {
                command: CommandAnswer(duration_s=duration_s)
                for words, command in told.items()
                if words not in _COMMANDS
            }
        )

    def answer(self, host: HostView, command: str) -> CommandAnswer:
        """Return what a command does on a host."""
        if command.strip() in self.canned:
            return self.canned[command.strip()]
        words = _words(command[:MAX_COMMAND])
        if not words:
            return CommandAnswer()
        known = _COMMANDS.get(words)
        if known is not None:
            return known(host)
        return CommandAnswer(127, stderr=f"bash: line 1: {words.split()[0]}: command not found\n")


def look(compute: HostModel, name: str) -> HostView:
    """Return what can be seen on a host now; to be called on the cloud's clock."""
    host = compute.hosts[name]
    guests = tuple(
        Guest(guest.instance_id, guest.name, compute.is_running(guest.instance_id))
        for guest in compute.guests_on(name)
    )
    return HostView(name, host.boot_id, host.booted_at, bool(host.service.alive), guests)


def perform(cloud: HostCloud, table: CommandTable, host: str, command: str) -> CommandAnswer | None:
    """Return what a command on a host comes to, faults included; to be called on the cloud's clock.

    A reboot is not done here, as whoever asked is answered first.

    Returns:
        The answer, or None if the command never ends.
    """
    fault = cloud.faults.decide("host.command", host=host, command=command)
    if fault is not None and fault.name == "command_hangs":
        return None
    if fault is None:
        answer = table.answer(look(cloud.compute, host), command)
    else:
        status = int(fault.parameters.get("status", 1))
        answer = CommandAnswer(status, stderr=f"{fault.parameters.get('output', '')}\n")
    cloud.emit("command", {"host": host, "command": command, "status": answer.status})
    return answer


def _words(command: str) -> str:
    """Return the command with single spaces and without ``sudo``: the user may do everything."""
    words = command.split()
    while words and words[0] in ("sudo", "-n"):
        words.pop(0)
    return " ".join(words)


def _success(host: HostView) -> CommandAnswer:
    return CommandAnswer()


def _failure(host: HostView) -> CommandAnswer:
    return CommandAnswer(1)


def _hostname(host: HostView) -> CommandAnswer:
    return CommandAnswer(stdout=f"{host.name}\n")


def _boot_id(host: HostView) -> CommandAnswer:
    return CommandAnswer(stdout=f"{host.boot_id}\n")


def _up_since(host: HostView) -> CommandAnswer:
    since = datetime.fromtimestamp(host.booted_at, tz=UTC)
    return CommandAnswer(stdout=f"{since:%Y-%m-%d %H:%M:%S}\n")


def _guests(show: Callable[[Guest], str], *, every: bool) -> Callable[[HostView], CommandAnswer]:
    def answer(host: HostView) -> CommandAnswer:
        shown = [show(guest) for guest in host.guests if every or guest.running]
        return CommandAnswer(stdout="".join(f"{line}\n" for line in [*shown, ""]))

    return answer


def _compute_is_active(host: HostView) -> CommandAnswer:
    if host.compute_running:
        return CommandAnswer(stdout="active\n")
    return CommandAnswer(3, stdout="inactive\n")


def _reboot(host: HostView) -> CommandAnswer:
    return CommandAnswer(reboots=True)


def _instance_id(guest: Guest) -> str:
    return guest.instance_id


def _name(guest: Guest) -> str:
    return guest.name


_COMMANDS: Mapping[str, Callable[[HostView], CommandAnswer]] = {
    "true": _success,
    ":": _success,
    "exit": _success,
    "exit 0": _success,
    "false": _failure,
    "hostname": _hostname,
    "cat /proc/sys/kernel/random/boot_id": _boot_id,
    "uptime -s": _up_since,
    "virsh list --uuid": _guests(_instance_id, every=False),
    "virsh list --all --uuid": _guests(_instance_id, every=True),
    "virsh list --uuid --all": _guests(_instance_id, every=True),
    "virsh list --name": _guests(_name, every=False),
    "virsh list --all --name": _guests(_name, every=True),
    "virsh list --name --all": _guests(_name, every=True),
    "systemctl is-active nova-compute": _compute_is_active,
    "systemctl is-active nova-compute.service": _compute_is_active,
    "reboot": _reboot,
    "systemctl reboot": _reboot,
    "shutdown -r now": _reboot,
}
