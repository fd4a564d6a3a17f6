# SPDX-License-Identifier: Apache-2.0
"""What the app manager's URLs accept, and how they refuse the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from app_manager.app_world import APP_MANAGER, AppWorld, alarm
from doctor_maintenance.protocol import HostNotification, NotificationState, traits
from sample_app_manager.api import alarm_url

URL = f"{APP_MANAGER}/maintenance"


@pytest.fixture(scope="module")
def world() -> AppWorld:
    return AppWorld()


def refused(answer: requests.Response, status: int, reason: str) -> None:
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    error = answer.json()["error"]
    assert error["code"] == status
    assert reason in error["message"]


def with_traits(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the alarm with other values of some traits; None removes one."""
    event = body["reason_data"]["event"]
    event["traits"] = [
        [name, kind, changes.get(name, value)]
        for name, kind, value in event["traits"]
        if changes.get(name, value) is not None
    ]
    return body


@pytest.mark.parametrize(
    "text", ["", "alarm", "[", '{"reason_data": {"event"', "NaN", "[" * 100_000, "\xff\xfe"]
)
def test_what_is_no_json_is_refused(world: AppWorld, text: str) -> None:
    answer = world.http.post(URL, data=text.encode("latin-1")[:19_000], timeout=5)
    refused(answer, 400, "body: expected JSON")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "reason_data"),
        ({"reason_data": {"event": []}}, "event"),
        ({"reason_data": {"event": {"event_type": "maintenance.scheduled"}}}, "message_id"),
    ],
)
def test_what_is_no_alarm_is_refused_and_the_field_named(
    world: AppWorld, body: object, field: str
) -> None:
    refused(world.http.post(URL, json=body, timeout=5), 400, field)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"state": "ON_FIRE"}, "state"),
        ({"state": None}, "state"),
        ({"session_id": None}, "session_id"),
        ({"instance_ids": "http://admin.example/" + "x" * 234}, "instance_ids"),
        ({"allowed_actions": "['MIGRATE', 'LIVE_MIG"}, "allowed_actions"),
        ({"allowed_actions": "__import__('os').system('true')"}, "allowed_actions"),
        ({"allowed_actions": "[" * 200}, "allowed_actions"),
        ({"reply_at": "soon"}, "reply_at"),
        ({"metadata": "{'a': " + "x" * 249}, "metadata"),
    ],
)
def test_a_cut_or_malformed_notification_is_refused_and_the_field_named(
    world: AppWorld, changes: dict[str, Any], field: str
) -> None:
    body = with_traits(alarm(world.notification()), **changes)
    refused(world.http.post(URL, json=body, timeout=5), 400, field)
    assert world.manager.entries == ()
    assert world.manager.idle


def test_an_alarm_for_another_project_is_refused(world: AppWorld) -> None:
    body = with_traits(alarm(world.notification()), project_id="somebody-else")
    refused(world.http.post(URL, json=body, timeout=5), 400, "project_id")


def test_a_host_event_is_refused(world: AppWorld) -> None:
    host = HostNotification(
        session_id="session-1",
        project_id=world.app.account.project_id,
        host="compute1",
        state=NotificationState.IN_MAINTENANCE,
    )
    body = alarm(world.notification(), event_type="maintenance.host")
    body["reason_data"]["event"]["traits"] = traits.encode(host.to_wire(), traits.HOST_TRAITS)
    refused(world.http.post(URL, json=body, timeout=5), 400, "for the inspector")


def test_a_body_that_is_too_long_is_refused(world: AppWorld) -> None:
    refused(world.http.post(URL, data=b"[" + b" " * 30_000 + b"]", timeout=5), 413, "")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/maintenance", 405),
        ("PUT", "/maintenance", 405),
        ("POST", "/shutdown", 404),
        ("GET", "/", 404),
        ("POST", "/maintenance/word", 404),
    ],
)
def test_other_requests_are_refused_in_json(
    world: AppWorld, method: str, path: str, status: int
) -> None:
    refused(world.http.request(method, APP_MANAGER + path, timeout=5), status, "")


def test_every_text_that_came_is_recorded_even_if_it_is_refused(world: AppWorld) -> None:
    world.seen.clear()
    world.http.post(URL, data=b'{"compute1": "leaked"}', timeout=5)
    assert world.records("readable") == [
        {
            "project_id": world.app.account.project_id,
            "where": "alarm",
            "text": '{"compute1": "leaked"}',
        }
    ]


def test_health_is_answered(world: AppWorld) -> None:
    assert world.http.get(f"{APP_MANAGER}/health", timeout=5).json() == {"status": "ok"}


def test_the_state_tells_what_became_of_each_notification() -> None:
    world = AppWorld()
    world.tell([world.app.standby])
    state = world.http.get(f"{APP_MANAGER}/v1/state", timeout=5).json()
    assert state["idle"] is True
    assert state["project_id"] == world.app.account.project_id
    (entry,) = state["notifications"]
    assert entry["phase"] == "replied"
    assert entry["state"] == "PLANNED_MAINTENANCE"
    assert entry["instance_actions"] == {world.app.standby: "MIGRATE"}


def test_an_alarm_url_with_a_secret_is_the_only_one_that_is_served() -> None:
    world = AppWorld(secret="open-sesame")
    assert alarm_url(APP_MANAGER, "open-sesame") == f"{URL}/open-sesame"
    for path in ("/maintenance", "/maintenance/wrong", "/maintenance/open-sesame/more"):
        refused(world.post(world.notification(), path=path), 404, "")
    assert world.manager.entries == ()
    assert world.post(world.notification(), path="/maintenance/open-sesame").ok
    refused(world.http.get(f"{APP_MANAGER}/v1/state", timeout=5), 404, "")


def test_an_alarm_as_aodh_really_posts_it_is_read(world: AppWorld) -> None:
    project_id = world.app.account.project_id
    body = {
        "alarm_name": "maint-project",
        "alarm_id": "97b8ddc2-c27d-43e9-8962-324a524abfdd",
        "severity": "moderate",
        "previous": "insufficient data",
        "current": "alarm",
        "reason": "Event hits the query.",
        "reason_data": {
            "type": "event",
            "event": {
                "message_id": "9a4fc8eb-afa0-462f-a14c-52f947ba0d49",
                "event_type": "maintenance.scheduled",
                "generated": "2026-11-22T21:48:27.462849",
                "traits": [
                    ["service", 1, "maintenance"],
                    ["project_id", 1, project_id],
                    ["session_id", 1, "0f527a78-5632-4041-b534-2f4d57804d27"],
                    ["state", 1, "maintenance over"],
                    ["allowed_actions", 1, "[]"],
                    ["instance_ids", 1, "http://admin-tool.sim/x"],
                    ["actions_at", 4, "2026-11-22T20:00:00"],
                    ["metadata", 1, "{}"],
                ],
                "raw": {},
                "message_signature": "8e58c3e28f059ac14d3b400cd3154d8b",
            },
        },
    }
    answer = world.http.post(
        URL, data=json.dumps(body), headers={"content-type": "text/plain"}, timeout=5
    )
    assert answer.json() == {"new": True}
    assert world.manager.entries[-1].notification.state is NotificationState.MAINTENANCE_OVER
