# SPDX-License-Identifier: Apache-2.0
"""Faults on a command line, and the page that tells of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from doctor_maintenance import cli
from doctor_maintenance.exceptions import PreconditionError, UsageError
from doctor_maintenance.runner.asking import in_real_time, with_faults
from doctor_maintenance.scenario import Application, Fault, Scenario
from doctor_maintenance.simulator.faults import FAULT_KINDS

DOCS = Path(__file__).parents[2] / "docs"
TWO = Scenario(summary="", applications=(Application("red"), Application("blue")))


def test_a_fault_of_the_cloud_is_added_to_the_scenario() -> None:
    asked = with_faults(TWO, ["migration_fails:instance={active},times=1"])

    assert asked.faults == (Fault("migration_fails", {"instance": "{active}"}, {}, 1),)


def test_a_fault_of_an_app_manager_is_how_it_is_configured() -> None:
    asked = with_faults(TWO, ["app_manager_refuses:application=blue", "app_manager_lies"])

    assert asked.faults == ()
    assert [item.refuses for item in asked.applications] == [False, True]
    assert [item.strategy for item in asked.applications] == ["none", "none"]


@pytest.mark.parametrize("name", ["clock_jumps", "admin_tool_killed", "app_manager_replies_late"])
def test_what_only_virtual_time_can_do_is_refused_in_real_time(name: str) -> None:
    with pytest.raises(PreconditionError, match=f"{name} is carried out in virtual time only"):
        in_real_time(Scenario(summary="", faults=(Fault(name),)))


def test_an_application_that_does_not_exist_is_refused_with_the_choice() -> None:
    with pytest.raises(UsageError, match="the scenario's red, blue, or none"):
        with_faults(TWO, ["app_manager_lies:application=green"])


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["run", "--fault", "sabotage"], 2, "there is no fault 'sabotage'"),
        (["run", "--fault", "alarm_late:delay_s=soon"], 2, "expected a number"),
        (["run", "--fault", "clock_jumps"], 3, "virtual time only"),
        (["simulator", "--fault", "sabotage"], 2, "there is no fault 'sabotage'"),
        (["simulator", "--fault", "app_manager_lies"], 3, "the simulator has no app manager"),
    ],
)
def test_a_fault_that_cannot_be_ends_the_command_before_anything_is_started(
    words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == status
    assert says in capsys.readouterr().err


def test_the_page_of_faults_is_written_from_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(DOCS))
    from fault_pages import fault_lines

    page = "\n".join(fault_lines())
    sys.modules.pop("fault_pages")
    for kind in FAULT_KINDS.values():
        assert f"``{kind.name}`` ({kind.where.value})" in page
        assert kind.doc in page
        assert kind.outcome in page
    assert ".. maintenance-faults::" in (DOCS / "faults.rst").read_text(encoding="utf-8")
