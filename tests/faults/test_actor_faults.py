# SPDX-License-Identifier: Apache-2.0
"""Owners, app managers, the admin tool and the clock do what nobody expects of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fault_stage import CANCELED, ONE_HOST, REBOOT, playing

from doctor_maintenance.scenario import Application, Expected, Fault

PLANNED = {"state": "PLANNED_MAINTENANCE"}
DEFAULT = [("live-migration", "completed")]
SLOW = replace(ONE_HOST, applications=(Application("app", singles=4),))


@pytest.mark.parametrize("who", ["{active}", "{single0}"])
@pytest.mark.parametrize("after_s", [0.05, 0.6])
def test_an_instance_that_its_owner_deletes_in_the_middle_needs_no_move(
    who: str, after_s: float
) -> None:
    wanted = {"instance": who, "after_s": after_s}
    played = playing([Fault("instance_deleted_by_owner", PLANNED, wanted)], SLOW)

    assert played.session["state"] == "MAINTENANCE_OVER"
    assert played.enabled
    assert played.failed <= {"service.no_gap", "service.active_runs"}, played.why
    assert played.left == []


@pytest.mark.parametrize("after_s", [0.01, 0.5])
def test_an_instance_that_its_owner_creates_in_the_middle_is_kept_safe_too(after_s: float) -> None:
    wanted = {"instance": "{single0}", "after_s": after_s}
    every_host = replace(ONE_HOST, max_hosts=None)
    played = playing([Fault("instance_created_by_owner", PLANNED, wanted)], every_host)

    project = next(iter(played.facts["projects"]))
    seen = {
        record["instance_id"]
        for record in played.records("instance", status="ACTIVE", project_id=project)
    }
    assert len(seen - set(played.facts["projects"][project]["instances"])) == 1
    assert played.verdict.passed, played.why


def test_an_app_manager_that_lies_fails_the_run_and_the_step_is_named() -> None:
    played = playing([Fault("app_manager_lies", {"application": "app"})])

    assert "service.no_gap" in played.failed
    assert "step 6" in played.verdict.check("service.no_gap").evidence[0].message


def test_an_app_manager_that_refuses_keeps_its_instances_where_they_are() -> None:
    played = playing([Fault("app_manager_refuses")], expected=CANCELED)

    assert played.replies == [("NACK_PLANNED_MAINTENANCE", 200)]
    assert played.moves == []
    assert played.enabled
    assert played.verdict.passed, played.why


def test_an_app_manager_that_never_replies_gets_the_default_action_at_the_deadline() -> None:
    played = playing([Fault("app_manager_never_replies")])

    assert played.replies == []
    assert played.moves == DEFAULT
    assert played.moment("migration") >= played.planned["reply_at"]
    assert played.verdict.passed, played.why


def test_a_project_that_must_agree_and_never_replies_cancels_the_host() -> None:
    careful = Application("app", singles=1, only_if_agreed=True)
    wanted = replace(ONE_HOST, applications=(careful,))
    played = playing([Fault("app_manager_never_replies")], wanted, CANCELED)

    assert played.moves == []
    assert played.enabled
    assert played.verdict.passed, played.why


def test_a_late_reply_is_refused_and_the_default_action_stands() -> None:
    played = playing([Fault("app_manager_replies_late", parameters={"delay_s": 20.5})])

    assert played.replies == [("ACK_PLANNED_MAINTENANCE", 409)]
    assert played.moves == DEFAULT
    assert played.verdict.passed, played.why


def test_the_same_reply_again_is_taken_and_another_one_refused() -> None:
    played = playing([Fault("app_manager_replies_twice")])

    assert played.replies == [
        ("ACK_PLANNED_MAINTENANCE", 200),
        ("ACK_PLANNED_MAINTENANCE", 200),
        ("NACK_PLANNED_MAINTENANCE", 409),
    ]
    assert played.moves == [("migration", "confirmed")]
    assert played.verdict.passed, played.why


def test_a_reply_that_names_an_unknown_instance_is_refused_whole() -> None:
    played = playing([Fault("app_manager_names_strangers")])

    assert played.replies == [("ACK_PLANNED_MAINTENANCE", 400)]
    assert played.moves == DEFAULT
    assert played.verdict.passed, played.why


def test_a_reply_that_names_another_projects_instance_touches_nothing_of_it() -> None:
    two = replace(
        ONE_HOST, applications=(Application("blue", singles=1), Application("red", singles=1))
    )
    foreign = {"instance": "{active}"}
    criteria = {"application": "red"}
    played = playing(
        [Fault("app_manager_names_strangers", criteria, foreign)], replace(two, max_hosts=None)
    )

    asked = [
        (record["status"], played.facts["projects"][record["project_id"]]["pairs"][0][0])
        for record in played.records("reply")
        if played.pair[0] in record["instance_actions"]
    ]
    assert all(status == 400 for status, owner in asked if owner != played.pair[0])
    assert any(status == 400 for status, _ in asked)
    assert played.verdict.passed, played.why


def test_an_app_manager_that_dies_gets_the_default_action_at_the_deadline() -> None:
    played = playing([Fault("app_manager_dies", PLANNED, {"after_s": 0.001})])

    assert played.replies == []
    assert played.moves == DEFAULT
    assert played.moment("migration") >= played.planned["reply_at"]
    assert played.enabled


@pytest.mark.parametrize("after_s", [0.02, 0.3, 0.8])
def test_what_an_app_manager_promised_before_it_died_is_done(after_s: float) -> None:
    """It replies a moment after it was told; from then on nobody needs it."""
    played = playing(
        [Fault("app_manager_dies", PLANNED, {"after_s": after_s + 0.3, "down_s": 1.0})]
    )

    assert played.replies == [("ACK_PLANNED_MAINTENANCE", 200)]
    assert played.moves == [("migration", "confirmed")]
    assert played.gap_s == 0.0
    assert played.failed <= {"told.arrives"}, played.why


@pytest.mark.parametrize("after_s", [0.0, 0.3])
@pytest.mark.parametrize("state", ["PLANNED_MAINTENANCE", "IN_MAINTENANCE", "MAINTENANCE_OVER"])
def test_an_admin_tool_that_is_killed_takes_its_session_up_and_ends_it(
    state: str, after_s: float
) -> None:
    killed = Fault("admin_tool_killed", {"state": state}, {"after_s": after_s, "down_s": 2.0})
    played = playing([killed], REBOOT if after_s else ONE_HOST)

    assert played.session["state"] == "MAINTENANCE_OVER"
    assert len(played.moves) <= 1
    assert played.enabled
    assert played.verdict.passed, played.why
    assert played.left == []


@pytest.mark.parametrize(
    ("state", "after_s", "expected"),
    [
        ("PLANNED_MAINTENANCE", 0.001, ONE_HOST.expected),
        ("PLANNED_MAINTENANCE", 0.3, CANCELED),  # the time for its moves was over
        ("IN_MAINTENANCE", 0.3, ONE_HOST.expected),
    ],
)
def test_a_clock_that_jumps_ends_in_a_named_state_with_every_host_enabled(
    state: str, after_s: float, expected: Expected
) -> None:
    jump = Fault("clock_jumps", {"state": state}, {"after_s": after_s, "by_s": 4000.0})
    played = playing([jump], expected=expected)

    assert played.session["at"] - played.records("session")[0]["at"] >= 4000.0
    assert played.enabled
    assert played.verdict.passed, played.why
