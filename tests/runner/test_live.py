# SPDX-License-Identifier: Apache-2.0
"""Runs in real time, with real processes, on a cloud that outlives them so that it can be looked at."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from doctor_maintenance.settings import Settings, SimulatorSettings
from doctor_maintenance.simulator.main import LiveSimulator

pytestmark = pytest.mark.slow

WITHIN_S = 90.0


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[LiveSimulator]:
    with LiveSimulator(Settings(), tmp_path / "cloud") as running:
        yield running


def command(simulator: LiveSimulator, tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    about = simulator.about
    ssh = about["ssh"]
    options = {
        "--work-dir": tmp_path / "work",
        "--cloud": "sim-admin",
        "--ssh-port": ssh["port"],
        "--ssh-user": ssh["user"],
        "--ssh-key-file": ssh["key_file"],
        "--ssh-known-hosts": ssh["known_hosts"],
        "--probe-port": about["service_port"],
        "--admin-tool-poll-s": 0.1,
    }
    flags = [text for name, value in options.items() for text in (name, str(value))]
    return subprocess.Popen(
        [sys.executable, "-m", "doctor_maintenance", "run", "--plain", *flags, *words],
        env={**os.environ, "OS_CLIENT_CONFIG_FILE": about["clouds_file"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_line(run: subprocess.Popen[str], text: str) -> None:
    assert run.stdout is not None
    for line in run.stdout:
        if text in line:
            return
    raise AssertionError(f"the run ended before it said {text!r}: {run.communicate()[1]}")


def left_on(simulator: LiveSimulator) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        cloud = simulator.cloud
        return {
            "instances": [
                item.name for item in cloud.compute.instances.values() if not item.deleted
            ],
            "disabled": [
                name for name, host in cloud.compute.hosts.items() if host.service.disabled
            ],
            "down": [
                name for name, host in cloud.compute.hosts.items() if host.service.state != "up"
            ],
            "projects": [
                project.name
                for project in cloud.identity.projects.values()
                if project.name.startswith("dm-")
            ],
            "addresses": list(cloud.network.floating_addresses()),
        }

    return simulator.cloud.clock.call(look)


NOTHING = {"instances": [], "disabled": [], "down": [], "projects": [], "addresses": []}


@pytest.mark.parametrize("scenario", ["reboot", "inspector_stands_down"])
def test_a_run_on_a_named_cloud_passes_writes_its_report_and_leaves_nothing(
    simulator: LiveSimulator, tmp_path: Path, scenario: str
) -> None:
    run = command(simulator, tmp_path, scenario)
    output, errors = run.communicate(timeout=WITHIN_S)

    assert run.returncode == 0, output + errors
    (folder,) = (tmp_path / "work").iterdir()
    report = json.loads((folder / "report.json").read_text())
    assert report["passed"] is True
    assert (folder / "junit.xml").exists()
    assert (folder / "trace.jsonl").exists()
    assert left_on(simulator) == NOTHING


@pytest.mark.parametrize("moment", ["nova-compute disabled", "switch-over", "IN_MAINTENANCE"])
def test_ctrl_c_removes_what_was_deployed_and_enables_what_was_disabled(
    simulator: LiveSimulator, tmp_path: Path, moment: str
) -> None:
    run = command(simulator, tmp_path)
    wait_for_line(run, moment)
    children = psutil.Process(run.pid).children(recursive=True)

    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=WITHIN_S)

    assert run.returncode == 130, errors
    assert left_on(simulator) == NOTHING
    assert [child for child in children if child.is_running()] == []


def test_an_app_manager_that_does_not_switch_over_fails_the_run_and_names_the_step(
    simulator: LiveSimulator, tmp_path: Path
) -> None:
    run = command(simulator, tmp_path, "--strategy", "none")
    output, _ = run.communicate(timeout=WITHIN_S)

    assert run.returncode == 1
    assert "FAIL  service.no_gap" in output
    assert "step 6" in output
    assert left_on(simulator) == NOTHING


def test_two_hosts_are_too_few_and_the_reason_is_told(tmp_path: Path) -> None:
    few = replace(Settings(), simulator=SimulatorSettings(hosts=2))
    with LiveSimulator(few, tmp_path / "cloud") as simulator:
        run = command(simulator, tmp_path)
        _, errors = run.communicate(timeout=WITHIN_S)

        assert run.returncode == 3
        assert "3" in errors
        assert "2" in errors
        assert left_on(simulator) == NOTHING
