# SPDX-License-Identifier: Apache-2.0
"""Nova: the ports of an instance (``os-interface``)."""

from __future__ import annotations

from typing import Any

from flask import Response

from doctor_maintenance.exceptions import InvalidRequestError, NotFoundError
from doctor_maintenance.simulator.services.nova_call import Call, Routes, answer, no_body
from doctor_maintenance.simulator.services.nova_servers import find_to_change, within_sight


def interface_views(route: Routes) -> None:
    """Add the views of an instance's ports."""
    rule = "os_compute_api:os-attach-interfaces"

    @route("GET", "/servers/<server_id>/os-interface")
    def index(call: Call, server_id: str) -> Response:
        instance = within_sight(call, server_id)
        call.reader(f"{rule}:list", instance.project_id)
        ports = call.cloud.network.ports_of(server_id)
        return answer({"interfaceAttachments": [_interface(call, port) for port in ports]})

    @route("GET", "/servers/<server_id>/os-interface/<port_id>")
    def show(call: Call, server_id: str, port_id: str) -> Response:
        instance = within_sight(call, server_id)
        call.reader(f"{rule}:show", instance.project_id)
        return answer({"interfaceAttachment": _interface(call, _port(call, server_id, port_id))})

    @route("POST", "/servers/<server_id>/os-interface")
    def attach(call: Call, server_id: str) -> Response:
        instance = find_to_change(call, server_id, f"{rule}:create")
        call.compute.check(instance, "attach_interface")
        wanted = call.body({"type": ["object", "null"]}) or {}
        wanted = wanted.get("interfaceAttachment", {})
        network = call.cloud.network
        if wanted.get("port_id"):
            network.attach_port(wanted["port_id"], server_id)
            port = network.port(wanted["port_id"])
        elif wanted.get("net_id"):
            fixed = wanted.get("fixed_ips") or [{}]
            port = network.create_port(
                instance.project_id,
                wanted["net_id"],
                device_id=server_id,
                fixed_ip=fixed[0].get("ip_address"),
            )
        else:
            raise InvalidRequestError("Either net_id or port_id must be given.")
        if instance.host is not None:
            network.bind(port.id, instance.host)
            network.set_status(port.id, "ACTIVE")
        call.compute.record_action(instance, "attach_interface", call.caller)
        return answer({"interfaceAttachment": _interface(call, port)})

    @route("DELETE", "/servers/<server_id>/os-interface/<port_id>")
    def detach(call: Call, server_id: str, port_id: str) -> Response:
        instance = find_to_change(call, server_id, f"{rule}:delete")
        call.compute.check(instance, "detach_interface")
        _port(call, server_id, port_id)
        call.cloud.network.remove_port(port_id)
        call.compute.record_action(instance, "detach_interface", call.caller)
        return no_body(202)


def _port(call: Call, server_id: str, port_id: str) -> Any:
    for port in call.cloud.network.ports_of(server_id):
        if port.id == port_id:
            return port
    raise NotFoundError(f"Port id {port_id} could not be found.")


def _interface(call: Call, port: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "net_id": port.network_id,
        "port_id": port.id,
        "mac_addr": port.mac,
        "port_state": port.status,
        "fixed_ips": [
            {"subnet_id": subnet_id, "ip_address": address} for subnet_id, address in port.fixed_ips
        ],
    }
    if call.minor >= 70:
        shown["tag"] = None
    return shown
