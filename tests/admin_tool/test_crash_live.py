# SPDX-License-Identifier: Apache-2.0
"""A sample of the crash sweep with real processes: ``kill -9``, and the same command once more."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import http_session
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.flow import Flow, blocking, start, wait
from doctor_maintenance.judge import Trace, Verdict, judge
from doctor_maintenance.runner.defaults import for_cloud
from doctor_maintenance.runner.live import READY_S, LiveStage, embedded_cloud, start_simulator
from doctor_maintenance.runner.play import play
from doctor_maintenance.runner.processes import Process
from doctor_maintenance.runner.recorder import Recorder
from doctor_maintenance.scenario import Scenario, load_scenarios
from doctor_maintenance.settings import Settings
from doctor_maintenance.workers import Outcome, ThreadWorkers

pytestmark = pytest.mark.slow

SCENARIOS = load_scenarios()
PATIENCE_S = 20.0

Record = Mapping[str, Any]


class CrashStage(LiveStage):
    """A stage whose processes can be killed and started again."""

    started: dict[str, tuple[Process, str, Settings, Path | None]]
    killed: list[str]

    def _start(
        self,
        command: str,
        name: str | None = None,
        settings: Settings | None = None,
        clouds: Path | None = None,
    ) -> Process:
        process = super()._start(command, name, settings, clouds)
        known = self.__dict__.setdefault("started", {})
        known[name or command] = (process, command, settings or self.settings, clouds)
        return process

    def kill_and_start(self, name: str) -> None:
        process, command, settings, clouds = self.started[name]
        port = urlsplit(process.url(READY_S)).port
        os.kill(process.pid, signal.SIGKILL)
        process.stop(PATIENCE_S)
        group = command.replace("-", "_")
        own = replace(getattr(settings, group), port=port)
        again = self._start(command, f"{name}-again", replace(settings, **{group: own}), clouds)
        if process is self._admin_tool:
            self._admin_tool = again
        else:
            self._managers[self._managers.index(process)] = again
        again.url(READY_S)
        self.__dict__.setdefault("killed", []).append(name)

    def admin_tool(self, method: str, path: str, body: Any = None) -> Any:
        """Ask as an operator does: once more, if nobody answers for a moment."""
        deadline = self.clock.now() + PATIENCE_S
        while True:
            try:
                return super().admin_tool(method, path, body)
            except CloudError as error:
                if error.status is not None or self.clock.now() > deadline:
                    raise
            threading.Event().wait(0.1)


def crash(stage: CrashStage, name: str, when: Callable[[Record], bool]) -> Flow[None]:
    while not any(when(record) for record in stage.recorder.records):
        yield from wait(0.02)
    yield from blocking(lambda: stage.kill_and_start(name))


def finish(stage: CrashStage, flow: Flow[Any]) -> Any:
    over = threading.Event()
    outcomes: list[Outcome[Any]] = []

    def done(outcome: Outcome[Any]) -> None:
        outcomes.append(outcome)
        over.set()

    stage.clock.call(lambda: start(stage.clock, stage.workers, flow, done))
    assert over.wait(120.0), "the run does not end"
    return outcomes[0].get()


def run(
    scenario: Scenario, folder: Path, name: str, when: Callable[[Record], bool]
) -> tuple[Verdict, list[str], list[str]]:
    settings = replace(for_cloud(Settings()), work_dir=str(folder))
    with ExitStack() as stack:
        clock = WallClock()
        clock.start()
        stack.callback(clock.stop)
        workers = stack.enter_context(ThreadWorkers(clock, 16))
        simulator = start_simulator(settings, folder, clock)
        stack.callback(simulator.stop, 5.0)
        cloud = embedded_cloud(simulator, settings, folder)
        recorder = Recorder(clock)
        stage = CrashStage(cloud, folder, clock, workers, recorder, http_session(), simulator)
        stack.callback(stage.close)
        stage.clock.call(partial(start, clock, workers, crash(stage, name, when)))
        finish(stage, play(stage, scenario, 60.0))
        left = finish(stage, stage.remove())
    trace = Trace.read([json.dumps(record) for record in recorder.records])
    return judge(trace), left, stage.__dict__.get("killed", [])


def explain(verdict: Verdict) -> str:
    return "\n".join(
        f"{check.check_id}: {evidence.message}"
        for check in verdict.failed
        for evidence in check.evidence
    )


def replied(record: Record) -> bool:
    return record["kind"] == "reply" and 200 <= record["status"] < 300


def in_maintenance(record: Record) -> bool:
    return record["kind"] == "notification" and record["state"] == "IN_MAINTENANCE"


def switching_over(record: Record) -> bool:
    return record["kind"] == "switch_over" and record["phase"] == "start"


@pytest.mark.parametrize(
    ("scenario", "name", "when"),
    [
        ("full_maintenance", "admin-tool", replied),
        ("reboot", "admin-tool", in_maintenance),
        ("own_action", "app-manager-app", switching_over),
    ],
    ids=["moving instances", "rebooting a host", "switching over"],
)
def test_a_session_survives_a_kill(
    scenario: str, name: str, when: Callable[[Record], bool], tmp_path: Path
) -> None:
    short = replace(SCENARIOS[scenario], max_hosts=1)

    verdict, left, killed = run(short, tmp_path, name, when)

    assert killed == [name]
    allowed = set() if name == "admin-tool" else {"told.arrives"}
    assert {check.check_id for check in verdict.failed} <= allowed, explain(verdict)
    assert left == []
