# SPDX-License-Identifier: Apache-2.0
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from doctor_maintenance.exceptions import PreconditionError
from lab import daemons
from lab.daemons import Daemon, Process
from lab.layout import Kind, Lab, named


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = named(Kind.CONTROL_PLANE, root=tmp_path)
    lab.log.mkdir(parents=True)
    lab.run.mkdir(parents=True)
    yield lab
    daemons.end_marked(lab, grace_s=0.1)


def python(name: str, code: str, flag: Path | None = None, **more: float) -> Daemon:
    ready = (lambda: True) if flag is None else flag.exists
    return Daemon(name, [sys.executable, "-c", code], ready, **more)  # type: ignore[arg-type]


SLEEPS = "import signal; signal.pause()"


def deaf(flag: Path) -> str:
    return (
        "import pathlib, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(flag)!r}).touch(); [signal.pause() for _ in iter(int, 1)]"
    )


def test_daemon_runs_until_it_is_stopped(lab: Lab) -> None:
    process = daemons.start(lab, python("sleeper", SLEEPS))

    assert daemons.find(lab, "sleeper") == process
    daemons.stop(lab, "sleeper")
    assert not process.alive
    assert daemons.find(lab, "sleeper") is None
    assert daemons.records(lab) == []


def test_running_daemon_is_not_started_twice(lab: Lab) -> None:
    first = daemons.start(lab, python("sleeper", SLEEPS))

    assert daemons.start(lab, python("sleeper", SLEEPS)) == first


def test_daemon_that_ignores_the_request_to_end_is_killed(lab: Lab, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    daemon = python("deaf", deaf(flag), flag)
    process = daemons.start(lab, daemon)
    daemons.wait_ready(lab, daemon, process)

    daemons.stop(lab, "deaf", grace_s=0.1)

    assert not process.alive


def test_what_a_daemon_started_ends_with_it(lab: Lab, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    code = (
        "import subprocess, sys; "
        f"subprocess.Popen([sys.executable, '-c', {deaf(flag)!r}]); {SLEEPS}"
    )
    daemon = python("parent", code, flag)
    process = daemons.start(lab, daemon)
    daemons.wait_ready(lab, daemon, process)
    children = daemons.below(process)
    assert len(children) == 1

    daemons.stop(lab, "parent")

    assert not children[0].alive


def test_process_that_has_the_id_of_an_ended_daemon_is_left_alone(lab: Lab) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", SLEEPS])
    try:
        record = lab.run / "daemons" / "recycled.json"
        record.parent.mkdir()
        record.write_text(json.dumps({"pid": stranger.pid, "started": 1}))

        assert daemons.find(lab, "recycled") is None
        daemons.stop(lab, "recycled")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_process_without_a_record_is_found_by_its_mark(lab: Lab, tmp_path: Path) -> None:
    other = named(Kind.GUESTS, root=tmp_path)
    ours, others = (
        subprocess.Popen([sys.executable, "-c", SLEEPS], env=daemons.environment(each))
        for each in (lab, other)
    )
    try:
        assert daemons.end_marked(lab) == [ours.pid]
        assert ours.wait() == -signal.SIGTERM
        assert others.poll() is None
    finally:
        for each in (ours, others):
            each.kill()
            each.wait()


def test_daemon_that_ends_before_it_is_ready_is_a_precondition(lab: Lab, tmp_path: Path) -> None:
    daemon = python("broken", "raise SystemExit(3)", tmp_path / "never")
    process = daemons.start(lab, daemon)

    with pytest.raises(PreconditionError, match="broken ended before it was ready"):
        daemons.wait_ready(lab, daemon, process)


def test_daemon_that_is_never_ready_is_given_up(lab: Lab, tmp_path: Path) -> None:
    daemon = python("slow", SLEEPS, tmp_path / "never", ready_s=0.2)
    process = daemons.start(lab, daemon)

    with pytest.raises(PreconditionError, match=r"slow is not ready after 0\.2 s"):
        daemons.wait_ready(lab, daemon, process)


def test_nobody_waits_for_a_daemon_after_another_step_failed(lab: Lab, tmp_path: Path) -> None:
    daemon = python("slow", SLEEPS, tmp_path / "never")
    process = daemons.start(lab, daemon)
    stopping = threading.Event()
    stopping.set()

    with pytest.raises(PreconditionError, match="not waited for any more"):
        daemons.wait_ready(lab, daemon, process, stopping)


def test_program_that_does_not_exist_is_a_precondition(lab: Lab) -> None:
    with pytest.raises(PreconditionError, match="gone cannot be started"):
        daemons.start(lab, Daemon("gone", ["/nonexistent/program"], lambda: True))


def test_daemons_get_nothing_of_the_users_environment_that_changes_what_they_do(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CLOUD", "another")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")

    environment = daemons.environment(lab, {"MORE": "yes"})

    assert "OS_CLOUD" not in environment
    assert "PYTHONPATH" not in environment
    assert environment["MORE"] == "yes"
    assert environment[daemons.MARK] == str(lab.home)


def test_ended_process_is_not_alive_even_before_its_parent_knows() -> None:
    child = subprocess.Popen([sys.executable, "-c", SLEEPS])
    process = Process(child.pid, daemons._started(child.pid) or 0)
    assert process.alive

    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert not process.alive
    child.wait()
