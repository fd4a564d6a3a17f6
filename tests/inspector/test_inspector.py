# SPDX-License-Identifier: Apache-2.0
"""The inspector beside a simulated cloud, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import requests
from sim_world import World

from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.inspector.actions import OperatorCloud
from doctor_maintenance.inspector.api import alarm_url, create_app, events_url
from doctor_maintenance.inspector.inspector import Inspector
from doctor_maintenance.protocol import HostNotification, NotificationState, traits
from doctor_maintenance.simulator.mount import mount
from doctor_maintenance.workers import Outcome

INSPECTOR = "http://inspector.sim"
SESSION = "0f527a78-5632-4041-b534-2f4d57804d27"


class InspectorWorld(World):
    """An inspector, and one deployed application for it to look after."""

    def __init__(self, secret: str | None = None) -> None:
        super().__init__()
        self.app = self.deploy()[0]
        self.host = self.host_of(self.app.active)
        self.secret = secret
        self.seen: list[tuple[str, Mapping[str, Any]]] = []
        self.published: list[tuple[str, Mapping[str, Any]]] = []
        self.bus_is_down = False
        self.inspector = Inspector(
            self.clock,
            self.workers,
            OperatorCloud(self.admin),
            self.publish,
            observe=lambda kind, fields: self.seen.append((kind, fields)),
        )
        mount(self.http, INSPECTOR, create_app(self.inspector, self.clock, secret=secret))

    def publish(
        self,
        key: str,
        event_type: str,
        payload: Mapping[str, Any],
        done: Callable[[Outcome[None]], None],
    ) -> None:
        error = CloudError("the bus is down") if self.bus_is_down else None
        if error is None:
            self.published.append((event_type, payload))
        self.clock.call_later(0.0, lambda: done(Outcome(error=error)))

    def told(self, state: NotificationState, host: str | None = None) -> requests.Response:
        """Post what Aodh posts of a host."""
        notification = HostNotification(
            session_id=SESSION, project_id="admin", host=host or self.host, state=state
        )
        body = {
            "alarm_name": "inspector",
            "reason_data": {
                "type": "event",
                "event": {
                    "message_id": "message-1",
                    "event_type": "maintenance.host",
                    "generated": "2100-01-01T00:00:00",
                    "traits": traits.encode(notification.to_wire(), traits.HOST_TRAITS),
                },
            },
        }
        return self.http.post(alarm_url(INSPECTOR, self.secret), json=body, timeout=5)

    def report(self, status: str = "down", host: str | None = None) -> None:
        """Report a host as a monitor does, and let the inspector finish."""
        event = {
            "time": "2100-01-01T00:00:00",
            "type": f"compute.host.{status}",
            "details": {"hostname": host or self.host, "status": status},
        }
        url = events_url(INSPECTOR, self.secret)
        assert self.http.put(url, json=[event], timeout=5).json() == {"events": 1}
        self.settle()

    def settle(self) -> None:
        assert self.clock.run_until(lambda: self.inspector.idle, self.clock.now() + 60)

    def service(self) -> dict[str, Any]:
        answer = self.admin.compute.get(
            "/os-services",
            params={"binary": "nova-compute", "host": self.host},
            microversion="2.53",
        )
        service: dict[str, Any] = answer.json()["services"][0]
        return service

    def update_service(self, **changes: Any) -> None:
        path = f"/os-services/{self.service()['id']}"
        assert self.admin.compute.put(path, json=changes, microversion="2.53").ok

    def statuses(self) -> dict[str, str]:
        """Return the status of each instance on the host."""
        servers = self.get("compute", "/servers/detail", all_tenants="1", host=self.host)["servers"]
        return {item["id"]: item["status"] for item in servers}

    def actions(self) -> list[str]:
        return [fields["action"] for kind, fields in self.seen if kind == "inspector"]


def test_a_fault_of_a_host_not_in_maintenance_is_acted_on() -> None:
    world = InspectorWorld()
    affected = sorted(world.statuses())
    world.report()
    assert world.actions() == ["fault_received", "acted"]
    assert world.service()["forced_down"] is True
    assert set(world.statuses().values()) == {"ERROR"}
    assert sorted(payload["instance_id"] for _, payload in world.published) == affected
    assert {event_type for event_type, _ in world.published} == {"compute.instance.update"}


def test_what_projects_are_told_of_a_fault_names_no_host() -> None:
    world = InspectorWorld()
    world.report()
    project_id = world.app.account.project_id
    for _, payload in world.published:
        assert set(payload) == {"tenant_id", "project_id", "instance_id", "state"}
        assert payload["tenant_id"] == payload["project_id"] == project_id
        assert payload["state"] == "error"


def test_a_fault_during_maintenance_is_recorded_and_nothing_else_happens() -> None:
    world = InspectorWorld()
    world.told(NotificationState.IN_MAINTENANCE)
    world.report()
    assert world.actions() == ["stand_down", "fault_received", "ignored"]
    assert world.service()["forced_down"] is False
    assert set(world.statuses().values()) == {"ACTIVE"}
    assert world.published == []


def test_after_maintenance_it_acts_again() -> None:
    world = InspectorWorld()
    world.told(NotificationState.IN_MAINTENANCE)
    world.told(NotificationState.MAINTENANCE_OVER)
    world.report()
    assert world.actions() == ["stand_down", "resume", "fault_received", "acted"]
    assert world.service()["forced_down"] is True


def test_a_fault_of_another_host_is_acted_on_during_maintenance() -> None:
    world = InspectorWorld()
    world.told(NotificationState.IN_MAINTENANCE, host="somewhere-else")
    world.report()
    assert world.actions()[-1] == "acted"


def test_a_host_that_is_up_again_gets_back_what_was_taken() -> None:
    world = InspectorWorld()
    world.report()
    world.report("up")
    assert world.service()["forced_down"] is False
    assert set(world.statuses().values()) == {"ACTIVE"}


def test_an_instance_that_was_broken_before_is_not_mended_by_a_host_that_is_up() -> None:
    world = InspectorWorld()
    OperatorCloud(world.admin).reset_state(world.app.active, "error")
    world.report()
    world.report("up")
    assert world.statuses()[world.app.active] == "ERROR"


def test_a_host_that_was_never_down_is_left_alone_when_it_is_up() -> None:
    world = InspectorWorld()
    world.update_service(forced_down=True)
    world.report("up")
    assert world.service()["forced_down"] is True
    assert world.actions() == []


def test_a_host_in_maintenance_before_the_inspector_began_is_found() -> None:
    world = InspectorWorld()
    world.update_service(status="disabled", disabled_reason=f"maintenance session {SESSION}")
    world.clock.call(world.inspector.begin)
    world.settle()
    world.report()
    assert world.actions() == ["stand_down", "fault_received", "ignored"]
    assert world.seen[-1][1]["session_id"] == SESSION


def test_a_host_found_in_maintenance_is_asked_about_again_before_a_fault_is_ignored() -> None:
    world = InspectorWorld()
    world.update_service(status="disabled", disabled_reason=f"maintenance session {SESSION}")
    world.clock.call(world.inspector.begin)
    world.settle()
    world.update_service(status="enabled")
    world.report()
    assert world.actions()[-1] == "acted"


def test_a_host_disabled_for_another_reason_is_not_in_maintenance() -> None:
    world = InspectorWorld()
    world.update_service(status="disabled", disabled_reason="out of disk")
    world.clock.call(world.inspector.begin)
    world.settle()
    world.report()
    assert world.actions() == ["fault_received", "acted"]


def test_projects_that_cannot_be_told_do_not_keep_nova_from_being_told() -> None:
    world = InspectorWorld()
    world.bus_is_down = True
    world.report()
    assert world.actions()[-1] == "acted"
    assert set(world.statuses().values()) == {"ERROR"}


def test_a_cloud_that_is_busy_is_asked_again() -> None:
    world = InspectorWorld()
    world.cloud.faults.add("api_error", {"service": "compute", "method": "PUT"}, times=2)
    world.report()
    assert world.actions()[-1] == "acted"
    assert world.service()["forced_down"] is True


def test_a_fault_of_an_unknown_host_ends_in_no_act() -> None:
    world = InspectorWorld()
    world.report(host="no-such-host")
    assert world.actions() == ["fault_received"]
    assert world.published == []


def test_the_state_tells_for_whom_it_stands_down() -> None:
    world = InspectorWorld()
    world.told(NotificationState.IN_MAINTENANCE)
    world.report(host="no-such-host")
    state = world.http.get(f"{INSPECTOR}/v1/state", timeout=5).json()
    assert state == {"idle": True, "in_maintenance": {world.host: [SESSION]}, "down": {}}


@pytest.fixture(scope="module")
def guarded() -> InspectorWorld:
    return InspectorWorld(secret="open-sesame")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/maintenance"),
        ("POST", "/maintenance/wrong"),
        ("PUT", "/events"),
        ("GET", "/v1/state"),
    ],
)
def test_without_the_secret_there_is_nothing(
    guarded: InspectorWorld, method: str, path: str
) -> None:
    answer = guarded.http.request(method, INSPECTOR + path, json={}, timeout=5)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == 404


def test_with_the_secret_it_works_as_without(guarded: InspectorWorld) -> None:
    assert guarded.told(NotificationState.IN_MAINTENANCE).json() == {"changed": True}
    guarded.report()
    assert guarded.actions()[-1] == "ignored"


def test_a_malformed_alarm_is_refused_and_changes_nothing() -> None:
    world = InspectorWorld()
    answer = world.http.post(f"{INSPECTOR}/maintenance", json={"reason_data": 1}, timeout=5)
    assert answer.status_code == 400
    assert "reason_data" in answer.json()["error"]["message"]
    assert world.seen == []


def test_of_a_list_with_one_malformed_event_none_is_taken() -> None:
    world = InspectorWorld()
    good = {
        "time": "2100-01-01T00:00:00",
        "type": "compute.host.down",
        "details": {"hostname": world.host, "status": "down"},
    }
    answer = world.http.put(f"{INSPECTOR}/events", json=[good, {}], timeout=5)
    assert answer.status_code == 400
    assert world.inspector.idle
    assert world.seen == []
