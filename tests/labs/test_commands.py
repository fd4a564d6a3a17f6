# SPDX-License-Identifier: Apache-2.0
"""The commands of a set-up, and several command lines of one program."""

import sys
import threading
from pathlib import Path

import pytest

from doctor_maintenance.exceptions import PreconditionError
from lab import commands, daemons
from lab.inside.lab_commands import split
from lab.layout import Lab
from lab.service import SetUp
from lab.site import Site


@pytest.fixture
def lab(site: Site) -> Lab:
    site.lab.run.mkdir(parents=True)
    return site.lab


def python(code: str) -> SetUp:
    return SetUp("set-up", [[sys.executable, "-c", code]])


def test_output_of_a_command_is_in_its_log(lab: Lab, tmp_path: Path) -> None:
    log = tmp_path / "log"

    commands.run(lab, python("print('schema 42')"), log, threading.Event())

    assert log.read_text() == "schema 42\n"


def test_failed_command_is_told_with_its_status(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="exit status 4"):
        commands.run(lab, python("raise SystemExit(4)"), tmp_path / "log", threading.Event())


def test_command_that_nobody_waits_for_is_ended(lab: Lab, tmp_path: Path) -> None:
    stopping = threading.Event()
    stopping.set()

    with pytest.raises(PreconditionError, match="was ended"):
        commands.run(lab, python("import signal; signal.pause()"), tmp_path / "log", stopping)

    assert daemons.marked(lab) == []


def test_command_lines_of_one_program_are_told_apart() -> None:
    words = ["--", "--config-file", "x", "db", "sync", "--", "ok=2", "cell", "create"]

    assert split(words) == [["--config-file", "x", "db", "sync"], ["ok=2", "cell", "create"]]
