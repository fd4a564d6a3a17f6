# SPDX-License-Identifier: Apache-2.0
"""A sample of the crash sweep with real processes: ``kill -9``, and the same command once more."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from live_play import Record, explain, in_maintenance, play_live, replied, until

from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.flow import Flow, blocking
from doctor_maintenance.runner.live import READY_S, LiveStage
from doctor_maintenance.runner.processes import Process
from doctor_maintenance.scenario import load_scenarios
from doctor_maintenance.settings import Settings

pytestmark = pytest.mark.slow

SCENARIOS = load_scenarios()
PATIENCE_S = 20.0


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
    yield from until(stage, when)
    yield from blocking(lambda: stage.kill_and_start(name))


def switching_over(record: Record) -> bool:
    return record["kind"] == "switch_over" and record["phase"] == "start"


@pytest.mark.parametrize(
    ("scenario", "name", "when", "may_stay_open"),
    [
        ("full_maintenance", "admin-tool", replied, None),
        # Nothing moves: the one reply lies so near to step 7 that a busy machine cannot tell which was first.
        ("reboot", "admin-tool", in_maintenance, "consent.answered_or_deadline"),
        ("own_action", "app-manager-app", switching_over, None),
    ],
    ids=["moving instances", "rebooting a host", "switching over"],
)
def test_a_session_survives_a_kill(
    scenario: str,
    name: str,
    when: Callable[[Record], bool],
    may_stay_open: str | None,
    tmp_path: Path,
) -> None:
    expected = SCENARIOS[scenario].expected
    judged = tuple(clause for clause in expected.clauses if clause != may_stay_open)
    short = replace(SCENARIOS[scenario], max_hosts=1, expected=replace(expected, clauses=judged))

    played = play_live(CrashStage, short, tmp_path, lambda stage: crash(stage, name, when))

    verdict = played.verdict()
    assert played.stage.killed == [name]
    allowed = set() if name == "admin-tool" else {"told.arrives"}
    assert {check.check_id for check in verdict.failed} <= allowed, explain(verdict)
    assert played.left == []
