# SPDX-License-Identifier: Apache-2.0
"""Notifications that are lost, late, repeated or spoilt on their way through Aodh."""

from __future__ import annotations

import pytest
from fault_stage import playing

from doctor_maintenance.scenario import Fault

PLANNED = {"state": "PLANNED_MAINTENANCE"}
NOT_HEARD = {"told.arrives"}
"""What the judge says of an announcement that never arrives; everything else must hold."""


@pytest.mark.parametrize(
    "fault",
    [
        Fault("alarm_lost", PLANNED),
        Fault("alarm_dead_url", PLANNED),
        Fault("alarm_cut", PLANNED),
        Fault("alarm_cache_stale", {"project": "{project}"}, {"age_s": 600.0}, times=1),
    ],
    ids=lambda fault: fault.name,
)
def test_a_project_that_heard_nothing_gets_the_default_action_at_the_deadline(fault: Fault) -> None:
    played = playing([fault])

    assert played.session["state"] == "MAINTENANCE_OVER"
    assert played.replies == []
    assert played.planned["default_action"] == "LIVE_MIGRATE"
    assert [kind for kind, _ in played.moves] == ["live-migration"]
    assert played.moment("migration") >= played.planned["reply_at"]
    assert played.failed == NOT_HEARD, played.why
    assert played.enabled
    assert played.left == []


def test_an_alarm_that_is_cut_is_refused_and_not_half_believed() -> None:
    played = playing([Fault("alarm_cut", PLANNED)])

    results = [post.result for post in played.stage.cloud.alarms.delivery.posted]
    assert results.count("400") == 1
    assert "PLANNED_MAINTENANCE" not in played.heard()


def test_an_announcement_that_is_late_and_in_time_is_answered() -> None:
    played = playing([Fault("alarm_late", PLANNED, {"delay_s": 15.0})])

    assert played.replies == [("ACK_PLANNED_MAINTENANCE", 200)]
    assert played.verdict.passed, played.why


def test_an_announcement_after_the_deadline_comes_too_late_for_a_reply() -> None:
    slow = Fault("api_slow", {"service": "compute", "method": "POST"}, {"delay_s": 3.0}, times=1)
    played = playing([Fault("alarm_late", PLANNED, {"delay_s": 21.0}), slow])

    assert played.session["state"] == "MAINTENANCE_OVER"
    assert not [status for _, status in played.replies if status == 200]
    assert [kind for kind, _ in played.moves] == ["live-migration"]
    assert played.gap_s == 0.0


def test_an_alarm_that_comes_twice_is_acted_on_once() -> None:
    played = playing([Fault("alarm_twice")])

    assert played.heard().count("PLANNED_MAINTENANCE") == 2
    assert played.replies == [("ACK_PLANNED_MAINTENANCE", 200)]
    assert len(played.records("switch_over", phase="done")) == 1
    assert played.verdict.passed, played.why


def test_messages_that_overtake_each_other_change_nothing() -> None:
    overtaken = {"state": "IN_MAINTENANCE", "event_type": "maintenance.host"}
    played = playing([Fault("alarm_out_of_order", overtaken, {"delay_s": 2.0})], remove=False)
    played.stage.clock.advance(5.0)

    assert played.heard("inspector") == ["MAINTENANCE_OVER", "IN_MAINTENANCE"]
    assert played.session["state"] == "MAINTENANCE_OVER"
    assert played.said("stand_down") == played.said("resume")
    assert played.enabled
