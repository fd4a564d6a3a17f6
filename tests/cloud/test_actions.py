# SPDX-License-Identifier: Apache-2.0
"""Stopping, starting and rebooting an instance."""

from __future__ import annotations

import pytest

from .asking import Answer, Voice
from .order import in_order
from .tenants import NEW, Stay


def act(voice: Voice, server_id: str, body: dict[str, object], version: str = NEW) -> Answer:
    return voice.ask("POST", "compute", f"/v2.1/servers/{server_id}/action", body, version=version)


def states(looks: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(look["status"], look["OS-EXT-STS:task_state"]) for look in looks]


def test_instance_is_stopped_and_started_and_each_is_refused_where_it_makes_no_sense(
    stay: Stay, ours: Voice
) -> None:
    server_id = stay.boot()

    started_too_early = act(ours, server_id, {"os-start": None})
    stopped = act(ours, server_id, {"os-stop": None})
    down = stay.until(server_id, lambda found: found["status"] == "SHUTOFF")
    off = ours.ask("GET", "compute", f"/v2.1/servers/{server_id}", version=NEW).body["server"]
    stopped_again = act(ours, server_id, {"os-stop": None})
    started = act(ours, server_id, {"os-start": None})
    up = stay.until(server_id, lambda found: found["status"] == "ACTIVE")

    assert (stopped.status, stopped.body) == (202, None)
    assert in_order(states(down), (("ACTIVE", None), ("ACTIVE", "powering-off"), ("SHUTOFF", None)))
    assert off["OS-EXT-STS:power_state"] == 4
    assert started.status == 202
    assert in_order(states(up), (("SHUTOFF", None), ("SHUTOFF", "powering-on"), ("ACTIVE", None)))
    assert (started_too_early.status, stopped_again.status) == (409, 409)
    assert started_too_early.body == {
        "conflictingRequest": {
            "code": 409,
            "message": f"Cannot 'start' instance {server_id} while it is in vm_state active",
        }
    }
    assert stopped_again.reason == (
        f"Cannot 'stop' instance {server_id} while it is in vm_state stopped"
    )


@pytest.mark.parametrize(
    ("kind", "status", "tasks"),
    [
        ("SOFT", "REBOOT", ("rebooting", "reboot_pending", "reboot_started")),
        ("HARD", "HARD_REBOOT", ("rebooting_hard", "reboot_pending_hard", "reboot_started_hard")),
    ],
)
def test_reboot_goes_through_its_tasks_in_order(
    stay: Stay, ours: Voice, kind: str, status: str, tasks: tuple[str, ...]
) -> None:
    server_id = stay.boot()

    asked = act(ours, server_id, {"reboot": {"type": kind}})
    looks = stay.until(server_id, lambda found: found["status"] == "ACTIVE")

    assert asked.status == 202
    order = (("ACTIVE", None), *((status, task) for task in tasks), ("ACTIVE", None))
    assert in_order(states(looks), order)


@pytest.mark.parametrize(
    "body",
    [{"nonsense": None}, {"reboot": {"type": "GENTLE"}}, {"reboot": {}}, {}],
    ids=["unknown", "bad-type", "no-type", "empty"],
)
def test_action_that_nova_does_not_know_is_refused_with_400(
    stay: Stay, ours: Voice, one: str, body: dict[str, object]
) -> None:
    assert act(ours, one, body).status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"migrate": None},
        {"os-migrateLive": {"host": None, "block_migration": "auto"}},
        {"os-resetState": {"state": "active"}},
        {"evacuate": {}},
    ],
    ids=["migrate", "live", "reset", "evacuate"],
)
def test_what_only_operators_may_do_is_refused_to_a_member_with_403(
    ours: Voice, one: str, body: dict[str, object]
) -> None:
    refused = act(ours, one, body)

    assert refused.status == 403
    assert refused.reason.startswith("Policy doesn't allow os_compute_api:")


@pytest.mark.parametrize(
    "body", [{"os-stop": None}, {"reboot": {"type": "HARD"}}], ids=["stop", "reboot"]
)
def test_another_projects_instance_is_not_found_for_an_action(
    theirs: Voice, one: str, body: dict[str, object]
) -> None:
    assert act(theirs, one, body).status == 404


def test_confirming_what_was_not_moved_is_a_conflict(ours: Voice, one: str) -> None:
    confirmed = act(ours, one, {"confirmResize": None})
    reverted = act(ours, one, {"revertResize": None})

    assert (confirmed.status, reverted.status) == (409, 409)
    assert confirmed.reason == (
        f"Cannot 'confirmResize' instance {one} while it is in vm_state active"
    )


def test_what_an_instance_went_through_is_told_by_its_actions(
    ours: Voice, admin: Voice, one: str
) -> None:
    path = f"/v2.1/servers/{one}/os-instance-actions"

    listed = ours.ask("GET", "compute", path, version=NEW).body["instanceActions"]
    created = next(item for item in listed if item["action"] == "create")
    detail = f"{path}/{created['request_id']}"
    shown = ours.ask("GET", "compute", detail, version=NEW).body["instanceAction"]
    to_operator = admin.ask("GET", "compute", detail, version=NEW).body["instanceAction"]

    assert shown["message"] is None
    (event, *_) = to_operator["events"]
    assert event["result"] == "Success"
    assert "host" in event
    assert "host" not in shown["events"][0]
