# SPDX-License-Identifier: Apache-2.0
"""Every scenario, full stack in virtual time: real admin tool, real openstacksdk, the judge's verdict."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from doctor_maintenance.judge import Outcome, Trace, Verdict, judge
from doctor_maintenance.runner.defaults import for_virtual_time
from doctor_maintenance.runner.play import play
from doctor_maintenance.runner.virtual import VirtualSettings, VirtualStage
from doctor_maintenance.scenario import Scenario, load_scenarios
from doctor_maintenance.settings import Settings

SCENARIOS = load_scenarios()


def run(scenario: Scenario, seed: int = 1, **more: object) -> tuple[list[str], Verdict, list[str]]:
    """Play a scenario; return its trace as lines, the verdict, and what is left on the cloud."""
    wanted = VirtualSettings(seed=seed, settings=for_virtual_time(Settings()), **more)  # type: ignore[arg-type]
    stage = VirtualStage(wanted)
    stage.run(play(stage, scenario, session_timeout_s=600.0))
    left = stage.run(stage.remove())
    lines = [json.dumps(record) for record in stage.recorder.records]
    return lines, judge(Trace.read(lines)), left


def explain(verdict: Verdict) -> str:
    return "\n".join(
        f"{check.check_id}: {evidence.message}"
        for check in verdict.failed
        for evidence in check.evidence
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_contract_holds_and_nothing_is_left_behind(name: str) -> None:
    _, verdict, left = run(SCENARIOS[name])

    assert verdict.passed, explain(verdict)
    assert left == []


ORDER = [
    "order.disable_before_planned",
    "order.told_before_reply",
    "order.moved_before_in_maintenance",
    "order.told_before_work",
    "order.work_before_enable",
    "order.in_maintenance_before_enable",
    "order.enable_before_over",
    "told.planned",
    "told.lists_instances",
    "told.arrives",
    "consent.before_action",
    "actions.as_told",
    "hosts.worked",
    "inspector.told",
    "service.no_gap",
    "lost.no_instance",
    "lost.no_service",
    "privacy.no_host",
]
MOVES = ["order.moved_before_in_maintenance", "consent.before_action"]
REBOOT = [
    "order.inspector_before_projects",
    "order.inspector_over_before_projects",
    "told.in_maintenance",
    "told.over",
    "hosts.rebooted",
    "service.active_elsewhere",
]


@pytest.mark.parametrize(
    ("name", "clauses"),
    [
        ("full_maintenance", [*ORDER, "hosts.emptied", "hosts.no_guests", "hosts.tested"]),
        ("reboot", [item for item in ORDER if item not in MOVES] + REBOOT),
        ("two_projects", [*ORDER, "privacy.no_other_project", "privacy.routing"]),
        ("canceled", ["told.canceled", "told.canceled_excludes_maintenance"]),
        ("refused", ["consent.refused", "told.canceled"]),
        ("no_reply", ["consent.answered_or_deadline", "actions.as_told"]),
        ("partial_host", ["actions.only_affected"]),
        ("inspector_stands_down", ["inspector.stands_down", "inspector.acts_again"]),
    ],
)
def test_what_a_scenario_is_about_was_really_judged(name: str, clauses: list[str]) -> None:
    _, verdict, _ = run(SCENARIOS[name])

    outcomes = {clause: verdict.check(clause).outcome for clause in clauses}
    assert outcomes == dict.fromkeys(clauses, Outcome.PASSED)


@pytest.mark.parametrize("name", ["full_maintenance", "reboot", "two_projects"])
def test_the_same_seed_gives_the_same_trace_byte_for_byte(name: str) -> None:
    first, _, _ = run(SCENARIOS[name], seed=7)
    second, _, _ = run(SCENARIOS[name], seed=7)

    assert first == second


def test_a_host_that_the_inspector_forced_down_is_up_again_at_the_end() -> None:
    settings = for_virtual_time(Settings())
    stage = VirtualStage(VirtualSettings(settings=settings))
    stage.run(play(stage, SCENARIOS["inspector_stands_down"], session_timeout_s=600.0))
    acted = [item for item in stage.recorder.records if item.get("action") == "acted"]
    assert len(acted) == 1

    assert stage.run(stage.remove()) == []

    services = [host.service for host in stage.cloud.compute.hosts.values()]
    assert [service.forced_down for service in services] == [False, False, False]
    assert [service.state for service in services] == ["up", "up", "up"]


def test_another_seed_gives_another_trace_and_the_same_verdict() -> None:
    first, _, _ = run(SCENARIOS["full_maintenance"], seed=7)
    second, verdict, _ = run(SCENARIOS["full_maintenance"], seed=8)

    assert first != second
    assert verdict.passed, explain(verdict)


@pytest.mark.parametrize("profile", ["fast", "instant"])
def test_durations_do_not_change_the_verdict(profile: str) -> None:
    _, verdict, _ = run(SCENARIOS["full_maintenance"], profile=profile)

    assert verdict.passed, explain(verdict)


def test_an_app_manager_that_does_not_switch_over_fails_the_run_with_the_step_that_caused_it() -> (
    None
):
    good = SCENARIOS["full_maintenance"]
    bad = replace(good, applications=(replace(good.applications[0], strategy="none"),))

    _, verdict, _ = run(bad)

    failed = {check.check_id for check in verdict.failed}
    downtime = verdict.check("service.no_gap")
    assert "service.no_gap" in failed
    assert downtime.outcome is Outcome.FAILED
    assert "step 6" in downtime.evidence[0].message


def test_an_app_manager_that_moves_the_floating_ip_fails_the_run_by_the_gap_of_that() -> None:
    good = SCENARIOS["full_maintenance"]
    usual = replace(good, applications=(replace(good.applications[0], strategy="floating_ip"),))

    _, verdict, _ = run(usual)

    assert {check.check_id for check in verdict.failed} == {
        "service.no_gap",
        "service.active_runs",  # for as long, the address leads to nobody
    }
    gap = verdict.check("service.no_gap").evidence[0].message
    assert re.search(r"silent for at least 0\.1[23]\d s", gap), gap
