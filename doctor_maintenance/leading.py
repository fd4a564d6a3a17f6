# SPDX-License-Identifier: Apache-2.0
"""Where floating IPs lead, as Neutron has it: straight to an instance, over a route, or by port forwardings.

A floating IP that leads straight to an instance has to be moved for a switch-over. One that leads to a port of its
own stays where it is for ever, and only what lies behind it changes: the router's route to that port's address, or the
port forwardings. So "who holds the address" has three answers, and whoever asks (app manager, witness) asks here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Get = Callable[[str], Any]
"""Asks Neutron for a path with its query, and returns the JSON of the answer."""

_INSTANCE = "compute:"
"""How the owner of an instance's port begins."""


class Reach(StrEnum):
    """How clients of a floating IP get to the instance behind it."""

    FLOATING_IP = "floating_ip"
    ROUTE = "route"
    PORT_FORWARDING = "port_forwarding"


@dataclass(frozen=True, slots=True)
class Lead:
    """Where a floating IP leads.

    Attributes:
        floating_id: its ID.
        address: the floating IP.
        reach: how.
        instance_id: the instance at the end; None: there is none, or not one alone.
        router_id: the router that translates it, if any does.
        service_ip: the address that it is translated to; None with port forwardings.
    """

    floating_id: str
    address: str
    reach: Reach
    instance_id: str | None
    router_id: str | None = None
    service_ip: str | None = None


def leads(get: Get, query: str = "") -> list[Lead]:
    """Return where floating IPs lead; those that lead nowhere are left out.

    Args:
        get: with the rights of whoever asks.
        query: which ones, with its question mark; without it, all that can be seen.
    """
    found = [_lead(get, item) for item in get(f"/floatingips{query}")["floatingips"]]
    return [lead for lead in found if lead is not None]


def destination_of(service_ip: str) -> str:
    """Return the destination of the route that leads to an address and to nothing else."""
    return f"{service_ip}/32"


def next_hop(routes: Sequence[Mapping[str, str]], service_ip: str) -> str | None:
    """Return where a router sends what is for an address; None: nowhere, or to several."""
    wanted = destination_of(service_ip)
    hops = [route["nexthop"] for route in routes if route["destination"] == wanted]
    return hops[0] if len(hops) == 1 else None


def _lead(get: Get, item: Mapping[str, Any]) -> Lead | None:
    floating_id, address = item["id"], item["floating_ip_address"]
    router_id, port_id = item.get("router_id"), item.get("port_id")
    if port_id:
        device = _device(get, item)
        service_ip = item.get("fixed_ip_address")
        if device or not router_id or not service_ip:
            instance = device or None
            return Lead(floating_id, address, Reach.FLOATING_IP, instance, router_id, service_ip)
        instance = _over_route(get, item["project_id"], router_id, service_ip)
        return Lead(floating_id, address, Reach.ROUTE, instance, router_id, service_ip)
    if router_id:  # without a port of its own, only port forwardings need a router
        instance = _forwarded(get, floating_id)
        return Lead(floating_id, address, Reach.PORT_FORWARDING, instance, router_id)
    return None


def _device(get: Get, item: Mapping[str, Any]) -> str:
    details = item.get("port_details")  # an extension, fip-port-details
    if details is None:
        details = get(f"/ports/{item['port_id']}")["port"]
    return str(details["device_id"])


def _over_route(get: Get, project_id: str, router_id: str, service_ip: str) -> str | None:
    hop = next_hop(get(f"/routers/{router_id}")["router"].get("routes") or (), service_ip)
    if hop is None:
        return None
    query = f"project_id={project_id}&fixed_ips=ip_address%3D{hop}"
    found = get(f"/ports?{query}")["ports"]
    instances = [port for port in found if port["device_owner"].startswith(_INSTANCE)]
    if len(instances) > 1:  # a project may have the same addresses on networks that do not meet
        near = {port["network_id"] for port in get(f"/ports?device_id={router_id}")["ports"]}
        instances = [port for port in instances if port["network_id"] in near]
    return str(instances[0]["device_id"]) if instances else None


def _forwarded(get: Get, floating_id: str) -> str | None:
    forwardings = get(f"/floatingips/{floating_id}/port_forwardings")["port_forwardings"]
    ports = {item["internal_port_id"] for item in forwardings}
    if len(ports) != 1:
        return None  # in the middle of a switch-over each protocol may lead elsewhere
    return get(f"/ports/{ports.pop()}")["port"]["device_id"] or None
