# SPDX-License-Identifier: Apache-2.0
"""Neutron's routers and floating IPs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from doctor_maintenance.simulator.network_records import FloatingIp, Port, Router
from doctor_maintenance.simulator.services.answers import json_answer
from doctor_maintenance.simulator.services.auth import Context, require_token
from doctor_maintenance.simulator.services.neutron_kinds import Kind, bad_request
from doctor_maintenance.simulator.services.neutron_networks import Ports, Subnets

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud


class RouterKind(Kind[Router]):
    """Routers."""

    name = "router"
    plural = "routers"
    missing = ("RouterNotFound", "Router {} could not be found")
    settable = (
        "admin_state_up external_gateway_info routes availability_zone_hints ha distributed "
        "flavor_id enable_snat"
    )
    updatable = "admin_state_up external_gateway_info routes"
    admin_only = "ha distributed"
    filters = "status"
    counts_changes = False

    def table(self) -> Mapping[str, Router]:
        """Return all routers."""
        return self.network.routers.routers

    def body(self, record: Router, context: Context) -> dict[str, Any]:
        """Return a router."""
        gateway = self.network.routers.gateway(record)
        info: dict[str, Any] | None = None
        gateways: list[dict[str, Any]] = []
        if gateway is not None:
            ips = [{"subnet_id": s, "ip_address": a} for s, a in gateway.fixed_ips]
            info = {
                "network_id": gateway.network_id,
                "external_fixed_ips": ips,
                "enable_snat": record.enable_snat,
            }
            gateways = [{"network_id": gateway.network_id, "external_fixed_ips": ips}]
        body = {
            **self.standard(record),
            "admin_state_up": record.admin_state_up,
            "status": "ACTIVE",
            "enable_snat": record.enable_snat,
            "external_gateway_info": info,
            "availability_zones": [],
            "availability_zone_hints": [],
            "enable_default_route_ecmp": False,
            "enable_default_route_bfd": False,
            "external_gateways": gateways,
            "routes": record.routes,
            "flavor_id": None,
        }
        if context.is_admin:
            body["ha"] = True
        return body

    def create(self, context: Context, project_id: str, attributes: dict[str, Any]) -> Router:
        """Create a router."""
        return self.network.routers.create(
            project_id,
            _gateway(attributes.get("external_gateway_info")),
            name=attributes.get("name") or "",
            description=attributes.get("description") or "",
            admin_state_up=attributes.get("admin_state_up", True),
        )

    def update(self, context: Context, record: Router, attributes: dict[str, Any]) -> None:
        """Change a router."""
        if "routes" in attributes:
            routes = record.routes
            self.network.routers.set_routes(record.id, attributes["routes"] or [])
            if record.routes == routes and set(attributes) == {"routes"}:
                return  # nothing is changed, and it does not count as a change
        if "external_gateway_info" in attributes:
            gateway = _gateway(attributes["external_gateway_info"])
            self.network.routers.set_gateway(record.id, gateway)
        else:
            self.network.touch(record)
        record.admin_state_up = attributes.get("admin_state_up", record.admin_state_up)

    def delete(self, record: Router) -> None:
        """Remove a router."""
        self.network.routers.delete(record.id)


def _gateway(info: Any) -> str | None:
    if not info:
        return None
    if not isinstance(info, dict) or not isinstance(info.get("network_id"), str):
        raise bad_request(
            f"Invalid input for external_gateway_info. Reason: '{info}' has no network_id."
        )
    network_id: str = info["network_id"]
    return network_id


def interface_views(views: Blueprint, cloud: SimCloud) -> None:
    """Add the views that connect a router to subnets."""
    routers = RouterKind(cloud)

    def interface(router_id: str) -> tuple[Router, str | None, str | None]:
        context = require_token(cloud)
        act = request.path.rpartition("/")[2].removesuffix("_router_interface")
        router = routers.find_own(context, router_id, act)
        body = request.get_json(force=True, silent=True)
        if not isinstance(body, dict):
            raise bad_request("Body contains invalid data")
        subnet_id, port_id = body.get("subnet_id"), body.get("port_id")
        if subnet_id is not None:
            Subnets(cloud).find(context, str(subnet_id))
        if port_id is not None:
            Ports(cloud).find(context, str(port_id))
        return router, subnet_id, port_id

    def answer(router: Router, port: Port) -> Response:
        subnets = [subnet_id for subnet_id, _ in port.fixed_ips]
        return json_answer(
            {
                "id": router.id,
                "project_id": router.project_id,
                "port_id": port.id,
                "network_id": port.network_id,
                "subnet_id": subnets[0],
                "subnet_ids": subnets,
            }
        )

    @views.put("/v2.0/routers/<router_id>/add_router_interface")
    def add_interface(router_id: str) -> Response:
        router, subnet_id, port_id = interface(router_id)
        return answer(router, cloud.network.routers.add_interface(router_id, subnet_id, port_id))

    @views.put("/v2.0/routers/<router_id>/remove_router_interface")
    def remove_interface(router_id: str) -> Response:
        router, subnet_id, port_id = interface(router_id)
        return answer(router, cloud.network.routers.remove_interface(router_id, subnet_id, port_id))


class FloatingIpKind(Kind[FloatingIp]):
    """Floating IPs; the answer to a change has the status from before it."""

    name = "floatingip"
    plural = "floatingips"
    missing = ("FloatingIPNotFound", "Floating IP {} could not be found")
    required = "floating_network_id"
    settable = (
        "floating_network_id port_id fixed_ip_address floating_ip_address subnet_id dns_name "
        "dns_domain"
    )
    updatable = "port_id fixed_ip_address"
    admin_only = "floating_ip_address"
    filters = "router_id status"
    counts_changes = False

    def table(self) -> Mapping[str, FloatingIp]:
        """Return all floating IPs."""
        return self.network.floating.floating_ips

    def body(self, record: FloatingIp, context: Context) -> dict[str, Any]:
        """Return a floating IP."""
        body = self.standard(record)
        del body["name"]
        port = self.network.ports[record.port_id] if record.port_id is not None else None
        details = None
        if port is not None:
            details = {
                "name": port.name,
                "network_id": port.network_id,
                "mac_address": port.mac,
                "admin_state_up": port.admin_state_up,
                "status": port.status,
                "device_id": port.device_id,
                "device_owner": port.device_owner,
            }
        return {
            **body,
            "floating_ip_address": record.address,
            "floating_network_id": record.network_id,
            "router_id": record.router_id,
            "port_id": record.port_id,
            "fixed_ip_address": record.fixed_ip,
            "status": record.status,
            "port_details": details,
            "dns_domain": "",
            "dns_name": "",
            "port_forwardings": [
                {
                    "id": each.id,
                    "protocol": each.protocol,
                    "internal_ip_address": each.internal_ip,
                    "internal_port_id": each.internal_port_id,
                    "internal_port": each.internal_port,
                    "external_port": each.external_port,
                }
                for each in record.forwardings.values()
            ],
        }

    def created(self, record: FloatingIp, context: Context) -> dict[str, Any]:
        """Return a new floating IP: DOWN, even with a port."""
        return self._answered(record, context, "DOWN")

    def updated(
        self, record: FloatingIp, context: Context, before: dict[str, Any]
    ) -> dict[str, Any]:
        """Return a floating IP with the status that it had: the next question gets the new one."""
        return self._answered(record, context, before["status"])

    def _answered(self, record: FloatingIp, context: Context, status: str) -> dict[str, Any]:
        """Return a floating IP with an old status; that it gets a new one counts as a change."""
        body = {**self.body(record, context), "status": status}
        if record.status != status:
            self.network.touch(record)
        return body

    def create(self, context: Context, project_id: str, attributes: dict[str, Any]) -> FloatingIp:
        """Create a floating IP."""
        port_id = attributes.get("port_id")
        if port_id is not None:
            Ports(self.cloud).find(context, port_id)
        return self.network.floating.create(
            project_id,
            str(attributes.get("floating_network_id")),
            port_id,
            attributes.get("floating_ip_address"),
            description=attributes.get("description") or "",
        )

    def update(self, context: Context, record: FloatingIp, attributes: dict[str, Any]) -> None:
        """Lead a floating IP to another port, or to none."""
        if "port_id" not in attributes:
            self.network.touch(record)
            return
        if attributes["port_id"] is not None:
            Ports(self.cloud).find(context, attributes["port_id"])
        self.network.floating.move(record.id, attributes["port_id"])

    def delete(self, record: FloatingIp) -> None:
        """Remove a floating IP."""
        self.network.floating.delete(record.id)
