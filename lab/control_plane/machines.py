# SPDX-License-Identifier: Apache-2.0
"""The hosts and guests of a lab of this kind, in the shape in which the simulator's SSH and data path read them.

Nothing is decided here. Where a guest is and whether it runs is what Nova's virt drivers wrote down; where a floating
IP leads to is what Neutron wrote down; whether a host's nova-compute runs is looked up among the processes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from doctor_maintenance.clock import Clock
from doctor_maintenance.simulator.events import CloudEvent
from doctor_maintenance.simulator.faults import Faults
from lab import daemons
from lab.control_plane.parts import addresses_of, guests_of
from lab.layout import Lab
from lab.services.nova import compute


@dataclass(frozen=True, slots=True)
class GuestRecord:
    """A guest.

    Attributes:
        instance_id: its instance.
        name: the instance's name.
        host: where it is defined.
        running: whether it executes.
        ports: its Neutron ports.
    """

    instance_id: str
    name: str
    host: str
    running: bool
    ports: tuple[str, ...]


class ComputeProcess:
    """The nova-compute of a host."""

    def __init__(self, lab: Lab, host: str) -> None:
        self._lab = lab
        self._host = host

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return daemons.find(self._lab, compute(self._host)) is not None


@dataclass(slots=True)
class Machine:
    """A host as a machine.

    Attributes:
        address: where its SSH answers.
        service: its nova-compute.
        booted_at: when it booted, seconds since the epoch.
        boot_id: another one after every boot.
        powered: whether it runs.
    """

    address: str
    service: ComputeProcess
    booted_at: float
    boot_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    powered: bool = True


class Machines:
    """Hosts, guests and addresses; to be touched on the clock only.

    Args:
        lab: whose they are.
        clock: real time.
        reboot: reboots a host; called on the clock, and must not block.
    """

    def __init__(self, lab: Lab, clock: Clock, reboot: Callable[[str], None]) -> None:
        self.clock = clock
        self.faults = Faults()
        self._lab = lab
        self._reboot = reboot
        self._subscribers: list[Callable[[CloudEvent], None]] = []
        self._guests: dict[str, GuestRecord] = {}
        self._addresses: dict[str, str | None] = {}
        now = clock.now()
        self.hosts = {
            host: Machine(lab.address_of(host), ComputeProcess(lab, host), now)
            for host in lab.hosts
        }
        self.read()

    # What the SSH server and the data path ask

    @property
    def compute(self) -> Machines:
        """The hosts and instances."""
        return self

    @property
    def network(self) -> Machines:
        """The addresses."""
        return self

    @property
    def machines(self) -> Machines:
        """The power of the hosts."""
        return self

    @property
    def instances(self) -> Mapping[str, GuestRecord]:
        """Every guest by its instance."""
        return self._guests

    def guests_on(self, host: str) -> Sequence[GuestRecord]:
        """Return the guests that are defined on a host."""
        return [guest for guest in self._guests.values() if guest.host == host]

    def is_running(self, instance_id: str) -> bool:
        """Return whether an instance's guest executes."""
        guest = self._guests.get(instance_id)
        return guest is not None and guest.running and self.hosts[guest.host].powered

    def serves(self, instance_id: str) -> bool:
        """Return whether an instance answers: a guest that is a record on disk does at once."""
        return self.is_running(instance_id)

    def floating_addresses(self) -> Iterable[str]:
        """Return every floating IP."""
        return list(self._addresses)

    def answerers(self, address: str) -> Sequence[str]:
        """Return the instance that a floating IP leads to, if any."""
        port = self._addresses.get(address)
        if port is None:
            return ()
        return [guest.instance_id for guest in self._guests.values() if port in guest.ports]

    def reboot(self, name: str) -> None:
        """Reboot a host."""
        self._reboot(name)

    def subscribe(self, callback: Callable[[CloudEvent], None]) -> Callable[[], None]:
        """Tell of every change, until what is returned is called."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def emit(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Tell of a change."""
        for callback in list(self._subscribers):
            callback(CloudEvent(self.clock.now(), kind, fields))

    # What feeds it

    def read(self) -> None:
        """Take up what Nova and Neutron wrote down."""
        self._guests = {
            record["id"]: GuestRecord(
                record["id"],
                record["name"],
                record["host"],
                bool(record["running"]),
                tuple(record["ports"]),
            )
            for record in _records(guests_of(self._lab))
            if record["host"] in self.hosts
        }
        before = set(self._addresses)
        self._addresses = {
            record["address"]: record["port"] for record in _records(addresses_of(self._lab))
        }
        for address in sorted(before ^ set(self._addresses)):
            self.emit("address", {"address": address})

    def power(self, host: str, *, on: bool) -> None:
        """Take up that a host stopped or booted."""
        machine = self.hosts[host]
        machine.powered = on
        if on:
            machine.boot_id = str(uuid.uuid4())
            machine.booted_at = self.clock.now()
        self.emit("host", {"host": host})


def _records(folder: Path) -> Iterable[dict[str, Any]]:
    for path in sorted(folder.glob("*.json")):
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue  # it was removed since it was listed
        yield json.loads(text)
