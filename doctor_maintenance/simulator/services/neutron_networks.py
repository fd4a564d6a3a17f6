# SPDX-License-Identifier: Apache-2.0
"""Neutron's networks, subnets and ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from flask import request

from doctor_maintenance.simulator import address_pairs
from doctor_maintenance.simulator.network_records import Net, NetworkRefused, Port, Subnet
from doctor_maintenance.simulator.services.auth import Context
from doctor_maintenance.simulator.services.neutron_kinds import Kind, bad_request, not_authorized

VIF_DETAILS = {
    "port_filter": True,
    "connectivity": "l2",
    "ovs_create_tap": False,
    "bridge_name": "br-int",
    "datapath_type": "netdev",
}
"""What a bound port says of its virtual interface."""


class Networks(Kind[Net]):
    """Networks: a project sees its own, shared and external ones."""

    name = "network"
    plural = "networks"
    missing = ("NetworkNotFound", "Network {} could not be found.")
    settable = (
        "admin_state_up shared router:external provider:network_type provider:physical_network "
        "provider:segmentation_id port_security_enabled mtu availability_zone_hints is_default"
    )
    updatable = "admin_state_up shared router:external port_security_enabled mtu is_default"
    admin_only = (
        "provider:network_type provider:physical_network provider:segmentation_id router:external "
        "shared is_default"
    )
    filters = "status subnets qinq vlan_transparent availability_zones"

    def table(self) -> Mapping[str, Net]:
        """Return all networks."""
        return self.network.networks

    def visible(self, context: Context, record: Net) -> bool:
        """Whether it is the caller's, shared or external."""
        return context.sees(record.project_id) or record.shared or record.external

    def body(self, record: Net, context: Context) -> dict[str, Any]:
        """Return a network; an admin sees what carries it, too."""
        body = {
            **self.standard(record),
            "admin_state_up": record.admin_state_up,
            "mtu": record.mtu,
            "status": "ACTIVE",
            "subnets": list(record.subnet_ids),
            "shared": record.shared,
            "availability_zone_hints": [],
            "availability_zones": [],
            "ipv4_address_scope": None,
            "ipv6_address_scope": None,
            "router:external": record.external,
            "qinq": False,
            "vlan_transparent": False,
            "port_security_enabled": record.port_security,
        }
        if record.external:
            body["is_default"] = False
        if context.is_admin:
            body |= {
                "provider:network_type": "flat" if record.external else "geneve",
                "provider:physical_network": "physnet1" if record.external else None,
                "provider:segmentation_id": record.segmentation_id,
            }
        return body

    def created(self, record: Net, context: Context) -> dict[str, Any]:
        """Return a new network; it says whether it is the default one."""
        return {**self.body(record, context), "is_default": False}

    def create(self, context: Context, project_id: str, attributes: dict[str, Any]) -> Net:
        """Create a network."""
        return self.network.create_network(
            project_id,
            name=attributes.get("name") or "",
            description=attributes.get("description") or "",
            admin_state_up=attributes.get("admin_state_up", True),
            shared=attributes.get("shared", False),
            external=attributes.get("router:external", False),
            port_security=attributes.get("port_security_enabled", True),
        )

    def update(self, context: Context, record: Net, attributes: dict[str, Any]) -> None:
        """Change a network."""
        record.admin_state_up = attributes.get("admin_state_up", record.admin_state_up)
        record.shared = attributes.get("shared", record.shared)
        record.port_security = attributes.get("port_security_enabled", record.port_security)

    def delete(self, record: Net) -> None:
        """Remove a network."""
        self.network.delete_network(record.id)


class Subnets(Kind[Subnet]):
    """Subnets: a project sees those of the networks that it sees."""

    name = "subnet"
    plural = "subnets"
    missing = ("SubnetNotFound", "Subnet {} could not be found.")
    required = "network_id"
    settable = (
        "network_id ip_version cidr gateway_ip allocation_pools enable_dhcp dns_nameservers "
        "host_routes ipv6_ra_mode ipv6_address_mode subnetpool_id service_types prefixlen"
    )
    updatable = "gateway_ip enable_dhcp dns_nameservers host_routes service_types"
    filters = "router:external"
    counts_changes = False

    def table(self) -> Mapping[str, Subnet]:
        """Return all subnets."""
        return self.network.subnets

    def visible(self, context: Context, record: Subnet) -> bool:
        """Whether the caller sees the network."""
        shared = self.network.networks[record.network_id].shared
        return context.sees(record.project_id) or record.external or shared

    def body(self, record: Subnet, context: Context) -> dict[str, Any]:
        """Return a subnet."""
        return {
            **self.standard(record),
            "network_id": record.network_id,
            "ip_version": 4,
            "subnetpool_id": None,
            "enable_dhcp": record.enable_dhcp,
            "ipv6_ra_mode": None,
            "ipv6_address_mode": None,
            "gateway_ip": record.gateway_ip,
            "cidr": str(record.block),
            "allocation_pools": [{"start": str(a), "end": str(b)} for a, b in record.pools],
            "host_routes": record.host_routes,
            "dns_nameservers": record.dns_nameservers,
            "router:external": record.external,
            "service_types": [],
        }

    def create(self, context: Context, project_id: str, attributes: dict[str, Any]) -> Subnet:
        """Create a subnet."""
        network = Networks(self.cloud).find(context, str(attributes.get("network_id")))
        if not context.sees(network.project_id):
            raise not_authorized("(rule:create_subnet and rule:create_subnet:network_id)")
        fields: dict[str, Any] = {}
        if "gateway_ip" in attributes:
            fields["gateway_ip"] = attributes["gateway_ip"]
        if attributes.get("allocation_pools"):
            fields["pools"] = [_pool(pool) for pool in attributes["allocation_pools"]]
        return self.network.create_subnet(
            network,
            _block(attributes.get("cidr")),
            project_id,
            name=attributes.get("name") or "",
            description=attributes.get("description") or "",
            enable_dhcp=attributes.get("enable_dhcp", True),
            dns_nameservers=list(attributes.get("dns_nameservers") or []),
            host_routes=list(attributes.get("host_routes") or []),
            **fields,
        )

    def update(self, context: Context, record: Subnet, attributes: dict[str, Any]) -> None:
        """Change a subnet."""
        record.gateway_ip = attributes.get("gateway_ip", record.gateway_ip)
        record.enable_dhcp = attributes.get("enable_dhcp", record.enable_dhcp)
        record.dns_nameservers = attributes.get("dns_nameservers", record.dns_nameservers)
        record.host_routes = attributes.get("host_routes", record.host_routes)
        record.updated_at = self.cloud.clock.now()

    def delete(self, record: Subnet) -> None:
        """Remove a subnet."""
        self.network.delete_subnet(record.id)


class Ports(Kind[Port]):
    """Ports: a project sees its own ones, an admin also where they are bound."""

    name = "port"
    plural = "ports"
    missing = ("PortNotFound", "Port {} could not be found.")
    required = "network_id"
    settable = (
        "network_id admin_state_up mac_address fixed_ips device_id device_owner security_groups "
        "allowed_address_pairs port_security_enabled binding:host_id binding:profile "
        "binding:vnic_type extra_dhcp_opts"
    )
    updatable = (
        "admin_state_up fixed_ips device_id device_owner security_groups allowed_address_pairs "
        "port_security_enabled binding:host_id binding:profile binding:vnic_type extra_dhcp_opts"
    )
    admin_only = "binding:host_id binding:profile"
    filters = "status binding:vif_type ip_allocation"

    def table(self) -> Mapping[str, Port]:
        """Return all ports."""
        return self.network.ports

    def candidates(self) -> Iterable[Port]:
        """Return all ports, or those of the device that is asked for."""
        devices = request.args.getlist("device_id")
        if devices:
            return [port for device in devices for port in self.network.ports_of(device)]
        return self.network.ports.values()

    def body(self, record: Port, context: Context) -> dict[str, Any]:
        """Return a port; an admin sees its binding, too."""
        body = {
            **self.standard(record),
            "network_id": record.network_id,
            "mac_address": record.mac,
            "admin_state_up": record.admin_state_up,
            "status": record.status,
            "device_id": record.device_id,
            "device_owner": record.device_owner,
            "fixed_ips": [{"subnet_id": s, "ip_address": a} for s, a in record.fixed_ips],
            "allowed_address_pairs": record.allowed_address_pairs,
            "extra_dhcp_opts": [],
            "security_groups": list(record.security_groups),
            "binding:vnic_type": "normal",
            "port_security_enabled": record.port_security,
        }
        if context.is_admin:
            body |= {
                "binding:profile": record.profile,
                "binding:host_id": record.host,
                "binding:vif_type": "ovs" if record.host else "unbound",
                "binding:vif_details": VIF_DETAILS if record.host else {},
            }
        return body

    def create(self, context: Context, project_id: str, attributes: dict[str, Any]) -> Port:
        """Create a port."""
        network = Networks(self.cloud).find(context, str(attributes.get("network_id")))
        fields: dict[str, Any] = {}
        if attributes.get("security_groups") is not None:
            fields["security_groups"] = self._groups(attributes["security_groups"])
        if "fixed_ips" in attributes and not attributes["fixed_ips"]:
            fields["fixed_ips"] = []
        port = self.network.create_port(
            project_id,
            network.id,
            attributes.get("device_id") or "",
            _fixed_ip(attributes.get("fixed_ips")),
            attributes.get("device_owner"),
            name=attributes.get("name") or "",
            description=attributes.get("description") or "",
            admin_state_up=attributes.get("admin_state_up", True),
            port_security=attributes.get("port_security_enabled", network.port_security),
            **fields,
        )
        self._pairs(port, attributes)
        if attributes.get("binding:host_id"):
            self.network.bind(port.id, str(attributes["binding:host_id"]))
        return port

    def update(self, context: Context, record: Port, attributes: dict[str, Any]) -> None:
        """Change a port."""
        if "security_groups" in attributes:
            record.security_groups = self._groups(attributes["security_groups"])
        record.admin_state_up = attributes.get("admin_state_up", record.admin_state_up)
        record.port_security = attributes.get("port_security_enabled", record.port_security)
        self._pairs(record, attributes)
        if "device_id" in attributes:
            owner = attributes.get("device_owner", record.device_owner)
            self.network.attach_port(record.id, attributes["device_id"] or "", owner)
        if "binding:host_id" in attributes:
            self.network.bind(record.id, attributes["binding:host_id"] or "")

    def delete(self, record: Port) -> None:
        """Remove a port."""
        self.network.delete_port(record.id)

    def _groups(self, ids: Any) -> list[str]:
        if not isinstance(ids, list):
            raise bad_request(f"Invalid input for security_groups. Reason: '{ids}' is not a list.")
        return [self.network.security.get(str(group)).id for group in ids]

    def _pairs(self, port: Port, attributes: Mapping[str, Any]) -> None:
        if "allowed_address_pairs" in attributes:
            pairs = address_pairs.checked(attributes["allowed_address_pairs"], port.mac)
            self.network.allow_pairs(port.id, pairs)


def _block(cidr: Any) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(str(cidr))
    except ValueError:
        raise NetworkRefused(
            400, "InvalidInput", f"Invalid input for operation: {cidr} is not in a CIDR format."
        ) from None


def _pool(pool: Any) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]:
    try:
        return ipaddress.IPv4Address(pool["start"]), ipaddress.IPv4Address(pool["end"])
    except (ValueError, KeyError, TypeError):
        raise bad_request(
            f"Invalid input for allocation_pools. Reason: Invalid data format for IP pool: '{pool}'."
        ) from None


def _fixed_ip(fixed_ips: Any) -> str | None:
    """Return the address that is asked for, if one is; raise NetworkRefused if it is none."""
    if not fixed_ips:
        return None
    wanted = fixed_ips[0] if isinstance(fixed_ips, list) else fixed_ips
    if not isinstance(wanted, dict):
        raise bad_request(
            f"Invalid input for fixed_ips. Reason: Invalid data format for fixed IP: '{wanted}'."
        )
    address = wanted.get("ip_address")
    if address is None:
        return None
    try:
        return str(ipaddress.IPv4Address(address))
    except ValueError:
        raise bad_request(
            f"Invalid input for fixed_ips. Reason: '{address}' is not a valid IP address."
        ) from None
