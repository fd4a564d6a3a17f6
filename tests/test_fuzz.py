# SPDX-License-Identifier: Apache-2.0
"""Whatever comes to an alarm URL, a reply URL or the monitors' URL: never an error of ours, and nothing half done.

The examples are drawn the same way every time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import pytest
from app_manager.app_world import AppWorld, alarm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from security.tool_world import ToolWorld

from doctor_maintenance.exceptions import MaintenanceError
from doctor_maintenance.inspector.actions import OperatorCloud
from doctor_maintenance.inspector.api import create_app
from doctor_maintenance.inspector.inspector import Inspector
from doctor_maintenance.protocol import (
    EventType,
    HostNotification,
    NotificationState,
    traits,
)
from doctor_maintenance.simulator.mount import mount

UNKNOWN = "00000000-0000-4000-8000-000000000000"

drawn_alike = settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

# What is written where something is expected: of any type, of any length, and the words that mean something.

texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "",
            "x" * 300,
            "maintenance.scheduled",
            "maintenance.host",
            "IN_MAINTENANCE",
            "MAINTENANCE_OVER",
            "PLANNED_MAINTENANCE",
            "ACK_PLANNED_MAINTENANCE",
            "NACK_",
            "['MIGRATE', 'LEAVE']",
            "['MIGRATE', 'LIVE_MIG",
            "{'a': 'b'}",
            "[" * 250,
            "__import__('os').abort()",
            "2100-01-01T00:00:00",
            "9999-99-99 99:99:99",
            "0001-01-01 00:00:00",
            "\ud800",
            "\x00",
            "compute1; reboot",
            "http://[::1",
            "http://\u2100.example/",
            "file:///etc/passwd",
        ]
    ),
)
numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, -1, 0, 2**63, 1e308]))
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


def paths_of(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where something can be changed in a body."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    return [here, *(path for key, item in inside for path in paths_of(item, (*here, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], new)
    return copy


@st.composite
def nearly(draw: Any, good: Any) -> bytes:
    """Draw a body that differs from a good one in up to three places, and may be cut."""
    body = good
    for _ in range(draw(st.integers(0, 3))):
        body = changed(body, draw(st.sampled_from(paths_of(body))), draw(anything))
    text = json.dumps(body).encode()
    return text[: draw(st.one_of(st.just(len(text)), st.integers(0, len(text))))]


def bodies(good: Any) -> st.SearchStrategy[bytes]:
    """Draw what is nearly right, what is JSON, and what is nothing at all."""
    return st.one_of(
        nearly(good),
        anything.map(lambda value: json.dumps(value).encode()),
        st.binary(max_size=200),
    )


@dataclass
class Target:
    """An endpoint, and a good body for it."""

    send: Callable[[bytes], Any]
    good: Any


class Defects(logging.Handler):
    """Finds what failed after the answer: logged with an exception that none of us raises on purpose."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, MaintenanceError):
            self.found.append(f"{record.getMessage()}: {error!r}")

    def __enter__(self) -> None:
        logging.getLogger().addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)


@lru_cache
def app_manager() -> Target:
    world = AppWorld()
    url = "http://app-manager.sim/maintenance"

    def send(body: bytes) -> Any:
        answer = world.http.post(url, data=body, timeout=5)
        world.settle(within_s=86_400.0)
        return answer

    notification = world.notification(metadata={"a": "b"}, actions_at=world.clock.now() + 60)
    return Target(send, alarm(notification))


@lru_cache
def inspector() -> tuple[Target, Target]:
    world = AppWorld()
    inspector = Inspector(
        world.clock,
        world.workers,
        OperatorCloud(world.admin),
        lambda key, event_type, payload, done: None,
    )
    mount(world.http, "http://inspector.sim", create_app(inspector, world.clock))
    host = HostNotification(
        session_id="session-1",
        project_id=world.cloud.identity.admin_project.id,
        host="compute1",
        state=NotificationState.IN_MAINTENANCE,
    )
    body = alarm(world.notification(), event_type=EventType.HOST.value)
    body["reason_data"]["event"]["traits"] = traits.encode(host.to_wire(), traits.HOST_TRAITS)
    event = {
        "time": "2100-01-01T00:00:00",
        "type": "compute.host.down",
        "details": {"hostname": "nowhere", "status": "down", "monitor": "m"},
    }

    def sender(method: str, path: str) -> Callable[[bytes], Any]:
        def send(body: bytes) -> Any:
            url = f"http://inspector.sim{path}"
            answer = world.http.request(method, url, data=body, timeout=5)
            world.clock.advance(10.0)
            return answer

        return send

    return Target(sender("POST", "/maintenance"), body), Target(sender("PUT", "/events"), [event])


@lru_cache
def tool() -> tuple[ToolWorld, str]:
    world = ToolWorld()
    return world, world.begin(rules={"reply_wait_s": 604_800.0})


@lru_cache
def reply() -> Target:
    world, session_id = tool()
    good = {
        "session_id": session_id,
        "state": "ACK_PLANNED_MAINTENANCE",
        "instance_actions": {UNKNOWN: "MIGRATE"},
    }
    path = f"/v1/maintenance/{session_id}/{world.projects['blue']}/1"
    return Target(put_as(world, "PUT", path, "blue"), good)


@lru_cache
def operators() -> tuple[Target, Target]:
    world, session_id = tool()
    create = {
        "hosts": ["compute9"],
        "type": "full",
        "maintenance_at": "2100-06-01 00:00:00",
        "instances": {"compute9": ["i"]},
        "metadata": {"a": "b"},
        "rules": {"reply_wait_s": 1.5, "move_attempts": 2, "only_if_agreed": ["p"]},
    }
    path = f"/v1/maintenance/{session_id}/action"
    return (
        Target(put_as(world, "POST", "/v1/maintenance", "admin"), create),
        Target(put_as(world, "POST", path, "admin"), {"release": {"host": "compute1"}}),
    )


def put_as(world: ToolWorld, method: str, path: str, who: str) -> Callable[[bytes], Any]:
    headers = {"X-Auth-Token": world.token(who), "Content-Type": "application/json"}

    def send(body: bytes) -> Any:
        return world.http.request(
            method, f"http://tool.sim{path}", data=body, headers=headers, timeout=5
        )

    return send


TARGETS: dict[str, Callable[[], Target]] = {
    "an alarm to the app manager": app_manager,
    "an alarm to the inspector": lambda: inspector()[0],
    "a monitor's event to the inspector": lambda: inspector()[1],
    "a project's reply": reply,
    "an operator's new session": lambda: operators()[0],
    "an operator's action": lambda: operators()[1],
}


@pytest.mark.parametrize("name", TARGETS)
def test_no_body_is_answered_by_an_error_of_ours(name: str) -> None:
    target = TARGETS[name]()
    defects = Defects()

    @drawn_alike
    @given(body=bodies(target.good))
    def check(body: bytes) -> None:
        answer = target.send(body)
        assert answer.status_code < 500, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        if answer.status_code >= 400:
            assert answer.json()["error"]["message"]
        assert defects.found == []

    with defects:
        check()


@pytest.mark.parametrize("name", TARGETS)
def test_the_good_body_that_others_are_made_of_is_understood(name: str) -> None:
    target = TARGETS[name]()

    answer = target.send(json.dumps(target.good).encode())

    understood = ("and no others", "has no nova-compute", "has not failed")
    assert answer.ok or any(words in answer.text for words in understood), answer.text


@drawn_alike
@given(
    word=st.one_of(
        st.binary(min_size=1, max_size=60),
        st.text(min_size=1).map(lambda word: word.encode("utf-8", "replace")),
    ),
    body=st.binary(max_size=50),
)
def test_no_wrong_word_opens_an_alarm_url(word: bytes, body: bytes) -> None:
    world = guarded_world()

    url = f"http://app-manager.sim/maintenance/{quote(word, safe='')}"
    answer = world.http.post(url, data=body, timeout=5)

    assert answer.status_code in (404, 405)  # the latter where a dot makes it another path
    assert world.manager.entries == ()
    assert world.seen == []


@lru_cache
def guarded_world() -> AppWorld:
    return AppWorld(secret="open-sesame")
