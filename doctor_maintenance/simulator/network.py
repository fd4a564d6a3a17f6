# SPDX-License-Identifier: Apache-2.0
"""The network model: networks, subnets and ports, with routers, floating IPs and security groups beside them.

Pure, on the Clock. Refusals carry Neutron's own type and text (checked against neutron 29 with ML2/OVN).
A packet is never modelled: what matters is which instance answers on an address now, and
:meth:`Network.holder` says that.
"""

from __future__ import annotations

import ipaddress
import random
from typing import Any, TypeVar

from doctor_maintenance.clock import Clock
from doctor_maintenance.simulator.events import Emit
from doctor_maintenance.simulator.faults import Faults
from doctor_maintenance.simulator.floating import FloatingIps
from doctor_maintenance.simulator.forwardings import PortForwardings
from doctor_maintenance.simulator.ids import new_uuid
from doctor_maintenance.simulator.network_quotas import NetworkQuotas
from doctor_maintenance.simulator.network_records import (
    COMPUTE,
    FLOATING_IP,
    ROUTER_INTERFACE,
    Net,
    NetworkRefused,
    Port,
    Resource,
    Subnet,
)
from doctor_maintenance.simulator.profiles import TimingProfile
from doctor_maintenance.simulator.routers import Routers
from doctor_maintenance.simulator.security_groups import SecurityGroups
from doctor_maintenance.simulator.topology import Topology

_FIRST_SEGMENT = 41000
R = TypeVar("R", bound=Resource)


class Network:
    """The network model.

    Args:
        clock: the time of changes, and when a floating IP that was moved works again.
        rng: what IDs and addresses of cards are drawn from.
        profile: how long a moved floating IP is silent.
        topology: the external network's name and addresses.
        faults: asked whenever a floating IP is moved.
        emit: told of every change of an address' holder.
        admin_project_id: who owns the external network.
    """

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        profile: TimingProfile,
        topology: Topology,
        faults: Faults,
        emit: Emit,
        admin_project_id: str,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self.networks: dict[str, Net] = {}
        self.subnets: dict[str, Subnet] = {}
        self.ports: dict[str, Port] = {}
        self._by_device: dict[str, list[str]] = {}
        self.quotas = NetworkQuotas(self, topology)
        self.security = SecurityGroups(self)
        self.routers = Routers(self)
        self.floating = FloatingIps(self, clock, rng, profile, faults, emit)
        self.forwardings = PortForwardings(self)
        self.external = self.create_network(
            admin_project_id, name=topology.external_network, external=True, mtu=1500
        )
        self.create_subnet(
            self.external,
            ipaddress.IPv4Network(topology.floating_block),
            project_id=admin_project_id,
            name=topology.external_network,
            enable_dhcp=False,
        )

    # Networks and subnets

    def create_network(self, project_id: str, **fields: Any) -> Net:
        """Add a network; raise NetworkRefused if the project has too many."""
        self.quotas.check("network", project_id)
        network = Net(id=self.new_id(), project_id=project_id, **fields)
        if not network.external:
            network.segmentation_id = _FIRST_SEGMENT + len(self.networks)
        self.networks[network.id] = network
        return self.stamp(network, 1)

    def network(self, network_id: str) -> Net:
        """Return a network; raise NetworkRefused if there is none."""
        try:
            return self.networks[network_id]
        except KeyError:
            raise _not_found("Network", network_id) from None

    def delete_network(self, network_id: str) -> None:
        """Remove a network and its subnets; raise NetworkRefused while it has ports."""
        network = self.network(network_id)
        ports = [p.id for p in self.ports.values() if p.network_id == network_id]
        if ports:
            raise NetworkRefused(
                409,
                "NetworkInUse",
                f"Unable to complete operation on network {network_id}. There are one or more "
                f"ports still in use on the network, id for these ports is: {','.join(ports)}.",
            )
        for subnet_id in network.subnet_ids:
            del self.subnets[subnet_id]
        del self.networks[network_id]

    def create_subnet(
        self, network: Net, block: ipaddress.IPv4Network, project_id: str, **fields: Any
    ) -> Subnet:
        """Add a subnet.

        Args:
            network: where.
            block: its addresses.
            project_id: whose it is.
            **fields: of :class:`Subnet`; without ``gateway_ip`` it is the first address, and without ``pools``
                ports get all others.

        Raises:
            NetworkRefused: it overlaps with another one there, or the project has too many.
        """
        self.quotas.check("subnet", project_id)
        if any(self.subnets[other].block.overlaps(block) for other in network.subnet_ids):
            raise NetworkRefused(
                400,
                "InvalidInput",
                f"Invalid input for operation: Requested subnet with cidr: {block} for network: "
                f"{network.id} overlaps with another subnet.",
            )
        first, last = block.network_address + 1, block.broadcast_address - 1
        fields.setdefault("gateway_ip", str(first))
        if not fields.get("pools"):
            start = first + 1 if fields["gateway_ip"] == str(first) else first
            fields["pools"] = [(start, last)]
        subnet = Subnet(
            id=self.new_id(),
            project_id=project_id,
            network_id=network.id,
            block=block,
            external=network.external,
            **fields,
        )
        self.subnets[subnet.id] = self.stamp(subnet, 0)
        network.subnet_ids.append(subnet.id)
        self.touch(network)
        return subnet

    def subnet(self, subnet_id: str) -> Subnet:
        """Return a subnet; raise NetworkRefused if there is none."""
        try:
            return self.subnets[subnet_id]
        except KeyError:
            raise _not_found("Subnet", subnet_id) from None

    def delete_subnet(self, subnet_id: str) -> None:
        """Remove a subnet; raise NetworkRefused while a port has an address of it."""
        subnet = self.subnet(subnet_id)
        if any(used == subnet_id for p in self.ports.values() for used, _ in p.fixed_ips):
            raise NetworkRefused(
                409,
                "SubnetInUse",
                f"Unable to complete operation on subnet {subnet_id}: "
                "One or more ports have an IP allocation from this subnet.",
            )
        network = self.networks[subnet.network_id]
        network.subnet_ids.remove(subnet_id)
        self.touch(network)
        del self.subnets[subnet_id]

    # Ports

    def create_port(
        self,
        project_id: str,
        network_id: str,
        device_id: str = "",
        fixed_ip: str | None = None,
        device_owner: str | None = None,
        **fields: Any,
    ) -> Port:
        """Add a port, DOWN and unbound.

        Args:
            project_id: whose it is; empty for a port of the cloud's own.
            network_id: where it is connected.
            device_id: what it belongs to.
            fixed_ip: the address that it is to have; by default a free one.
            device_owner: what that is; by default an instance, if there is a device.
            **fields: of :class:`Port`.

        Raises:
            NetworkRefused: no such network, no such or no free address, or too many ports.
        """
        network = self.network(network_id)
        self.quotas.check("port", project_id)
        fields.setdefault("fixed_ips", self._allocate(network, fixed_ip))
        if "security_groups" not in fields:
            own = bool(project_id) and network.port_security
            fields["security_groups"] = [self.security.default(project_id).id] if own else []
        owner = device_owner if device_owner is not None else COMPUTE if device_id else ""
        port = Port(
            id=self.new_id(),
            project_id=project_id,
            network_id=network_id,
            mac=self._mac(),
            device_id=device_id,
            device_owner=owner,
            **fields,
        )
        self.ports[port.id] = self.stamp(port, 1)
        if device_id:
            self._by_device.setdefault(device_id, []).append(port.id)
        return port

    def port(self, port_id: str) -> Port:
        """Return a port; raise NetworkRefused if there is none."""
        try:
            return self.ports[port_id]
        except KeyError:
            raise _not_found("Port", port_id) from None

    def port_at(self, subnet_id: str, address: str) -> Port | None:
        """Return the port that has an address on a subnet, or None."""
        if address not in self.subnets[subnet_id].used:
            return None
        network_id = self.subnets[subnet_id].network_id
        for port in self.ports.values():
            if port.network_id == network_id and (subnet_id, address) in port.fixed_ips:
                return port
        return None

    def allow_pairs(self, port_id: str, pairs: list[dict[str, str]]) -> None:
        """Say which addresses a port may use besides its own."""
        self.port(port_id).allowed_address_pairs = pairs
        self.floating.port_changed(port_id)

    def attach_port(self, port_id: str, device_id: str, device_owner: str = COMPUTE) -> None:
        """Give a port to an instance, or to nobody (an empty ``device_id``)."""
        port = self.port(port_id)
        self._forget_device(port)
        port.device_id, port.device_owner = device_id, device_owner if device_id else ""
        port.preserved = bool(device_id)
        if device_id:
            self._by_device.setdefault(device_id, []).append(port_id)
        self.touch(port)
        self.floating.port_changed(port_id)

    def bind(self, port_id: str, host: str) -> None:
        """Bind a port to a host (empty: to none); it is DOWN until :meth:`set_status`."""
        port = self.port(port_id)
        port.host, port.status = host, "DOWN"
        port.profile = {"os_vif_delegation": True} if host else {}
        self.touch(port)

    def set_status(self, port_id: str, status: str) -> None:
        """Say that a port is ``ACTIVE``, ``DOWN`` or ``BUILD``."""
        port = self.port(port_id)
        port.status = status
        self.touch(port)

    def ports_of(self, device_id: str) -> list[Port]:
        """Return the ports of an instance, router or floating IP, in order."""
        return [self.ports[port_id] for port_id in self._by_device.get(device_id, ())]

    def delete_ports_of(self, device_id: str) -> None:
        """Remove the ports that were made for an instance, and their floating IPs' associations.

        A port that was there before and was given to it is only taken back, as Nova does.
        """
        for port in self.ports_of(device_id):
            if port.preserved:
                self.attach_port(port.id, "")
                self.bind(port.id, "")
            else:
                self.remove_port(port.id)

    def delete_port(self, port_id: str) -> None:
        """Remove a port as a user may; raise NetworkRefused if it is a router's or floating IP's."""
        port = self.port(port_id)
        if port.device_owner in (ROUTER_INTERFACE, FLOATING_IP):
            raise NetworkRefused(
                409,
                "ServicePortInUse",
                f"Port {port_id} cannot be deleted directly via the port API: has device owner {port.device_owner}.",
            )
        self.remove_port(port_id)

    def remove_port(self, port_id: str) -> None:
        """Remove a port, whatever it is for."""
        port = self.port(port_id)
        self.floating.port_removed(port_id)
        self._forget_device(port)
        for subnet_id, address in port.fixed_ips:
            self.subnets[subnet_id].give_back(address)
        del self.ports[port_id]

    def clear(self) -> None:
        """Remove everything but the external network."""
        self.routers.routers.clear()
        for port_id in list(self.ports):
            self.remove_port(port_id)
        for network_id in [n.id for n in self.networks.values() if n is not self.external]:
            self.delete_network(network_id)
        self.security.clear()

    # What the others ask

    def holder(self, address: str) -> str | None:
        """Return the instance that a floating IP leads to now, or None."""
        return self.floating.holder(address)

    def answerers(self, address: str) -> tuple[str, ...]:
        """Return the instances that share an address now: one or none, unless a fault says otherwise."""
        return self.floating.answerers(address)

    def floating_addresses(self) -> list[str]:
        """Return all floating IPs, associated or not."""
        return self.floating.known_addresses()

    def addresses(self, device_id: str) -> dict[str, list[dict[str, Any]]]:
        """Return an instance's addresses by the network's name, as Nova shows them."""
        found: dict[str, list[dict[str, Any]]] = {}
        for port in self.ports_of(device_id):
            entries = found.setdefault(self.networks[port.network_id].name, [])
            for _, fixed in port.fixed_ips:
                entries.append(_nova_address(port, fixed, "fixed"))
                floating = self.floating.of_port(port.id)
                if floating is not None and floating.fixed_ip == fixed:
                    entries.append(_nova_address(port, floating.address, "floating"))
        return found

    # Used by the parts of this model

    def new_id(self) -> str:
        """Return a new UUID."""
        return new_uuid(self._rng)

    def stamp(self, resource: R, revision: int) -> R:
        """Say that a resource was created now, and return it."""
        resource.created_at = resource.updated_at = self._clock.now()
        resource.revision = revision
        return resource

    def touch(self, resource: Resource) -> None:
        """Say that a resource was changed now."""
        resource.updated_at = self._clock.now()
        resource.revision += 1

    def claim(self, subnet: Subnet, address: str) -> tuple[str, str]:
        """Take an address of a subnet; raise NetworkRefused if it is taken."""
        if address in subnet.used:
            raise NetworkRefused(
                409,
                "IpAddressAlreadyAllocated",
                f"IP address {address} already allocated in subnet {subnet.id}",
            )
        subnet.used.add(address)
        return subnet.id, address

    def _allocate(self, network: Net, wanted: str | None) -> list[tuple[str, str]]:
        if wanted is not None:
            for subnet_id in network.subnet_ids:
                if ipaddress.ip_address(wanted) in self.subnets[subnet_id].block:
                    return [self.claim(self.subnets[subnet_id], wanted)]
            raise NetworkRefused(
                400,
                "InvalidIpForNetwork",
                f"IP address {wanted} is not a valid IP for any of the subnets on the specified network.",
            )
        for subnet_id in network.subnet_ids:
            address = self.subnets[subnet_id].take_free()
            if address is not None:
                return [self.claim(self.subnets[subnet_id], address)]
        if network.subnet_ids:
            raise NetworkRefused(
                409,
                "IpAddressGenerationFailure",
                f"No more IP addresses available on network {network.id}.",
            )
        return []

    def _forget_device(self, port: Port) -> None:
        siblings = self._by_device.get(port.device_id)
        if siblings is not None:
            siblings.remove(port.id)
            if not siblings:
                del self._by_device[port.device_id]

    def _mac(self) -> str:
        octets = self._rng.getrandbits(24).to_bytes(3, "big")
        return f"fa:16:3e:{octets[0]:02x}:{octets[1]:02x}:{octets[2]:02x}"


def _not_found(what: str, identity: str) -> NetworkRefused:
    return NetworkRefused(404, f"{what}NotFound", f"{what} {identity} could not be found.")


def _nova_address(port: Port, address: str, kind: str) -> dict[str, Any]:
    return {
        "version": 4,
        "addr": address,
        "OS-EXT-IPS:type": kind,
        "OS-EXT-IPS-MAC:mac_addr": port.mac,
    }
