# SPDX-License-Identifier: Apache-2.0
"""Two admin tools in processes of their own on one journal: the one that drives a session is killed, or held up."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from database_servers import free_port
from live_play import (
    Played,
    Record,
    explain,
    in_maintenance,
    play_live,
    replied,
    until,
)

from doctor_maintenance.cloud import call_json
from doctor_maintenance.flow import Flow, wait
from doctor_maintenance.runner.live import READY_S, LiveStage
from doctor_maintenance.runner.processes import Process
from doctor_maintenance.scenario import load_scenarios
from doctor_maintenance.settings import Settings

pytestmark = pytest.mark.slow

SCENARIO = replace(load_scenarios()["full_maintenance"], max_hosts=1)
AFFECTED = 2
"""How many instances are on its host: the active one and a single one."""

LEASE_S = 3.0
LOOK_S = 0.1
FOUND_OUT_S = 4 * LEASE_S
"""How long a tool that goes on may take to see that it has lost its sessions."""


class PairStage(LiveStage):
    """A stage with two admin tools: sessions are begun at the first one, and all else is asked of the second one.

    Projects find the second one in every URL, as they would find either behind a load balancer.
    """

    first: Process
    first_url: str

    def _start(
        self,
        command: str,
        name: str | None = None,
        settings: Settings | None = None,
        clouds: Path | None = None,
    ) -> Process:
        if command != "admin-tool":
            return super()._start(command, name, settings, clouds)
        port = free_port()
        own = replace(
            self.settings.admin_tool,
            journal_url=f"sqlite:///{self.journal}",
            lease_s=LEASE_S,
            url=f"http://127.0.0.1:{port}",
        )
        own_port = free_port()
        self.first_url = f"http://127.0.0.1:{own_port}"
        self.first = self._tool("first", replace(own, port=own_port))
        self.first.url(READY_S)
        return self._tool("second", replace(own, port=port))

    def _tool(self, name: str, own: Any) -> Process:
        own = replace(own, state_dir=str(self._folder / name))
        return super()._start("admin-tool", name, replace(self.settings, admin_tool=own))

    @property
    def journal(self) -> Path:
        return self._folder / "journal.sqlite3"

    @property
    def processes(self) -> list[Process]:
        return [self.first, *super().processes]

    def admin_tool(self, method: str, path: str, body: Any = None) -> Any:
        if method != "POST":
            return super().admin_tool(method, path, body)
        url = self.first_url + path
        return call_json(f"begin at {url}", lambda: self._send(method, url, body))

    def said(self, name: str) -> str:
        """What a process wrote into its log."""
        return (self._folder / f"{name}.log").read_text(errors="replace")


def send(
    number: signal.Signals, when: Callable[[Record], bool]
) -> Callable[[PairStage], Flow[None]]:
    """Send the first admin tool a signal when something is seen."""

    def meanwhile(stage: PairStage) -> Flow[None]:
        yield from until(stage, when)
        os.kill(stage.first.pid, number)

    return meanwhile


def pause(until_seen: Callable[[Record], bool]) -> Callable[[PairStage], Flow[None]]:
    """Hold the first admin tool up while instances move, until something is seen.

    Nova has been asked for all moves by then: what a tool is just about to ask for when it is held up, it asks for
    afterwards, and no fence of ours is in between.
    """

    def meanwhile(stage: PairStage) -> Flow[None]:
        yield from until(stage, all_move())
        yield from stop_between_writes(stage)
        yield from until(stage, until_seen)
        os.kill(stage.first.pid, signal.SIGCONT)

    return meanwhile


def stop_between_writes(stage: PairStage) -> Flow[None]:
    """Stop the first admin tool while it writes nothing: SQLite's lock is the process's, for as long as it is there."""
    while True:
        os.kill(stage.first.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, stage.first.pid, os.WSTOPPED)  # until then it may begin to write
        with closing(sqlite3.connect(stage.journal, timeout=0.0)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError:
                os.kill(stage.first.pid, signal.SIGCONT)
        yield from wait(LOOK_S)


def finds_out(stage: PairStage) -> Flow[None]:
    """Wait until the first admin tool has found out that its session is somebody else's."""
    deadline = stage.clock.now() + FOUND_OUT_S
    while "is let go" not in stage.said("first") and stage.clock.now() < deadline:
        yield from wait(LOOK_S)


def all_move() -> Callable[[Record], bool]:
    """Return whether both instances on the host are being moved."""
    moving: set[str] = set()

    def seen(record: Record) -> bool:
        if record["kind"] == "migration":
            moving.add(record["instance_id"])
        return len(moving) == AFFECTED

    return seen


def over(record: Record) -> bool:
    return record["kind"] == "session" and record["state"] == "MAINTENANCE_OVER"


def holds(played: Played[PairStage]) -> None:
    """The second tool has taken the session over and ended it, and everything was done once."""
    verdict = played.verdict()
    assert verdict.passed, explain(verdict)
    assert played.left == []
    assert "its sessions are taken over" in played.stage.said("second")
    states = [record["state"] for record in played.records("session")]
    assert states[-1] == "MAINTENANCE_OVER"
    done = [record["value"] for record in played.records("ssh", source="hosts")]
    assert len([command for command in done if "maintain-host" in command]) == 1, done
    moved = [record["instance_id"] for record in played.records("migration", status="completed")]
    assert len(moved) == len(set(moved)), moved


@pytest.mark.parametrize("when", [replied, in_maintenance], ids=["moving", "working on the host"])
def test_a_session_whose_admin_tool_is_killed_is_ended_by_the_other_one(
    when: Callable[[Record], bool], tmp_path: Path
) -> None:
    played = play_live(PairStage, SCENARIO, tmp_path, send(signal.SIGKILL, when))

    holds(played)


@pytest.mark.parametrize(
    "until_seen", [in_maintenance, over], ids=["while the other works", "when all is over"]
)
def test_an_admin_tool_that_was_held_up_past_its_lease_finds_out_and_does_nothing(
    until_seen: Callable[[Record], bool], tmp_path: Path
) -> None:
    played = play_live(PairStage, SCENARIO, tmp_path, pause(until_seen), finds_out)

    holds(played)
    assert "is let go" in played.stage.said("first")
