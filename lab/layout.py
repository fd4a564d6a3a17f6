# SPDX-License-Identifier: Apache-2.0
"""Where everything of a lab is: its folders, ports, addresses and namespaces, all derived from one value.

Two labs with different names share nothing but the installed programs, so one can be up beside another. Nothing
else in the package builds a path, a port or a URL out of literals.
"""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path

from doctor_maintenance.exceptions import UsageError

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PORTS_A_LAB = 100
_FIRST_NAMED = 23_000
_NAMED = 90  # blocks of ports below 32768, where the kernel's own choice begins
REGION = "RegionOne"


class Kind(StrEnum):
    """What a lab's compute hosts are."""

    CONTROL_PLANE = "control-plane"
    GUESTS = "guests"


_PORT_BASES = {Kind.CONTROL_PLANE: 21_000, Kind.GUESTS: 22_000}


class Port(IntEnum):
    """What listens, and how far above the lab's first port."""

    KEYSTONE = 0
    PLACEMENT = 1
    GLANCE = 2
    NOVA = 3
    NEUTRON = 4
    AODH = 5
    MARIADB = 10
    RABBITMQ = 11
    RABBITMQ_PEERS = 12
    EPMD = 13
    OVN_NORTH = 20
    OVN_SOUTH = 21
    SSH = 30
    SERVICE = 31


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab.

    Attributes:
        name: lower-case letters, digits and hyphens; unique on the machine.
        kind: what its hosts are.
        root: the folder of all labs; installed programs are there as well.
        hosts: the names of its compute hosts, in order.
        port_base: its first port; it uses a hundred from there.
    """

    name: str
    kind: Kind
    root: Path
    hosts: tuple[str, ...]
    port_base: int

    @property
    def home(self) -> Path:
        """Everything of this lab and of no other."""
        return self.root / self.name

    @property
    def venv(self) -> Path:
        """The environment with the services; labs of both kinds share it."""
        return self.root / "venv"

    @property
    def etc(self) -> Path:
        """Generated configuration, written anew by every ``up``."""
        return self.home / "etc"

    @property
    def log(self) -> Path:
        """A log for each daemon and each step."""
        return self.home / "log"

    @property
    def run(self) -> Path:
        """What is of use only while the lab is up: sockets, records of daemons."""
        return self.home / "run"

    @property
    def state(self) -> Path:
        """What survives ``down`` and ends with ``reset``: databases, queues, images, keys."""
        return self.home / "state"

    @property
    def clouds_file(self) -> Path:
        """The ``clouds.yaml`` of this lab."""
        return self.etc / "clouds.yaml"

    @property
    def settings_file(self) -> Path:
        """The project's options for a run on this lab."""
        return self.etc / "doctor-maintenance.conf"

    def program(self, name: str) -> str:
        """Return the path of an installed service's program."""
        return str(self.venv / "bin" / name)

    def log_of(self, name: str) -> Path:
        """Return the log of a daemon or a step."""
        return self.log / f"{name}.log"

    def port(self, port: Port) -> int:
        """Return the number of a port."""
        return self.port_base + port

    def url(self, port: Port) -> str:
        """Return the URL of what listens on a port, without a path."""
        return f"http://127.0.0.1:{self.port(port)}"

    def namespace(self, name: str) -> str:
        """Return the name of a network namespace of this lab."""
        return f"dm-{self.name}-{name}"

    def address_of(self, host: str) -> str:
        """Return the address in 127.0.0.0/8 that stands for a host of kind ``control-plane``."""
        return f"127.{self._block}.0.{self.hosts.index(host) + 11}"

    @property
    def floating_range(self) -> str:
        """The range in 127.0.0.0/8 that floating IPs of kind ``control-plane`` come from."""
        return f"127.{self._block}.128.0/24"

    @property
    def _block(self) -> int:
        """The second byte of the lab's addresses; the embedded clouds' own are below 127.128."""
        return 129 + (self.port_base // _PORTS_A_LAB) % 120


def named(
    kind: Kind,
    name: str | None = None,
    hosts: int = 3,
    root: Path | None = None,
    port_base: int | None = None,
) -> Lab:
    """Return the layout of a lab; nothing is created.

    Args:
        kind: what its hosts are.
        name: its name; None: that of its kind.
        hosts: how many compute hosts it has, 1 to 9.
        root: the folder of all labs; None: below the user's cache.
        port_base: its first port; None: one that follows from the name.

    Raises:
        UsageError: the name, the number of hosts or the port cannot be used.
    """
    chosen = kind.value if name is None else name
    if not _NAME.fullmatch(chosen) or chosen == "venv":
        raise UsageError(
            "a lab's name has 1 to 32 lower-case letters, digits and hyphens and begins with a letter"
            f" (and is not `venv`); found {chosen!r}"
        )
    if not 1 <= hosts <= 9:
        raise UsageError(f"a lab has 1 to 9 hosts; found {hosts}")
    first = _port_base(kind, chosen) if port_base is None else port_base
    if not 1_024 <= first <= 65_535 - _PORTS_A_LAB:
        raise UsageError(f"a lab's first port is 1024 to 65435; found {first}")
    return Lab(
        name=chosen,
        kind=kind,
        root=default_root() if root is None else root,
        hosts=tuple(f"compute{number}" for number in range(1, hosts + 1)),
        port_base=first,
    )


def default_root() -> Path:
    """Return the folder of all labs: ``DOCTOR_MAINTENANCE_LAB_ROOT``, or one in the user's cache."""
    told = os.environ.get("DOCTOR_MAINTENANCE_LAB_ROOT")
    if told:
        return Path(told).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "doctor-maintenance" / "lab"


def _port_base(kind: Kind, name: str) -> int:
    if name == kind.value:
        return _PORT_BASES[kind]
    return _FIRST_NAMED + zlib.crc32(name.encode()) % _NAMED * _PORTS_A_LAB
