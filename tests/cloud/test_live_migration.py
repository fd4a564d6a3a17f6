# SPDX-License-Identifier: Apache-2.0
"""An instance that moves while it runs."""

from __future__ import annotations

from typing import Any

import pytest

from .asking import Answer, Voice
from .order import in_order
from .tenants import MOVE_S, NEW, Stay

ASYNCHRONOUS = "2.34"
"""From here on nova answers before it has asked the scheduler."""
SYNCHRONOUS = "2.25"

RECORD = ("accepted", "queued", "preparing", "running", "completed")
MIGRATING = (("ACTIVE", None), ("MIGRATING", "migrating"), ("ACTIVE", None))


def live(host: str | None = None) -> dict[str, object]:
    return {"os-migrateLive": {"host": host, "block_migration": "auto"}}


def move(voice: Voice, server_id: str, body: dict[str, object], version: str = NEW) -> Answer:
    return voice.ask("POST", "compute", f"/v2.1/servers/{server_id}/action", body, version=version)


def states(looks: list[dict[str, Any]]) -> list[tuple[object, object]]:
    return [(look["status"], look["OS-EXT-STS:task_state"]) for look in looks]


def migrations(voice: Voice, server_id: str) -> list[dict[str, Any]]:
    """Return the records of an instance's migrations, the newest first."""
    path = f"/v2.1/os-migrations?instance_uuid={server_id}"
    found: list[dict[str, Any]] = voice.look("GET", "compute", path, version=NEW).body["migrations"]
    return sorted(found, key=lambda item: -int(item["id"]))


def watch_until_recorded(
    stay: Stay, server_id: str, *ends: str
) -> list[tuple[dict[str, Any], str]]:
    """Look at an instance and the record of its migration until the record says that it is over."""

    def look() -> tuple[dict[str, Any], str]:
        found = migrations(stay.admin, server_id)
        return stay.show(server_id), str(found[0]["status"]) if found else ""

    return stay.watch(
        look,
        lambda seen: seen[1] in ends and not seen[0]["OS-EXT-STS:task_state"],
        MOVE_S,
        f"the migration of {server_id}",
    )


def last_action(voice: Voice, server_id: str, name: str) -> dict[str, Any]:
    """Return an instance's newest action of a kind, in full."""
    path = f"/v2.1/servers/{server_id}/os-instance-actions"
    listed = voice.look("GET", "compute", path, version=NEW).body["instanceActions"]
    request_id = next(item["request_id"] for item in listed if item["action"] == name)
    shown: dict[str, Any] = voice.ask("GET", "compute", f"{path}/{request_id}", version=NEW).body[
        "instanceAction"
    ]
    return shown


def test_instance_is_on_its_new_host_in_the_step_in_which_it_is_active_again(
    stay: Stay, admin: Voice
) -> None:
    server_id = stay.boot()
    source = stay.host_of(server_id)

    asked = move(admin, server_id, live())
    looks = watch_until_recorded(stay, server_id, "completed", "error")

    assert (asked.status, asked.body) == (202, None)
    shown = [look for look, _ in looks]
    assert in_order(states(shown), MIGRATING)
    hosts = [
        (look["OS-EXT-SRV-ATTR:host"] == source, look["OS-EXT-STS:task_state"]) for look in shown
    ]
    assert hosts[-1] == (False, None)
    assert all(here for here, task in hosts if task == "migrating")
    assert in_order([record for _, record in looks if record], RECORD)


def test_record_of_a_live_migration_names_both_hosts_when_it_is_over(
    stay: Stay, admin: Voice
) -> None:
    server_id = stay.boot()
    source = stay.host_of(server_id)
    move(admin, server_id, live())
    watch_until_recorded(stay, server_id, "completed", "error")

    path = f"/v2.1/os-migrations?instance_uuid={server_id}"
    (record,) = admin.ask("GET", "compute", path, version=NEW).body["migrations"]
    running = admin.ask("GET", "compute", f"/v2.1/servers/{server_id}/migrations", version=NEW)
    action = last_action(admin, server_id, "live-migration")

    assert record["status"] == "completed"
    assert record["migration_type"] == "live-migration"
    assert record["source_compute"] == source
    assert record["dest_compute"] == stay.host_of(server_id)
    assert running.body["migrations"] == []
    assert action["message"] is None


def test_migration_of_an_instance_that_is_not_migrating_cannot_be_aborted(
    stay: Stay, admin: Voice
) -> None:
    server_id = stay.boot()
    move(admin, server_id, live())
    watch_until_recorded(stay, server_id, "completed", "error")
    record = migrations(admin, server_id)[0]

    path = f"/v2.1/servers/{server_id}/migrations"
    over = admin.look("DELETE", "compute", f"{path}/{record['id']}", version=NEW)
    unknown = admin.ask("DELETE", "compute", f"{path}/999999", version=NEW)

    assert (over.status, unknown.status) == (409, 409)


@pytest.mark.operator
def test_live_migration_without_a_valid_host_is_taken_and_comes_to_nothing(
    stay: Stay, admin: Voice, ours: Voice
) -> None:
    server_id = stay.boot()
    stay.only(stay.host_of(server_id))

    asked = move(admin, server_id, live())
    looks = watch_until_recorded(stay, server_id, "completed", "error")
    shown = ours.ask("GET", "compute", f"/v2.1/servers/{server_id}", version=NEW).body["server"]
    action = last_action(ours, server_id, "live-migration")
    to_operator = last_action(admin, server_id, "live-migration")

    assert asked.status == 202
    assert in_order(states([look for look, _ in looks]), MIGRATING)
    assert looks[-1][1] == "error"
    assert shown["status"] == "ACTIVE"
    assert "fault" not in shown
    assert action["message"] == "Error"
    assert "traceback" not in action["events"][0]
    assert to_operator["events"][0]["traceback"]


@pytest.mark.operator
def test_live_migration_without_a_valid_host_was_refused_at_once_up_to_2_25(
    stay: Stay, admin: Voice
) -> None:
    server_id = stay.boot()
    stay.only(stay.host_of(server_id))

    refused = move(admin, server_id, live(), SYNCHRONOUS)
    stay.settled(server_id)

    assert refused.status == 400
    assert refused.reason == "No valid host was found. There are not enough hosts available."


@pytest.mark.operator
def test_live_migration_to_a_disabled_host_is_taken_and_comes_to_nothing(
    stay: Stay, admin: Voice
) -> None:
    server_id = stay.boot()
    source = stay.host_of(server_id)
    target = next(host for host in stay.hosts if host != source)
    stay.only(*(host for host in stay.hosts if host != target))

    asked = move(admin, server_id, live(target))
    looks = watch_until_recorded(stay, server_id, "completed", "error")

    assert asked.status == 202
    assert looks[-1][1] == "error"
    assert stay.host_of(server_id) == source


def test_live_migration_to_its_own_host_is_taken_now_and_was_refused_up_to_2_25(
    stay: Stay, admin: Voice
) -> None:
    server_id = stay.boot()
    host = stay.host_of(server_id)

    taken = move(admin, server_id, live(host))
    looks = watch_until_recorded(stay, server_id, "completed", "error")
    refused = move(admin, server_id, live(host), SYNCHRONOUS)

    assert (taken.status, refused.status) == (202, 400)
    assert looks[-1][1] == "error"
    assert stay.host_of(server_id) == host


@pytest.mark.parametrize("version", [SYNCHRONOUS, ASYNCHRONOUS, NEW])
def test_live_migration_to_an_unknown_host_is_refused_with_400(
    one: str, admin: Voice, version: str
) -> None:
    refused = move(admin, one, live("nowhere"), version)

    assert refused.status == 400


def test_live_migration_to_a_named_host_goes_there(stay: Stay, admin: Voice) -> None:
    server_id = stay.boot()
    source = stay.host_of(server_id)
    target = next(host for host in stay.hosts if host != source)

    asked = move(admin, server_id, live(target))
    looks = watch_until_recorded(stay, server_id, "completed", "error")

    assert asked.status == 202
    assert looks[-1][1] == "completed"
    assert stay.host_of(server_id) == target


def test_instance_that_is_off_is_not_live_migrated(stay: Stay, admin: Voice, ours: Voice) -> None:
    server_id = stay.boot()
    ours.look(
        "POST", "compute", f"/v2.1/servers/{server_id}/action", {"os-stop": None}, version=NEW
    )
    stay.settled(server_id, "SHUTOFF")

    refused = move(admin, server_id, live())

    assert refused.status == 409
    assert refused.reason == (
        f"Cannot 'os-migrateLive' instance {server_id} while it is in vm_state stopped"
    )


def test_live_migration_needs_to_be_told_of_the_disks(one: str, admin: Voice) -> None:
    no_block_migration = move(admin, one, {"os-migrateLive": {"host": None}})
    old_field = move(
        admin,
        one,
        {"os-migrateLive": {"host": None, "block_migration": "auto", "disk_over_commit": False}},
    )

    assert (no_block_migration.status, old_field.status) == (400, 400)


def test_ports_of_a_live_migrated_instance_are_active_on_its_new_host_in_the_end(
    stay: Stay, admin: Voice
) -> None:
    server_id = stay.boot()
    path = f"/v2.0/ports?device_id={server_id}"
    before = admin.ask("GET", "network", path).body["ports"][0]
    move(admin, server_id, live())
    watch_until_recorded(stay, server_id, "completed", "error")

    def look() -> tuple[str, str]:
        port = admin.look("GET", "network", path).body["ports"][0]
        return port["status"], port["binding:host_id"]

    host = stay.host_of(server_id)
    stay.watch(look, lambda seen: seen == ("ACTIVE", host), 60.0, "the port")
    after = admin.ask("GET", "network", path).body["ports"][0]

    assert (after["id"], after["mac_address"]) == (before["id"], before["mac_address"])
    assert after["fixed_ips"] == before["fixed_ips"]
    assert before["binding:host_id"] != after["binding:host_id"]
