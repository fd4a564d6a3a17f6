# SPDX-License-Identifier: Apache-2.0
"""Nova: what it consists of, its version documents, and how its refusals look.

The views are in the ``nova_…`` files beside this one. Checked against the recorded answers of nova 34 (2.1 to 2.104).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g

from doctor_maintenance.exceptions import RequestRefused
from doctor_maintenance.simulator.services.nova_actions import action_views
from doctor_maintenance.simulator.services.nova_aggregates import aggregate_views, zone_views
from doctor_maintenance.simulator.services.nova_call import (
    NEWEST,
    Call,
    Routes,
    add_headers,
    answer,
    not_found_page,
    parse_microversion,
    refused,
    service_url,
)
from doctor_maintenance.simulator.services.nova_flavors import (
    extra_spec_views,
    flavor_views,
    keypair_views,
)
from doctor_maintenance.simulator.services.nova_hosts import hypervisor_views, service_views
from doctor_maintenance.simulator.services.nova_interfaces import interface_views
from doctor_maintenance.simulator.services.nova_migrations import (
    action_record_views,
    migration_views,
)
from doctor_maintenance.simulator.services.nova_quotas import group_views, limit_views, quota_views
from doctor_maintenance.simulator.services.nova_server_parts import (
    metadata_views,
    part_views,
    tag_views,
)
from doctor_maintenance.simulator.services.nova_servers import server_views

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

_VIEWS = (
    server_views,
    metadata_views,
    tag_views,
    part_views,
    action_views,
    interface_views,
    migration_views,
    action_record_views,
    service_views,
    hypervisor_views,
    zone_views,
    aggregate_views,
    flavor_views,
    extra_spec_views,
    keypair_views,
    group_views,
    quota_views,
    limit_views,
)


class Nova:
    """The compute service."""

    type = "compute"
    name = "nova"
    path = "/compute"
    endpoint = "/compute/v2.1"

    def blueprint(self, cloud: SimCloud) -> Blueprint:
        """Return the views of Nova."""
        views = Blueprint("nova", __name__)
        _version_views(views)
        route = Routes(views, cloud)
        for add in _VIEWS:
            add(route)
        _odds_and_ends(route)
        views.app_errorhandler(RequestRefused)(refused)
        views.app_errorhandler(404)(not_found_page)
        views.app_errorhandler(405)(not_found_page)
        views.after_app_request(add_headers)
        return views


SERVICE = Nova()


def _version_views(views: Blueprint) -> None:
    def version(name: str) -> dict[str, Any]:
        newer = name == "v2.1"
        return {
            "id": name if newer else "v2.0",
            "status": "CURRENT" if newer else "DEPRECATED",
            "version": f"2.{NEWEST}" if newer else "",
            "min_version": "2.1" if newer else "",
            "updated": "2013-07-23T11:33:21Z" if newer else "2025-07-04T12:00:00Z",
            "links": [{"rel": "self", "href": f"{service_url()}/{name}/"}],
        }

    def document(name: str) -> dict[str, Any]:
        shown = version(name)
        shown["links"].append(
            {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}
        )
        media = f"application/vnd.openstack.compute+json;version={name[1:]}"
        shown["media-types"] = [{"base": "application/json", "type": media}]
        return {"version": shown}

    @views.get("/")
    def versions() -> Response:
        return answer({"versions": [version("v2"), version("v2.1")]})

    @views.get("/v2")
    def v2() -> Response:
        g.nova_version = "2.1"
        return answer(document("v2"))

    @views.get("/v2.1")
    def v21() -> Response:
        g.nova_version = f"2.{parse_microversion()}"
        return answer(document("v2.1"))


def _odds_and_ends(route: Routes) -> None:
    @route("GET", "/extensions")
    def extensions(call: Call) -> Response:
        return answer({"extensions": []})
