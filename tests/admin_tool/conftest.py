# SPDX-License-Identifier: Apache-2.0
"""A small world in virtual time: a simulated cloud, the admin tool on it, and app managers with a script."""

from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import database_servers
import pytest
import requests
from sqlalchemy import create_engine, text

from doctor_maintenance.admin_tool.assembly import AdminTool, ToolRules, assemble, embedded_bus
from doctor_maintenance.admin_tool.database.tables import metadata
from doctor_maintenance.admin_tool.host_side import HostSideRules
from doctor_maintenance.admin_tool.http_driver import HttpDriver, HttpTransport
from doctor_maintenance.admin_tool.journal import MemoryJournal
from doctor_maintenance.clock import TimerHandle, VirtualClock
from doctor_maintenance.cloud import connect
from doctor_maintenance.planning import SessionRules
from doctor_maintenance.planning.events import Event
from doctor_maintenance.protocol import NotificationState, ProjectNotification, parse_alarm
from doctor_maintenance.simulator.app import create_app
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.mount import isolate, mount
from doctor_maintenance.simulator.profiles import TimingProfile
from doctor_maintenance.simulator.profiles.fast import FAST
from doctor_maintenance.simulator.records import BootRequest
from doctor_maintenance.simulator.services import aodh, bus, keystone, nova
from doctor_maintenance.simulator.sim_remote import SimRemote
from doctor_maintenance.simulator.topology import build_topology
from doctor_maintenance.workers import InlineWorkers

CLOUD = "http://cloud.sim"
TOOL = "http://tool.sim"
SERVED = [keystone.SERVICE, nova.SERVICE, aodh.SERVICE, bus.SERVICE]

Script = Callable[[ProjectNotification, list[str]], Mapping[str, Any] | None]
"""What an app manager answers: instance actions (ACK), an empty mapping (ACK without), None (nothing)."""


def migrate_all(notification: ProjectNotification, ids: list[str]) -> Mapping[str, Any]:
    return dict.fromkeys(ids, "MIGRATE")


class Killed(BaseException):
    """The admin tool's process is gone at this very place."""


class MortalClock:
    """The clock of a process that can be killed: what it had planned then never happens."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.dead = False

    def now(self) -> float:
        return self._clock.now()

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        return self._clock.call_at(when, lambda: None if self.dead else callback())

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        return self.call_at(self.now() + delay_s, callback)

    def cancel(self, handle: TimerHandle) -> None:
        self._clock.cancel(handle)

    def call(self, function: Callable[[], Any]) -> Any:
        return function()


class DeadlyJournal(MemoryJournal):
    """Kills its admin tool once something is stored and nothing has been done about it yet."""

    def __init__(self) -> None:
        super().__init__()
        self.kill_after: int | None = None
        self.count = 0
        self.kill: Callable[[], None] = lambda: None

    def append(self, session_id: str, at: float, event: Event) -> None:
        super().append(session_id, at, event)
        self._live_or_die()

    def remember(self, session_id: str, key: str, memo: Mapping[str, str]) -> None:
        super().remember(session_id, key, memo)
        self._live_or_die()

    def _live_or_die(self) -> None:
        self.count += 1
        if self.count == self.kill_after:
            self.kill()
            raise Killed


@dataclass
class Manager:
    """The app manager of one project: hears alarms, and replies by its script."""

    world: World
    project_id: str
    token: str
    script: Script
    heard: list[ProjectNotification] = field(default_factory=list)
    answers: list[requests.Response] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        body = json.loads(environ["wsgi.input"].read())
        notification = parse_alarm(body).notification()
        assert isinstance(notification, ProjectNotification)
        self.heard.append(notification)
        if notification.state is NotificationState.PLANNED_MAINTENANCE:
            self.world.clock.call_later(0.1, partial(self._reply, notification))
        start("200 OK", [])
        return [b""]

    @property
    def states(self) -> list[str]:
        return [notification.state.value for notification in self.heard]

    def get(self, url: str) -> requests.Response:
        return self.world.http.get(url, headers={"X-Auth-Token": self.token}, timeout=5)

    def put(self, url: str, body: Any) -> requests.Response:
        return self.world.http.put(url, json=body, headers={"X-Auth-Token": self.token}, timeout=5)

    def _reply(self, notification: ProjectNotification) -> None:
        try:
            view = self.get(notification.instance_ids).json()
        except requests.ConnectionError:
            self.world.clock.call_later(0.3, partial(self._reply, notification))
            return
        self.views.append(view)
        actions = self.script(notification, view["instance_ids"])
        if actions is None:
            return
        body = {
            "session_id": notification.session_id,
            "state": actions.get("verdict", "ACK") + "_PLANNED_MAINTENANCE",
            "instance_actions": {k: v for k, v in actions.items() if k != "verdict"},
        }
        self._send(notification, body)

    def _send(self, notification: ProjectNotification, body: Any) -> None:
        """Send a reply; again if there is no answer, as the admin tool may be down."""
        assert notification.reply_url is not None
        try:
            self.answers.append(self.put(notification.reply_url, body))
        except (Killed, requests.ConnectionError):
            self.world.clock.call_later(0.3, partial(self._send, notification, body))


class World:
    def __init__(self, hosts: int = 3, profile: TimingProfile = FAST, **rules: Any) -> None:
        self.clock = VirtualClock()
        self.http = requests.Session()
        isolate(self.http)
        topology = build_topology(hosts)
        self.cloud = SimCloud(self.clock, random.Random(7), profile, topology, self.http)
        mount(self.http, CLOUD, create_app(self.cloud, SERVED))
        self.connection = connect(
            {
                "auth_url": f"{CLOUD}/identity/v3",
                "username": "admin",
                "password": "admin",
                "project_name": "admin",
            },
            self.http,
        )
        self.admin_project = self.cloud.identity.admin_project.id
        self.session_rules: dict[str, Any] = {
            "reply_wait_s": 5.0,
            "own_action_wait_s": 5.0,
            "move_attempts": 2,
            "move_retry_s": 1.0,
            "poll_s": 0.1,
            **rules,
        }
        self.host_rules: dict[str, Any] = {
            "maintenance_commands": ("true",),
            "host_timeout_s": 30.0,
            "poll_s": 0.1,
        }
        self.migration_timeout_s = 20.0
        self.journal = DeadlyJournal()
        self.observed: list[tuple[str, dict[str, Any]]] = []
        self.inspector: list[tuple[str, str]] = []
        self.down = False
        self._ids = random.Random(3)
        self._users: dict[str, tuple[str, str]] = {}
        self.managers: dict[str, Manager] = {}
        self.tool = self.start_tool()
        self._listen_as_inspector()

    # The admin tool.

    def start_tool(self) -> AdminTool:
        """Start an admin tool on the world's journal, as after a crash of the one before."""
        rules = ToolRules(
            session=SessionRules(
                admin_project_id=self.admin_project, base_url=TOOL, **self.session_rules
            ),
            host_side=HostSideRules(**self.host_rules),
            poll_s=0.1,
            migration_timeout_s=self.migration_timeout_s,
        )
        process = MortalClock(self.clock)
        self.down = False
        transport = HttpTransport(embedded_bus(self.connection), self.connection.session)
        self.tool = assemble(
            clock=process,
            workers=InlineWorkers(process),
            connection=self.connection,
            driver=HttpDriver(None, ["notifications"], transport),
            remote=SimRemote(self.cloud),
            rules=rules,
            journal=self.journal,
            observe=lambda kind, fields: self.observed.append((kind, dict(fields))),
            new_id=lambda: str(uuid.UUID(int=self._ids.getrandbits(128), version=4)),
        )
        mount(self.http, TOOL, self.tool.app)

        def kill() -> None:
            process.dead = self.down = True
            isolate_one(self.http, TOOL)

        self.journal.kill = kill
        self.tool.engine.recover()
        return self.tool

    def admin(self, method: str, path: str, body: Any = None) -> requests.Response:
        token = self.connection.session.get_token()
        return self.send(method, path, body, token)

    def send(self, method: str, path: str, body: Any, token: str | None) -> requests.Response:
        headers = {} if token is None else {"X-Auth-Token": token}
        return self.http.request(method, TOOL + path, json=body, headers=headers, timeout=5)

    def begin(self, **body: Any) -> str:
        answer = self.admin("POST", "/v1/maintenance", {"type": "full", **body})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["session_id"])

    def show(self, session_id: str) -> dict[str, Any]:
        path = f"/v1/maintenance/{session_id}?timeline=true"
        view: dict[str, Any] = self.admin("GET", path).json()
        return view

    def finish(self, session_id: str, within_s: float = 600.0) -> dict[str, Any]:
        """Let time pass until a session is over, and a second more."""
        session = self.tool.engine.find(session_id)
        over = self.clock.run_until(lambda: session.state.final, self.clock.now() + within_s)
        assert over, self.show(session_id)
        self.clock.advance(1.0)
        return self.show(session_id)

    # The cloud and the projects on it.

    def project(
        self, name: str, script: Script = migrate_all, *, subscribed: bool = True
    ) -> Manager:
        identity = self.cloud.identity
        project = identity.create_project(name)
        user = identity.create_user(name, "secret")
        identity.grant(project.id, user.id, identity.role_named("member").id)
        manager = Manager(self, project.id, identity.issue(user.id, project.id).id, script)
        self.managers[name] = manager
        if subscribed:
            self.alarm(project.id, f"http://{name}.sim", "maintenance.scheduled", manager)
        return manager

    def alarm(self, project_id: str, url: str, event_type: str, app: Any) -> None:
        mount(self.http, url, app)
        self.cloud.alarms.create(
            project_id,
            "user",
            f"alarm-{url}",
            event_type=event_type,
            repeat_actions=True,
            alarm_actions=[f"{url}/maintenance"],
        )

    def boot(
        self,
        name: str,
        project: str,
        host: str,
        flavor: str = "m1.tiny",
        group_id: str | None = None,
    ) -> str:
        """Boot an instance on a host, and let it become ACTIVE."""
        project_id = self.managers[project].project_id
        request = BootRequest(name, flavor, host=host, forced=True, group_id=group_id)
        instance = self.cloud.compute.boot(project_id, request)[0]
        self.clock.run_until(lambda: instance.status == "ACTIVE", self.clock.now() + 60)
        assert instance.status == "ACTIVE"
        return instance.instance_id

    def host_of(self, instance_id: str) -> str | None:
        return self.cloud.compute.get(instance_id).host

    def status_of(self, instance_id: str) -> str:
        return str(self.cloud.compute.get(instance_id).status)

    def service(self, host: str) -> tuple[bool, str | None]:
        """Return whether a host's nova-compute is disabled, and why."""
        service = self.cloud.compute.hosts[host].service
        return service.disabled, service.disabled_reason

    def _listen_as_inspector(self) -> None:
        def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            body = json.loads(environ["wsgi.input"].read())
            notification = parse_alarm(body).notification()
            self.inspector.append((notification.host, notification.state.value))  # type: ignore[union-attr]
            start("200 OK", [])
            return [b""]

        self.alarm(self.admin_project, "http://inspector.sim", "maintenance.host", app)


def isolate_one(http: requests.Session, url: str) -> None:
    """Let nobody listen at a URL any more."""
    silent = requests.Session()
    isolate(silent)
    http.mount(url, silent.get_adapter(url))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def shared_world() -> World:
    """One world for all tests of a module that only ask, and change nothing."""
    return World()


@pytest.fixture
def make_world() -> type[World]:
    return World


GIVEN = os.environ.get("DOCTOR_MAINTENANCE_TEST_DATABASE")
"""The URL of an empty database that tests may empty again, if there is one."""

DATABASES = [
    "sqlite",
    *(pytest.param(name, marks=pytest.mark.slow) for name in database_servers.SERVERS),
    *(["given"] if GIVEN else []),
]


@pytest.fixture(scope="session")
def server_url() -> Iterator[Callable[[str], str]]:
    """Return what tells the URL of a database server: one of our own, started when it is asked for first."""
    running: dict[str, str] = {}
    with ExitStack() as stack:

        def url_of(name: str) -> str:
            missing = database_servers.missing(name)
            if missing is not None:
                pytest.skip(f"{name}: {missing}")
            if name not in running:
                running[name] = stack.enter_context(database_servers.SERVERS[name]())
            return running[name]

        yield url_of


@pytest.fixture(params=DATABASES)
def database_url(
    request: pytest.FixtureRequest, tmp_path: Path, server_url: Callable[[str], str]
) -> Iterator[str]:
    """Return the URL of an empty database: SQLite, each server that is installed, and the one that is given.

    ``DOCTOR_MAINTENANCE_TEST_DATABASE=postgresql+psycopg://…`` or ``mysql+pymysql://…`` gives one.
    """
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'journal.sqlite3'}"
        return
    url = GIVEN if request.param == "given" else server_url(request.param)
    assert url is not None
    empty(url)
    yield url
    if request.param == "given":
        empty(url)


def empty(url: str) -> None:
    engine = create_engine(url)
    metadata.drop_all(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    engine.dispose()
