# SPDX-License-Identifier: Apache-2.0
"""The journal in a database: an event is one row, and one transaction that also proves who may write it.

Each write names the session's holder, its fence and its length as we know them. If one of them has changed,
no row matches and nothing is stored: a tool that was thought dead, and a session that somebody else has
taken up, are both found out by the database and not by a clock.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from doctor_maintenance.admin_tool.database import Database, DatabaseError
from doctor_maintenance.admin_tool.database.tables import events, journal, memos, sessions, tools
from doctor_maintenance.admin_tool.journal import (
    Catalog,
    Events,
    JournalError,
    LeaseLostError,
    Listed,
    OpenedMeanwhileError,
    StoredSession,
)
from doctor_maintenance.exceptions import NotFoundError
from doctor_maintenance.planning import SessionRequest, SessionRules, codec
from doctor_maintenance.planning.events import Event


@dataclass(slots=True)
class _Held:
    """A session that we hold, as the database has it."""

    fence: int
    length: int


class SqlJournal:
    """A journal in a database.

    Args:
        database: an open one.
        name: what this admin tool is called, also after a restart.
        url: where other admin tools reach this one; may be set later, before :meth:`begin`.
        new_id: returns an ID that nobody else has; random by default.

    Attributes:
        shared: True.
        url: the same.
    """

    shared = True

    def __init__(
        self,
        database: Database,
        name: str,
        url: str = "",
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.url = url
        self._database = database
        self._name = name
        self._tool_id = new_id()
        self._held: dict[str, _Held] = {}

    # Sessions and what happened.

    def open(self, request: SessionRequest, rules: SessionRules, opened: int) -> None:
        """Store a new session, held by us.

        Raises:
            OpenedMeanwhileError: another admin tool has opened one since.
        """
        row = {
            "session_id": request.session_id,
            "number": opened + 1,
            "request": _text(codec.request_to_data(request)),
            "rules": _text(codec.rules_to_data(rules)),
            "length": 0,
            "holder": self._tool_id,
            "fence": 1,
        }
        with self._writing(f"open session {request.session_id}") as connection:
            counted = connection.execute(
                update(journal).where(journal.c.opened == opened).values(opened=opened + 1)
            )
            if counted.rowcount != 1:
                raise OpenedMeanwhileError("another session was begun at the same time; try again")
            connection.execute(insert(sessions), row)
        self._held[request.session_id] = _Held(fence=1, length=0)

    def append(self, session_id: str, at: float, event: Event) -> None:
        """Store that an event was taken at a time.

        Raises:
            LeaseLostError: we do not hold the session any more.
        """
        held = self._check(session_id)
        position = held.length + 1
        row = {
            "session_id": session_id,
            "position": position,
            "at": at,
            "event": _text(codec.event_to_data(event)),
        }
        with self._writing(f"session {session_id}: store an event") as connection:
            self._prove(connection, session_id, held, length=position)
            connection.execute(insert(events), row)
        held.length = position

    def remember(self, session_id: str, key: str, memo: Mapping[str, str]) -> None:
        """Store a command's memo.

        Raises:
            LeaseLostError: we do not hold the session any more.
        """
        held = self._check(session_id)
        row = {"session_id": session_id, "command": key, "memo": _text(dict(memo))}
        with self._writing(f"session {session_id}: store a memo") as connection:
            self._prove(connection, session_id, held)
            connection.execute(
                delete(memos).where(memos.c.session_id == session_id, memos.c.command == key)
            )
            connection.execute(insert(memos), row)

    def recall(self, session_id: str, key: str) -> Mapping[str, str]:
        """Return a command's memo; empty if there is none."""
        wanted = select(memos.c.memo).where(
            memos.c.session_id == session_id, memos.c.command == key
        )
        with self._reading(f"session {session_id}: read a memo") as connection:
            found = connection.execute(wanted).scalar()
        memo: Mapping[str, str] = {} if found is None else json.loads(found)
        return memo

    def session(self, session_id: str) -> StoredSession:
        """Return a session.

        Raises:
            NotFoundError: there is none.
        """
        wanted = select(sessions.c.request, sessions.c.rules).where(
            sessions.c.session_id == session_id
        )
        with self._reading(f"session {session_id}: read it") as connection:
            row = connection.execute(wanted).first()
        if row is None:
            raise NotFoundError(f"the journal has no session {session_id}")
        return StoredSession(
            request=codec.request_from_data(json.loads(row.request)),
            rules=codec.rules_from_data(json.loads(row.rules)),
            events=self.events(session_id),
        )

    def events(self, session_id: str, after: int = 0) -> Events:
        """Return a session's events but for the first ``after`` ones."""
        wanted = (
            select(events.c.at, events.c.event)
            .where(events.c.session_id == session_id, events.c.position > after)
            .order_by(events.c.position)
        )
        with self._reading(f"session {session_id}: read its events") as connection:
            rows = connection.execute(wanted).all()
        return tuple((row.at, codec.event_from_data(json.loads(row.event))) for row in rows)

    def catalog(self) -> Catalog:
        """Return all sessions."""
        with self._reading("list the sessions") as connection:
            opened = connection.execute(select(journal.c.opened)).scalar_one()
            rows = connection.execute(_LISTED.order_by(sessions.c.number)).all()
        return Catalog(opened, tuple(self._listed(row) for row in rows))

    def find(self, session_id: str) -> Listed | None:
        """Return one of them."""
        with self._reading(f"session {session_id}: find it") as connection:
            row = connection.execute(_LISTED.where(sessions.c.session_id == session_id)).first()
        return None if row is None else self._listed(row)

    def remove(self, session_id: str) -> None:
        """Forget a session.

        Raises:
            LeaseLostError: another admin tool holds it.
        """
        held = self._check(session_id)
        with self._writing(f"session {session_id}: forget it") as connection:
            self._prove(connection, session_id, held)
            for table in (memos, events, sessions):
                connection.execute(delete(table).where(table.c.session_id == session_id))
        del self._held[session_id]

    # Who drives what.

    def begin(self) -> None:
        """Make ourselves known; what one of our name held before is free."""
        with self._writing("begin") as connection:
            former = select(tools.c.tool_id).where(tools.c.name == self._name)
            self._bury(connection, list(connection.execute(former).scalars()))
            self._enlist(connection)

    def end(self) -> None:
        """Be gone; what we held is free."""
        with self._writing("end") as connection:
            self._bury(connection, [self._tool_id])
        self._held.clear()

    def beat(self) -> None:
        """Show that we live; whoever was buried alive begins anew, with nothing."""
        with self._writing("show that we live") as connection:
            counted = connection.execute(
                update(tools).where(tools.c.tool_id == self._tool_id).values(beat=tools.c.beat + 1)
            )
            if counted.rowcount != 1:
                self._enlist(connection)

    def beats(self) -> Mapping[str, int]:
        """Return how often each other admin tool has shown that it lives, by ID."""
        wanted = select(tools.c.tool_id, tools.c.beat).where(tools.c.tool_id != self._tool_id)
        with self._reading("look at the other admin tools") as connection:
            return {row.tool_id: row.beat for row in connection.execute(wanted)}

    def bury(self, tool_id: str, beat: int) -> bool:
        """Free what an admin tool held that has fallen silent."""
        with self._writing(f"take over from admin tool {tool_id}") as connection:
            # The row itself decides: only one of us deletes it, and none if it has been touched.
            counted = connection.execute(
                delete(tools).where(tools.c.tool_id == tool_id, tools.c.beat == beat)
            )
            if counted.rowcount == 1:
                self._bury(connection, [tool_id])
        return counted.rowcount == 1

    def claim(self, session: Listed) -> bool:
        """Become the holder of a session that is free, or that is ours already."""
        session_id = session.session_id
        fence = session.fence + 1
        same = sessions.c.holder == self._tool_id if session.ours else sessions.c.holder.is_(None)
        with self._writing(f"session {session_id}: take it up") as connection:
            counted = connection.execute(
                update(sessions)
                .where(sessions.c.session_id == session_id, sessions.c.fence == session.fence, same)
                .values(holder=self._tool_id, fence=fence)
            )
            if counted.rowcount != 1:
                return False
            length = connection.execute(
                select(sessions.c.length).where(sessions.c.session_id == session_id)
            ).scalar_one()
        self._held[session_id] = _Held(fence, length)
        return True

    def free(self, session_id: str) -> None:
        """Hold a session no longer."""
        held = self._held.pop(session_id, None)
        if held is None:
            return
        with self._writing(f"session {session_id}: let it go") as connection:
            connection.execute(
                update(sessions)
                .where(
                    sessions.c.session_id == session_id,
                    sessions.c.holder == self._tool_id,
                    sessions.c.fence == held.fence,
                )
                .values(holder=None, fence=held.fence + 1)
            )

    def _check(self, session_id: str) -> _Held:
        held = self._held.get(session_id)
        if held is None:
            raise LeaseLostError(f"session {session_id} is not held by this admin tool")
        return held

    def _prove(self, connection: Connection, session_id: str, held: _Held, **values: int) -> None:
        """Change the session's row if it is as we know it, and lock it; else nothing is to be stored."""
        counted = connection.execute(
            update(sessions)
            .where(
                sessions.c.session_id == session_id,
                sessions.c.holder == self._tool_id,
                sessions.c.fence == held.fence,
                sessions.c.length == held.length,
            )
            .values({"fence": held.fence, **values})
        )
        if counted.rowcount != 1:
            self._held.pop(session_id, None)
            raise LeaseLostError(f"session {session_id} is driven by another admin tool by now")

    def _enlist(self, connection: Connection) -> None:
        row = {"tool_id": self._tool_id, "name": self._name, "url": self.url, "beat": 0}
        connection.execute(insert(tools), row)

    def _bury(self, connection: Connection, tool_ids: list[str]) -> None:
        connection.execute(
            update(sessions)
            .where(sessions.c.holder.in_(tool_ids))
            .values(holder=None, fence=sessions.c.fence + 1)
        )
        connection.execute(delete(tools).where(tools.c.tool_id.in_(tool_ids)))

    def _listed(self, row: Any) -> Listed:
        return Listed(
            session_id=row.session_id,
            length=row.length,
            fence=row.fence,
            holder=row.holder,
            ours=row.holder == self._tool_id,
            url=row.url,
        )

    @contextmanager
    def _reading(self, what: str) -> Iterator[Connection]:
        try:
            with self._database.reading(what) as connection:
                yield connection
        except DatabaseError as error:
            raise JournalError(f"journal: {error}") from error

    @contextmanager
    def _writing(self, what: str) -> Iterator[Connection]:
        try:
            with self._database.writing(what) as connection:
                yield connection
        except DatabaseError as error:
            raise JournalError(f"journal: {error}") from error


_LISTED = select(
    sessions.c.session_id,
    sessions.c.length,
    sessions.c.fence,
    sessions.c.holder,
    func.coalesce(tools.c.url, "").label("url"),
).select_from(sessions.outerjoin(tools, tools.c.tool_id == sessions.c.holder))


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"))
