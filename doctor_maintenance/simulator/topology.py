# SPDX-License-Identifier: Apache-2.0
"""What a simulated cloud is made of before anybody uses it: hosts, flavors, image, networks, projects.

It is data, so that a scenario, a test and the command line describe a cloud in the same way.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

DEFAULT_ADDRESS_BLOCK = "127.77.0.0/24"
DEFAULT_ZONE = "nova"


@dataclass(frozen=True, slots=True)
class HostSpec:
    """A compute host.

    Attributes:
        name: the host name; the hypervisor and the resource provider have the same.
        address: where its SSH answers, in 127.0.0.0/8.
        vcpus: physical threads (1 or more).
        memory_mb: installed memory.
        disk_gb: local disk.
        cpu_allocation_ratio: how many vCPUs Placement hands out for each physical one.
        reserved_memory_mb: memory that Placement keeps for the host itself.
        zone: the availability zone.
    """

    name: str
    address: str
    vcpus: int = 4
    memory_mb: int = 8192
    disk_gb: int = 100
    cpu_allocation_ratio: float = 4.0
    reserved_memory_mb: int = 512
    zone: str = DEFAULT_ZONE


@dataclass(frozen=True, slots=True)
class FlavorSpec:
    """A flavor that exists from the start; sizes as Nova names them."""

    name: str
    vcpus: int
    memory_mb: int
    disk_gb: int


@dataclass(frozen=True, slots=True)
class ProjectSpec:
    """A project with one user of its own.

    Attributes:
        name: the project's name.
        user: the user's name.
        password: the user's password.
        roles: what the user may do in the project.
    """

    name: str
    user: str
    password: str
    roles: tuple[str, ...] = ("member", "reader")


FLAVORS = (
    FlavorSpec("m1.tiny", vcpus=1, memory_mb=512, disk_gb=1),
    FlavorSpec("m1.small", vcpus=1, memory_mb=1024, disk_gb=5),
    FlavorSpec("m1.medium", vcpus=2, memory_mb=2048, disk_gb=10),
)

PROJECTS = (
    ProjectSpec("admin", "admin", "admin", ("admin", "member", "reader")),
    ProjectSpec("demo", "demo", "demo"),
)

QUOTAS: Mapping[str, int] = MappingProxyType(
    {
        "instances": 10,
        "cores": 20,
        "ram": 51200,
        "key_pairs": 100,
        "metadata_items": 128,
        "server_groups": 10,
        "server_group_members": 10,
    }
)
"""Nova's own defaults (checked against nova 34)."""


@dataclass(frozen=True, slots=True)
class Topology:
    """The cloud at its start.

    Attributes:
        hosts: the compute hosts, in order.
        address_block: addresses in 127.0.0.0/8 that this cloud may use: the lower half is for hosts, the upper
            half for floating IPs.
        flavors: flavors that exist from the start.
        projects: projects and users that exist from the start; the first is the admin's.
        image: the name of the image that exists from the start.
        external_network: the name of the network that floating IPs come from.
        region: the region of every endpoint.
        quotas: Nova's default quotas; -1 is without limit.
    """

    hosts: tuple[HostSpec, ...]
    address_block: str = DEFAULT_ADDRESS_BLOCK
    flavors: tuple[FlavorSpec, ...] = FLAVORS
    projects: tuple[ProjectSpec, ...] = PROJECTS
    image: str = "cirros"
    external_network: str = "public"
    region: str = "RegionOne"
    quotas: Mapping[str, int] = field(default_factory=lambda: QUOTAS)

    @property
    def floating_block(self) -> str:
        """The upper half of the address block: where floating IPs come from."""
        return str(list(ipaddress.IPv4Network(self.address_block).subnets(1))[1])


def host_addresses(address_block: str, count: int) -> list[str]:
    """Return the addresses of ``count`` hosts: the first ones of the block's lower half.

    Raises:
        ValueError: the block is too small.
    """
    lower = next(ipaddress.IPv4Network(address_block).subnets(1))
    room = lower.num_addresses - 2
    if count > room:
        raise ValueError(
            f"{count} hosts need a larger address block than {address_block}, which has room for {room}"
        )
    return [str(lower.network_address + 1 + number) for number in range(count)]


def build_topology(
    hosts: int = 3,
    *,
    address_block: str | None = None,
    vcpus: int = 4,
    memory_mb: int = 8192,
    disk_gb: int = 100,
    cpu_allocation_ratio: float = 4.0,
) -> Topology:
    """Return a cloud of equal hosts ``compute1``, ``compute2`` …, with quotas that let a project fill it.

    Args:
        hosts: how many hosts (1 or more).
        address_block: see :class:`Topology`; by default a /24, or a /16 for more hosts than that has room for.
        vcpus: physical threads of each host.
        memory_mb: memory of each host.
        disk_gb: disk of each host.
        cpu_allocation_ratio: vCPUs that Placement hands out for each thread.
    """
    block = address_block or (DEFAULT_ADDRESS_BLOCK if hosts <= 120 else "127.77.0.0/16")
    specs = tuple(
        HostSpec(f"compute{number}", address, vcpus, memory_mb, disk_gb, cpu_allocation_ratio)
        for number, address in enumerate(host_addresses(block, hosts), 1)
    )
    quotas = dict(QUOTAS)
    quotas["instances"] = max(quotas["instances"], 16 * hosts)
    quotas["cores"] = max(quotas["cores"], 16 * hosts)
    quotas["ram"] = max(quotas["ram"], memory_mb * hosts)
    return Topology(hosts=specs, address_block=block, quotas=MappingProxyType(quotas))
