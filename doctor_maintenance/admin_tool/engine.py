# SPDX-License-Identifier: Apache-2.0
"""Drives sessions: stores an event, hands it to its session, performs the commands, feeds back the answers.

It decides nothing. One engine a process, on one Clock; everything here runs on that clock, so there are no
locks, and nothing waits: commands are flows, deadlines are timers.

A session that cannot be driven any more, because the journal does not take its events or another admin tool
has it, is let go: its flows are cancelled and its timers forgotten. Taking it up again is the same as after
a crash, so there is one way back and not two.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from doctor_maintenance.admin_tool.journal import (
    Journal,
    JournalError,
    Listed,
    OpenedMeanwhileError,
)
from doctor_maintenance.admin_tool.leases import DEFAULT_LEASE_S, Leases
from doctor_maintenance.admin_tool.narration import describe, log_event
from doctor_maintenance.admin_tool.sessions import Known, Sessions, held_hosts
from doctor_maintenance.clock import Clock, TimerHandle
from doctor_maintenance.exceptions import ConflictError, LimitError
from doctor_maintenance.flow import Flow, Task, start
from doctor_maintenance.observations import Observe, ignore
from doctor_maintenance.planning import Session, SessionRequest, SessionRules, codec
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import HostState, Reply, times
from doctor_maintenance.workers import Outcome, Workers

LOG = logging.getLogger(__name__)

_LEFT_ALONE = frozenset({HostState.MAINTENANCE_OVER, HostState.MAINTENANCE_CANCELED})
_OPEN_TRIES = 5


class DrivenElsewhereError(JournalError):
    """Another admin tool drives the session, and has to be asked.

    Args:
        url: where that one is reached.
    """

    def __init__(self, url: str) -> None:
        super().__init__("another admin tool drives the session at present; try again")
        self.url = url


class Performer(Protocol):
    """Whoever performs commands: :class:`~doctor_maintenance.admin_tool.actions.Actions`."""

    def perform(self, command: do.Answered) -> Flow[saw.Event]:
        """Perform a command and return the event that answers it."""


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
        self._workers = workers
        self._performer = performer
        self._journal = journal
        self._observe = observe
        self._max_sessions = max_sessions
        self._sessions = Sessions(journal)
        self._leases = Leases(clock, journal, lease_s, self._take_up_free, self._let_go_all)
        self._tasks: dict[str, dict[str, Task[saw.Event]]] = {}
        self._timers: dict[tuple[str, str], TimerHandle] = {}
        self._seen: dict[str, Mapping[str, Any]] = {}
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
        self._take(known, saw.Opened())
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
            held = held_hosts(known, _LEFT_ALONE)
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
        self._take(known, saw.ReplyReceived(project_id, number, reply))
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
        self._take(known, event)
        return known.session

    def remove(self, session_id: str) -> None:
        """Forget a session that is over.

        Raises:
            NotFoundError: there is no such session.
            ConflictError: it runs, or names a host that is left in maintenance.
            DrivenElsewhereError: another admin tool has to be asked.
        """
        session = self._drive(session_id).session
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
        self._seen.pop(session_id, None)

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
            self._hear(known, saw.OperatorCanceled())
        self._check_quiet()

    def _running(self) -> list[Known]:
        return [known for known in self._sessions.driven() if not known.session.state.final]

    def _check_quiet(self) -> None:
        if self._when_quiet is not None and not self._running():
            self._when_quiet()

    def _warn_of_what_stays(self, session: Session) -> None:
        for work in session.works.values():
            held = work.state not in _LEFT_ALONE and work.state is not HostState.PENDING
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
        session = known.session
        if not known.length:
            self._take(known, saw.Opened())
            return known
        for name, when in known.timers.items():
            self._set_timer(known, do.SetTimer(name, when))
        for command in session.outstanding:
            LOG.info("session %s: taken up again: %s", session.session_id, command.key)
            self._begin(known, command)
        self._tell(session)
        return known

    def _let_go(self, known: Known) -> None:
        """Drive a session no longer; what is under way for it is given up."""
        known.driven = False
        session_id = known.session.session_id
        for name in [name for owner, name in self._timers if owner == session_id]:
            self._cancel_timer(session_id, name)
        for task in self._tasks.pop(session_id, {}).values():
            task.cancel()

    def _let_go_all(self) -> None:
        for known in self._sessions.driven():
            self._let_go(known)

    # An event in, commands out.

    def _take(self, known: Known, event: saw.Event) -> None:
        """Store an event, then act on it.

        Raises:
            JournalError: it could not be stored; the session is let go.
        """
        now = self._clock.now()
        session = known.session
        try:
            self._journal.append(session.session_id, now, event)
        except JournalError as error:
            LOG.error("session %s is let go: %s", session.session_id, error)
            self._let_go(known)
            raise
        known.length += 1
        log_event(session, event)
        for command in session.handle(event, now):
            self._give(known, command)
        self._tell(session)
        self._check_quiet()

    def _hear(self, known: Known, event: saw.Event) -> None:
        """Take an event that nobody waits for."""
        try:
            self._take(known, event)
        except JournalError as error:
            LOG.debug("session %s: %s is lost: %s", known.session.session_id, event, error)

    def _give(self, known: Known, command: do.Command) -> None:
        session_id = known.session.session_id
        match command:
            case do.SetTimer():
                self._set_timer(known, command)
            case do.CancelTimer():
                self._cancel_timer(session_id, command.name)
            case do.EndSession():
                LOG.info("session %s: %s", session_id, command.state.value)
            case _:
                LOG.info("session %s: %s", session_id, describe(command))
                self._begin(known, command)

    def _begin(self, known: Known, command: do.Answered) -> None:
        flow = self._performer.perform(command)
        task = start(self._clock, self._workers, flow, partial(self._answered, known, command))
        self._tasks.setdefault(known.session.session_id, {})[command.key] = task

    def _answered(self, known: Known, command: do.Answered, outcome: Outcome[saw.Event]) -> None:
        session_id = known.session.session_id
        if self._tasks.get(session_id, {}).pop(command.key, None) is None:
            return  # it was let go
        if isinstance(outcome.error, JournalError):
            LOG.error("session %s is let go: %s", session_id, outcome.error)
            self._let_go(known)
            return
        if outcome.error is None:
            event = outcome.get()
        else:
            # A defect of ours must not leave a session waiting for ever.
            LOG.error("session %s: %s failed", session_id, command.key, exc_info=outcome.error)
            event = saw.CommandFailed(command.key, f"internal error: {outcome.error!r}", True)
        self._hear(known, event)

    def _set_timer(self, known: Known, command: do.SetTimer) -> None:
        session_id = known.session.session_id
        self._cancel_timer(session_id, command.name)

        def fire() -> None:
            del self._timers[session_id, command.name]
            self._hear(known, saw.TimerFired(command.name))

        self._timers[session_id, command.name] = self._clock.call_at(command.at, fire)

    def _cancel_timer(self, session_id: str, name: str) -> None:
        handle = self._timers.pop((session_id, name), None)
        if handle is not None:
            self._clock.cancel(handle)

    def _tell(self, session: Session) -> None:
        """Tell of the session if it looks different from before."""
        record = {
            "session_id": session.session_id,
            "state": session.state.value,
            "hosts": {work.host: work.state.value for work in session.works.values()},
        }
        if self._seen.get(session.session_id) != record:
            self._seen[session.session_id] = record
            self._observe("session", record)


def _hosts_in(session: Session, state: HostState) -> list[str]:
    return [work.host for work in session.works.values() if work.state is state]
