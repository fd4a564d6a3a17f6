# SPDX-License-Identifier: Apache-2.0
"""What Neutron keeps: networks, subnets, ports, routers, floating IPs and security groups, as plain records."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

from doctor_maintenance.exceptions import RequestRefused

ROUTER_INTERFACE = "network:router_interface"
ROUTER_GATEWAY = "network:router_gateway"
FLOATING_IP = "network:floatingip"
COMPUTE = "compute:nova"


class NetworkRefused(RequestRefused):
    """Neutron says no.

    Args:
        status: the HTTP status.
        kind: Neutron's name of the error, which its clients read, such as ``PortNotFound``.
        message: Neutron's text.
    """

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


@dataclass(slots=True, kw_only=True)
class Resource:
    """What all of them have.

    Attributes:
        created_at, updated_at: seconds since the epoch.
        revision: how often it was changed.
    """

    id: str
    project_id: str
    name: str = ""
    description: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0
    revision: int = 0
    tags: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Net(Resource):
    """A network."""

    external: bool = False
    shared: bool = False
    admin_state_up: bool = True
    mtu: int = 1442
    port_security: bool = True
    segmentation_id: int | None = None
    subnet_ids: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Subnet(Resource):
    """A range of addresses on a network.

    Attributes:
        block: the range.
        gateway_ip: the router's address, or None.
        pools: first and last address of each part that ports get their addresses from.
        used: addresses that are taken.
        full_below: below this number every address of the pools is taken, so nobody looks there.
    """

    network_id: str
    block: ipaddress.IPv4Network
    gateway_ip: str | None
    pools: list[tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]]
    enable_dhcp: bool = True
    external: bool = False
    dns_nameservers: list[str] = field(default_factory=list)
    host_routes: list[dict[str, str]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    full_below: int = 0

    def take_free(self) -> str | None:
        """Return the lowest address of the pools that is free, or None."""
        for first, last in self.pools:
            for number in range(max(int(first), self.full_below), int(last) + 1):
                address = str(ipaddress.IPv4Address(number))
                if address not in self.used and address != self.gateway_ip:
                    self.full_below = number + 1
                    return address
        return None

    def give_back(self, address: str) -> None:
        """Let an address be free again."""
        self.used.discard(address)
        self.full_below = min(self.full_below, int(ipaddress.IPv4Address(address)))


@dataclass(slots=True, kw_only=True)
class Port(Resource):
    """Where something is connected to a network.

    Attributes:
        fixed_ips: (subnet, address) of each address.
        device_id: the instance, router or floating IP that it belongs to; empty if none.
        host: where it is bound; empty if it is not.
        profile: the binding's profile, which Nova writes during a migration.
        preserved: whether it was there before its instance, and therefore stays when that is deleted.
    """

    network_id: str
    mac: str
    fixed_ips: list[tuple[str, str]]
    device_id: str = ""
    device_owner: str = ""
    status: str = "DOWN"
    admin_state_up: bool = True
    host: str = ""
    profile: dict[str, Any] = field(default_factory=dict)
    preserved: bool = False
    port_security: bool = True
    security_groups: list[str] = field(default_factory=list)
    allowed_address_pairs: list[dict[str, str]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Router(Resource):
    """What connects subnets to each other and to an external network.

    Attributes:
        gateway_port_id: its port on the external network, or None.
        interfaces: its port on each subnet.
    """

    admin_state_up: bool = True
    gateway_port_id: str | None = None
    enable_snat: bool = True
    routes: list[dict[str, str]] = field(default_factory=list)
    interfaces: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class PortForwarding:
    """A port of a floating IP that leads to a port of an instance.

    Attributes:
        id: its ID.
        protocol: ``tcp`` or ``udp``, as it was given.
        external_port: of the floating IP.
        internal_port_id: the port that it leads to.
        internal_ip: that port's address.
        internal_port: of that address.
        description: whatever.
    """

    id: str
    protocol: str
    external_port: int
    internal_port_id: str
    internal_ip: str
    internal_port: int
    description: str = ""


@dataclass(slots=True, kw_only=True)
class FloatingIp(Resource):
    """An address of an external network that leads to a port.

    Attributes:
        address: the address.
        network_id: the external network.
        own_port_id: the port that keeps the address on the external network.
        port_id: the port that it is associated with, or None.
        fixed_ip: the port's address that it leads to.
        router_id: the router that translates it.
        goal_port_id: the port that packets are to be led to in the end: ``port_id``, or what lies behind it by a
            route or by port forwardings.
        effective_port_id: the port that packets are led to now. It differs from ``goal_port_id`` while a move has
            not yet taken effect.
        former_port_id: a port that still answers beside it; only a fault makes that so.
        forwardings: its port forwardings, by their ID.
        used: whether it ever led anywhere; only then can it be moved away from there.
    """

    address: str
    network_id: str
    own_port_id: str
    port_id: str | None = None
    fixed_ip: str | None = None
    router_id: str | None = None
    goal_port_id: str | None = None
    effective_port_id: str | None = None
    former_port_id: str | None = None
    forwardings: dict[str, PortForwarding] = field(default_factory=dict)
    used: bool = False

    @property
    def status(self) -> str:
        """ACTIVE if it is translated by a router, whatever the state of the port is."""
        return "ACTIVE" if self.router_id is not None else "DOWN"


@dataclass(slots=True, kw_only=True)
class SecurityRule(Resource):
    """What a security group lets through; ``automatic`` if it came with the group."""

    group_id: str
    direction: str
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_min: int | None = None
    port_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    automatic: bool = False

    def same_as(self, other: SecurityRule) -> bool:
        """Whether both let the same through."""
        return self.matter() == other.matter()

    def matter(self) -> tuple[object, ...]:
        """Return what the rule says, without its identity."""
        return (
            self.direction,
            self.ethertype,
            self.protocol,
            self.port_min,
            self.port_max,
            self.remote_ip_prefix,
            self.remote_group_id,
        )


@dataclass(slots=True, kw_only=True)
class SecurityGroup(Resource):
    """A named set of rules."""

    rules: dict[str, SecurityRule] = field(default_factory=dict)
