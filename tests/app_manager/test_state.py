# SPDX-License-Identifier: Apache-2.0
"""What the app manager remembers of notifications."""

from __future__ import annotations

from dataclasses import replace

from doctor_maintenance.protocol import MaintenanceType, NotificationState, ProjectNotification
from sample_app_manager.state import LEAVING_S, Memory

URL = "http://admin.example/v1/maintenance/session-1/project-a/1"
PLANNED = ProjectNotification(
    session_id="session-1",
    project_id="project-a",
    state=NotificationState.PLANNED_MAINTENANCE,
    type=MaintenanceType.FULL,
    instance_ids=URL,
)


def remembering(**placements: str) -> Memory:
    """Return a memory of one announcement that was agreed to."""
    memory = Memory()
    entry, _ = memory.note(PLANNED, "message-1", 100.0)
    entry.placements = dict(placements)
    return memory


def test_a_notification_is_new_once() -> None:
    memory = Memory()
    assert memory.note(PLANNED, "message-1", 100.0)[1] is True
    assert memory.note(PLANNED, "message-1", 101.0)[1] is False
    assert memory.note(PLANNED, "message-2", 102.0)[1] is False
    assert memory.entries[0].repeated == 2


def test_another_state_announcement_or_session_is_another_notification() -> None:
    memory = Memory()
    others = (
        PLANNED,
        replace(PLANNED, state=NotificationState.IN_MAINTENANCE),
        replace(PLANNED, instance_ids=f"{URL}1"),
        replace(PLANNED, session_id="session-2"),
    )
    assert [memory.note(each, "message", 100.0)[1] for each in others] == [True] * 4


def test_the_oldest_is_forgotten_first() -> None:
    memory = Memory(limit=2)
    for number in range(3):
        memory.note(replace(PLANNED, instance_ids=f"{URL}{number}"), "message", 100.0)
    assert [entry.notification.instance_ids for entry in memory.entries] == [f"{URL}1", f"{URL}2"]


def test_an_instance_is_leaving_while_it_is_where_it_was() -> None:
    memory = remembering(act="here")
    assert memory.leaving({"act": "here"}, 101.0) == {"act"}


def test_an_instance_that_was_seen_elsewhere_has_left_even_if_it_comes_back() -> None:
    memory = remembering(act="here")
    assert memory.leaving({"act": "there"}, 101.0) == set()
    assert memory.leaving({"act": "here"}, 102.0) == set()


def test_an_instance_that_was_not_looked_at_is_still_leaving() -> None:
    memory = remembering(act="here")
    assert memory.leaving({}, 101.0) == {"act"}


def test_nothing_is_leaving_once_the_maintenance_is_over_or_canceled() -> None:
    for state in (NotificationState.MAINTENANCE_OVER, NotificationState.MAINTENANCE_CANCELED):
        memory = remembering(act="here")
        memory.note(replace(PLANNED, state=state), "message-2", 101.0)
        assert memory.leaving({"act": "here"}, 102.0) == set()


def test_nothing_is_leaving_for_ever() -> None:
    memory = remembering(act="here")
    assert memory.leaving({"act": "here"}, 100.0 + LEAVING_S + 1) == set()
