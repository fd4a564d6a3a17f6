# SPDX-License-Identifier: Apache-2.0
"""What the app manager remembers: which notifications it was told of, and what became of each.

Aodh may post twice, and an admin tool that was restarted may publish again. A notification is
therefore known by what it is about (session, state, announcement), not only by its message. The memory
is bounded; the oldest is forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from doctor_maintenance.protocol import Action, NotificationState, ProjectNotification

MAX_REMEMBERED = 10_000
"""How many notifications are remembered."""

LEAVING_S = 7200.0
"""How long an instance is believed to be on its way elsewhere if nothing more is heard, in seconds."""

_CLOSING = (NotificationState.MAINTENANCE_CANCELED, NotificationState.MAINTENANCE_OVER)


class Phase(StrEnum):
    """How far the app manager is with a notification."""

    NOTED = "noted"
    WORKING = "working"
    REPLIED = "replied"
    SILENT = "silent"
    NOT_ACCEPTED = "not accepted"
    FAILED = "failed"


@dataclass(slots=True)
class Entry:
    """One notification and what became of it.

    Attributes:
        notification: what we were told.
        message_id: the message that told it first.
        received_at: when, seconds since the epoch.
        repeated: how often it came again.
        phase: how far we are.
        detail: why, in a sentence.
        placements: for each instance that is to leave its place, where it was when we replied.
        actions: what we asked for.
        recreated: the new instance for each that we built anew.
    """

    notification: ProjectNotification
    message_id: str
    received_at: float
    repeated: int = 0
    phase: Phase = Phase.NOTED
    detail: str = ""
    placements: dict[str, str] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    recreated: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it for the state API."""
        return {
            "session_id": self.notification.session_id,
            "state": self.notification.state.value,
            "instance_ids": self.notification.instance_ids,
            "message_id": self.message_id,
            "received_at": self.received_at,
            "repeated": self.repeated,
            "phase": self.phase.value,
            "detail": self.detail,
            "instance_actions": {key: action.value for key, action in self.actions.items()},
            "recreated": dict(self.recreated),
        }


Key = tuple[str, NotificationState, str]


class Memory:
    """The notifications of one project, oldest first.

    Args:
        limit: how many are remembered.
    """

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._limit = limit
        self._entries: OrderedDict[Key, Entry] = OrderedDict()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is remembered, oldest first."""
        return tuple(self._entries.values())

    def note(
        self, notification: ProjectNotification, message_id: str, now: float
    ) -> tuple[Entry, bool]:
        """Take note of a notification.

        Returns:
            Its entry, and whether it is new; a repetition is counted in the entry that is there.
        """
        key = (notification.session_id, notification.state, notification.instance_ids)
        entry = self._entries.get(key)
        if entry is not None:
            entry.repeated += 1
            return entry, False
        entry = Entry(notification, message_id, now)
        self._entries[key] = entry
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)
        return entry, True

    def leaving(self, placements: Mapping[str, str], now: float) -> frozenset[str]:
        """Return the instances that we agreed to see leave their place, and that are still there.

        They must not take over anything meanwhile: another session may ask while they wait. An
        instance seen elsewhere has left; that it may come back later is another story.

        Args:
            placements: where instances are now; see :class:`sample_app_manager.policy.Instance`.
            now: the time, seconds since the epoch.
        """
        closed = {
            (entry.notification.session_id, entry.notification.instance_ids)
            for entry in self._entries.values()
            if entry.notification.state in _CLOSING
        }
        leaving: set[str] = set()
        for entry in self._entries.values():
            about = (entry.notification.session_id, entry.notification.instance_ids)
            if about in closed or now > entry.received_at + LEAVING_S:
                entry.placements.clear()
            for instance_id, place in list(entry.placements.items()):
                if placements.get(instance_id, place) != place:
                    del entry.placements[instance_id]
            leaving.update(entry.placements)
        return frozenset(leaving)
