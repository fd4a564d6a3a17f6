# SPDX-License-Identifier: Apache-2.0
"""From a notification to the POST at an alarm URL: what arrives, at whom, and what can happen on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from doctor_maintenance.protocol import EventType, NotificationState, ProjectNotification
from doctor_maintenance.protocol.alarm import parse_alarm
from doctor_maintenance.protocol.words import MaintenanceType
from doctor_maintenance.simulator.mount import mount

from .replay import recorded
from .sim import Sim

ALARMS = "/alarming/v2/alarms"
MANAGER = "http://manager.sim"


class Inbox:
    """An app manager that keeps what it is sent, and answers with a status."""

    def __init__(self, sim: Sim, url: str = MANAGER, status: str = "200 OK") -> None:
        self.sim = sim
        self.status = status
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.at: list[float] = []
        mount(sim.http, url, self)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        self.bodies.append(environ["wsgi.input"].read())
        self.headers.append({k: v for k, v in environ.items() if isinstance(v, str)})
        self.at.append(self.sim.clock.now())
        start(self.status, [])
        return [b""]

    @property
    def alarms(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]


def subscribe(sim: Sim, user: str = "demo", **fields: Any) -> str:
    body = {
        "name": f"alarm of {user}",
        "type": "event",
        "repeat_actions": True,
        "alarm_actions": [f"{MANAGER}/maintenance"],
        "event_rule": {"event_type": "maintenance.scheduled"},
        **fields,
    }
    answer = sim.ask("POST", ALARMS, body, user=user)
    assert answer.status_code == 201, answer.text
    alarm_id: str = answer.json()["alarm_id"]
    return alarm_id


def publish(sim: Sim, project: str = "demo", message_id: str = "m1", **payload: Any) -> Any:
    envelope = {
        "priority": "INFO",
        "event_type": payload.pop("event_type", "maintenance.scheduled"),
        "timestamp": "2020-01-01 00:00:00.123456",
        "publisher_id": "admin_tool",
        "message_id": message_id,
        "payload": {"project_id": sim.project(project), "session_id": "s", **payload},
    }
    answer = sim.ask("POST", "/bus/notifications", envelope, user="admin")
    sim.clock.run(until=sim.clock.now() + 30.0)
    return answer


@pytest.mark.parametrize("case", recorded("alarm_posts"), ids=lambda case: case["case"])
def test_post_is_the_recorded_one_field_by_field(case: dict[str, Any]) -> None:
    sim = Sim()
    inbox = Inbox(sim)
    theirs, project_id = case["body"], case["notification"]["payload"]["project_id"]
    subscribe(
        sim,
        name=theirs["alarm_name"],
        severity=theirs["severity"],
        event_rule={
            "event_type": "maintenance.scheduled",
            "query": [
                {
                    "field": "traits.project_id",
                    "type": "string",
                    "op": "eq",
                    "value": sim.project("demo"),
                }
            ],
        },
    )
    payload = {**case["notification"]["payload"], "project_id": sim.project("demo")}

    sim.cloud.bus.publish({**case["notification"], "payload": payload})
    sim.clock.run()

    (ours,) = inbox.alarms
    event, their_event = ours["reason_data"]["event"], theirs["reason_data"]["event"]
    assert list(ours) == list(theirs)
    assert list(event) == list(their_event)
    assert ours["reason"] == theirs["reason"].replace(project_id, sim.project("demo"))
    assert event["generated"] == their_event["generated"]
    assert sorted(map(str, event["traits"])) == sorted(
        str([name, kind, sim.project("demo") if value == project_id else value])
        for name, kind, value in their_event["traits"]
    )
    assert event["traits"][0] == their_event["traits"][0]
    (headers,) = inbox.headers
    assert headers["CONTENT_TYPE"] == "application/json"
    assert re.fullmatch(r"req-[0-9a-f-]{36}", headers["HTTP_X_OPENSTACK_REQUEST_ID"])


def test_what_we_publish_is_what_an_app_manager_reads() -> None:
    sim = Sim()
    inbox = Inbox(sim)
    subscribe(sim)
    sent = ProjectNotification(
        session_id="5d0f3a0c-4f58-4f0e-9c3b-2a4f0c2b9e11",
        project_id=sim.project("demo"),
        state=NotificationState.PLANNED_MAINTENANCE,
        type=MaintenanceType.REBOOT,
        instance_ids="http://tool.sim/v1/x",
        actions_at=sim.clock.now() + 60.0,
        reply_at=sim.clock.now() + 30.0,
        reply_url="http://tool.sim/v1/y",
        metadata={"why": "[new] {firmware}"},
    )

    publish(sim, **sent.to_wire())

    alarm = parse_alarm(inbox.alarms[0])
    assert alarm.event_type == EventType.PROJECT
    assert alarm.notification() == sent


def test_event_reaches_the_alarms_of_its_own_project_only() -> None:
    sim = Sim()
    inbox = Inbox(sim)
    subscribe(sim, "demo")
    subscribe(sim, "admin")

    publish(sim, project="demo")

    assert [alarm["alarm_name"] for alarm in inbox.alarms] == ["alarm of demo"]


def test_alarm_without_repeat_fires_once_and_one_with_it_every_time() -> None:
    sim = Sim()
    inbox = Inbox(sim)
    subscribe(sim, name="once", repeat_actions=False)
    subscribe(sim, name="always")

    for number in range(3):
        publish(sim, message_id=f"m{number}")

    names = [(alarm["alarm_name"], alarm["previous"]) for alarm in inbox.alarms]
    assert names.count(("once", "insufficient data")) == 1
    assert names.count(("always", "insufficient data")) == 1
    assert names.count(("always", "alarm")) == 2
    assert len(names) == 4


def test_disabled_alarm_and_query_that_does_not_fit_stay_silent() -> None:
    sim = Sim()
    inbox = Inbox(sim)
    query = [{"field": "traits.state", "type": "string", "op": "eq", "value": "OTHER"}]
    subscribe(sim, enabled=False)
    subscribe(sim, event_rule={"event_type": "maintenance.*", "query": query})

    publish(sim, state="PLANNED_MAINTENANCE")
    assert inbox.bodies == []
    publish(sim, state="OTHER")

    assert len(inbox.bodies) == 1


def test_new_alarm_sleeps_while_the_evaluator_keeps_its_old_list() -> None:
    sim = Sim(alarm_cache_ttl=60.0)
    inbox = Inbox(sim)
    publish(sim, message_id="fills the cache")
    subscribe(sim)

    publish(sim, message_id="lost")
    assert inbox.bodies == []
    sim.clock.advance(60.0)
    publish(sim, message_id="heard")

    assert [a["reason_data"]["event"]["message_id"] for a in inbox.alarms] == ["heard"]


def test_failed_post_is_not_made_again() -> None:
    sim = Sim()
    inbox = Inbox(sim, status="500 Oops")
    subscribe(sim)

    publish(sim)
    sim.clock.advance(3600.0)

    assert len(inbox.bodies) == 1
    assert [post.result for post in sim.cloud.alarms.delivery.posted] == ["500"]


def test_nobody_listening_at_the_url_harms_nobody_else() -> None:
    sim = Sim()
    inbox = Inbox(sim)
    subscribe(sim, alarm_actions=["http://nobody.sim/x"])
    subscribe(sim)

    answer = publish(sim)

    assert answer.status_code == 202
    assert len(inbox.bodies) == 1
    assert "ConnectionError" in sim.cloud.alarms.delivery.posted[0].result


@pytest.mark.parametrize(
    ("fault", "posts"),
    [
        ("alarm_lost", 0),
        ("alarm_dead_url", 0),
        ("alarm_twice", 2),
        ("alarm_late", 1),
        ("alarm_cut", 1),
    ],
)
def test_fault_happens_to_one_post_and_the_next_is_whole(fault: str, posts: int) -> None:
    sim = Sim()
    inbox = Inbox(sim)
    subscribe(sim)
    sim.cloud.faults.add(fault, {"state": "PLANNED_MAINTENANCE"}, times=1)
    before = sim.clock.now()

    publish(sim, state="PLANNED_MAINTENANCE")

    assert len(inbox.bodies) == posts
    if fault == "alarm_cut":
        assert len(inbox.bodies[0]) == 100
    if fault == "alarm_late":
        assert inbox.at[0] - before == 5.0
    publish(sim, state="PLANNED_MAINTENANCE", message_id="m2")
    assert len(inbox.bodies) == posts + 1
    assert json.loads(inbox.bodies[-1])["reason_data"]["event"]["message_id"] == "m2"


def test_late_post_is_overtaken_by_the_next() -> None:
    sim = Sim()
    inbox = Inbox(sim)
    subscribe(sim)
    sim.cloud.faults.add("alarm_out_of_order", times=1)
    envelope = {
        "event_type": "maintenance.scheduled",
        "timestamp": "2020-01-01 00:00:00",
        "publisher_id": "x",
        "payload": {"project_id": sim.project("demo")},
    }

    for message_id in ("first", "second"):
        sim.cloud.bus.publish({**envelope, "message_id": message_id})
    sim.clock.run()

    order = [a["reason_data"]["event"]["message_id"] for a in inbox.alarms]
    assert order == ["second", "first"]


def test_instance_event_is_routed_by_its_tenant_id() -> None:
    sim = Sim()
    inbox = Inbox(sim)
    rule = {
        "event_type": "compute.instance.update",
        "query": [{"field": "traits.state", "type": "", "op": "eq", "value": "error"}],
    }
    subscribe(sim, event_rule=rule)
    payload = {"tenant_id": sim.project("demo"), "instance_id": "i", "state": "error"}
    envelope = {
        "event_type": "compute.instance.update",
        "timestamp": "2020-01-01 00:00:00",
        "publisher_id": "inspector",
        "message_id": "m",
        "payload": payload,
    }

    sim.cloud.bus.publish(envelope)
    sim.clock.run()

    traits = {name: value for name, _, value in inbox.alarms[0]["reason_data"]["event"]["traits"]}
    assert traits["project_id"] == traits["tenant_id"] == sim.project("demo")
    assert (traits["instance_id"], traits["state"]) == ("i", "error")


def test_another_projects_alarm_is_not_there() -> None:
    sim = Sim()
    alarm_id = subscribe(sim, "admin")

    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/state"), ("GET", "/history")):
        assert sim.ask(method, f"{ALARMS}/{alarm_id}{path}").status_code == 404
    assert sim.ask("GET", ALARMS).json() == []


def test_what_projects_can_read_is_told() -> None:
    sim = Sim()
    inbox = Inbox(sim)
    subscribe(sim)

    publish(sim)

    (readable,) = [event for event in sim.events if event.kind == "readable"]
    assert readable.fields["project_id"] == sim.project("demo")
    assert readable.fields["text"].encode() == inbox.bodies[0]
