# SPDX-License-Identifier: Apache-2.0
"""Every scenario, full stack, with the app manager killed at its writes and started again on its state file.

The suite takes some of the writes of each scenario, drawn by a seed that a failure names; ``tox -e sweep``
takes all of them.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from crash_stage import Life, Lives, explain, play_through

from doctor_maintenance.scenario import Scenario, load_scenarios

SCENARIOS = load_scenarios()
SEED = int(os.environ.get("DOCTOR_MAINTENANCE_CRASH_SEED", "1"))
QUICK = ("full_maintenance", "own_action", "reboot")
UNHEARD = {"told.arrives"}
"""An alarm for a process that is down arrives nowhere; what it said must be known all the same in the end."""

NEVER_TOLD = {"expected.session", "expected.hosts"}
"""If the very first alarm is lost, the announced default action follows, whatever the app manager wants."""

POINTS = 3
"""How many of a scenario's writes the quick suite takes."""


def writes_of(scenario: Scenario, folder: Path) -> int:
    lives = Lives()
    played = play_through(scenario, folder / "whole", lives)
    assert played.verdict.passed, explain(played.verdict)
    return lives.app_manager.writes


def survives(scenario: Scenario, folder: Path, number: int, before: bool) -> None:
    when = "before" if before else "after"
    place = (
        f"{scenario.name}: killed {when} write {number}; repeat: DOCTOR_MAINTENANCE_CRASH_SEED={SEED}"
        f" python -m pytest tests/app_manager/test_crash.py -k {scenario.name}"
    )
    lives = Lives(app_manager=Life(number, before))
    played = play_through(scenario, folder / f"{number}-{before}", lives)

    assert lives.app_manager.killed == 1, place
    failed = {check.check_id for check in played.verdict.failed}
    never_told = number == 1 and before  # of a session that it never heard of, it cannot ask
    allowed = UNHEARD | NEVER_TOLD if never_told else UNHEARD
    assert failed <= allowed, f"{place}\n{explain(played.verdict)}"
    assert never_told or played.unknown == [], place
    assert played.left == [], place


@pytest.mark.parametrize("name", QUICK)
def test_a_session_survives_its_app_manager_being_killed(name: str, tmp_path: Path) -> None:
    rng = random.Random(f"{SEED}/{name}")
    writes = writes_of(SCENARIOS[name], tmp_path)
    for number in rng.sample(range(1, writes + 1), POINTS):
        survives(SCENARIOS[name], tmp_path, number, rng.random() < 0.5)


@pytest.mark.exhaustive
@pytest.mark.parametrize("before", [False, True], ids=["after", "before"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_session_survives_its_app_manager_being_killed_at_any_write(
    name: str, before: bool, tmp_path: Path
) -> None:
    for number in range(1, writes_of(SCENARIOS[name], tmp_path) + 1):
        survives(SCENARIOS[name], tmp_path, number, before)
