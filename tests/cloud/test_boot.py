# SPDX-License-Identifier: Apache-2.0
"""How an instance comes and goes."""

from __future__ import annotations

import pytest

from .asking import Voice
from .order import in_order
from .tenants import BOOT_S, NEW, House, Stay

TASKS = ("scheduling", None, "networking", "block_device_mapping", "spawning", None)
"""Of an instance that is being built, as nova 34 goes through them; some are short."""


def test_instance_is_built_through_its_tasks_in_order_and_has_addresses_when_it_is_active(
    stay: Stay, ours: Voice
) -> None:
    made = ours.ask("POST", "compute", "/v2.1/servers", {"server": stay.server_body()}, version=NEW)
    server_id = stay.keep_server(made)

    looks = stay.until(server_id, lambda found: found["status"] != "BUILD", BOOT_S)
    shown = ours.ask("GET", "compute", f"/v2.1/servers/{server_id}", version=NEW).body["server"]

    assert looks[-1]["status"] == "ACTIVE"
    assert in_order([look["OS-EXT-STS:task_state"] for look in looks], TASKS)
    assert looks[0]["addresses"] == {}
    assert shown["status"] == "ACTIVE"
    (address,) = next(iter(shown["addresses"].values()))
    assert address["OS-EXT-IPS:type"] == "fixed"
    assert "OS-EXT-SRV-ATTR:host" not in shown
    assert shown["hostId"]


def test_deleted_instance_is_there_with_its_task_until_it_is_gone(stay: Stay, ours: Voice) -> None:
    server_id = stay.boot()
    path = f"/v2.1/servers/{server_id}"

    deleted = ours.ask("DELETE", "compute", path, version=NEW)
    looks = stay.until(server_id, lambda found: not found)
    gone = ours.ask("GET", "compute", path, version=NEW)
    again = ours.ask("DELETE", "compute", path, version=NEW)

    assert (deleted.status, deleted.body) == (204, None)
    states = [(look["status"], look["OS-EXT-STS:task_state"]) if look else "gone" for look in looks]
    assert in_order(states, (("ACTIVE", None), ("ACTIVE", "deleting"), ("DELETED", None), "gone"))
    assert (gone.status, again.status) == (404, 404)
    assert gone.reason == f"Instance {server_id} could not be found."


@pytest.mark.operator
def test_instance_for_which_there_is_no_host_is_taken_and_ends_in_error_with_a_fault(
    stay: Stay, ours: Voice
) -> None:
    stay.only()
    made = ours.ask("POST", "compute", "/v2.1/servers", {"server": stay.server_body()}, version=NEW)
    server_id = stay.keep_server(made)

    stay.until(server_id, lambda found: found["status"] != "BUILD", BOOT_S)
    shown = ours.ask("GET", "compute", f"/v2.1/servers/{server_id}", version=NEW).body["server"]

    assert made.status == 202
    assert shown["status"] == "ERROR"
    assert shown["fault"]["code"] == 500
    assert shown["fault"]["message"] == "No valid host was found. "
    assert shown["hostId"] == ""


def test_action_on_an_instance_without_a_host_yet_is_answered_with_404(
    stay: Stay, ours: Voice
) -> None:
    made = ours.look(
        "POST", "compute", "/v2.1/servers", {"server": stay.server_body()}, version=NEW
    )
    server_id = stay.keep_server(made)

    stopped = ours.look(
        "POST", "compute", f"/v2.1/servers/{server_id}/action", {"os-stop": None}, version=NEW
    )
    was_scheduled = bool(stay.show(server_id).get("OS-EXT-SRV-ATTR:host"))
    stay.until(server_id, lambda found: found["status"] != "BUILD", BOOT_S)

    assert stopped.status == 404 or was_scheduled


def test_more_instances_than_the_quota_allows_are_refused_with_403(
    stay: Stay, house: House, admin: Voice, theirs: Voice
) -> None:
    path = f"/v2.1/os-quota-sets/{house.theirs.project_id}"
    before = admin.look("GET", "compute", path, version=NEW).body["quota_set"]["instances"]
    admin.ask("PUT", "compute", path, {"quota_set": {"instances": 0}}, version=NEW)

    try:
        refused = theirs.ask(
            "POST",
            "compute",
            "/v2.1/servers",
            {"server": {**stay.server_body(), "networks": "none"}},
            version=NEW,
        )
    finally:
        admin.look("PUT", "compute", path, {"quota_set": {"instances": before}}, version=NEW)

    assert refused.status == 403
    assert refused.body["forbidden"]["message"] == (
        "Quota exceeded for instances: Requested 1, but already used 0 of 0 instances"
    )


@pytest.mark.parametrize("field", ["imageRef", "flavorRef"])
def test_instance_of_something_unknown_is_refused_with_400(
    stay: Stay, ours: Voice, field: str
) -> None:
    body = {"server": stay.server_body(**{field: "00000000-0000-4000-8000-000000000000"})}

    refused = ours.ask("POST", "compute", "/v2.1/servers", body, version=NEW)

    assert refused.status == 400
    assert "badRequest" in refused.body


def test_project_sees_its_own_instances_and_an_operator_those_of_a_host(
    stay: Stay, ours: Voice, theirs: Voice, admin: Voice
) -> None:
    server_id = stay.boot()
    host = stay.host_of(server_id)

    mine = ours.ask("GET", "compute", "/v2.1/servers?status=ACTIVE", version=NEW)
    foreign = theirs.ask("GET", "compute", "/v2.1/servers/detail", version=NEW)
    on_host = admin.look(
        "GET", "compute", f"/v2.1/servers/detail?all_tenants=1&host={host}", version=NEW
    )
    elsewhere = admin.look(
        "GET", "compute", "/v2.1/servers/detail?all_tenants=1&host=nowhere", version=NEW
    )

    assert server_id in [item["id"] for item in mine.body["servers"]]
    assert foreign.body["servers"] == []
    assert server_id in [item["id"] for item in on_host.body["servers"]]
    assert elsewhere.body["servers"] == []


def test_metadata_and_description_come_back_as_they_were_given(stay: Stay, ours: Voice) -> None:
    body = {"server": stay.server_body(metadata={"replaces": "x"}, description="one")}
    server_id = stay.keep_server(ours.ask("POST", "compute", "/v2.1/servers", body, version=NEW))
    stay.settled(server_id)

    shown = ours.ask("GET", "compute", f"/v2.1/servers/{server_id}", version=NEW).body["server"]
    by_name = ours.ask(
        "GET", "compute", f"/v2.1/servers/detail?name=^{body['server']['name']}$", version=NEW
    )

    assert shown["metadata"] == {"replaces": "x"}
    assert shown["description"] == "one"
    assert [item["id"] for item in by_name.body["servers"]] == [server_id]
