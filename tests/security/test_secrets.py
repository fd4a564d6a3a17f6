# SPDX-License-Identifier: Apache-2.0
"""What is secret stays where it belongs: a whole run at DEBUG, and then every file of it is searched."""

from __future__ import annotations

import logging
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import requests
import yaml

from doctor_maintenance import secret_words
from doctor_maintenance.admin_tool.host_side import BOOT_ID, HostSideRules
from doctor_maintenance.admin_tool.notifier import BusDriver
from doctor_maintenance.checks import CheckCommands
from doctor_maintenance.cli import _say
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.secret_words import HidingFormatter, hide, origin, without_secrets

TIMEOUT_S = 300
TOKEN_PREFIX = "gAAAAA"
"""How the simulated Keystone's tokens begin, as the real one's do."""

HOLDERS = ("*.conf", "*clouds.yaml", "id_*", "simulator.json")
"""The files that are meant to hold a secret."""

PLANTED = {
    "--app-manager-secret": "planted-word-of-the-app-manager",
    "--inspector-secret": "planted-word-of-the-inspector",
    "--admin-tool-transport-url": "rabbit://user:planted-password@bus.invalid/",
}


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    before = dict(secret_words._hidden)
    yield
    secret_words._hidden.clear()
    secret_words._hidden.update(before)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a scenario with planted secrets, and return its folder."""
    work_dir = tmp_path_factory.mktemp("work")
    words = [word for pair in PLANTED.items() for word in pair]
    ended = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "doctor_maintenance",
                "run",
                "inspector_stands_down",
                "--plain",
            ),
            *("--log-level", "DEBUG", "--work-dir", str(work_dir), *words),
        ],
        env={name: value for name, value in os.environ.items() if not name.startswith("OS_")},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    (work_dir / "stdout").write_text(ended.stdout)
    (work_dir / "stderr").write_text(ended.stderr)
    return work_dir


def files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files that may hold secrets, and the others."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    holders = [path for path in found if any(path.match(pattern) for pattern in HOLDERS)]
    return holders, [path for path in found if path not in holders]


def secrets_of(folder: Path) -> dict[str, str]:
    """Return the secrets of a run by what they are."""
    found = {"a planted word": "planted-", "a token": TOKEN_PREFIX}
    for file in folder.rglob("*clouds.yaml"):
        for name, cloud in yaml.safe_load(file.read_text())["clouds"].items():
            found[f"the password of {name} in {file.name}"] = cloud["auth"]["password"]
    for file in folder.rglob("id_*"):
        found[f"a line of {file.name}"] = file.read_text().splitlines()[2]
    return found


@pytest.mark.slow
def test_no_log_report_or_trace_of_a_run_holds_a_secret(run: Path) -> None:
    secrets = secrets_of(run)
    others = files(run)[1]

    leaks = [
        f"{what} is in {path.relative_to(run)}"
        for path in others
        for what, secret in secrets.items()
        if secret in path.read_text(errors="replace")
    ]

    assert leaks == []
    assert len(secrets) >= 6
    assert {path.suffix for path in others} >= {".log", ".jsonl", ".json", ".xml", ".html"}


@pytest.mark.slow
def test_only_configured_commands_reached_the_ssh_servers(run: Path) -> None:
    log = next(run.rglob("simulator.log")).read_text()
    commands = set(re.findall(r"host \w+: '(.*)' answers", log))

    file = next(run.rglob("admin-tool.conf")).read_text()
    configured = {line.partition(" = ")[2] for line in file.splitlines()}
    standard = {str(value) for value in asdict(HostSideRules()).values()}
    checks = {str(value) for value in asdict(CheckCommands()).values()}
    assert len(commands) >= 3
    assert commands <= configured | standard | checks | {BOOT_ID, "true"}


@pytest.mark.slow
def test_the_search_finds_what_is_there(run: Path) -> None:
    holders = files(run)[0]
    text = "".join(path.read_text() for path in holders)

    assert "planted-word-of-the-inspector" in text
    assert all(secret in text for what, secret in secrets_of(run).items() if "password" in what)


@pytest.mark.slow
def test_files_that_hold_secrets_are_their_owners_alone(run: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files(run)[0]}

    assert len(modes) >= 6
    assert set(modes.values()) == {0o600}, modes


def test_a_hidden_word_is_in_no_line_and_in_no_traceback() -> None:
    hide("open-sesame")
    formatter = HidingFormatter("%(message)s")
    try:
        raise requests.ConnectionError("http://x/maintenance/open-sesame: refused")
    except requests.ConnectionError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "%s", ({"url": "/open-sesame"},), info)

    line = formatter.format(record)

    assert "open-sesame" not in line
    assert "ConnectionError: http://x/maintenance/…: refused" in line


def test_what_came_over_the_network_writes_no_line_of_its_own() -> None:
    evil = "x\n2100-01-01 INFO all is well\r\x1b[2J\u202e"
    record = logging.LogRecord("x", logging.INFO, "x", 1, "session %s: over", (evil,), None)

    line = HidingFormatter("%(message)s").format(record)

    assert line == r"session x\n2100-01-01 INFO all is well\r\x1b[2J\u202e: over"


def test_the_password_of_a_url_is_hidden_with_the_url() -> None:
    hide("rabbit://nova:open-sesame@bus.example:5672/")

    assert without_secrets("refused for nova:open-sesame@bus.example") == (
        "refused for nova:…@bus.example"
    )


def test_what_the_program_says_at_its_end_holds_no_secret(
    capfd: pytest.CaptureFixture[str],
) -> None:
    url = "carrier-pigeon://u:planted-word@nowhere/"
    hide(url)
    with pytest.raises(PreconditionError) as raised:
        BusDriver(url)

    assert _say(raised.value, 3) == 3

    said = capfd.readouterr().err
    assert "transport_url names no message bus" in said
    assert "planted" not in said


@pytest.mark.parametrize("word", [None, "", "admin"])
def test_what_is_too_short_to_be_a_secret_is_left(word: str | None) -> None:
    hide(word)

    assert without_secrets("the admin tool") == "the admin tool"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:80/maintenance/word", "http://127.0.0.1:80/…"),
        ("https://user:word@manager.example/word?word#word", "https://manager.example/…"),
    ],
)
def test_of_an_alarm_url_only_the_place_is_shown(url: str, shown: str) -> None:
    assert origin(url) == shown
