# SPDX-License-Identifier: Apache-2.0
"""Placement: what the hosts have, and what is taken of it."""

from __future__ import annotations

from .asking import Voice
from .tenants import Stay

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def provider(stay: Stay, admin: Voice, host: str) -> str:
    found = admin.look("GET", "placement", f"/resource_providers?name={host}", version="1.0")
    return str(found.body["resource_providers"][0]["uuid"])


def test_host_is_a_resource_provider_with_its_inventory_and_usages(
    stay: Stay, admin: Voice, one: str
) -> None:
    host = stay.host_of(one)
    (found,) = admin.ask(
        "GET", "placement", f"/resource_providers?name={host}", version="1.0"
    ).body["resource_providers"]
    path = f"/resource_providers/{found['uuid']}"

    inventories = admin.ask("GET", "placement", f"{path}/inventories", version="1.0").body[
        "inventories"
    ]
    usages = admin.look("GET", "placement", f"{path}/usages", version="1.0").body["usages"]

    assert set(inventories) >= {"VCPU", "MEMORY_MB", "DISK_GB"}
    assert set(inventories["VCPU"]) == {
        "total",
        "reserved",
        "min_unit",
        "max_unit",
        "step_size",
        "allocation_ratio",
    }
    assert usages["VCPU"] >= 1


def test_instance_holds_what_its_flavor_says_on_its_host(
    stay: Stay, admin: Voice, one: str
) -> None:
    held = admin.ask("GET", "placement", f"/allocations/{one}", version="1.28").body

    ((provider_id, allocation),) = held["allocations"].items()
    assert provider_id == provider(stay, admin, stay.host_of(one))
    assert allocation["resources"] == {"VCPU": 1, "MEMORY_MB": 256, "DISK_GB": 1}
    assert held["project_id"] == stay.house.ours.project_id


def test_placement_is_not_for_members_and_needs_a_token(ours: Voice, nobody: Voice) -> None:
    member = ours.ask("GET", "placement", "/resource_providers", version="1.0")
    stranger = nobody.ask("GET", "placement", "/resource_providers", version="1.0")

    assert (member.status, stranger.status) == (403, 401)
    assert member.body["errors"][0]["title"] == "Forbidden"


def test_what_is_not_there_is_answered_with_404_and_a_list_of_errors(admin: Voice) -> None:
    unknown = admin.ask("GET", "placement", f"/resource_providers/{UNKNOWN}", version="1.39")
    version = admin.ask("GET", "placement", "/resource_providers", version="1.999")

    assert (unknown.status, version.status) == (404, 406)
    assert unknown.body["errors"][0]["status"] == 404
