# SPDX-License-Identifier: Apache-2.0
"""Placement: the parts of a provider, what a consumer holds, and the words in use."""

from __future__ import annotations

from typing import Any

from flask import request

from doctor_maintenance.exceptions import InvalidRequestError, RequestRefused
from doctor_maintenance.simulator.placement_model import (
    RESOURCE_CLASSES,
    TRAIT_DISABLED,
    TRAITS,
    Inventory,
)
from doctor_maintenance.simulator.services.placement_call import Call, Routes


def part_views(route: Routes) -> None:
    """Add the views of one provider's parts."""
    base = "/resource_providers/<provider_id>"

    @route(f"{base}/inventories", "resource_providers:inventories:list")
    def inventories(call: Call, provider_id: str) -> Any:
        found = call.placement.get(provider_id)
        shown = {name: _inventory(entry) for name, entry in found.inventories.items()}
        return {"resource_provider_generation": found.generation, "inventories": shown}

    @route(f"{base}/inventories/<name>", "resource_providers:inventories:show")
    def inventory(call: Call, provider_id: str, name: str) -> Any:
        found = call.placement.get(provider_id)
        if name not in found.inventories:
            raise _NoInventory(f"No inventory of class {name} for {provider_id}")
        return {
            "resource_provider_generation": found.generation,
            **_inventory(found.inventories[name]),
        }

    @route(f"{base}/usages", "resource_providers:usages")
    def usages(call: Call, provider_id: str) -> Any:
        found = call.placement.get(provider_id)
        return {"resource_provider_generation": found.generation, "usages": found.used}

    @route(f"{base}/allocations", "resource_providers:allocations:list")
    def allocations(call: Call, provider_id: str) -> Any:
        found = call.placement.get(provider_id)
        shown: dict[str, Any] = {}
        for consumer_id, allocation in found.consumers.items():
            entry: dict[str, Any] = {"resources": allocation.resources}
            if call.minor >= 28:
                entry["consumer_generation"] = 1
            shown[consumer_id] = entry
        return {"allocations": shown, "resource_provider_generation": found.generation}


def label_views(route: Routes) -> None:
    """Add the views of a provider's aggregates and traits."""
    base = "/resource_providers/<provider_id>"

    @route(f"{base}/aggregates", "resource_providers:aggregates:list", since=1)
    def aggregates(call: Call, provider_id: str) -> Any:
        found = call.placement.get(provider_id)
        shown: dict[str, Any] = {"aggregates": []}
        if call.minor >= 19:
            shown["resource_provider_generation"] = found.generation
        return shown

    @route(f"{base}/traits", "resource_providers:traits:list", since=6)
    def traits(call: Call, provider_id: str) -> Any:
        found = call.placement.get(provider_id)
        return {"traits": list(found.traits), "resource_provider_generation": found.generation}


class _NoInventory(RequestRefused):
    """A provider does not have such a resource (404)."""

    status = 404


def _inventory(inventory: Inventory) -> dict[str, Any]:
    return {
        "total": inventory.total,
        "reserved": inventory.reserved,
        "min_unit": inventory.min_unit,
        "max_unit": inventory.max_unit,
        "step_size": inventory.step_size,
        "allocation_ratio": inventory.allocation_ratio,
    }


def consumer_views(route: Routes) -> None:
    """Add the views of what consumers and projects hold."""

    @route("/allocations/<consumer_id>", "allocations:list")
    def of_consumer(call: Call, consumer_id: str) -> Any:
        held = call.placement.allocations(consumer_id)
        if not held:
            return {"allocations": {}}
        shown: dict[str, Any] = {
            "allocations": {
                allocation.provider_id: {
                    "generation": call.placement.get(allocation.provider_id).generation,
                    "resources": allocation.resources,
                }
                for allocation in held
            }
        }
        if call.minor >= 12:
            shown |= {"project_id": held[0].project_id, "user_id": held[0].user_id}
        if call.minor >= 28:
            shown["consumer_generation"] = 1
        if call.minor >= 38:
            shown["consumer_type"] = "unknown"
        return shown

    @route("/usages", "usages", since=9)
    def usages(call: Call) -> Any:
        project_id = request.args.get("project_id")
        if project_id is None:
            raise InvalidRequestError(
                "Invalid query string parameters: 'project_id' is a required property"
            )
        used, consumers = call.placement.usage(project_id, request.args.get("user_id"))
        if call.minor < 38:
            return {"usages": used}
        typed = {"unknown": {**used, "consumer_count": consumers}} if consumers else {}
        return {"usages": typed}


def word_views(route: Routes) -> None:
    """Add the views of the resource classes and traits that exist."""

    @route("/resource_classes", "resource_classes:list", since=2)
    def classes(call: Call) -> Any:
        prefix = f"{request.script_root}/resource_classes"
        return {
            "resource_classes": [
                {"name": name, "links": [{"rel": "self", "href": f"{prefix}/{name}"}]}
                for name in RESOURCE_CLASSES
            ]
        }

    @route("/traits", "traits:list", since=6)
    def traits(call: Call) -> Any:
        return {"traits": [*TRAITS, TRAIT_DISABLED]}
