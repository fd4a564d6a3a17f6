# SPDX-License-Identifier: Apache-2.0
"""An app manager beside a simulated cloud, and an admin tool that says what a test wants."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
from sim_world import World

from doctor_maintenance.deployment import ApplicationSpec
from doctor_maintenance.protocol import (
    Action,
    EventType,
    MaintenanceType,
    NotificationState,
    ProjectNotification,
    traits,
)
from doctor_maintenance.simulator.mount import mount
from sample_app_manager import strategies
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.api import create_app
from sample_app_manager.manager import Manager
from sample_app_manager.peer import AdminTool
from sample_app_manager.policy import Rules
from sample_app_manager.seams import Waits

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

ADMIN_TOOL = "http://admin-tool.sim"
APP_MANAGER = "http://app-manager.sim"
FULL = (Action.MIGRATE, Action.LIVE_MIGRATE, Action.OWN_ACTION)


@dataclass
class ScriptedAdminTool:
    """Answers the two requests of an app manager as scripted, and writes down what came.

    Attributes:
        instance_ids: what every list says.
        statuses: what replies are answered with, one after another; then 200.
        list_statuses: the same for lists.
        requests: method, path, token and body of each request, in order.
        headers: of every answer, besides.
    """

    instance_ids: Sequence[str] = ()
    statuses: list[int] = field(default_factory=list)
    list_statuses: list[int] = field(default_factory=list)
    requests: list[tuple[str, str, str, str]] = field(default_factory=list)
    list_body: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        self.requests.append((method, path, environ.get("HTTP_X_AUTH_TOKEN", ""), body))
        script = self.list_statuses if method == "GET" else self.statuses
        status = script.pop(0) if script else 200
        answer = self.list_body if method == "GET" and self.list_body is not None else None
        if answer is None:
            answer = json.dumps({"instance_ids": list(self.instance_ids)})
        headers = [("Content-Type", "application/json"), *self.headers]
        start(f"{status} as scripted", headers)
        return [answer.encode()]

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for method, _, _, body in self.requests if method == "PUT"]

    def actions(self) -> dict[str, str]:
        """Return the instance actions of the one and only reply, an ACK."""
        assert len(self.replies) == 1, self.replies
        assert self.replies[0]["state"] == "ACK_PLANNED_MAINTENANCE", self.replies
        return dict(self.replies[0]["instance_actions"])


class AppWorld(World):
    """One deployed application with its app manager."""

    def __init__(
        self,
        rules: Rules | None = None,
        *,
        application: ApplicationSpec | None = None,
        strategy: str = "auto",
        waits: Waits | None = None,
        secret: str | None = None,
        profile: str = "fast",
        admin_tool_url: str | None = ADMIN_TOOL,
    ) -> None:
        super().__init__(profile=profile)
        self.app = self.deploy(application or ApplicationSpec("app", singles=2))[0]
        self.admin_tool = ScriptedAdminTool()
        mount(self.http, ADMIN_TOOL, self.admin_tool)
        self.seen: list[tuple[str, Mapping[str, Any]]] = []
        self.silenced: set[str] = set()
        self.silenced_at: set[tuple[str, str]] = set()
        own = ProjectCloud(self.connect(self.app.account.login))
        self.manager = Manager(
            self.clock,
            self.workers,
            own,
            AdminTool(self.http, own.token, 5.0, admin_tool_url),
            project_id=self.app.account.project_id,
            strategy=strategies.find(strategy),
            strategy_name=strategy,
            rules=rules or Rules(Action.MIGRATE),
            ask=self.ask,
            waits=waits,
            observe=lambda kind, fields: self.seen.append((kind, fields)),
        )
        wsgi = create_app(self.manager, self.clock, secret=secret, max_body_bytes=20_000)
        mount(self.http, APP_MANAGER, wsgi)

    def own_address(self, instance_id: str) -> str:
        """Return the floating IP at which one of the pair is asked itself."""
        (port,) = self.admin.network.get(f"/ports?device_id={instance_id}").json()["ports"]
        found = self.admin.network.get(f"/floatingips?port_id={port['id']}").json()["floatingips"]
        return str(found[0]["floating_ip_address"])

    def ask(self, address: str) -> str | None:
        who = self.answering(address)
        return None if who in self.silenced or (address, who) in self.silenced_at else who

    def notification(
        self,
        state: NotificationState = NotificationState.PLANNED_MAINTENANCE,
        *,
        number: int = 1,
        reply_in_s: float = 60.0,
        **changes: Any,
    ) -> ProjectNotification:
        project_id = self.app.account.project_id
        url = f"{ADMIN_TOOL}/v1/maintenance/session-1/{project_id}/{number}"
        planned = state is NotificationState.PLANNED_MAINTENANCE
        fields: dict[str, Any] = {
            "session_id": "session-1",
            "project_id": project_id,
            "state": state,
            "type": MaintenanceType.FULL,
            "instance_ids": url,
            "allowed_actions": FULL if planned else (),
            "reply_at": self.clock.now() + reply_in_s if planned else None,
            "reply_url": url if planned else None,
            **changes,
        }
        return ProjectNotification(**fields)

    def post(
        self,
        notification: ProjectNotification,
        *,
        message_id: str = "message-1",
        path: str = "/maintenance",
    ) -> requests.Response:
        body = alarm(notification, message_id)
        return self.http.post(APP_MANAGER + path, json=body, timeout=5)

    def tell(self, affected: Sequence[str], **changes: Any) -> None:
        """Announce maintenance of these instances and let the app manager finish."""
        self.admin_tool.instance_ids = affected
        message_id = changes.pop("message_id", "message-1")
        assert self.post(self.notification(**changes), message_id=message_id).ok
        self.settle()

    def settle(self, within_s: float = 600.0) -> None:
        idle = self.clock.run_until(lambda: self.manager.idle, self.clock.now() + within_s)
        assert idle, "the app manager did not finish in time"

    def records(self, kind: str) -> list[Mapping[str, Any]]:
        return [fields for name, fields in self.seen if name == kind]

    def disable(self, host: str) -> None:
        """Disable nova-compute of a host, as the admin tool does first."""
        version = {"microversion": "2.53"}
        found = self.admin.compute.get(
            "/os-services", params={"binary": "nova-compute", "host": host}, **version
        )
        service_id = found.json()["services"][0]["id"]
        answer = self.admin.compute.put(
            f"/os-services/{service_id}", json={"status": "disabled"}, **version
        )
        assert answer.ok, answer.text


def alarm(
    notification: ProjectNotification,
    message_id: str = "message-1",
    event_type: str = EventType.PROJECT.value,
) -> dict[str, Any]:
    """Return what Aodh posts."""
    return {
        "alarm_name": "alarm",
        "alarm_id": "5d0f3a0c-4f58-4f0e-9c3b-2a4f0c2b9e11",
        "severity": "moderate",
        "previous": "insufficient data",
        "current": "alarm",
        "reason": "Event hits the query.",
        "reason_data": {
            "type": "event",
            "event": {
                "message_id": message_id,
                "event_type": event_type,
                "generated": "2100-01-01T00:00:00.123456",
                "traits": traits.encode(notification.to_wire(), traits.PROJECT_TRAITS),
                "raw": {},
                "message_signature": "0" * 64,
            },
        },
    }
