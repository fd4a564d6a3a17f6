# SPDX-License-Identifier: Apache-2.0
"""The admin tool as a process of its own, beside a simulator as another: sockets, SSH, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import call_json, connect
from doctor_maintenance.flow import poll, start
from doctor_maintenance.workers import Outcome, ThreadWorkers

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0


def until(ask: Callable[[], Any], *, good: Callable[[Any], bool] = bool) -> Any:
    """Ask until the answer is good, in real time."""
    clock = WallClock()
    answers: list[Outcome[Any]] = []
    over = threading.Event()

    def done(outcome: Outcome[Any]) -> None:
        answers.append(outcome)
        over.set()

    clock.start()
    with ThreadWorkers(clock, 1) as workers:
        flow = poll(clock, ask, until=good, every_s=0.05, within_s=PATIENCE_S, what="it")
        start(clock, workers, flow, done)
        over.wait(PATIENCE_S * 2)
    clock.stop()
    return answers[0].get()


class Child:
    """A subcommand that serves."""

    def __init__(self, *words: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "doctor_maintenance", *words, "--die-with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**{k: v for k, v in os.environ.items() if not k.startswith("OS_")}, **environment},
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            _, errors = self.process.communicate(timeout=PATIENCE_S)
            raise AssertionError(f"exit status {self.process.returncode}: {errors}")
        self.url = line.split()[1]
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self._errors.extend(self.process.stderr)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    @property
    def log(self) -> str:
        self._reader.join(PATIENCE_S)
        return "".join(self._errors)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


class Site:
    """A simulator, and what an operator has: credentials, an SSH key, known hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.simulator = Child("simulator", "--dir", str(folder))
        about = json.loads((folder / "simulator.json").read_text())
        self.ssh = about["ssh"]
        self.environment = {
            "OS_CLIENT_CONFIG_FILE": about["clouds_file"],
            "OS_CLOUD": "sim-admin",
            "OS_ADMIN_TOOL__STATE_DIR": str(folder / "admin-tool"),
        }
        self.observations = folder / "admin_tool.jsonl"
        self.http = requests.Session()
        self.control = about["control_url"]
        clouds = (folder / "clouds.yaml").read_text()
        password = next(line.split()[-1] for line in clouds.splitlines() if "password:" in line)
        self.connection = connect(
            {
                "auth_url": about["auth_url"],
                "username": "admin",
                "password": password,
                "project_name": "admin",
            },
            self.http,
        )

    def tool(self, *words: str) -> Child:
        return Child(*self.words(*words), **self.environment)

    def words(self, *words: str) -> tuple[str, ...]:
        ssh = self.ssh
        return (
            *("admin-tool", "--ssh-port", str(ssh["port"]), "--ssh-key-file", ssh["key_file"]),
            *("--ssh-known-hosts", ssh["known_hosts"], "--admin-tool-poll-s", "0.1"),
            *("--observations", str(self.observations), *words),
        )

    def ask(self, method: str, url: str, body: Any = None) -> Any:
        token = {"X-Auth-Token": self.connection.session.get_token() or ""}
        return call_json(
            url, lambda: self.http.request(method, url, json=body, headers=token, timeout=20)
        )

    def services(self) -> dict[str, tuple[str, str | None]]:
        body = self.connection.compute.get("/os-services", params={"binary": "nova-compute"}).json()
        return {s["host"]: (s["status"], s["disabled_reason"]) for s in body["services"]}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.simulator.stop()
    site.simulator.close()


@pytest.fixture
def tool(site: Site) -> Iterator[Child]:
    child = site.tool("--admin-tool-test-command", "true")
    yield child
    child.close()


def over(view: dict[str, Any]) -> bool:
    return view["state"] in ("MAINTENANCE_OVER", "MAINTENANCE_CANCELED", "MAINTENANCE_FAILED")


@pytest.mark.parametrize("kind", ["full", "reboot"])
def test_hosts_are_maintained_over_ssh_and_what_was_done_is_written_down(
    site: Site, tool: Child, kind: str
) -> None:
    url = f"{tool.url}/v1/maintenance"

    made = site.ask("POST", url, {"hosts": ["compute1", "compute2"], "type": kind})
    view = until(lambda: site.ask("GET", f"{url}/{made['session_id']}"), good=over)

    assert view["state"] == "MAINTENANCE_OVER"
    assert set(site.services().values()) == {("enabled", None)}
    records = [json.loads(line) for line in site.observations.read_text().splitlines()]
    checks = {(r["host"], r["check"], r["ok"]) for r in records if r["kind"] == "ssh"}
    assert ("compute2", "test" if kind == "full" else "boot_id", True) in checks
    assert {r["source"] for r in records} == {"admin_tool"}
    assert tool.stop() == 0


def test_a_termination_puts_hosts_back_and_leaves_nothing(site: Site, tool: Child) -> None:
    url = f"{tool.url}/v1/maintenance"
    body = {"hosts": ["compute1"], "type": "full", "rules": {"settle_s": 1.0}}
    site.ask("POST", url, body)
    until(lambda: site.services()["compute1"][0] == "disabled")

    status = tool.stop()

    assert status == 0
    assert site.services()["compute1"] == ("enabled", None)
    assert "Traceback" not in tool.log


def test_an_interrupt_is_told_by_the_exit_status(tool: Child) -> None:
    assert tool.stop(signal.SIGINT) == 130


def test_the_end_of_the_parent_ends_the_tool(tool: Child) -> None:
    assert tool.process.stdin is not None
    tool.process.stdin.close()

    assert tool.process.wait(PATIENCE_S) == 0


def test_no_secret_is_logged(site: Site) -> None:
    child = site.tool("--log-level", "DEBUG")
    site.ask("GET", f"{child.url}/v1/maintenance")
    token = site.connection.session.get_token() or ""
    child.stop()

    password = next(
        line.split()[-1]
        for line in (site.folder / "clouds.yaml").read_text().splitlines()
        if "password:" in line
    )
    assert token
    assert token not in child.log
    assert password not in child.log
    child.close()


@pytest.mark.parametrize(
    ("words", "environment", "message"),
    [
        ([], {"OS_CLOUD": "nowhere"}, "cloud 'nowhere' cannot be used"),
        ([], {"OS_CLOUD": ""}, "no cloud is named"),
        (["--ssh-key-file", "/nowhere/key"], {}, "ssh.key_file: expected a private key"),
        (["--bind", "192.0.2.1"], {}, "cannot listen on 192.0.2.1"),
    ],
)
def test_what_is_missing_is_said_with_exit_status_3(
    site: Site, words: list[str], environment: dict[str, str], message: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "doctor_maintenance", *site.words(*words)],
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("OS_")},
            **site.environment,
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert ended.returncode == 3, ended.stderr
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
