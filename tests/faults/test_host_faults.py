# SPDX-License-Identifier: Apache-2.0
"""Hosts that do not come back, do not let anybody in, or fail the work."""

from __future__ import annotations

import pytest
from fault_stage import FAILED, ONE_HOST, REBOOT, mended, playing

from doctor_maintenance.scenario import Fault

FIRST = {"host": "{host0}"}
WORK = {"maintenance_commands": ("upgrade",), "command_timeout_s": 30.0}


def test_a_host_that_does_not_come_back_is_named_and_left_in_maintenance() -> None:
    played = playing([Fault("host_does_not_come_back", FIRST)], REBOOT, FAILED, remove=False)

    assert played.session["hosts"] == {"compute1": "MAINTENANCE_FAILED"}
    assert played.stage.cloud.compute.hosts["compute1"].service.disabled
    assert played.heard("inspector") == ["IN_MAINTENANCE"]
    assert played.verdict.passed, played.why


def test_the_operator_mends_a_host_that_did_not_come_back_and_continues() -> None:
    played = playing([Fault("host_does_not_come_back", FIRST)], REBOOT, FAILED, remove=False)
    played.stage.cloud.faults.clear()
    played.stage.cloud.compute.machines.power_on("compute1")
    played.stage.clock.advance(60.0)

    view = mended(played, "action", {"continue": {"host": "compute1"}})

    assert view["state"] == "MAINTENANCE_OVER"
    assert played.enabled
    assert played.heard("inspector")[-1] == "MAINTENANCE_OVER"


def test_the_operator_releases_a_host_whose_work_failed() -> None:
    failing = Fault("command_fails", {"command": "upgrade"})
    played = playing([failing], ONE_HOST, FAILED, remove=False, admin_tool=WORK)

    view = mended(played, "action", {"release": {"host": "compute1"}})

    assert view["state"] == "MAINTENANCE_CANCELED"
    assert played.enabled
    assert played.heard("inspector") == ["IN_MAINTENANCE", "MAINTENANCE_OVER"]


@pytest.mark.parametrize("name", ["command_fails", "command_hangs"])
def test_work_that_does_not_succeed_fails_the_host(name: str) -> None:
    played = playing([Fault(name, {"command": "upgrade"})], ONE_HOST, FAILED, admin_tool=WORK)

    assert played.session["hosts"] == {"compute1": "MAINTENANCE_FAILED"}
    assert not played.enabled
    assert played.verdict.passed, played.why


@pytest.mark.parametrize("name", ["ssh_refused", "ssh_hangs", "ssh_host_key_changed"])
def test_a_host_that_lets_nobody_in_fails_and_nothing_is_run_on_it(name: str) -> None:
    played = playing([Fault(name, FIRST)], ONE_HOST, FAILED, admin_tool=WORK)

    assert played.session["hosts"] == {"compute1": "MAINTENANCE_FAILED"}
    assert not played.records("ssh", check="maintenance", ok=True)
    assert played.failed <= {"hosts.reachable", "hosts.no_guests"}, played.why


def test_a_nova_compute_that_comes_back_late_is_waited_for() -> None:
    played = playing([Fault("service_comes_back_late", FIRST, {"delay_s": 40.0})], REBOOT)

    assert played.session["at"] - played.records("session")[0]["at"] > 40.0
    assert played.verdict.passed, played.why


def test_a_nova_compute_that_does_not_come_back_in_time_fails_the_host() -> None:
    late = Fault("service_comes_back_late", FIRST, {"delay_s": 300.0})
    played = playing([late], REBOOT, FAILED)

    assert played.session["hosts"] == {"compute1": "MAINTENANCE_FAILED"}
    assert played.verdict.passed, played.why


def test_instances_of_a_nova_compute_that_is_down_are_moved_when_it_is_back() -> None:
    down = Fault("nova_compute_down", {"state": "PLANNED_MAINTENANCE"}, FIRST)
    late = Fault("app_manager_replies_late", {}, {"delay_s": 10.0})  # when it is noticed

    played = playing([down, late], admin_tool={"refusal_wait_s": 150.0})

    assert played.records("service", host="compute1", state="down")
    assert played.moves == [("migration", "confirmed")]
    assert played.verdict.passed, played.why
