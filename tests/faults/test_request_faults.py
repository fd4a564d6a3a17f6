# SPDX-License-Identifier: Apache-2.0
"""Services that refuse, hang up, dawdle, or do what they are asked and deny it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fault_stage import ONE_HOST, playing

from doctor_maintenance.scenario import Application, Fault

MIGRATE = {"service": "compute", "method": "POST", "path": "/compute/v2.1/servers/*"}
DISABLE = {"service": "compute", "method": "PUT", "path": "/compute/v2.1/os-services/*"}
LISTS = {"service": "compute", "path": "/compute/v2.1/servers/detail"}
MOVE_ADDRESS = {"service": "network", "method": "PUT"}
NEUTRON = {"service": "network"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("api_conflict", MIGRATE, times=1),
        Fault("api_too_busy", MIGRATE, times=1),
        Fault("api_too_busy", DISABLE, times=1),
        Fault("api_internal_error", MIGRATE, times=1),
        Fault("api_internal_error", DISABLE, times=1),
        Fault("api_unavailable", LISTS, times=3),
        Fault("api_unavailable", NEUTRON, times=3),
        Fault("api_unavailable", MOVE_ADDRESS, times=1),
        Fault("api_error", NEUTRON, {"status": 502}, times=1),
        Fault("connection_reset", LISTS, times=2),
        Fault("connection_reset", MIGRATE, times=1),
        Fault("connection_reset", NEUTRON, times=1),
        Fault("api_slow", LISTS, {"delay_s": 5.0}, times=1),
        Fault("api_slow", LISTS, {"delay_s": 60.0}, times=1),
        Fault("token_expired", MIGRATE, times=1),
        Fault("token_expired", LISTS, times=1),
        Fault("token_expired", NEUTRON, times=1),
        Fault("api_fails_but_succeeds", DISABLE, times=1),
        Fault("api_fails_but_succeeds", MIGRATE, times=1),
        Fault("api_fails_but_succeeds", MOVE_ADDRESS, times=1),
        Fault("answer_lost", DISABLE, times=1),
        Fault("answer_lost", MIGRATE, times=1),
        Fault("answer_lost", MOVE_ADDRESS, times=1),
    ],
    ids=lambda fault: (
        f"{fault.name}-{fault.criteria.get('method', 'any')}-{fault.criteria['service']}"
    ),
)
def test_a_request_that_goes_wrong_for_a_while_does_not_end_the_maintenance(fault: Fault) -> None:
    played = playing([fault])

    assert played.session["state"] == "MAINTENANCE_OVER"
    assert played.verdict.passed, played.why
    assert played.left == []


@pytest.mark.parametrize("name", ["api_fails_but_succeeds", "answer_lost"])
def test_what_was_done_and_denied_is_not_done_twice(name: str) -> None:
    played = playing([Fault(name, MIGRATE, times=1)])

    assert played.moves == [("migration", "confirmed")]


def test_a_busy_cloud_is_not_asked_before_the_time_that_it_named() -> None:
    played = playing([Fault("api_too_busy", DISABLE, {"retry_after_s": 7}, times=1)])

    begun = played.records("session")[0]["at"]
    disabled = played.moment("service", status="disabled")
    assert 7.0 <= disabled - begun < 8.0


def test_a_slow_answer_holds_up_nobody_else() -> None:
    two = replace(
        ONE_HOST, applications=(Application("blue", singles=2), Application("red", singles=2))
    )
    slow = {**MOVE_ADDRESS, "project": "{project}"}
    played = playing([Fault("api_slow", slow, {"delay_s": 8.0}, times=1)], two)

    replied = {record["project_id"]: record["at"] for record in played.records("reply")}
    blue, red = played.facts["projects"]
    assert replied[blue] - replied[red] > 7.0
    assert played.gap_s == 0.0
    assert played.verdict.passed, played.why


def test_an_answer_that_never_comes_is_given_up_when_the_time_of_a_request_is_over() -> None:
    began = playing([Fault("api_slow", LISTS, {"delay_s": 3600.0}, times=1)])

    assert began.session["at"] - began.records("session")[0]["at"] < 120.0


PLANNED, IN = {"state": "PLANNED_MAINTENANCE"}, {"state": "IN_MAINTENANCE"}


@pytest.mark.parametrize("state", [PLANNED, IN], ids=lambda wanted: wanted["state"])
@pytest.mark.parametrize("service", ["*", "compute", "identity", "network", "alarming", "bus"])
def test_a_service_that_is_away_for_half_a_minute_is_waited_for(
    service: str, state: dict[str, str]
) -> None:
    away = Fault("service_down", state, {"service": service, "down_s": 30.0})
    # What is asked for at once is asked for while the service is away.
    eager = replace(ONE_HOST, rules={"reply_wait_s": 60.0})

    played = playing([away], eager)

    assert played.session["state"] == "MAINTENANCE_OVER"
    assert played.said("resume") == 1
    assert played.enabled
    assert played.verdict.passed, played.why
