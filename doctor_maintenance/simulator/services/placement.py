# SPDX-License-Identifier: Apache-2.0
"""Placement: who has how much of what, and who holds it; for reading only, as Nova alone writes here.

Texts, forms by microversion and headers are those of placement 16 (1.0 to 1.39).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request

from doctor_maintenance.exceptions import InvalidRequestError, RequestRefused
from doctor_maintenance.simulator.placement_model import RESOURCE_CLASSES, Provider
from doctor_maintenance.simulator.services.answers import json_answer
from doctor_maintenance.simulator.services.placement_call import (
    NEWEST,
    Call,
    Routes,
    add_headers,
    no_method,
    no_page,
    refused,
)
from doctor_maintenance.simulator.services.placement_parts import (
    consumer_views,
    label_views,
    part_views,
    word_views,
)

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud


class PlacementService:
    """The placement service."""

    type = "placement"
    name = "placement"
    path = "/placement"
    endpoint = "/placement"

    def blueprint(self, cloud: SimCloud) -> Blueprint:
        """Return the views of Placement."""
        views = Blueprint("placement", __name__)

        @views.get("/")
        def versions() -> Response:
            g.placement_minor = 0
            version = {
                "id": "v1.0",
                "max_version": f"1.{NEWEST}",
                "min_version": "1.0",
                "status": "CURRENT",
                "links": [{"rel": "self", "href": request.script_root}],
            }
            return json_answer({"versions": [version]})

        route = Routes(views, cloud)
        for add in (_provider_views, part_views, label_views, consumer_views, word_views):
            add(route)
        views.app_errorhandler(RequestRefused)(refused)
        views.app_errorhandler(404)(no_page)
        views.app_errorhandler(405)(no_method)
        views.after_app_request(add_headers)
        return views


SERVICE = PlacementService()


def _provider_views(route: Routes) -> None:
    @route("/resource_providers", "resource_providers:list")
    def providers(call: Call) -> Any:
        wanted = _amounts(request.args.get("resources"))
        found = [
            provider
            for provider in call.placement.providers()
            if request.args.get("name") in (None, provider.name)
            and request.args.get("uuid") in (None, provider.provider_id)
            and request.args.get("in_tree") in (None, provider.provider_id)
            and (not wanted or provider.fits(wanted))
            and _has_traits(provider)
        ]
        return {"resource_providers": [_provider(call, provider) for provider in found]}

    @route("/resource_providers/<provider_id>", "resource_providers:show")
    def provider(call: Call, provider_id: str) -> Any:
        return _provider(call, call.placement.get(provider_id))

    @route("/allocation_candidates", "allocation_candidates:list", since=10)
    def candidates(call: Call) -> Any:
        return _candidates(call)


def _has_traits(provider: Provider) -> bool:
    for name in request.args.get("required", "").split(","):
        trait = name.strip().removeprefix("!")
        if trait and (trait in provider.traits) == name.strip().startswith("!"):
            return False
    return True


def _provider(call: Call, provider: Provider) -> dict[str, Any]:
    own = f"{request.script_root}/resource_providers/{provider.provider_id}"
    links = [("self", 0), ("inventories", 0), ("usages", 0)]
    links += [("aggregates", 1), ("traits", 6), ("allocations", 11)]
    shown: dict[str, Any] = {
        "uuid": provider.provider_id,
        "name": provider.name,
        "generation": provider.generation,
        "links": [
            {"rel": rel, "href": own if rel == "self" else f"{own}/{rel}"}
            for rel, since in links
            if call.minor >= since
        ],
    }
    if call.minor >= 14:
        shown |= {"parent_provider_uuid": None, "root_provider_uuid": provider.provider_id}
    return shown


def _candidates(call: Call) -> dict[str, Any]:
    wanted = _amounts(request.args.get("resources"))
    if not wanted:
        raise _MissingResources
    fitting = [
        provider
        for provider in call.placement.providers()
        if provider.fits(wanted) and _has_traits(provider)
    ]
    limit = request.args.get("limit")
    if limit is not None:
        fitting = fitting[: int(limit) if limit.isdigit() else len(fitting)]
    requests, summaries = [], {}
    for provider in fitting:
        entry: dict[str, Any] = {"allocations": {provider.provider_id: {"resources": wanted}}}
        if call.minor >= 34:
            entry["mappings"] = {"": [provider.provider_id]}
        requests.append(entry)
        summaries[provider.provider_id] = _summary(call, provider)
    return {"allocation_requests": requests, "provider_summaries": summaries}


def _summary(call: Call, provider: Provider) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "resources": {
            name: {"capacity": inventory.capacity, "used": provider.used[name]}
            for name, inventory in provider.inventories.items()
        }
    }
    if call.minor >= 17:
        shown["traits"] = list(provider.traits)
    if call.minor >= 29:
        shown |= {"parent_provider_uuid": None, "root_provider_uuid": provider.provider_id}
    return shown


class _MissingResources(InvalidRequestError):
    """A question for candidates that says not for what."""

    code = "placement.query.missing_value"

    def __init__(self) -> None:
        super().__init__("There must be at least one resources or resources[$S] parameter.")


def _amounts(text: str | None) -> dict[str, int]:
    """Return what ``VCPU:1,MEMORY_MB:96`` asks for."""
    amounts: dict[str, int] = {}
    for part in (text or "").split(","):
        if not part:
            continue
        name, _, amount = part.partition(":")
        if not amount.isdigit():
            raise InvalidRequestError(
                "Badly formed resources parameter. Expected resources query string parameter in form: "
                f"?resources=VCPU:2,MEMORY_MB:1024. Got: {text}."
            )
        if name not in RESOURCE_CLASSES:
            raise InvalidRequestError(
                f"Invalid resource class in resources parameter: No such resource class {name}."
            )
        amounts[name] = int(amount)
    return amounts
