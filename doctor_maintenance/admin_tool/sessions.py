# SPDX-License-Identifier: Apache-2.0
"""The sessions of a journal, replayed: those that we drive, and those that others do.

A session that another admin tool drives is followed: when somebody asks for it, the events that were added
since are replayed. So both tools answer for every session, and what they answer is what is stored.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from doctor_maintenance.admin_tool.journal import Events, Journal, Listed
from doctor_maintenance.exceptions import ConflictError, NotFoundError, ProtocolError
from doctor_maintenance.planning import Session
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw

LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Known:
    """A session, as far as it was replayed.

    Attributes:
        session: the session.
        length: how many of its events it has taken.
        driven: whether we drive it.
        timers: the timers that are set, and for when; kept only while it is not driven.
    """

    session: Session
    length: int = 0
    driven: bool = False
    timers: dict[str, float] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether nothing is left to be done, unless an operator asks for it."""
        return self.session.state.final and not self.session.outstanding

    def replay(self, events: Events) -> None:
        """Bring the session to where it is."""
        for at, event in events:
            self.length += 1
            if isinstance(event, saw.TimerFired):
                self.timers.pop(event.name, None)
            try:
                commands = self.session.handle(event, at)
            except ConflictError:
                continue  # an operator's wish that was refused; it had been stored before it was
            for command in commands:
                if isinstance(command, do.SetTimer):
                    self.timers[command.name] = command.at
                elif isinstance(command, do.CancelTimer):
                    self.timers.pop(command.name, None)


class Sessions:
    """All sessions of a journal.

    Args:
        journal: where they are kept.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[str, Known] = {}
        self._unreadable: set[str] = set()

    def driven(self) -> list[Known]:
        """Return those that we drive."""
        return [known for known in self._known.values() if known.driven]

    def refresh(self) -> tuple[int, list[Listed]]:
        """Follow every session.

        Returns:
            How many sessions were ever opened, and those that the journal lists.

        Raises:
            JournalError: the journal does not answer.
        """
        catalog = self._journal.catalog()
        before = self._known
        self._known = {}
        for listed in catalog.sessions:
            known = self._follow(listed, before.get(listed.session_id))
            if known is not None:
                self._known[listed.session_id] = known
        return catalog.opened, list(catalog.sessions)

    def all(self) -> list[Known]:
        """Return all sessions as they were at the last refresh, the oldest first."""
        return list(self._known.values())

    def find(self, session_id: str) -> Known:
        """Return a session as it is now.

        Raises:
            NotFoundError: there is none.
            JournalError: the journal does not answer.
        """
        known = self._known.get(session_id)
        if known is None or not known.driven:
            listed = self._journal.find(session_id)
            known = None if listed is None else self._follow(listed, known)
            if known is None:
                self._known.pop(session_id, None)
                raise NotFoundError("no such maintenance session")
            self._known[session_id] = known
        return known

    def get(self, session_id: str) -> Known | None:
        """Return a session as we know it, without asking the journal."""
        return self._known.get(session_id)

    def add(self, session: Session) -> Known:
        """Take note of a session that we have just opened, and drive."""
        known = self._known[session.session_id] = Known(session, driven=True)
        return known

    def replayed(self, session_id: str) -> Known:
        """Replay a session from its beginning: whatever memory had of it may be more than was stored.

        Raises:
            NotFoundError: there is none.
            LocalProtocolError: it is of another release, or damaged.
            JournalError: the journal does not answer.
        """
        stored = self._journal.session(session_id)
        known = self._known[session_id] = Known(Session(stored.request, stored.rules))
        known.replay(stored.events)
        return known

    def remove(self, session_id: str) -> None:
        """Forget a session."""
        self._known.pop(session_id, None)

    def _follow(self, listed: Listed, known: Known | None) -> Known | None:
        """Bring what we know of a session to what the journal has."""
        session_id = listed.session_id
        if known is not None and (known.driven or known.length == listed.length):
            return known
        try:
            if known is None or known.length > listed.length:
                return self.replayed(session_id)
            known.replay(self._journal.events(session_id, known.length))
        except NotFoundError:
            return None
        except ProtocolError as error:
            if session_id not in self._unreadable:
                LOG.error("session %s cannot be read and is left alone: %s", session_id, error)
            self._unreadable.add(session_id)
            return None
        return known
