# SPDX-License-Identifier: Apache-2.0
"""Where sessions are kept: each is what was asked for, by which rules, and the events since.

An event is stored before anything acts on it; everything else is derived by replaying. Beside the events
there are memos: what a command must remember over a restart and the cloud does not tell, like the boot ID
from before a reboot.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from doctor_maintenance.exceptions import NotFoundError
from doctor_maintenance.planning import SessionRequest, SessionRules, codec
from doctor_maintenance.planning.events import Event


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as it is kept.

    Attributes:
        request: what was asked for.
        rules: by which rules it is driven; stored, because other rules would decide otherwise.
        events: each with its time in seconds since the epoch, in the order in which they were taken.
    """

    request: SessionRequest
    rules: SessionRules
    events: tuple[tuple[float, Event], ...]


class Journal(Protocol):
    """A store of sessions. Every method has stored what it was given when it returns."""

    def open(self, request: SessionRequest, rules: SessionRules) -> None:
        """Store a new session."""

    def append(self, session_id: str, at: float, event: Event) -> None:
        """Store that an event was taken at a time."""

    def remember(self, session_id: str, key: str, memo: Mapping[str, str]) -> None:
        """Store a command's memo; one that was there is replaced."""

    def recall(self, session_id: str, key: str) -> Mapping[str, str]:
        """Return a command's memo; empty if there is none."""

    def session(self, session_id: str) -> StoredSession:
        """Return a session.

        Raises:
            NotFoundError: there is none.
        """

    def session_ids(self) -> Iterable[str]:
        """Return all sessions, the oldest first."""

    def remove(self, session_id: str) -> None:
        """Forget a session; one that is not there is no error."""


@dataclass(slots=True)
class _Kept:
    request: str
    rules: str
    events: list[tuple[float, str]] = field(default_factory=list)
    memos: dict[str, Mapping[str, str]] = field(default_factory=dict)


class MemoryJournal:
    """A journal that ends with its process.

    It keeps the text that a database would, so that what cannot be stored is found out by every test.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, _Kept] = {}

    def open(self, request: SessionRequest, rules: SessionRules) -> None:
        """Store a new session."""
        self._sessions[request.session_id] = _Kept(
            json.dumps(codec.request_to_data(request)), json.dumps(codec.rules_to_data(rules))
        )

    def append(self, session_id: str, at: float, event: Event) -> None:
        """Store that an event was taken at a time."""
        self._find(session_id).events.append((at, json.dumps(codec.event_to_data(event))))

    def remember(self, session_id: str, key: str, memo: Mapping[str, str]) -> None:
        """Store a command's memo."""
        self._find(session_id).memos[key] = dict(memo)

    def recall(self, session_id: str, key: str) -> Mapping[str, str]:
        """Return a command's memo; empty if there is none."""
        return self._find(session_id).memos.get(key, {})

    def session(self, session_id: str) -> StoredSession:
        """Return a session.

        Raises:
            NotFoundError: there is none.
        """
        kept = self._find(session_id)
        return StoredSession(
            request=codec.request_from_data(json.loads(kept.request)),
            rules=codec.rules_from_data(json.loads(kept.rules)),
            events=tuple((at, codec.event_from_data(json.loads(text))) for at, text in kept.events),
        )

    def session_ids(self) -> Iterable[str]:
        """Return all sessions, the oldest first."""
        return tuple(self._sessions)

    def remove(self, session_id: str) -> None:
        """Forget a session."""
        self._sessions.pop(session_id, None)

    def _find(self, session_id: str) -> _Kept:
        try:
            return self._sessions[session_id]
        except KeyError:
            raise NotFoundError(f"the journal has no session {session_id}") from None
