# SPDX-License-Identifier: Apache-2.0
"""Whenever the admin tool or an app manager dies, the session ends well: nothing lost, no downtime."""

from __future__ import annotations

from dataclasses import replace

import pytest

from doctor_maintenance.explorer import Case, run
from doctor_maintenance.explorer.case import Aftermath, Manner, Trouble, TroublePlan
from doctor_maintenance.explorer.mutants import cases
from doctor_maintenance.explorer.sweep import sweep_manager, sweep_tool
from doctor_maintenance.protocol import SessionState


def _two_hosts(case: Case) -> Case:
    return replace(case, session=replace(case.session, hosts=("host-1", "host-2")))


CASES = {
    "full": _two_hosts(cases.FULL),
    "reboot": _two_hosts(cases.LEAVE),
    "own_action": cases.OWN_ACTION,
    "two_projects": cases.TWO_PROJECTS,
    "partial_host": cases.PART,
    "refused": cases.manner(Manner.REFUSES),
    "no_reply": cases.manner(Manner.SILENT),
    "operator_disabled": cases.DISABLED_BEFORE,
    "canceled": replace(
        cases.ONE_HOST,
        troubles=(TroublePlan(Trouble.NO_VALID_HOST, "red-a", times=9),),
    ),
    "failed_and_continued": replace(
        cases.SSH_FAILS,
        session=replace(cases.SSH_FAILS.session, aftermath=Aftermath.CONTINUE),
    ),
    "failed_and_released": replace(
        cases.SSH_FAILS,
        session=replace(cases.SSH_FAILS.session, aftermath=Aftermath.RELEASE),
    ),
}
FINAL = {state.value for state in SessionState if state.final}


@pytest.mark.parametrize("name", CASES)
def test_wherever_the_admin_tool_dies_the_session_ends_well(name: str) -> None:
    crashes = list(sweep_tool(CASES[name], down_s=3.0))

    assert len(crashes) > 20
    assert [crash for crash in crashes if crash.result.defects] == []
    assert {crash.result.state for crash in crashes} <= FINAL
    assert all(crash.result.happened.get("tool_dies") == 1 for crash in crashes)


@pytest.mark.parametrize("down_s", [0.01, 120.0])
def test_it_does_not_matter_for_how_long_the_admin_tool_is_down(down_s: float) -> None:
    crashes = list(sweep_tool(cases.LEAVE, down_s))

    assert [crash for crash in crashes if crash.result.defects] == []


def test_the_admin_tool_may_die_again_while_it_recovers() -> None:
    case = replace(
        cases.ONE_HOST, troubles=(TroublePlan(Trouble.TOOL_DIES, "stored", at=5, seconds=1.0),)
    )

    crashes = list(sweep_tool(case, down_s=1.0))

    assert [crash for crash in crashes if crash.result.defects] == []
    assert max(crash.result.happened["tool_dies"] for crash in crashes) == 2


@pytest.mark.parametrize("name", ["full", "reboot", "own_action"])
def test_whenever_the_app_manager_dies_the_session_ends_well(name: str) -> None:
    crashes = list(sweep_manager(CASES[name], "project-red", down_s=2.0))

    assert len(crashes) > 20
    assert [crash for crash in crashes if crash.result.defects] == []
    assert {crash.result.state for crash in crashes} <= FINAL


def test_what_is_swept_ends_in_every_final_state_by_itself() -> None:
    ended = {run(case).state for case in [*CASES.values(), cases.SSH_FAILS]}

    assert ended == FINAL
