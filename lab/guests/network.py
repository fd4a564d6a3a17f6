# SPDX-License-Identifier: Apache-2.0
"""The wires between hosts: three networks, one namespace that is all switches, and a way in from the machine.

Management, tunnels and the outside world are networks of their own, as on a real cloud, and for a reason of user-space
Open vSwitch's: it looks routes of tunnels up in a copy of its own, which takes a route only with a bridge's own prefix.
With tunnels in the management network every tunnelled packet was dropped.

The machine itself has an interface in the management network (SSH to the hosts, OVN's databases) and one in the
outside world (floating IPs). Running the probe inside the switches' namespace was refused: the processes of a run must
reach the services too, which listen on the machine's loopback, and Aodh must reach them.

Addresses come from 198.18.0.0/15, which is set aside for tests of network devices (RFC 2544): nobody routes it, so they
meet nobody's.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from doctor_maintenance.exceptions import PreconditionError
from lab.guests.commands import call, said
from lab.layout import Lab

MANAGEMENT, TUNNELS, OUTSIDE = "mgmt0", "tun0", "ext0"
"""What the interfaces of a host are called in it."""

INTERFACES = (MANAGEMENT, TUNNELS, OUTSIDE)
"""All that a host has when it is switched on."""

GATEWAY = "network1"
"""The machine between the tunnels and the outside world. It is none of the compute hosts: what goes through it would
break off whenever that host is in maintenance."""

_SWITCHES = {MANAGEMENT: "mgmt", TUNNELS: "tun", OUTSIDE: "ext"}
_FIRST_HOST = 11
_GATEWAY = 3


@dataclass(frozen=True, slots=True)
class Network:
    """Names and addresses of a lab's wires; nothing is created.

    Attributes:
        lab: whose they are.
    """

    lab: Lab

    @property
    def hub(self) -> str:
        """The namespace with the switches and OVN's databases."""
        return self.lab.namespace("hub")

    @property
    def management(self) -> IPv4Network:
        """SSH, live migration, and OVN's control."""
        return IPv4Network((f"198.18.{self._block}.0", 25))

    @property
    def tunnels(self) -> IPv4Network:
        """Geneve between hosts."""
        return IPv4Network((f"198.18.{self._block}.128", 25))

    @property
    def outside(self) -> IPv4Network:
        """What floating IPs are of."""
        return IPv4Network((f"198.19.{self._block}.0", 24))

    @property
    def gateway(self) -> IPv4Address:
        """The machine's own address in the outside world."""
        return self.outside[1]

    @property
    def central(self) -> IPv4Address:
        """Where OVN's databases listen."""
        return self.management[2]

    @property
    def hosts(self) -> tuple[str, ...]:
        """All that has wires: the compute hosts and the gateway."""
        return (*self.lab.hosts, GATEWAY)

    def management_of(self, host: str) -> IPv4Address:
        """Return where a host answers SSH."""
        return self.management[self._number(host)]

    def tunnels_of(self, host: str) -> IPv4Interface:
        """Return a host's end of its tunnels."""
        return _in(self.tunnels, self._number(host))

    def tunnel_mac_of(self, host: str) -> str:
        """Return the MAC address of a host's end of its tunnels: it follows from the IP address, so all know it."""
        return ":".join(f"{byte:02x}" for byte in (0x02, 0, *self.tunnels_of(host).ip.packed))

    @property
    def machine_links(self) -> Mapping[str, str]:
        """The machine's own interfaces: by that of a host in the same network, the name."""
        base = f"dm{self.lab.port_base}"
        return {MANAGEMENT: f"{base}m", OUTSIDE: f"{base}e"}

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Every namespace of the lab."""
        return (self.hub, *(self.lab.namespace(host) for host in self.hosts))

    def machine_commands(self) -> list[str]:
        """Return the commands of ip(8) that make namespaces and wires."""
        lines = [f"netns add {name}" for name in self.namespaces]
        for kind, name in self.machine_links.items():
            lines += [
                f"link add {name} type veth peer name {_port('root', kind)} netns {self.hub}",
                f"link set {name} addrgenmode none up",
            ]
        own = {MANAGEMENT: _in(self.management, 1), OUTSIDE: _in(self.outside, 1)}
        lines += [f"addr add {own[kind]} dev {name}" for kind, name in self.machine_links.items()]
        for host in self.hosts:
            inside = self.lab.namespace(host)
            lines += [
                f"link add {kind} netns {inside} type veth peer name {_port(host, kind)} netns {self.hub}"
                for kind in _SWITCHES
            ]
        return lines

    def hub_commands(self) -> list[str]:
        """Return the commands of ip(8) in the hub."""
        lines = ["link set lo up"]
        for switch in _SWITCHES.values():
            lines += [
                f"link add {switch} type bridge forward_delay 0 mcast_snooping 0",
                f"link set {switch} addrgenmode none up",
            ]
        ports = [("root", kind) for kind in self.machine_links]
        ports += [(host, kind) for host in self.hosts for kind in _SWITCHES]
        lines += [
            f"link set {_port(who, kind)} addrgenmode none master {_SWITCHES[kind]} up"
            for who, kind in ports
        ]
        return [*lines, f"addr add {_in(self.management, 2)} dev {_SWITCHES[MANAGEMENT]}"]

    def host_commands(self, host: str) -> list[str]:
        """Return the commands of ip(8) in a host."""
        return [
            "link set lo up",
            f"link set {TUNNELS} address {self.tunnel_mac_of(host)}",
            *(f"link set {kind} addrgenmode none up" for kind in _SWITCHES),
            f"addr add {_in(self.management, self._number(host))} dev {MANAGEMENT}",
        ]

    def _number(self, host: str) -> int:
        return _GATEWAY if host == GATEWAY else _FIRST_HOST + self.lab.hosts.index(host)

    @property
    def _block(self) -> int:
        return self.lab.port_base // 100 % 256


def create(network: Network) -> None:
    """Make namespaces and wires, unless all are there; what is there in part is made anew.

    Raises:
        PreconditionError: the kernel refuses, or an address range is somebody else's on this machine.
    """
    there = _namespaces()
    if set(network.namespaces) <= there and set(network.machine_links.values()) <= set(_links()):
        return
    remove(network)
    _check_ranges(network)
    _batch([], network.machine_commands())
    _batch(["-n", network.hub], network.hub_commands())
    for host in network.hosts:
        _batch(["-n", network.lab.namespace(host)], network.host_commands(host))
    # Packets of this kernel reach user-space Open vSwitch as they are: their checksums must be done.
    call("ethtool", "-K", network.machine_links[OUTSIDE], "tx", "off")


def remove(network: Network) -> None:
    """Remove namespaces and wires; none that is not there is missed.

    Raises:
        PreconditionError: the kernel refuses.
    """
    links = set(_links())
    for name in network.machine_links.values():
        if name in links:
            call("ip", "link", "delete", name)
    for name in sorted(set(network.namespaces) & _namespaces()):
        call("ip", "netns", "delete", name)


def taken(links: Mapping[str, Iterable[str]], wanted: Iterable[IPv4Network]) -> list[str]:
    """Return what is wrong if interfaces have addresses in ranges that are wanted.

    Args:
        links: addresses with their prefixes, by interface.
        wanted: the ranges.
    """
    return [
        f"{link} has {address}"
        for link, addresses in links.items()
        for address in addresses
        if any(IPv4Interface(address).network.overlaps(own) for own in wanted)
    ]


def _check_ranges(network: Network) -> None:
    problems = taken(_links(), (network.management, network.tunnels, network.outside))
    if problems:
        raise PreconditionError(
            f"expected {network.management.supernet()} and {network.outside} to be unused on this machine, "
            f"found: {'; '.join(problems)}; take another lab down, or give this one another name"
        )


def _links() -> dict[str, list[str]]:
    """Return the machine's interfaces with their IPv4 addresses."""
    found = json.loads(said("ip", "-json", "address", "show") or "[]")
    return {
        link["ifname"]: [
            f"{address['local']}/{address['prefixlen']}"
            for address in link["addr_info"]
            if address["family"] == "inet"
        ]
        for link in found
        if link
    }


def _namespaces() -> set[str]:
    return {line.split()[0] for line in said("ip", "netns", "list").splitlines() if line.strip()}


def _batch(options: list[str], lines: list[str]) -> None:
    argv = ["ip", *options, "-batch", "-"]
    done = subprocess.run(
        argv,
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PreconditionError(
            f"ip {' '.join(options)} -batch ended with status {done.returncode}: {done.stderr.strip()}"
        )


def _port(who: str, kind: str) -> str:
    """Return what the hub's end of a wire is called; a name has 15 characters at most."""
    return f"{who}-{kind[0]}"


def _in(network: IPv4Network, number: int) -> IPv4Interface:
    return IPv4Interface((network[number], network.prefixlen))
