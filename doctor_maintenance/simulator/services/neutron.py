# SPDX-License-Identifier: Apache-2.0
"""Neutron v2.0: what it consists of, its versions, extensions, agents and quotas.

The resources are in the ``neutron_…`` files beside this one. Bodies and texts are those of neutron 29 with ML2/OVN.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from doctor_maintenance.exceptions import RequestRefused
from doctor_maintenance.protocol import times
from doctor_maintenance.simulator.identity_records import UnauthorizedError
from doctor_maintenance.simulator.network_records import NetworkRefused
from doctor_maintenance.simulator.services.answers import base_url, empty, json_answer
from doctor_maintenance.simulator.services.auth import Context, require_token, unauthorized
from doctor_maintenance.simulator.services.neutron_forwardings import forwarding_views
from doctor_maintenance.simulator.services.neutron_kinds import (
    Kind,
    add_views,
    not_authorized,
    read_body,
)
from doctor_maintenance.simulator.services.neutron_networks import (
    VIF_DETAILS,
    Networks,
    Ports,
    Subnets,
)
from doctor_maintenance.simulator.services.neutron_routing import (
    FloatingIpKind,
    RouterKind,
    interface_views,
)
from doctor_maintenance.simulator.services.neutron_security import (
    SecurityGroupKind,
    SecurityRuleKind,
)

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

KINDS: tuple[type[Kind[Any]], ...] = (
    Networks,
    Subnets,
    Ports,
    RouterKind,
    FloatingIpKind,
    SecurityGroupKind,
    SecurityRuleKind,
)
"""Every kind of resource that is served."""

_EXTENSIONS = {
    "agent": ("agent", "The agent management extension.", "2013-02-03T10:00:00-00:00"),
    "allowed-address-pairs": (
        "Allowed Address Pairs",
        "Provides allowed address pairs",
        "2013-07-23T10:00:00-00:00",
    ),
    "binding": (
        "Port Binding",
        "Expose port bindings of a virtual port to external application",
        "2014-02-03T10:00:00-00:00",
    ),
    "binding-extended": (
        "Port Bindings Extended",
        "Expose port bindings of a virtual port to external application",
        "2017-07-17T10:00:00-00:00",
    ),
    "expose-port-forwarding-in-fip": (
        "Expose Floating IP port forwardings",
        "Expose port forwarding fields in floating IP response",
        "2018-06-28T16:00:00-00:00",
    ),
    "external-net": (
        "Neutron external network",
        "Adds external network attribute to network resource.",
        "2013-01-14T10:00:00-00:00",
    ),
    "extraroute": (
        "Neutron Extra Route",
        "Extra routes configuration for L3 router",
        "2013-02-01T10:00:00-00:00",
    ),
    "floating-ip-port-forwarding": (
        "Floating IP Port Forwarding",
        "Allow port forwarding from floating IP port to an internal port",
        "2018-01-19T10:00:00-00:00",
    ),
    "floating-ip-port-forwarding-description": (
        "Floating IP Port Forwarding new attribute description",
        "Add a description field to Port Forwarding rules",
        "2019-11-01T10:00:00-00:00",
    ),
    "floating-ip-port-forwarding-detail": (
        "Floating IP port forwarding detail",
        "Allow list floating ip return more port forwarding data, include'id' and 'internal_port_id'",
        "2022-05-06T10:00:00-00:00",
    ),
    "port-security": ("Port Security", "Provides port security", "2012-07-23T10:00:00-00:00"),
    "provider": (
        "Provider Network",
        "Expose mapping of virtual networks to physical networks",
        "2012-09-07T10:00:00-00:00",
    ),
    "quotas": (
        "Quota management support",
        "Expose functions for quotas management per project",
        "2012-07-29T10:00:00-00:00",
    ),
    "quota_details": (
        "Quota details management support",
        "Expose functions for quotas usage statistics per project",
        "2017-02-10T10:00:00-00:00",
    ),
    "revision-if-match": (
        "If-Match constraints based on revision_number",
        "Extension indicating that If-Match based on revision_number is supported.",
        "2016-12-11T00:00:00-00:00",
    ),
    "router": (
        "Neutron L3 Router",
        "Router abstraction for basic L3 forwarding between L2 Neutron networks.",
        "2012-07-20T10:00:00-00:00",
    ),
    "security-group": (
        "security-group",
        "The security groups extension.",
        "2012-10-05T10:00:00-00:00",
    ),
    "standard-attr-tag": (
        "Tag support for resources with standard attribute: port, subnet, network, router",
        "Enables to set tag on resources with standard attribute.",
        "2017-01-01T00:00:00-00:00",
    ),
}


class Neutron:
    """The network service."""

    type = "network"
    name = "neutron"
    path = "/network"
    endpoint = "/network"

    def blueprint(self, cloud: SimCloud) -> Blueprint:
        """Return the views of Neutron."""
        views = Blueprint("neutron", __name__)
        _version_views(views, cloud)
        for kind in KINDS:
            add_views(views, kind(cloud))
        interface_views(views, cloud)
        forwarding_views(views, cloud)
        _binding_views(views, cloud)
        _quota_views(views, cloud)
        _cloud_views(views, cloud)
        views.register_error_handler(RequestRefused, _refused)
        views.app_errorhandler(HTTPException)(partial(_not_routed, cloud))
        return views


SERVICE = Neutron()


def _refused(error: RequestRefused) -> Response:
    kind = error.kind if isinstance(error, NetworkRefused) else type(error).__name__
    body = {"NeutronError": {"type": kind, "message": str(error), "detail": ""}}
    return json_answer(body, error.status)


def _not_routed(cloud: SimCloud, error: HTTPException) -> Response:
    try:
        require_token(cloud)  # keystonemiddleware comes before the router
    except UnauthorizedError as unknown:
        return unauthorized(unknown)
    if error.code == 404:
        return _refused(NetworkRefused(404, "HTTPNotFound", "The resource could not be found."))
    return _refused(NetworkRefused(error.code or 500, f"HTTP{error.name}", str(error.description)))


def _version_views(views: Blueprint, cloud: SimCloud) -> None:
    root = "/network/v2.0/"

    @views.get("/")
    def versions() -> Response:
        link = {"rel": "self", "href": f"{base_url()}{root}"}
        return json_answer({"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]})

    @views.get("/v2.0")
    def resources() -> Response:
        require_token(cloud)
        if not request.path.endswith("/"):
            raise NetworkRefused(404, "HTTPNotFound", "The resource could not be found.")
        names = [(kind.name, kind.plural) for kind in (Networks, Subnets, Ports)]
        names.insert(2, ("subnetpool", "subnetpools"))
        return json_answer(
            {
                "resources": [
                    {
                        "name": name,
                        "collection": plural,
                        "links": [{"rel": "self", "href": f"{base_url()}{root}{plural}"}],
                    }
                    for name, plural in names
                ]
            }
        )


def _binding_views(views: Blueprint, cloud: SimCloud) -> None:
    @views.get("/v2.0/ports/<port_id>/bindings")
    def bindings(port_id: str) -> Response:
        context = require_token(cloud)
        port = Ports(cloud).find(context, port_id)
        if not context.is_admin:
            raise not_authorized("rule:get_port_binding")
        binding = {
            "host": port.host,
            "vif_type": "ovs" if port.host else "unbound",
            "vnic_type": "normal",
            "status": "ACTIVE",
            "profile": port.profile,
            "vif_details": VIF_DETAILS if port.host else {},
        }
        return json_answer({"bindings": [binding]})


def _quota_views(views: Blueprint, cloud: SimCloud) -> None:
    quotas = cloud.network.quotas
    one = "/v2.0/quotas/<project_id>"

    def check(project_id: str, act: str) -> Context:
        context = require_token(cloud)
        if not context.is_admin and (act != "get" or context.project_id != project_id):
            raise not_authorized(f"rule:{act}_quota")
        return context

    @views.get(one)
    def show_quota(project_id: str) -> Response:
        check(project_id, "get")
        return json_answer({"quota": quotas.limits(project_id)})

    @views.get(f"{one}/default")
    def default_quota(project_id: str) -> Response:
        check(project_id, "get")
        return json_answer({"quota": dict(quotas.defaults)})

    @views.get(f"{one}/details.json")
    @views.get(f"{one}/details")
    def quota_details(project_id: str) -> Response:
        check(project_id, "get")
        details = {
            name: {"limit": limit, "used": quotas.used(name, project_id), "reserved": 0}
            for name, limit in quotas.limits(project_id).items()
        }
        return json_answer({"quota": details})

    @views.put(one)
    def set_quota(project_id: str) -> Response:
        check(project_id, "update")
        wanted = read_body("quota")
        quotas.set(project_id, {name: _limit(name, value) for name, value in wanted.items()})
        return json_answer({"quota": quotas.limits(project_id)})

    @views.delete(one)
    def reset_quota(project_id: str) -> Response:
        check(project_id, "delete")
        quotas.reset(project_id)
        return empty()


def _limit(name: str, value: Any) -> int:
    try:
        return int(value)
    except (ValueError, TypeError):
        raise NetworkRefused(
            400, "HTTPBadRequest", f"Invalid input for {name}. Reason: '{value}' is not an integer."
        ) from None


def _cloud_views(views: Blueprint, cloud: SimCloud) -> None:
    def extension(alias: str) -> dict[str, Any]:
        name, description, updated = _EXTENSIONS[alias]
        return {
            "name": name,
            "alias": alias,
            "description": description,
            "updated": updated,
            "links": [],
        }

    @views.get("/v2.0/extensions")
    def extensions() -> Response:
        require_token(cloud)
        return json_answer({"extensions": [extension(alias) for alias in _EXTENSIONS]})

    @views.get("/v2.0/extensions/<alias>")
    def show_extension(alias: str) -> Response:
        require_token(cloud)
        if alias not in _EXTENSIONS:
            text = f"Extension with alias {alias} does not exist"
            message = f"The resource could not be found.<br /><br />\n{text}\n\n"
            body = {"message": message, "code": "404 Not Found", "title": "Not Found"}
            return json_answer(body, 404)
        return json_answer({"extension": extension(alias)})

    @views.get("/v2.0/agents")
    def agents() -> Response:
        context = require_token(cloud)
        hosts = cloud.compute.hosts.items() if context.is_admin else ()
        now = cloud.clock.now()
        return json_answer({"agents": [_agent(name, host.powered, now) for name, host in hosts]})


def _agent(host: str, alive: bool, now: float) -> dict[str, Any]:
    return {
        "binary": "ovn-controller",
        "host": host,
        "heartbeat_timestamp": times.to_wire(now),
        "availability_zone": "",
        "topic": "n/a",
        "description": "",
        "configurations": {"chassis_name": host, "bridge-mappings": "physnet1:br-ex"},
        "agent_type": "OVN Controller Gateway agent",
        "id": host,
        "alive": alive,
        "admin_state_up": True,
    }
