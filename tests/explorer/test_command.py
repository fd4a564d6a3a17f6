# SPDX-License-Identifier: Apache-2.0
"""``doctor-maintenance explore``: what it prints, what it writes, and its exit status."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from doctor_maintenance.cli import main
from doctor_maintenance.explorer import to_data
from doctor_maintenance.explorer.mutants import cases


def test_some_seeds_without_a_defect_exit_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["explore", "--seeds", "30", "--from", "500", "--workers", "1"])

    said = capsys.readouterr().out
    assert status == 0
    assert "30 sessions" in said
    assert "seeds 500 to 529" in said
    assert "no defect was found" in said


def test_a_run_for_some_time_has_seeds_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["explore", "--for", "0.1", "--workers", "1"])

    said = capsys.readouterr().out
    first = int(said.partition("\nseeds ")[2].split()[0])
    assert status == 0
    assert first > 1_000_000_000 * 10_000


def _hear_interrupts() -> None:
    """What a shell starts in the background ignores them, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _interrupted(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everybody hears it


def _terminated(process: subprocess.Popen[str]) -> None:
    process.terminate()


@pytest.mark.parametrize("end", [_interrupted, _terminated])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupted_run_says_what_it_had(
    workers: str, end: Callable[[subprocess.Popen[str]], None]
) -> None:
    words = [sys.executable, "-m", "doctor_maintenance", "explore", "--seeds", "1000000"]
    process = subprocess.Popen(
        [*words, "--workers", workers],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_hear_interrupts,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:  # the first words of progress: some seeds were explored
            if "a minute" in line:
                break

        end(process)
        said, complaints = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    assert process.returncode == 130
    assert "interrupted" in said
    assert "sessions in" in said
    assert "\nseeds 0 to " in said
    assert "Traceback" not in complaints


def test_one_seed_is_shown_as_a_case(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["explore", "--seed", "7"])

    said = capsys.readouterr().out
    assert status == 0
    assert '"seed": 7' in said
    assert "ended MAINTENANCE_" in said


def test_a_kept_case_is_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(to_data(cases.ONE_HOST)))

    assert main(["explore", "--case", str(path)]) == 0
    assert "ended MAINTENANCE_OVER" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--case", "/nowhere/case.json"], "cannot be read"),
        (["--hosts", "2"], "at least 3"),
        (["--seeds", "0"], "1 or more"),
        (["--seeds", "many"], "invalid"),
        (["--instances", "1"], "at least 2"),
        (["--for", "0"], "more than 0"),
        (["--for", "nan"], "more than 0"),
        (["--for", "inf"], "more than 0"),
    ],
)
def test_wrong_arguments_are_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explore", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_json_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case.json"
    path.write_text("{")

    assert main(["explore", "--case", str(path)]) == 2
    assert "is not JSON" in capsys.readouterr().err
