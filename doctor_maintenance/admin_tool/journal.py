# SPDX-License-Identifier: Apache-2.0
"""Where sessions are kept: each is what was asked for, by which rules, and the events since.

An event is stored before anything acts on it; everything else is derived by replaying. Beside the events
there are memos: what a command must remember over a restart and the cloud does not tell, like the boot ID
from before a reboot.

Several admin tools may share a journal. A session is driven by the one that holds it, and only that one may
write: :mod:`~doctor_maintenance.admin_tool.leases` says who that is when one of them falls silent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from doctor_maintenance.exceptions import NotFoundError, RequestRefused
from doctor_maintenance.planning import SessionRequest, SessionRules, codec
from doctor_maintenance.planning.events import Event

Events = tuple[tuple[float, Event], ...]
"""Events with their times in seconds since the epoch, in the order in which they were taken."""


class JournalError(RequestRefused):
    """The journal did not store or show what it was asked for; it may later."""

    status = 503


class LeaseLostError(JournalError):
    """Another admin tool drives the session, so nothing was stored."""


class OpenedMeanwhileError(JournalError):
    """Another admin tool opened a session since we looked, so nothing was stored."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as it is kept.

    Attributes:
        request: what was asked for.
        rules: by which rules it is driven; stored, because other rules would decide otherwise.
        events: what happened since.
    """

    request: SessionRequest
    rules: SessionRules
    events: Events


@dataclass(frozen=True, slots=True)
class Listed:
    """A session in the catalog.

    Attributes:
        session_id: which.
        length: how many events it has.
        fence: how often its holder has changed.
        holder: the admin tool that drives it; None: nobody does.
        ours: whether that is us.
        url: where its holder is reached; empty if there is none.
    """

    session_id: str
    length: int
    fence: int = 0
    holder: str | None = None
    ours: bool = True
    url: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All sessions at one moment.

    Attributes:
        opened: how many were ever opened.
        sessions: those that are kept, the oldest first.
    """

    opened: int
    sessions: tuple[Listed, ...]


class Journal(Protocol):
    """A store of sessions. Every method has stored what it was given when it returns.

    Every method raises :class:`JournalError` if the store does not answer; what was to be stored may then
    be stored all the same.

    Attributes:
        shared: whether other admin tools may use it as well.
        url: where those reach us; to be set before :meth:`begin`.
    """

    shared: bool
    url: str

    def open(self, request: SessionRequest, rules: SessionRules, opened: int) -> None:
        """Store a new session, held by us.

        Args:
            request: what was asked for.
            rules: by which rules it is driven.
            opened: how many had been opened when it was found that this one may be.

        Raises:
            OpenedMeanwhileError: there are more by now.
        """

    def append(self, session_id: str, at: float, event: Event) -> None:
        """Store that an event was taken at a time.

        Raises:
            LeaseLostError: we do not hold the session any more.
        """

    def remember(self, session_id: str, key: str, memo: Mapping[str, str]) -> None:
        """Store a command's memo; one that was there is replaced.

        Raises:
            LeaseLostError: we do not hold the session any more.
        """

    def recall(self, session_id: str, key: str) -> Mapping[str, str]:
        """Return a command's memo; empty if there is none."""

    def session(self, session_id: str) -> StoredSession:
        """Return a session.

        Raises:
            NotFoundError: there is none.
        """

    def events(self, session_id: str, after: int = 0) -> Events:
        """Return a session's events but for the first ``after`` ones; none if there is no such session."""

    def catalog(self) -> Catalog:
        """Return all sessions."""

    def find(self, session_id: str) -> Listed | None:
        """Return one of them."""

    def remove(self, session_id: str) -> None:
        """Forget a session; one that is not there is no error.

        Raises:
            LeaseLostError: another admin tool holds it.
        """

    # Who drives what.

    def begin(self) -> None:
        """Make ourselves known; what one of our name held before is free."""

    def end(self) -> None:
        """Be gone; what we held is free."""

    def beat(self) -> None:
        """Show that we live."""

    def beats(self) -> Mapping[str, int]:
        """Return how often each other admin tool has shown that it lives, by ID."""

    def bury(self, tool_id: str, beat: int) -> bool:
        """Free what an admin tool held that has fallen silent.

        Args:
            tool_id: which.
            beat: its last beat, as we saw it.

        Returns:
            False if it has shown meanwhile that it lives.
        """

    def claim(self, session: Listed) -> bool:
        """Become the holder of a session that is free, or that is ours already.

        Returns:
            False if somebody else was quicker.
        """

    def free(self, session_id: str) -> None:
        """Hold a session no longer."""


@dataclass(slots=True)
class _Kept:
    request: str
    rules: str
    events: list[tuple[float, str]] = field(default_factory=list)
    memos: dict[str, Mapping[str, str]] = field(default_factory=dict)


class MemoryJournal:
    """A journal that ends with its process.

    It keeps the text that a database would, so that what cannot be stored is found out by every test.

    Attributes:
        shared: False; nobody else can use it.
        url: where we are reached, for nobody.
    """

    shared = False
    url = ""

    def __init__(self) -> None:
        self._sessions: dict[str, _Kept] = {}
        self._opened = 0

    def open(self, request: SessionRequest, rules: SessionRules, opened: int) -> None:
        """Store a new session."""
        self._opened += 1
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
        """Return a command's memo."""
        kept = self._sessions.get(session_id)
        return {} if kept is None else kept.memos.get(key, {})

    def session(self, session_id: str) -> StoredSession:
        """Return a session.

        Raises:
            NotFoundError: there is none.
        """
        kept = self._find(session_id)
        return StoredSession(
            request=codec.request_from_data(json.loads(kept.request)),
            rules=codec.rules_from_data(json.loads(kept.rules)),
            events=self.events(session_id),
        )

    def events(self, session_id: str, after: int = 0) -> Events:
        """Return a session's events but for the first ``after`` ones."""
        kept = self._sessions.get(session_id)
        if kept is None:
            return ()
        return tuple(
            (at, codec.event_from_data(json.loads(text))) for at, text in kept.events[after:]
        )

    def session_ids(self) -> tuple[str, ...]:
        """Return all sessions, the oldest first."""
        return tuple(self._sessions)

    def catalog(self) -> Catalog:
        """Return all sessions."""
        listed = tuple(Listed(key, len(kept.events)) for key, kept in self._sessions.items())
        return Catalog(self._opened, listed)

    def find(self, session_id: str) -> Listed | None:
        """Return one of them."""
        kept = self._sessions.get(session_id)
        return None if kept is None else Listed(session_id, len(kept.events))

    def remove(self, session_id: str) -> None:
        """Forget a session."""
        self._sessions.pop(session_id, None)

    def begin(self) -> None:
        """Do nothing: there is nobody else."""

    def end(self) -> None:
        """Do nothing: there is nobody else."""

    def beat(self) -> None:
        """Do nothing: there is nobody else."""

    def beats(self) -> Mapping[str, int]:
        """Return nobody."""
        return {}

    def bury(self, tool_id: str, beat: int) -> bool:
        """Return False: there is nobody else."""
        return False

    def claim(self, session: Listed) -> bool:
        """Return True: there is nobody else."""
        return True

    def free(self, session_id: str) -> None:
        """Do nothing: there is nobody else."""

    def _find(self, session_id: str) -> _Kept:
        try:
            return self._sessions[session_id]
        except KeyError:
            raise NotFoundError(f"the journal has no session {session_id}") from None
