# SPDX-License-Identifier: Apache-2.0
"""What lies behind a floating IP: the port of an instance at once, or by a route, or by a port forwarding.

A simulated guest holds every address that its port may use besides its own, as the deployment's guests do; so a
route leads to an instance only if the address is among its port's allowed pairs. Of several routes to one address the
first counts, of several port forwardings the oldest: which connection goes where is not modelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor_maintenance.leading import destination_of
from doctor_maintenance.simulator.network_records import FloatingIp, Port

if TYPE_CHECKING:
    from doctor_maintenance.simulator.network import Network


def reached(network: Network, floating: FloatingIp) -> str | None:
    """Return the port that a floating IP leads to in the end, or None.

    Args:
        network: where the ports and routers are.
        floating: the floating IP.
    """
    for forwarding in floating.forwardings.values():
        return forwarding.internal_port_id
    if floating.port_id is None or floating.router_id is None:
        return floating.port_id
    if network.ports[floating.port_id].device_id or floating.fixed_ip is None:
        return floating.port_id
    destination = destination_of(floating.fixed_ip)
    for route in network.routers.get(floating.router_id).routes:
        if route["destination"] == destination:
            port = _port_at(network, floating.router_id, route["nexthop"])
            return port.id if port is not None and _holds(port, floating.fixed_ip) else None
    return floating.port_id


def _port_at(network: Network, router_id: str, address: str) -> Port | None:
    """Return the port that has an address on one of a router's subnets, or None."""
    for subnet_id in network.routers.get(router_id).interfaces:
        port = network.port_at(subnet_id, address)
        if port is not None:
            return port
    return None


def _holds(port: Port, address: str) -> bool:
    if not port.port_security:
        return True
    return any(pair["ip_address"] == address for pair in port.allowed_address_pairs)
