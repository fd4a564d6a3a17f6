# SPDX-License-Identifier: Apache-2.0
"""Neutron's port forwardings, which lie below a floating IP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from doctor_maintenance.simulator.network_records import FloatingIp, NetworkRefused, PortForwarding
from doctor_maintenance.simulator.services.answers import empty, json_answer
from doctor_maintenance.simulator.services.auth import require_token
from doctor_maintenance.simulator.services.neutron_kinds import bad_request, read_body
from doctor_maintenance.simulator.services.neutron_routing import FloatingIpKind

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

_PATH = "/v2.0/floatingips/<floating_id>/port_forwardings"
_NEEDED = ("internal_ip_address", "internal_port_id", "external_port", "internal_port", "protocol")
_PORTS = ("external_port", "internal_port")
_PROTOCOLS = ("tcp", "udp", "sctp", "dccp", "icmp")
_HIGHEST_PORT = 65535


def forwarding_views(views: Blueprint, cloud: SimCloud) -> None:
    """Add the views of port forwardings."""
    floating_ips = FloatingIpKind(cloud)
    model = cloud.network.forwardings

    def own(floating_id: str, act: str) -> FloatingIp:
        context = require_token(cloud)
        if act == "get":
            return floating_ips.find(context, floating_id)
        return floating_ips.find_own(context, floating_id, act)

    def show(forwarding: PortForwarding) -> Response:
        return json_answer({"port_forwarding": body(forwarding)})

    @views.get(_PATH)
    def list_forwardings(floating_id: str) -> Response:
        found = own(floating_id, "get").forwardings.values()
        return json_answer({"port_forwardings": [body(each) for each in found]})

    @views.post(_PATH)
    def create_forwarding(floating_id: str) -> Response:
        floating = own(floating_id, "update")
        attributes = _attributes()
        missing = [name for name in _NEEDED if name not in attributes]
        if missing:
            raise bad_request(
                f"Failed to parse request. Required attribute '{missing[0]}' not specified"
            )
        made = model.create(floating, attributes)
        return json_answer({"port_forwarding": body(made)}, 201)

    @views.get(f"{_PATH}/<identity>")
    def show_forwarding(floating_id: str, identity: str) -> Response:
        return show(model.get(own(floating_id, "get"), identity))

    @views.put(f"{_PATH}/<identity>")
    def update_forwarding(floating_id: str, identity: str) -> Response:
        floating = own(floating_id, "update")
        model.get(floating, identity)
        return show(model.update(floating, identity, _attributes()))

    @views.delete(f"{_PATH}/<identity>")
    def delete_forwarding(floating_id: str, identity: str) -> Response:
        model.delete(own(floating_id, "update"), identity)
        return empty()


def body(forwarding: PortForwarding) -> dict[str, Any]:
    """Return a port forwarding as it is shown."""
    external, internal = forwarding.external_port, forwarding.internal_port
    return {
        "id": forwarding.id,
        "external_port": external,
        "external_port_range": f"{external}:{external}",
        "protocol": forwarding.protocol,
        "internal_port_id": forwarding.internal_port_id,
        "internal_ip_address": forwarding.internal_ip,
        "internal_port": internal,
        "internal_port_range": f"{internal}:{internal}",
        "description": forwarding.description,
    }


def _attributes() -> dict[str, Any]:
    """Return the attributes of the body, checked one by one."""
    attributes = read_body("port_forwarding")
    unknown = [name for name in attributes if name not in (*_NEEDED, "description")]
    if unknown:
        names = ", ".join(repr(name) for name in unknown)
        raise bad_request(f"Unrecognized attribute(s) {names}")
    for name in _PORTS:
        _check_port(name, attributes.get(name, 1))
    for name in ("internal_ip_address", "internal_port_id", "description"):
        if not isinstance(attributes.get(name, ""), str):
            raise bad_request(
                f"Invalid input for {name}. Reason: '{attributes[name]}' is not a valid string."
            )
    protocol = attributes.get("protocol", "tcp")
    if protocol not in _PROTOCOLS:
        raise NetworkRefused(
            400,
            "InvalidInput",
            f"Invalid input for operation: IP protocol '{protocol}' is not supported. Only protocol names and their "
            "integer representation (0 to 255) are supported.",
        )
    return attributes


def _check_port(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_request(f"Invalid input for {name}. Reason: '{value}' is not an integer.")
    if value > _HIGHEST_PORT:
        raise bad_request(
            f"Invalid input for {name}. Reason: '{value}' is too large - must be no larger than '{_HIGHEST_PORT}'."
        )
    if value < 1:
        raise bad_request(
            f"Invalid input for {name}. Reason: '{value}' is too small - must be at least '1'."
        )
