# SPDX-License-Identifier: Apache-2.0
"""All sessions of an admin tool: what operators and projects may ask for, and which ones are ours to drive.

It decides nothing. One engine a process, on one Clock; everything here runs on that clock, so there are no
locks, and nothing waits: commands are flows, deadlines are timers (``driving``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from doctor_maintenance.admin_tool.driving import Driving, Performer
from doctor_maintenance.admin_tool.journal import (
    Journal,
    JournalError,
    Listed,
    OpenedMeanwhileError,
)
from doctor_maintenance.admin_tool.leases import DEFAULT_LEASE_S, Leases
from doctor_maintenance.admin_tool.sessions import Known, Sessions
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import ConflictError, LimitError
from doctor_maintenance.observations import Observe, ignore
from doctor_maintenance.planning import (
    LET_GO,
    Session,
    SessionRequest,
    SessionRules,
    codec,
    held_hosts,
)
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import HostState, Reply, times
from doctor_maintenance.workers import Workers

LOG = logging.getLogger(__name__)

_OPEN_TRIES = 5


class DrivenElsewhereError(JournalError):
    """Another admin tool drives the session, and has to be asked.

    Args:
        url: where that one is reached.
    """

    def __init__(self, url: str) -> None:
        super().__init__("another admin tool drives the session at present; try again")
        self.url = url


class Engine:
    """All sessions of an admin tool.

    Args:
        clock: the time.
        workers: who does blocking work.
        performer: who performs commands.
        journal: where sessions are kept.
        rules: of new sessions.
        observe: told of every change of a session (kind ``session``).
        max_sessions: how many are kept at most; a further one is refused.
        lease_s: after how long another admin tool on the journal that is silent is taken for dead.

    Attributes:
        rules: of new sessions; ``base_url`` is known only once the API listens.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        workers: Workers,
        performer: Performer,
        journal: Journal,
        rules: SessionRules,
        observe: Observe = ignore,
        max_sessions: int = 1000,
        lease_s: float = DEFAULT_LEASE_S,
    ) -> None:
        self.rules = rules
        self._clock = clock
        self._journal = journal
        self._max_sessions = max_sessions
        self._sessions = Sessions(journal)
        self._driving = Driving(clock, workers, performer, journal, observe, self._check_quiet)
        self._leases = Leases(clock, journal, lease_s, self._take_up_free, self._let_go_all)
        self._accepting = True
        self._when_quiet: Callable[[], None] | None = None

    # What operators and projects ask for; on the clock.

    def open(self, request: SessionRequest, rules: SessionRules | None = None) -> Session:
        """Begin a session.

        Args:
            request: what the operator asked for, checked.
            rules: its own rules; default: the engine's.

        Raises:
            ConflictError: a host is in another session, or the tool is ending.
            LimitError: there are too many sessions.
        """
        if not self._accepting:
            raise ConflictError("the admin tool is ending; it begins no session")
        session = Session(request, rules if rules is not None else self.rules)
        self._store(session)
        known = self._sessions.add(session)
        LOG.info(
            "session %s: %s maintenance of %s",
            session.session_id,
            request.type.value,
            ", ".join(request.hosts),
        )
        self._driving.take(known, saw.Opened())
        return session

    def _store(self, session: Session) -> None:
        """Store a new session, if there may be one: as all sessions are at that very moment."""
        for left in reversed(range(_OPEN_TRIES)):
            opened, _ = self._sessions.refresh()
            known = self._sessions.all()
            if len(known) >= self._max_sessions:
                raise LimitError(
                    f"{self._max_sessions} sessions are kept already; delete some that are over"
                )
            held = held_hosts(each.session for each in known)
            for host in session.request.hosts:
                if host in held:
                    raise ConflictError(f"hosts: {host} is in the session {held[host]}")
            try:
                return self._journal.open(session.request, session.rules, opened)
            except OpenedMeanwhileError:
                if not left:
                    raise

    def sessions(self) -> list[Session]:
        """Return all sessions, the oldest first.

        Raises:
            JournalError: the journal does not answer.
        """
        self._sessions.refresh()
        return [known.session for known in self._sessions.all()]

    def find(self, session_id: str) -> Session:
        """Return a session, whoever drives it.

        Raises:
            NotFoundError: there is none.
            JournalError: the journal does not answer.
        """
        return self._sessions.find(session_id).session

    def reply(self, session_id: str, project_id: str, number: int, reply: Reply) -> bool:
        """Take a project's reply (step 5).

        Returns:
            False if it is the accepted one again, which has no effect.

        Raises:
            RequestRefused: it cannot be taken; the message says why.
            DrivenElsewhereError: another admin tool has to be asked.
        """
        # First of all whether it concerns the project: what else is wrong is none of its business.
        self.find(session_id).announcement(project_id, number)
        known = self._drive(session_id)
        if not known.session.check_reply(project_id, number, reply, self._clock.now()):
            return False
        self._driving.take(known, saw.ReplyReceived(project_id, number, reply))
        return True

    def operate(
        self,
        session_id: str,
        event: saw.OperatorCanceled | saw.OperatorContinued | saw.OperatorReleased,
    ) -> Session:
        """Do what the operator says.

        Raises:
            NotFoundError: there is no such session.
            ConflictError: its state does not allow it.
            DrivenElsewhereError: another admin tool has to be asked.
        """
        known = self._drive(session_id)
        self._driving.take(known, event)
        return known.session

    def remove(self, session_id: str) -> None:
        """Forget a session that is over.

        Raises:
            NotFoundError: there is no such session.
            ConflictError: it runs, or names a host that is left in maintenance.
            DrivenElsewhereError: another admin tool has to be asked.
        """
        known = self._drive(session_id)
        session = known.session
        if not session.state.final:
            raise ConflictError(
                f"session {session_id} is {session.state.value}; cancel it before it is deleted"
            )
        failed = _hosts_in(session, HostState.MAINTENANCE_FAILED)
        if failed:
            raise ConflictError(
                f"session {session_id} leaves {', '.join(failed)} in maintenance; continue or release it first"
            )
        self._journal.remove(session_id)
        self._sessions.remove(session_id)
        self._driving.forget(known)

    def timeline(self, session_id: str) -> list[dict[str, Any]]:
        """Return what happened in a session, as an operator may see it."""
        return [
            {"at": times.to_iso(at), **codec.event_to_data(event)}
            for at, event in self._journal.events(session_id)
        ]

    # Beginning and end.

    def recover(self) -> None:
        """Take up the sessions of the journal where they were left: on the clock, before anything else.

        Raises:
            JournalError: the journal does not answer.
        """
        self._leases.begin()

    def close(self, within_s: float, done: Callable[[], None]) -> None:
        """Cancel what can be canceled, wait for what is in maintenance, and begin nothing more.

        If another admin tool on the journal lives, it goes on with the sessions instead.

        Args:
            within_s: the longest wait, in seconds.
            done: called once, on the clock.
        """
        self._accepting = False

        def end() -> None:
            self._clock.cancel(late)
            self._when_quiet = None
            for known in self._sessions.driven():
                self._warn_of_what_stays(known.session)
            self._let_go_all()
            self._leases.end()
            done()

        late = self._clock.call_later(within_s, end)
        self._when_quiet = end
        if self._leases.others:
            LOG.info("another admin tool goes on with %d sessions", len(self._running()))
            self._let_go_all()
        for known in self._running():
            self._driving.hear(known, saw.OperatorCanceled())
        self._check_quiet()

    def _running(self) -> list[Known]:
        return [known for known in self._sessions.driven() if not known.session.state.final]

    def _check_quiet(self) -> None:
        if self._when_quiet is not None and not self._running():
            self._when_quiet()

    def _warn_of_what_stays(self, session: Session) -> None:
        for work in session.works.values():
            held = work.state not in LET_GO and work.state is not HostState.PENDING
            if held:
                LOG.error(
                    "session %s: host %s is left as %s; see to its nova-compute",
                    session.session_id,
                    work.host,
                    work.state.value,
                )

    # Which sessions we drive.

    def _drive(self, session_id: str) -> Known:
        """Return a session that we drive; one that nobody drives is taken up."""
        known = self._sessions.find(session_id)
        if known.driven:
            return known
        listed = self._journal.find(session_id)
        if listed is not None and (listed.ours or listed.holder is None):
            taken = self._take_up(listed)
            if taken is not None:
                return taken
            listed = self._journal.find(session_id)
        raise DrivenElsewhereError(listed.url if listed is not None else "")

    def _take_up_free(self) -> None:
        """Take up every session that nobody drives and that is not over."""
        if not self._accepting:
            return
        _, sessions = self._sessions.refresh()
        for listed in sessions:
            known = self._sessions.get(listed.session_id)
            if known is None or known.driven or known.over or not self._of_our_cloud(known):
                continue
            if listed.ours or listed.holder is None:
                self._take_up(listed)

    def _of_our_cloud(self, known: Known) -> bool:
        theirs, ours = known.session.rules.admin_project_id, self.rules.admin_project_id
        if theirs != ours:
            LOG.error(
                "session %s is left alone: it is of a cloud whose admin project is %s, and this one's is %s",
                known.session.session_id,
                theirs,
                ours,
            )
        return theirs == ours

    def _take_up(self, listed: Listed) -> Known | None:
        """Drive a session from where it was left; None if somebody else was quicker."""
        if not self._journal.claim(listed):
            return None
        known = self._sessions.replayed(listed.session_id)
        known.driven = True
        if known.length:
            self._driving.resume(known)
        else:
            self._driving.take(known, saw.Opened())
        return known

    def _let_go_all(self) -> None:
        for known in self._sessions.driven():
            self._driving.let_go(known)


def _hosts_in(session: Session, state: HostState) -> list[str]:
    return [work.host for work in session.works.values() if work.state is state]
