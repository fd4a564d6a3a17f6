# SPDX-License-Identifier: Apache-2.0
"""Every scenario, full stack, with the admin tool killed at its writes and started again on its journal.

The suite takes some of the writes of each scenario, drawn by a seed that a failure names, another one in every
CI run; ``tox -e sweep`` takes all of them.
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
POINTS = 2
"""How many of a scenario's writes the quick suite takes."""


def writes_of(scenario: Scenario, folder: Path) -> int:
    lives = Lives()
    played = play_through(scenario, folder / "whole", lives)
    assert played.verdict.passed, explain(played.verdict)
    return lives.admin_tool.writes


def survives(scenario: Scenario, folder: Path, number: int, before: bool) -> None:
    when = "before" if before else "after"
    place = (
        f"{scenario.name}: killed {when} write {number}; repeat: DOCTOR_MAINTENANCE_CRASH_SEED={SEED}"
        f" python -m pytest tests/admin_tool/test_crash.py -k {scenario.name}"
    )
    lives = Lives(admin_tool=Life(number, before))
    played = play_through(scenario, folder / f"{number}-{before}", lives)

    assert lives.admin_tool.killed == 1, place
    assert played.verdict.passed, f"{place}\n{explain(played.verdict)}"
    assert played.left == [], place


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_session_survives_its_admin_tool_being_killed(name: str, tmp_path: Path) -> None:
    rng = random.Random(f"{SEED}/{name}")
    writes = writes_of(SCENARIOS[name], tmp_path)
    for number in rng.sample(range(1, writes + 1), POINTS):
        survives(SCENARIOS[name], tmp_path, number, rng.random() < 0.5)


@pytest.mark.exhaustive
@pytest.mark.parametrize("before", [False, True], ids=["after", "before"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_session_survives_its_admin_tool_being_killed_at_any_write(
    name: str, before: bool, tmp_path: Path
) -> None:
    for number in range(1, writes_of(SCENARIOS[name], tmp_path) + 1):
        survives(SCENARIOS[name], tmp_path, number, before)
