# SPDX-License-Identifier: Apache-2.0
"""For which hosts the inspector stands down, and what it accepts from monitors."""

from __future__ import annotations

from typing import Any

import pytest

from doctor_maintenance.exceptions import InvalidRequestError
from doctor_maintenance.inspector.policy import (
    HostEvent,
    HostStatus,
    Standing,
    read_events,
    session_in,
)
from doctor_maintenance.protocol import HostNotification, NotificationState

IN = NotificationState.IN_MAINTENANCE
OVER = NotificationState.MAINTENANCE_OVER
UUID = "0f527a78-5632-4041-b534-2f4d57804d27"


def said(state: NotificationState, session: str = "session-1") -> HostNotification:
    return HostNotification(session_id=session, project_id="admin", host="compute1", state=state)


def event(**changes: Any) -> dict[str, Any]:
    details = {
        "hostname": "compute1",
        "status": "down",
        "monitor": "monitor_sample",
        "monitor_event_id": "monitor_sample_event1",
        **changes,
    }
    kind = f"compute.host.{details['status']}"
    return {"time": "2020-01-01T00:00:00.123456", "type": kind, "details": details}


def test_it_stands_down_from_in_maintenance_until_maintenance_is_over() -> None:
    standing = Standing()
    assert not standing.stands_down("compute1")
    assert standing.notified(said(IN)) is True
    assert standing.stands_down("compute1")
    assert standing.notified(said(OVER)) is True
    assert not standing.stands_down("compute1")


def test_another_host_is_not_concerned() -> None:
    standing = Standing()
    standing.notified(said(IN))
    assert not standing.stands_down("compute2")


def test_a_repeated_notification_changes_nothing() -> None:
    standing = Standing()
    standing.notified(said(IN))
    assert standing.notified(said(IN)) is False
    standing.notified(said(OVER))
    assert standing.notified(said(OVER)) is False


def test_it_stands_down_until_the_last_session_of_a_host_is_over() -> None:
    standing = Standing()
    standing.notified(said(IN, "session-1"))
    assert standing.notified(said(IN, "session-2")) is False
    assert standing.notified(said(OVER, "session-1")) is False
    assert standing.stands_down("compute1")
    assert standing.notified(said(OVER, "session-2")) is True


def test_the_end_of_an_unknown_session_does_not_end_a_known_one() -> None:
    standing = Standing()
    standing.notified(said(IN, "session-1"))
    assert standing.notified(said(OVER, "session-9")) is False
    assert standing.stands_down("compute1")


def test_a_host_disabled_for_maintenance_is_found_by_asking() -> None:
    standing = Standing()
    standing.asked({"compute1": f"maintenance session {UUID}", "compute2": "broken disk"})
    assert standing.hosts == ["compute1"]
    assert standing.sessions("compute1") == [UUID]
    assert standing.unsure("compute1")


def test_what_was_told_is_sure_even_if_nova_says_so_too() -> None:
    standing = Standing()
    standing.asked({"compute1": f"maintenance session {UUID}"})
    assert standing.notified(said(IN, UUID)) is False
    assert not standing.unsure("compute1")
    assert standing.notified(said(OVER, UUID)) is True


def test_asking_again_forgets_a_host_that_is_enabled_again() -> None:
    standing = Standing()
    standing.asked({"compute1": "Maintenance by the operator"})
    assert standing.stands_down("compute1")
    standing.asked({})
    assert not standing.stands_down("compute1")


@pytest.mark.parametrize(
    ("reason", "session"),
    [
        (f"maintenance session {UUID}", UUID),
        (f"maintenance {UUID.upper()}, step 1", UUID),
        ("maintenance", None),
    ],
)
def test_the_session_is_read_from_the_disable_reason(reason: str, session: str | None) -> None:
    assert session_in(reason) == session


def test_a_list_of_events_is_read() -> None:
    assert read_events([event(), event(hostname="compute2", status="up")]) == [
        HostEvent("compute1", HostStatus.DOWN, "monitor_sample", "monitor_sample_event1"),
        HostEvent("compute2", HostStatus.UP, "monitor_sample", "monitor_sample_event1"),
    ]


def test_a_single_event_is_read() -> None:
    assert read_events(event())[0].host == "compute1"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "1 to 1000 events"),
        ([event()] * 1001, "1 to 1000 events"),
        ("down", "event object"),
        ([event(), 3], r"\[1\]"),
        ({**event(), "type": "compute.host.exploded"}, "type"),
        ({**event(), "type": "compute.host.up"}, "type"),
        ({**event(), "time": "noon"}, "time"),
        ({**event(), "details": []}, "details"),
        (event(status="sideways"), "status"),
        (event(hostname=""), "hostname"),
        (event(hostname=7), "hostname"),
        (event(hostname="x" * 256), "hostname"),
        (event(monitor=["a"]), "monitor"),
    ],
)
def test_a_malformed_event_is_refused_and_the_field_named(body: object, field: str) -> None:
    with pytest.raises(InvalidRequestError, match=field):
        read_events(body)
