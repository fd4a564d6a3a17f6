# SPDX-License-Identifier: Apache-2.0
"""Keystone's services, endpoints and regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from doctor_maintenance.exceptions import InvalidRequestError
from doctor_maintenance.simulator.catalog import Catalog, CatalogService, Endpoint
from doctor_maintenance.simulator.services.answers import base_url, empty, json_answer
from doctor_maintenance.simulator.services.auth import require_token
from doctor_maintenance.simulator.services.keystone_forms import (
    body_of,
    collection,
    filtered,
    link,
    require,
)

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud


def service_views(views: Blueprint, cloud: SimCloud) -> None:
    """Add the views of services."""
    catalog: Catalog = cloud.identity.catalog

    @views.get("/v3/services")
    def list_services() -> Response:
        require(cloud, "list_services")
        found = [_service(s) for s in catalog.services.values()]
        return collection("services", filtered(found, "type", "name"))

    @views.post("/v3/services")
    def create_service() -> Response:
        require(cloud, "create_service")
        body = body_of("service")
        if not isinstance(body.get("type"), str):
            raise InvalidRequestError(
                f"Invalid input for field/attribute service. Value: {body}. "
                "'type' is a required property"
            )
        service = catalog.add_service(body["type"], body.get("name", ""), body.get("description"))
        return json_answer({"service": _service(service)}, 201)

    @views.get("/v3/services/<service_id>")
    def get_service(service_id: str) -> Response:
        require(cloud, "get_service")
        return json_answer({"service": _service(catalog.get_service(service_id))})

    @views.delete("/v3/services/<service_id>")
    def delete_service(service_id: str) -> Response:
        require(cloud, "delete_service")
        catalog.delete_service(service_id)
        return empty()


def endpoint_views(views: Blueprint, cloud: SimCloud) -> None:
    """Add the views of endpoints and regions."""
    catalog: Catalog = cloud.identity.catalog

    @views.get("/v3/endpoints")
    def list_endpoints() -> Response:
        require(cloud, "list_endpoints")
        found = [_endpoint(e) for e in catalog.endpoints.values()]
        return collection("endpoints", filtered(found, "service_id", "interface", "region_id"))

    @views.post("/v3/endpoints")
    def create_endpoint() -> Response:
        require(cloud, "create_endpoint")
        body = body_of("endpoint")
        missing = [key for key in ("service_id", "interface", "url") if not body.get(key)]
        if missing:
            raise InvalidRequestError(
                f"Invalid input for field/attribute endpoint. Value: {body}. "
                f"'{missing[0]}' is a required property"
            )
        region = body.get("region_id") or body.get("region") or "RegionOne"
        endpoint = catalog.add_endpoint(body["service_id"], body["interface"], body["url"], region)
        return json_answer({"endpoint": _endpoint(endpoint)}, 201)

    @views.get("/v3/regions")
    def list_regions() -> Response:
        require_token(cloud)
        return collection("regions", [_region(name) for name in catalog.regions()])

    @views.get("/v3/regions/<name>")
    def get_region(name: str) -> Response:
        require_token(cloud)
        catalog.check_region(name)
        return json_answer({"region": _region(name)})


def _region(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "description": "",
        "parent_region_id": None,
        "links": link("regions", name),
    }


def _service(service: CatalogService) -> dict[str, Any]:
    body: dict[str, Any] = {"name": service.name, "id": service.id, "type": service.type}
    if service.description is not None:
        body["description"] = service.description
    return {**body, "enabled": service.enabled, "links": link("services", service.id)}


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "interface": endpoint.interface,
        "region_id": endpoint.region,
        "service_id": endpoint.service_id,
        "url": endpoint.absolute_url(base_url()),
        "enabled": endpoint.enabled,
        "region": endpoint.region,
        "links": link("endpoints", endpoint.id),
    }
