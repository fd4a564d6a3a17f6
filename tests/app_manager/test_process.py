# SPDX-License-Identifier: Apache-2.0
"""The app manager and the inspector as processes of their own, beside a simulator process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import yaml

from app_manager.app_world import alarm
from doctor_maintenance.protocol import MaintenanceType, NotificationState, ProjectNotification

pytestmark = pytest.mark.slow

TIMEOUT_S = 30


@contextmanager
def process(*words: str, env: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a subcommand, and give it and its URL once it is ready; end it afterwards."""
    with subprocess.Popen(
        [sys.executable, "-m", "doctor_maintenance", *words],
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            word, _, url = child.stdout.readline().strip().partition(" ")
            assert word == "ready"
            yield child, url
        finally:
            child.terminate()
            child.wait(TIMEOUT_S)


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """Give the credentials of a simulator's operator and of its project, as environments."""
    folder = tmp_path_factory.mktemp("cloud")
    with process("simulator", "--dir", str(folder), env={}):
        about = json.loads((folder / "simulator.json").read_text(encoding="utf-8"))
        entries = yaml.safe_load(Path(about["clouds_file"]).read_text(encoding="utf-8"))["clouds"]
        yield {
            name: {
                "OS_AUTH_URL": entry["auth"]["auth_url"],
                "OS_USERNAME": entry["auth"]["username"],
                "OS_PASSWORD": entry["auth"]["password"],
                "OS_PROJECT_NAME": entry["auth"]["project_name"],
            }
            for name, entry in entries.items()
        }


def refused(*words: str, env: dict[str, str]) -> tuple[int, str]:
    """Run a subcommand that ends by itself, and return its status and what it says."""
    ended = subprocess.run(
        [sys.executable, "-m", "doctor_maintenance", *words],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr


def test_an_app_manager_takes_alarms_and_writes_down_what_it_witnesses(
    clouds: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    seen = tmp_path / "seen.jsonl"
    words = ("app-manager", "--observations", str(seen), "--app-manager-secret", "sesame")
    with process(*words, env=clouds["sim-demo"]) as (child, url):
        assert requests.get(f"{url}/health", timeout=5).json() == {"status": "ok"}
        state = requests.get(f"{url}/v1/state/sesame", timeout=5).json()
        notification = ProjectNotification(
            session_id="session-1",
            project_id=state["project_id"],
            state=NotificationState.MAINTENANCE_OVER,
            type=MaintenanceType.FULL,
            instance_ids="http://127.0.0.1:9/v1/maintenance/session-1/1",
        )
        body = alarm(notification)
        assert requests.post(f"{url}/maintenance", json=body, timeout=5).status_code == 404
        answer = requests.post(f"{url}/maintenance/sesame", json=body, timeout=5)
        assert answer.json() == {"new": True}
        child.send_signal(signal.SIGTERM)
        assert child.wait(TIMEOUT_S) == 0
    records = [json.loads(line) for line in seen.read_text(encoding="utf-8").splitlines()]
    assert [record["kind"] for record in records] == ["readable", "notification"]
    assert {record["source"] for record in records} == {f"app_manager:{state['project_id']}"}


def test_an_inspector_stands_down_and_acts_again(
    clouds: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    seen = tmp_path / "seen.jsonl"
    words = ("inspector", "--observations", str(seen))
    with process(*words, env=clouds["sim-admin"]) as (child, url):
        event = {
            "time": "2100-01-01T00:00:00",
            "type": "compute.host.up",
            "details": {"hostname": "compute1", "status": "up"},
        }
        assert requests.put(f"{url}/events", json=event, timeout=5).json() == {"events": 1}
        assert requests.get(f"{url}/v1/state", timeout=5).json()["in_maintenance"] == {}
        child.send_signal(signal.SIGINT)
        assert child.wait(TIMEOUT_S) == 130


@pytest.mark.parametrize(
    ("command", "cloud"), [("app-manager", "sim-demo"), ("inspector", "sim-admin")]
)
def test_it_ends_with_its_parent(
    clouds: dict[str, dict[str, str]], command: str, cloud: str
) -> None:
    with process(command, "--die-with-parent", env=clouds[cloud]) as (child, _):
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(TIMEOUT_S) == 0


@pytest.mark.parametrize("command", ["app-manager", "inspector"])
def test_a_wrong_password_is_an_unmet_precondition(
    clouds: dict[str, dict[str, str]], command: str
) -> None:
    env = {**clouds["sim-demo"], "OS_PASSWORD": "wrong"}
    status, message = refused(command, env=env)
    assert status == 3
    assert "credentials" in message
    assert "wrong" not in message


def test_an_inspector_without_an_operators_rights_is_an_unmet_precondition(
    clouds: dict[str, dict[str, str]],
) -> None:
    status, message = refused("inspector", env=clouds["sim-demo"])
    assert status == 3
    assert "operator's credentials" in message


def test_a_port_in_use_is_an_unmet_precondition(clouds: dict[str, dict[str, str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command, cloud in (("app-manager", "sim-demo"), ("inspector", "sim-admin")):
            status, message = refused(command, "--port", port, env=clouds[cloud])
            assert status == 3
            assert port in message


def test_an_unknown_strategy_is_a_wrong_invocation(clouds: dict[str, dict[str, str]]) -> None:
    status, message = refused("app-manager", "--strategy", "hope", env=clouds["sim-demo"])
    assert status == 2
    assert "floating_ip, none" in message


def test_a_missing_user_data_file_is_a_wrong_invocation(
    clouds: dict[str, dict[str, str]],
) -> None:
    words = ("app-manager", "--app-manager-user-data-file", "/nonexistent/file")
    status, message = refused(*words, env=clouds["sim-demo"])
    assert status == 2
    assert "/nonexistent/file" in message
