# SPDX-License-Identifier: Apache-2.0
"""Floating IPs whose move is silent, late, or not the whole truth."""

from __future__ import annotations

import pytest
from fault_stage import CANCELED, playing

from doctor_maintenance.scenario import Expected, Fault


def test_a_silent_move_is_a_gap_that_the_judge_measures() -> None:
    played = playing([Fault("floating_ip_late", {"address": "{address}"})])

    assert played.gap_s == pytest.approx(1.26)
    assert played.failed == {"service.no_gap", "service.active_runs"}, played.why
    assert "step 4" in played.why


def test_a_silent_move_within_what_the_scenario_allows_is_none() -> None:
    played = playing([Fault("floating_ip_late")], expected=Expected(allowed_gap_s=1.3))

    assert "service.no_gap" not in played.failed


@pytest.mark.parametrize("fault", [Fault("floating_ip_stays"), Fault("both_sides_active")])
def test_the_app_manager_agrees_only_once_the_standby_alone_answers(fault: Fault) -> None:
    played = playing([fault])

    switched = played.moment("switch_over", phase="start")
    replied = played.moment("reply")
    assert replied - switched >= 3.0
    assert played.gap_s == 0.0
    assert played.verdict.passed, played.why


@pytest.mark.parametrize(
    "fault",
    [
        Fault("floating_ip_stays", parameters={"delay_s": 300.0}),
        Fault("both_sides_active", parameters={"for_s": 300.0}),
    ],
    ids=lambda fault: fault.name,
)
def test_a_switch_over_that_is_not_over_in_time_is_undone_and_the_maintenance_refused(
    fault: Fault,
) -> None:
    played = playing([fault], expected=CANCELED)

    assert played.replies == [("NACK_PLANNED_MAINTENANCE", 200)]
    assert played.moves == []
    assert played.gap_s == 0.0
    assert played.verdict.passed, played.why
