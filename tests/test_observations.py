# SPDX-License-Identifier: Apache-2.0
"""What a process witnesses, as lines of a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.observations import ObservationFile


def test_a_record_is_a_line_and_is_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "seen.jsonl"
    with ObservationFile(path, VirtualClock(100.0), "inspector") as file:
        file.observe("inspector", {"action": "acted", "host": "compute1"})
        assert json.loads(path.read_text(encoding="utf-8")) == {
            "at": 100.0,
            "source": "inspector",
            "kind": "inspector",
            "action": "acted",
            "host": "compute1",
        }


def test_a_record_may_bring_its_own_time(tmp_path: Path) -> None:
    path = tmp_path / "seen.jsonl"
    with ObservationFile(path, VirtualClock(100.0), "runner") as file:
        file.observe("ssh", {"at": 90.0, "not_before": 80.0})
    record = json.loads(path.read_text(encoding="utf-8"))
    assert (record["at"], record["not_before"]) == (90.0, 80.0)


def test_a_file_that_is_there_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "seen.jsonl"
    for action in ("stand_down", "resume"):
        with ObservationFile(path, VirtualClock(), "inspector") as file:
            file.observe("inspector", {"action": action})
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_what_comes_after_closing_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "seen.jsonl"
    file = ObservationFile(path, VirtualClock(), "inspector")
    file.close()
    file.observe("inspector", {})
    assert path.read_text(encoding="utf-8") == ""


def test_a_file_that_cannot_be_made_is_an_unmet_precondition(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="no-folder"):
        ObservationFile(tmp_path / "no-folder" / "seen.jsonl", VirtualClock(), "inspector")
