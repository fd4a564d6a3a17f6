# SPDX-License-Identifier: Apache-2.0
"""A stage in virtual time on which the admin tool and the app managers can be killed at any write.

A process that is killed does nothing more: what it had planned on the clock never happens, and whoever was
waiting for its answer gets none. Started again, it has what it had stored, and nothing else. It is killed just
before it stores something (what it did is done, and nobody wrote it down) or just after (it is written down,
and nothing has been done about it).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import requests

from doctor_maintenance.admin_tool.assembly import AdminTool, assemble, rules_by
from doctor_maintenance.admin_tool.database import Database
from doctor_maintenance.admin_tool.http_driver import HttpDriver
from doctor_maintenance.admin_tool.journal_sql import SqlJournal
from doctor_maintenance.clock import TimerHandle, VirtualClock
from doctor_maintenance.deployment import Account
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.flow import Flow, wait
from doctor_maintenance.judge import Trace, Verdict, judge
from doctor_maintenance.planning import SessionRequest, SessionRules
from doctor_maintenance.planning.events import Event
from doctor_maintenance.runner.defaults import for_virtual_time
from doctor_maintenance.runner.play import play
from doctor_maintenance.runner.virtual import (
    ADMIN_TOOL_URL,
    VirtualSettings,
    VirtualStage,
)
from doctor_maintenance.scenario import Application, Scenario
from doctor_maintenance.settings import Settings
from doctor_maintenance.simulator.mount import mount
from doctor_maintenance.workers import InlineWorkers
from sample_app_manager import strategies
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.api import alarm_url as app_manager_alarm_url
from sample_app_manager.api import create_app as create_manager_app
from sample_app_manager.manager import Manager
from sample_app_manager.peer import AdminTool as AdminToolClient
from sample_app_manager.policy import Rules
from sample_app_manager.seams import Waits
from sample_app_manager.store import FileStore

DOWN_S = 0.3
"""How long a killed process is down."""

LOOK_S = 2.0
"""How often app managers look after the sessions that they know of."""


class Killed(BaseException):
    """The process is gone at this very place."""


@dataclass
class Life:
    """When a process is killed: before or after its write of this number, from 1; None: never.

    Attributes:
        kill: called when it is.
        writes: how many there were, in all its lives.
    """

    at: int | None = None
    before: bool = False
    kill: Callable[[], None] = lambda: None
    writes: int = 0
    killed: int = 0

    def write(self, store: Callable[[], None]) -> None:
        """Store something, or be killed."""
        self.writes += 1
        mine = self.writes == self.at
        if mine and self.before:
            self._die()
        store()
        if mine:
            self._die()

    def _die(self) -> None:
        self.killed += 1
        self.kill()
        raise Killed


class MortalClock:
    """The clock of a process that can be killed: what it had planned then never happens."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.dead = False

    def now(self) -> float:
        return self._clock.now()

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        def live() -> None:
            if not self.dead:
                with suppress(Killed):
                    callback()

        return self._clock.call_at(when, live)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        return self.call_at(self.now() + delay_s, callback)

    def cancel(self, handle: TimerHandle) -> None:
        self._clock.cancel(handle)

    def call(self, function: Callable[[], Any]) -> Any:
        return function()


def mortal(app: WSGIApplication, process: MortalClock) -> WSGIApplication:
    """Serve an application as long as its process lives; after that there is no connection."""

    def serve(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        try:
            if not process.dead:
                return app(environ, start)
        except Killed:
            pass
        raise requests.ConnectionError("connection refused: the process was killed")

    return serve


class DyingJournal(SqlJournal):
    """A journal that kills its admin tool."""

    def __init__(self, database: Database, life: Life) -> None:
        super().__init__(database, "tool", ADMIN_TOOL_URL)
        self._life = life

    def open(self, request: SessionRequest, rules: SessionRules, opened: int) -> None:
        self._life.write(lambda: super(DyingJournal, self).open(request, rules, opened))

    def append(self, session_id: str, at: float, event: Event) -> None:
        self._life.write(lambda: super(DyingJournal, self).append(session_id, at, event))

    def remember(self, session_id: str, key: str, memo: Mapping[str, str]) -> None:
        self._life.write(lambda: super(DyingJournal, self).remember(session_id, key, memo))


class DyingStore(FileStore):
    """A state file that kills its app manager."""

    def __init__(self, path: Path, life: Life) -> None:
        super().__init__(path)
        self._life = life
        self.kill: Callable[[], None] = lambda: None

    def save(self, number: int, note: Mapping[str, Any]) -> None:
        self._life.kill = self.kill
        self._life.write(lambda: super(DyingStore, self).save(number, note))


@dataclass
class Lives:
    """The lives of the processes that can be killed."""

    admin_tool: Life = field(default_factory=Life)
    app_manager: Life = field(default_factory=Life)


class CrashStage(VirtualStage):
    """A stage on which processes are killed and started again."""

    def __init__(self, folder: Path, lives: Lives, seed: int = 1) -> None:
        self.folder = folder
        self.lives = lives
        self._process: MortalClock | None = None
        self._database: Database | None = None
        self._views: dict[str, Any] = {}
        self._stores: list[FileStore] = []
        super().__init__(VirtualSettings(seed=seed, settings=for_virtual_time(Settings())))

    def _admin_tool(self) -> AdminTool:
        self._process = process = MortalClock(self.clock)
        if self._database is not None:
            self._database.close()
        self._database = Database(f"sqlite:///{self.folder / 'journal.sqlite3'}")
        tool = assemble(
            clock=process,
            workers=InlineWorkers(process),
            connection=self._operator,
            driver=HttpDriver(None, ["notifications"], self._transport),
            remote=self.remote,
            rules=rules_by(self.settings, self.cloud.identity.admin_project.id, ADMIN_TOOL_URL),
            journal=DyingJournal(self._database, self.lives.admin_tool),
            observe=self.recorder.observer("admin_tool"),
            new_id=lambda: str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
        )
        mount(self._http, ADMIN_TOOL_URL, mortal(tool.app, process))

        def kill() -> None:
            process.dead = True
            self.clock.call_later(DOWN_S, self._start_again)

        self.lives.admin_tool.kill = kill
        tool.engine.recover()
        return tool

    def _start_again(self) -> None:
        if self._process is not None and self._process.dead:
            self.tool = self._admin_tool()

    def start_app_manager(self, account: Account, application: Application) -> Flow[str]:
        yield from wait(0.0)
        url = f"http://app-manager-{application.name}.sim"
        self._live(account, application, url)
        return app_manager_alarm_url(url, None)

    def _live(self, account: Account, application: Application, url: str) -> None:
        """Start an app manager on its state file, for the first time or again."""
        process = MortalClock(self.clock)
        store = DyingStore(self.folder / f"{application.name}.sqlite3", self.lives.app_manager)
        self._stores.append(store)
        cloud = ProjectCloud(self._connect(account.login))
        strategy = application.strategy or self.settings.app_manager.strategy
        manager = Manager(
            process,
            InlineWorkers(process),
            cloud,
            AdminToolClient(self._http, cloud.token, 10.0, ADMIN_TOOL_URL),
            project_id=account.project_id,
            strategy=strategies.find(strategy),
            strategy_name=strategy,
            rules=Rules(
                action=application.action,
                single_action=application.single_action,
                refuse=application.refuses,
                silent=application.silent,
            ),
            ask=self.who_answers,
            waits=Waits(look_s=LOOK_S),
            observe=self.recorder.observer(f"app_manager:{account.project_id}"),
            store=store,
        )
        mount(self._http, url, mortal(create_manager_app(manager, process), process))
        self.managers[application.name] = manager
        store.kill = partial(self._kill_manager, process, store, account, application, url)
        manager.resume()

    def _kill_manager(
        self,
        process: MortalClock,
        store: FileStore,
        account: Account,
        application: Application,
        url: str,
    ) -> None:
        process.dead = True
        store.close()
        self.clock.call_later(DOWN_S, lambda: self._live(account, application, url))

    def admin_tool(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the admin tool; while it is down an operator knows what he saw last, and tries again."""
        try:
            found = super().admin_tool(method, path, body)
        except CloudError:
            if self._process is None or not self._process.dead:
                raise
            if method == "GET" and path in self._views:
                return self._views[path]
            self._start_again()
            found = self._again(method, path, body)
        if method == "GET":
            self._views[path] = found
        return found

    def _again(self, method: str, path: str, body: Any) -> Any:
        if (method, path) == ("POST", "/v1/maintenance"):
            begun = super().admin_tool("GET", path)["sessions"]
            if begun:
                return begun[0]
        return super().admin_tool(method, path, body)

    def unknown(self) -> list[tuple[str, str]]:
        last = {
            record["instance_ids"]: record["state"]
            for record in self.recorder.records
            if record["kind"] == "notification" and "instance_ids" in record
        }
        known = {
            (entry.notification.instance_ids, entry.notification.state.value)
            for manager in self.managers.values()
            for entry in manager.entries
        }
        return sorted(set(last.items()) - known)

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
        for store in self._stores:
            store.close()


@dataclass(frozen=True)
class Played:
    """What came of a scenario.

    Attributes:
        verdict: the judge's.
        left: what is left on the cloud.
        unknown: what was published last of an announcement and its app manager does not know, even after it
            asked.
    """

    verdict: Verdict
    left: list[str]
    unknown: list[tuple[str, str]]


def play_through(scenario: Scenario, folder: Path, lives: Lives) -> Played:
    """Play a scenario, with processes killed."""
    folder.mkdir(parents=True)
    stage = CrashStage(folder, lives)
    stage.run(play(stage, scenario, session_timeout_s=600.0))
    stage.run(wait(DOWN_S + 2 * LOOK_S))  # whoever was killed by the very last word may ask
    unknown = stage.unknown()
    left = stage.run(stage.remove())
    stage.close()
    lines = [json.dumps(record) for record in stage.recorder.records]
    return Played(judge(Trace.read(lines)), left, unknown)


def explain(verdict: Verdict) -> str:
    return "\n".join(
        f"{check.check_id}: {evidence.message}"
        for check in verdict.failed
        for evidence in check.evidence
    )
