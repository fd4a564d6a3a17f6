# SPDX-License-Identifier: Apache-2.0
"""What the app manager remembers: which notifications it was told of, and what became of each.

Aodh may post twice, and an admin tool that was restarted may publish again. A notification is
therefore known by what it is about (session, state, announcement), not only by its message. The memory
is bounded; the oldest is forgotten first.

What an entry says is what was promised, so it is written down before anybody is told: that a notification
was taken, what is going to be replied, and what was taken apart and has to be built again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from doctor_maintenance.protocol import Action, NotificationState, ProjectNotification, Reply
from sample_app_manager.policy import SwitchOver
from sample_app_manager.recreate import Rebuild

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
        number: its place among all that were ever noted.
        phase: how far we are.
        detail: why, in a sentence.
        switch_overs: what is to be switched over before the reply.
        reply: what is replied; None: not yet decided, or nothing.
        recreate: the instances that are built anew.
        rebuilds: how far that is, by the instance that is replaced.
        placements: for each instance that may be made to leave its place, where it was when we decided.
    """

    notification: ProjectNotification
    message_id: str
    received_at: float
    repeated: int = 0
    number: int = 0
    phase: Phase = Phase.NOTED
    detail: str = ""
    switch_overs: tuple[SwitchOver, ...] = ()
    reply: Reply | None = None
    recreate: tuple[str, ...] = ()
    rebuilds: dict[str, Rebuild] = field(default_factory=dict)
    placements: dict[str, str] = field(default_factory=dict)

    @property
    def actions(self) -> Mapping[str, Action]:
        """What we ask for."""
        return {} if self.reply is None else self.reply.instance_actions

    @property
    def recreated(self) -> dict[str, str]:
        """The new instance for each that we built anew."""
        return {key: each.new for key, each in self.rebuilds.items() if each.done and each.new}

    @property
    def unfinished(self) -> bool:
        """Whether something was promised that is not done."""
        if self.notification.state is not NotificationState.PLANNED_MAINTENANCE:
            return False
        under_way = self.phase in (Phase.NOTED, Phase.WORKING)
        return under_way or not all(each.done for each in self.rebuilds.values())

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
        keep: writes an entry down.
        forget: tears the note of an entry up.
        entries: what is known from an earlier life.
        last: the greatest number that was ever given away.
    """

    def __init__(
        self,
        limit: int = MAX_REMEMBERED,
        *,
        keep: Callable[[Entry], None] = lambda entry: None,
        forget: Callable[[Entry], None] = lambda entry: None,
        entries: Iterable[Entry] = (),
        last: int = 0,
    ) -> None:
        self._limit = limit
        self._keep = keep
        self._forget = forget
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._entries.update((_key(entry.notification), entry) for entry in entries)
        self._number = last

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
        key = _key(notification)
        entry = self._entries.get(key)
        if entry is not None:
            entry.repeated += 1
            return entry, False
        entry = Entry(notification, message_id, now, number=self._number + 1)
        self._keep(entry)
        self._number += 1
        self._entries[key] = entry
        while len(self._entries) > self._limit:
            _, oldest = self._entries.popitem(last=False)
            self._forget(oldest)
        return entry, True

    def keep(self, entry: Entry) -> None:
        """Write down how far an entry is.

        Raises:
            StoreError: that is not possible, so nobody must be told.
        """
        self._keep(entry)

    def open_urls(self, now: float) -> dict[str, frozenset[str]]:
        """Return the announcements that may not be over yet, by session.

        Args:
            now: the time, seconds since the epoch; what was told very long ago is over.
        """
        closed = {_about(entry) for entry in self._entries.values() if _closes(entry)}
        found: dict[str, set[str]] = {}
        for entry in self._entries.values():
            session_id, url = _about(entry)
            if now <= entry.received_at + LEAVING_S:
                urls = found.setdefault(session_id, set())
                if (session_id, url) not in closed:
                    urls.add(url)
        return {session_id: frozenset(urls) for session_id, urls in found.items()}

    def urls(self, session_id: str) -> tuple[str, ...]:
        """Return the announcements of a session that were ever heard of, oldest first."""
        return tuple(
            url for known, url in map(_about, self._entries.values()) if known == session_id
        )

    def knows(self, session_id: str, url: str) -> bool:
        """Return whether an announcement was ever heard of."""
        return url in self.urls(session_id)

    def leaving(self, placements: Mapping[str, str], now: float) -> frozenset[str]:
        """Return the instances that we agreed to see leave their place, and that are still there.

        They must not take over anything meanwhile: another session may ask while they wait. An
        instance seen elsewhere has left; that it may come back later is another story.

        Args:
            placements: where instances are now; see :class:`sample_app_manager.policy.Instance`.
            now: the time, seconds since the epoch.

        Raises:
            StoreError: that an instance has left cannot be written down.
        """
        closed = {_about(entry) for entry in self._entries.values() if _closes(entry)}
        leaving: set[str] = set()
        for entry in self._entries.values():
            if _about(entry) in closed or now > entry.received_at + LEAVING_S:
                entry.placements.clear()
            left = [
                instance_id
                for instance_id, place in entry.placements.items()
                if placements.get(instance_id, place) != place
            ]
            for instance_id in left:
                del entry.placements[instance_id]
            if left:
                # Or it would be leaving again if it came back while we were restarted.
                self._keep(entry)
            leaving.update(entry.placements)
        return frozenset(leaving)


def _key(notification: ProjectNotification) -> Key:
    return (notification.session_id, notification.state, notification.instance_ids)


def _about(entry: Entry) -> tuple[str, str]:
    return entry.notification.session_id, entry.notification.instance_ids


def _closes(entry: Entry) -> bool:
    return entry.notification.state in _CLOSING
