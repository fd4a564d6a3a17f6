# SPDX-License-Identifier: Apache-2.0
"""An instance that is moved while it is off, and what is to be confirmed or taken back."""

from __future__ import annotations

from typing import Any

import pytest

from .asking import Voice
from .order import in_order
from .tenants import MOVE_S, NEW, Stay
from .test_live_migration import live, migrations, move, states, watch_until_recorded

RESIZING = (
    ("ACTIVE", None),
    ("RESIZE", "resize_prep"),
    ("RESIZE", "resize_migrating"),
    ("RESIZE", "resize_migrated"),
    ("RESIZE", "resize_finish"),
    ("VERIFY_RESIZE", None),
)
RECORD = ("queued", "pre-migrating", "migrating", "post-migrating", "finished")


def moved(stay: Stay, admin: Voice) -> tuple[str, str, list[tuple[dict[str, Any], str]]]:
    """Return an instance that waits for its migration to be confirmed, where it was, and what was seen."""
    server_id = stay.boot()
    source = stay.host_of(server_id)
    asked = move(admin, server_id, {"migrate": None})
    assert (asked.status, asked.body) == (202, None)
    return server_id, source, watch_until_recorded(stay, server_id, "finished", "error")


def until_confirmed(stay: Stay, server_id: str) -> list[tuple[dict[str, Any], str]]:
    """Look until a confirmation is over; the record may say so a moment before the instance does."""
    return stay.watch(
        lambda: (stay.show(server_id), str(migrations(stay.admin, server_id)[0]["status"])),
        lambda seen: seen[0]["status"] != "VERIFY_RESIZE" and seen[1] in ("confirmed", "error"),
        MOVE_S,
        f"the confirmation of {server_id}",
    )


def test_cold_migration_goes_through_its_tasks_and_is_on_the_destination_when_it_is_migrated(
    stay: Stay, admin: Voice
) -> None:
    _, source, looks = moved(stay, admin)

    shown = [look for look, _ in looks]
    assert in_order(states(shown), RESIZING)
    assert in_order([record for _, record in looks if record], RECORD)
    for look in shown:
        left = look["OS-EXT-STS:task_state"] in ("resize_migrated", "resize_finish")
        if left or look["status"] == "VERIFY_RESIZE":
            assert look["OS-EXT-SRV-ATTR:host"] != source, look["OS-EXT-STS:task_state"]
        elif look["OS-EXT-STS:task_state"] == "resize_migrating":
            assert look["OS-EXT-SRV-ATTR:host"] == source


def test_confirmed_migration_ends_active_on_the_new_host(stay: Stay, admin: Voice) -> None:
    server_id, source, _ = moved(stay, admin)
    waiting = admin.ask("GET", "compute", f"/v2.1/servers/{server_id}", version=NEW).body["server"]

    confirmed = move(admin, server_id, {"confirmResize": None})
    looks = until_confirmed(stay, server_id)
    again = move(admin, server_id, {"confirmResize": None})

    assert waiting["status"] == "VERIFY_RESIZE"
    assert (confirmed.status, confirmed.body) == (204, None)
    assert in_order(
        states([look for look, _ in looks]), (("VERIFY_RESIZE", None), ("ACTIVE", None))
    )
    assert in_order([record for _, record in looks], ("finished", "confirming", "confirmed"))
    assert looks[-1][0]["OS-EXT-SRV-ATTR:host"] != source
    assert again.status == 409


def test_reverted_migration_ends_active_on_the_old_host(stay: Stay, admin: Voice) -> None:
    server_id, source, _ = moved(stay, admin)

    reverted = move(admin, server_id, {"revertResize": None})
    looks = stay.until(server_id, lambda found: found["status"] == "ACTIVE")
    (record,) = admin.ask(
        "GET", "compute", f"/v2.1/os-migrations?instance_uuid={server_id}", version=NEW
    ).body["migrations"]

    assert (reverted.status, reverted.body) == (202, None)
    assert in_order(
        states(looks),
        (("VERIFY_RESIZE", None), ("REVERT_RESIZE", "resize_reverting"), ("ACTIVE", None)),
    )
    assert looks[-1]["OS-EXT-SRV-ATTR:host"] == source
    assert record["status"] == "reverted"


def test_instance_that_waits_for_confirmation_is_moved_no_further(stay: Stay, admin: Voice) -> None:
    server_id, _, _ = moved(stay, admin)

    lively = move(admin, server_id, live())
    again = move(admin, server_id, {"migrate": None})

    assert (lively.status, again.status) == (409, 409)
    assert again.reason == f"Cannot 'migrate' instance {server_id} while it is in vm_state resized"


@pytest.mark.operator
def test_cold_migration_without_a_valid_host_is_taken_and_comes_to_nothing(
    stay: Stay, admin: Voice
) -> None:
    server_id = stay.boot()
    source = stay.host_of(server_id)
    stay.only(source)

    asked = move(admin, server_id, {"migrate": None})
    looks = stay.watch(
        lambda: (stay.show(server_id), [item["status"] for item in migrations(admin, server_id)]),
        lambda seen: (
            seen[0]["OS-EXT-STS:task_state"] is None and bool(stay.acted(server_id, "migrate"))
        ),
        60.0,
        "the end of the attempt",
    )

    assert asked.status == 202
    assert in_order(
        states([look for look, _ in looks]),
        (("ACTIVE", None), ("RESIZE", "resize_prep"), ("ACTIVE", None)),
    )
    assert looks[-1][0]["OS-EXT-SRV-ATTR:host"] == source


def test_cold_migration_of_an_instance_that_is_off_ends_off(
    stay: Stay, admin: Voice, ours: Voice
) -> None:
    server_id = stay.boot()
    move(ours, server_id, {"os-stop": None})
    stay.settled(server_id, "SHUTOFF")
    source = stay.host_of(server_id)

    move(admin, server_id, {"migrate": None})
    watch_until_recorded(stay, server_id, "finished", "error")
    move(admin, server_id, {"confirmResize": None})
    looks = until_confirmed(stay, server_id)

    assert looks[-1][0]["status"] == "SHUTOFF"
    assert looks[-1][0]["OS-EXT-SRV-ATTR:host"] != source


def test_host_that_a_cold_migration_names_is_ignored_below_2_56_and_heeded_from_then_on(
    stay: Stay, admin: Voice
) -> None:
    server_id = stay.boot()
    source = stay.host_of(server_id)
    target = next(host for host in reversed(stay.hosts) if host != source)

    unknown = move(admin, server_id, {"migrate": {"host": "nowhere"}})
    own = move(admin, server_id, {"migrate": {"host": source}})
    named = move(admin, server_id, {"migrate": {"host": target}})
    watch_until_recorded(stay, server_id, "finished", "error")
    there = stay.host_of(server_id)
    move(admin, server_id, {"confirmResize": None})
    until_confirmed(stay, server_id)
    ignored = move(admin, server_id, {"migrate": {"host": "nowhere"}}, "2.55")
    stay.settled(server_id, "VERIFY_RESIZE")

    assert (unknown.status, own.status) == (400, 400)
    assert (named.status, there) == (202, target)
    assert ignored.status == 202
