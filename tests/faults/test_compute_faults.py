# SPDX-License-Identifier: Apache-2.0
"""Migrations that go wrong, schedulers without a host, quotas."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fault_stage import CANCELED, ONE_HOST, playing

from doctor_maintenance.protocol import Action
from doctor_maintenance.scenario import Application, Fault, Scenario

LIVE = replace(ONE_HOST, applications=(Application("app", singles=1, action=Action.LIVE_MIGRATE),))
OWN = replace(ONE_HOST, applications=(Application("app", singles=1, action=Action.OWN_ACTION),))
ONCE = {**ONE_HOST.rules, "move_attempts": 1}


def test_a_migration_that_fails_is_tried_again() -> None:
    played = playing([Fault("migration_fails", times=1)])

    assert played.moves == [("migration", "error"), ("migration", "confirmed")]
    assert played.verdict.passed, played.why


def test_a_migration_that_always_fails_cancels_the_host() -> None:
    played = playing([Fault("migration_fails")], expected=CANCELED)

    assert played.went(played.pair[0]) is None  # removed with the application
    assert {status for _, status in played.moves} == {"error"}
    assert "MAINTENANCE_CANCELED" in played.heard()
    assert played.heard("inspector") == []
    assert played.enabled
    assert played.verdict.passed, played.why


def test_a_live_migration_that_hangs_is_aborted_and_the_host_canceled() -> None:
    played = playing([Fault("migration_hangs")], replace(LIVE, rules=ONCE), CANCELED)

    assert played.moves == [("live-migration", "cancelled")]
    assert played.enabled
    assert played.verdict.passed, played.why


def test_a_cold_migration_that_hangs_cancels_the_host_and_the_judge_names_the_instance() -> None:
    played = playing([Fault("migration_hangs")], replace(ONE_HOST, rules=ONCE), CANCELED)

    assert played.session["state"] == "MAINTENANCE_CANCELED"
    assert played.enabled
    assert played.failed == {"lost.no_instance"}, played.why
    assert played.pair[0] in played.why


def test_an_instance_that_its_migration_left_in_error_is_mended_and_moved() -> None:
    played = playing([Fault("migration_ends_in_error", times=1)])

    assert played.moves == [("migration", "error"), ("migration", "confirmed")]
    assert played.records("instance", instance_id=played.pair[0], status="ERROR")
    assert played.verdict.passed, played.why


@pytest.mark.parametrize("scenario", [ONE_HOST, LIVE], ids=["cold", "live"])
def test_a_migration_that_nova_never_begins_is_asked_for_again(scenario: Scenario) -> None:
    played = playing([Fault("migration_request_lost", times=1)], scenario)

    assert len(played.moves) == 2
    assert played.moves[1][1] in ("confirmed", "completed")
    assert played.verdict.passed, played.why


def test_a_migration_that_nova_never_begins_cancels_the_host_and_loses_nothing() -> None:
    played = playing([Fault("migration_request_lost")], expected=CANCELED)

    assert len(played.moves) == played.stage.settings.admin_tool.migrate_retries + 1
    assert played.enabled
    assert played.verdict.passed, played.why


def test_a_migration_that_a_killed_nova_compute_forgot_is_tried_again() -> None:
    played = playing([Fault("migration_forgotten", times=1)])

    assert played.moves == [("migration", "migrating"), ("migration", "confirmed")]
    assert played.verdict.passed, played.why


def test_a_record_of_a_forgotten_migration_does_not_stop_the_maintenance_of_its_destination() -> (
    None
):
    fault = Fault("migration_forgotten", {"instance": "{active}"}, times=1)
    played = playing([fault], replace(ONE_HOST, max_hosts=None))

    assert played.session["state"] == "MAINTENANCE_OVER"
    assert ("migration", "migrating") in played.moves
    assert played.verdict.passed, played.why


def test_a_live_migration_that_was_forgotten_is_tried_again() -> None:
    played = playing([Fault("migration_forgotten", times=1)], LIVE)

    assert played.moves == [("live-migration", "running"), ("live-migration", "completed")]
    assert played.verdict.passed, played.why


def test_an_instance_in_error_with_a_task_that_never_ends_is_mended_and_moved() -> None:
    played = playing([Fault("migration_taken_up_late", times=1)])

    assert played.moves == [("migration", "error"), ("migration", "confirmed")]
    assert played.records("instance", status="ERROR", task_state="resize_migrating")
    assert played.verdict.passed, played.why


def test_a_scheduler_that_finds_a_host_later_is_asked_later() -> None:
    played = playing([Fault("no_valid_host", {"action": "migrate"}, times=1)])

    assert played.moves == [("migration", "error"), ("migration", "confirmed")]
    assert played.verdict.passed, played.why


def test_no_valid_host_at_all_cancels_the_host() -> None:
    at_once = {"move_attempts": 2, "move_retry_s": 1.0, "refusal_wait_s": 0.0}
    wanted = replace(LIVE, rules={**ONE_HOST.rules, **at_once})
    played = playing([Fault("no_valid_host", {"source": "{host0}"})], wanted, CANCELED)

    assert [status for _, status in played.moves] == ["error", "error"]
    assert played.enabled
    assert played.verdict.passed, played.why


def test_an_instance_that_lands_on_a_host_still_to_be_maintained_is_moved_again() -> None:
    every_host = replace(ONE_HOST, max_hosts=None)
    fault = Fault("lands_on_unmaintained_host", {"source": "{host0}"}, {"host": "{host2}"})
    played = playing([fault], every_host)

    announced = [
        record["host"]
        for record in played.records("instance", status="ACTIVE", task_state=None)
        if record["instance_id"] in played.pair
    ]
    assert "compute3" in announced
    assert len(played.replies) == 3
    assert played.verdict.passed, played.why


def test_a_project_over_its_quota_builds_its_instance_once_there_is_room() -> None:
    played = playing([Fault("quota_exceeded", {"project": "{project}"}, times=2)], OWN)

    project = next(iter(played.facts["projects"]))
    built = {
        record["instance_id"]
        for record in played.records("instance", status="ACTIVE", project_id=project)
    }
    assert built - set(played.facts["projects"][project]["instances"])
    assert played.gap_s == 0.0
    assert played.verdict.passed, played.why


def test_a_quota_without_room_stops_neither_the_service_nor_the_maintenance() -> None:
    played = playing([Fault("quota_exceeded", {"project": "{project}"})], OWN)

    assert played.session["state"] == "MAINTENANCE_OVER"
    assert played.gap_s == 0.0
