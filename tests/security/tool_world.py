# SPDX-License-Identifier: Apache-2.0
"""An admin tool on a simulated cloud in virtual time, two projects on it, and every call to the cloud written down."""

from __future__ import annotations

import random
import uuid
from typing import Any

import requests
from sim_world import World

from doctor_maintenance.admin_tool.assembly import AdminTool, ToolRules, assemble, embedded_bus
from doctor_maintenance.admin_tool.host_side import HostSideRules
from doctor_maintenance.admin_tool.http_driver import HttpDriver, HttpTransport
from doctor_maintenance.planning import SessionRules
from doctor_maintenance.simulator.hosts import CommandTable
from doctor_maintenance.simulator.mount import mount
from doctor_maintenance.simulator.records import BootRequest
from doctor_maintenance.simulator.sim_remote import SimRemote
from doctor_maintenance.simulator.topology import Topology

TOOL = "http://tool.sim"
DAY_S = 86_400.0


class ToolWorld(World):
    """Projects blue and red with an instance each, on compute1 and compute2; nobody answers for them.

    Attributes:
        commands: every command line that a host was given, in order.
        requests: every request to the cloud: method and URL.
    """

    def __init__(
        self,
        max_sessions: int = 1000,
        topology: Topology | None = None,
        first: str = "compute1",
    ) -> None:
        super().__init__(topology)
        self.requests: list[str] = []
        self.commands: list[str] = []
        self.http.hooks["response"].append(
            lambda answer, **_: self.requests.append(f"{answer.request.method} {answer.url}")
        )
        self._ids = random.Random(3)
        self._tokens: dict[tuple[str, str], str] = {}
        self.projects = {name: self._project(name) for name in ("blue", "red")}
        self.instances = {
            name: self.boot(name, f"{name}-1", host)
            for name, host in (("blue", first), ("red", "compute2"))
        }
        self._subscribe("blue")
        self.tool = self._start(max_sessions)

    def _start(self, max_sessions: int) -> AdminTool:
        remote = SimRemote(self.cloud, CommandTable.succeeding(["true", "firmware-update"]))
        run = remote.run

        def recorded(host: Any, command: str, timeout_s: float, done: Any) -> None:
            self.commands.append(command)
            run(host, command, timeout_s, done)

        remote.run = recorded  # type: ignore[method-assign]
        rules = ToolRules(
            session=SessionRules(
                admin_project_id=self.cloud.identity.admin_project.id,
                base_url=TOOL,
                reply_wait_s=60.0,
                poll_s=0.1,
            ),
            host_side=HostSideRules(maintenance_commands=("firmware-update",), poll_s=0.1),
            poll_s=0.1,
            max_sessions=max_sessions,
        )
        transport = HttpTransport(embedded_bus(self.admin), self.admin.session)
        tool = assemble(
            clock=self.clock,
            workers=self.workers,
            connection=self.admin,
            driver=HttpDriver(None, ["notifications"], transport),
            remote=remote,
            rules=rules,
            new_id=lambda: str(uuid.UUID(int=self._ids.getrandbits(128), version=4)),
        )
        mount(self.http, TOOL, tool.app)
        return tool

    def _subscribe(self, project: str) -> None:
        """Give a project an alarm on what it is told; who takes it does not answer."""
        url = f"http://{project}.sim"

        def take(environ: Any, start: Any) -> list[bytes]:
            start("200 OK", [])
            return []

        mount(self.http, url, take)
        self.cloud.alarms.create(
            self.projects[project],
            "user",
            project,
            event_type="maintenance.scheduled",
            repeat_actions=True,
            alarm_actions=[f"{url}/maintenance"],
        )

    def _project(self, name: str) -> str:
        identity = self.cloud.identity
        project = identity.create_project(name)
        for role in ("member", "reader"):
            user = identity.create_user(f"{name}-{role}", "secret")
            identity.grant(project.id, user.id, identity.role_named(role).id)
            self._tokens[name, role] = identity.issue(user.id, project.id).id
        return project.id

    def boot(self, project: str, name: str, host: str) -> str:
        request = BootRequest(name, "m1.tiny", host=host, forced=True)
        instance = self.cloud.compute.boot(self.projects[project], request)[0]
        self.clock.run_until(lambda: instance.status == "ACTIVE", self.clock.now() + 60)
        return instance.instance_id

    def token(self, who: str, role: str = "member") -> str:
        """Return a good token of ``admin``, ``blue`` or ``red``."""
        if who == "admin":
            return str(self.admin.session.get_token())
        return self._tokens[who, role]

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> requests.Response:
        headers = {} if token is None else {"X-Auth-Token": token}
        return self.http.request(method, TOOL + path, json=body, headers=headers, timeout=5)

    def begin(self, **body: Any) -> str:
        """Begin a session of compute1 and return its ID once its project was told."""
        wanted = {"hosts": ["compute1"], "type": "full", **body}
        answer = self.ask("POST", "/v1/maintenance", wanted, token=self.token("admin"))
        assert answer.status_code == 201, answer.text
        self.clock.advance(1.0)
        return str(answer.json()["session_id"])
