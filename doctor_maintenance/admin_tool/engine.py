# SPDX-License-Identifier: Apache-2.0
"""Drives sessions: stores an event, hands it to its session, performs the commands, feeds back the answers.

It decides nothing. One engine a process, on one Clock; everything here runs on that clock, so there are no
locks, and nothing waits: commands are flows, deadlines are timers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from doctor_maintenance.admin_tool.journal import Journal
from doctor_maintenance.clock import Clock, TimerHandle
from doctor_maintenance.exceptions import ConflictError, LimitError, NotFoundError
from doctor_maintenance.flow import Flow, start
from doctor_maintenance.observations import Observe, ignore
from doctor_maintenance.planning import Session, SessionRequest, SessionRules, codec
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import HostState, Reply, times
from doctor_maintenance.workers import Outcome, Workers

LOG = logging.getLogger(__name__)

_LEFT_ALONE = frozenset({HostState.MAINTENANCE_OVER, HostState.MAINTENANCE_CANCELED})


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
    ) -> None:
        self.rules = rules
        self._clock = clock
        self._workers = workers
        self._performer = performer
        self._journal = journal
        self._observe = observe
        self._max_sessions = max_sessions
        self._sessions: dict[str, Session] = {}
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
        if len(self._sessions) >= self._max_sessions:
            raise LimitError(
                f"{self._max_sessions} sessions are kept already; delete some that are over"
            )
        held = self._held_hosts()
        for host in request.hosts:
            if host in held:
                raise ConflictError(f"hosts: {host} is in the session {held[host]}")
        session = Session(request, rules if rules is not None else self.rules)
        self._journal.open(session.request, session.rules)
        self._sessions[session.session_id] = session
        LOG.info(
            "session %s: %s maintenance of %s",
            session.session_id,
            request.type.value,
            ", ".join(request.hosts),
        )
        self._take(session, saw.Opened())
        return session

    def sessions(self) -> list[Session]:
        """Return all sessions, the oldest first."""
        return list(self._sessions.values())

    def find(self, session_id: str) -> Session:
        """Return a session.

        Raises:
            NotFoundError: there is none.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise NotFoundError("no such maintenance session")
        return session

    def reply(self, session_id: str, project_id: str, number: int, reply: Reply) -> bool:
        """Take a project's reply (step 5).

        Returns:
            False if it is the accepted one again, which has no effect.

        Raises:
            RequestRefused: it cannot be taken; the message says why.
        """
        session = self.find(session_id)
        if not session.check_reply(project_id, number, reply, self._clock.now()):
            return False
        self._take(session, saw.ReplyReceived(project_id, number, reply))
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
        """
        session = self.find(session_id)
        self._take(session, event)
        return session

    def remove(self, session_id: str) -> None:
        """Forget a session that is over.

        Raises:
            NotFoundError: there is no such session.
            ConflictError: it runs, or names a host that is left in maintenance.
        """
        session = self.find(session_id)
        if not session.state.final:
            raise ConflictError(
                f"session {session_id} is {session.state.value}; cancel it before it is deleted"
            )
        failed = _hosts_in(session, HostState.MAINTENANCE_FAILED)
        if failed:
            raise ConflictError(
                f"session {session_id} leaves {', '.join(failed)} in maintenance; continue or release it first"
            )
        del self._sessions[session_id]
        self._seen.pop(session_id, None)
        self._journal.remove(session_id)

    def timeline(self, session_id: str) -> list[dict[str, Any]]:
        """Return what happened in a session, as an operator may see it."""
        stored = self._journal.session(session_id)
        return [
            {"at": times.to_iso(at), **codec.event_to_data(event)} for at, event in stored.events
        ]

    # Beginning and end.

    def recover(self) -> None:
        """Take up the sessions of the journal where they were left: on the clock, before anything else."""
        for session_id in self._journal.session_ids():
            stored = self._journal.session(session_id)
            session = Session(stored.request, stored.rules)
            self._sessions[session_id] = session
            timers = _replay(session, stored.events)
            if not stored.events:
                self._take(session, saw.Opened())
                continue
            for name, when in timers.items():
                self._set_timer(session, do.SetTimer(name, when))
            for command in session.outstanding:
                LOG.info("session %s: taken up again: %s", session_id, command.key)
                self._begin(session, command)
            self._tell(session)

    def close(self, within_s: float, done: Callable[[], None]) -> None:
        """Cancel what can be canceled, wait for what is in maintenance, and begin nothing more.

        Args:
            within_s: the longest wait, in seconds.
            done: called once, on the clock.
        """
        self._accepting = False

        def end() -> None:
            self._clock.cancel(late)
            self._when_quiet = None
            for session in self._sessions.values():
                self._warn_of_what_stays(session)
            done()

        late = self._clock.call_later(within_s, end)
        self._when_quiet = end
        for session in self._running():
            self._take(session, saw.OperatorCanceled())
        self._check_quiet()

    def _running(self) -> list[Session]:
        return [session for session in self._sessions.values() if not session.state.final]

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

    def _held_hosts(self) -> dict[str, str]:
        return {
            work.host: session.session_id
            for session in self._sessions.values()
            for work in session.works.values()
            if work.state not in _LEFT_ALONE
        }

    # An event in, commands out.

    def _take(self, session: Session, event: saw.Event) -> None:
        now = self._clock.now()
        self._journal.append(session.session_id, now, event)
        _log_event(session, event)
        for command in session.handle(event, now):
            self._give(session, command)
        self._tell(session)
        self._check_quiet()

    def _give(self, session: Session, command: do.Command) -> None:
        match command:
            case do.SetTimer():
                self._set_timer(session, command)
            case do.CancelTimer():
                self._cancel_timer(session.session_id, command.name)
            case do.EndSession():
                LOG.info("session %s: %s", session.session_id, command.state.value)
            case _:
                LOG.info("session %s: %s", session.session_id, describe(command))
                self._begin(session, command)

    def _begin(self, session: Session, command: do.Answered) -> None:
        flow = self._performer.perform(command)
        start(self._clock, self._workers, flow, partial(self._answered, session, command))

    def _answered(
        self, session: Session, command: do.Answered, outcome: Outcome[saw.Event]
    ) -> None:
        if outcome.error is None:
            event = outcome.get()
        else:
            # A defect of ours must not leave a session waiting for ever.
            LOG.error(
                "session %s: %s failed", session.session_id, command.key, exc_info=outcome.error
            )
            event = saw.CommandFailed(command.key, f"internal error: {outcome.error!r}", True)
        if session.session_id in self._sessions:
            self._take(session, event)

    def _set_timer(self, session: Session, command: do.SetTimer) -> None:
        self._cancel_timer(session.session_id, command.name)

        def fire() -> None:
            del self._timers[session.session_id, command.name]
            if session.session_id in self._sessions:
                self._take(session, saw.TimerFired(command.name))

        self._timers[session.session_id, command.name] = self._clock.call_at(command.at, fire)

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


def describe(command: do.Answered) -> str:
    """Return a command in words, for the log."""
    match command:
        case do.DisableCompute():
            return f"disable nova-compute on {command.host} (step 1)"
        case do.EnableCompute():
            return f"enable nova-compute on {command.host} (step 10)"
        case do.Survey():
            return f"look at the instances on {command.host}"
        case do.NotifyProject():
            notification = command.notification
            return f"tell project {notification.project_id}: {notification.state.value}"
        case do.NotifyHost():
            notice = command.notification
            return f"tell the inspector: {notice.host} {notice.state.value}"
        case do.MoveInstance():
            return (
                f"{command.action.value} instance {command.instance_id} off {command.host} (step 6)"
            )
        case do.Maintain():
            return f"maintenance of {command.host}: {command.step.value}"
        case do.RestoreInstances():
            return f"see that {len(command.instance_ids)} instances left on {command.host} run"


def _log_event(session: Session, event: saw.Event) -> None:
    match event:
        case saw.CommandFailed():
            LOG.warning("session %s: %s: %s", session.session_id, event.key, event.reason)
        case saw.ReplyReceived():
            LOG.info(
                "session %s: project %s replies %s (step 5)",
                session.session_id,
                event.project_id,
                event.reply.to_wire()["state"],
            )
        case saw.InstanceMoved():
            LOG.info(
                "session %s: instance %s is on %s",
                session.session_id,
                event.instance_id,
                event.to_host,
            )
        case saw.OperatorCanceled() | saw.OperatorContinued() | saw.OperatorReleased():
            LOG.info("session %s: %s", session.session_id, event)
        case _:
            LOG.debug("session %s: %s", session.session_id, event)


def _hosts_in(session: Session, state: HostState) -> list[str]:
    return [work.host for work in session.works.values() if work.state is state]


def _replay(session: Session, events: tuple[tuple[float, saw.Event], ...]) -> dict[str, float]:
    """Bring a session to where it was, and return the timers that are set."""
    timers: dict[str, float] = {}
    for at, event in events:
        if isinstance(event, saw.TimerFired):
            timers.pop(event.name, None)
        try:
            commands = session.handle(event, at)
        except ConflictError:
            continue  # an operator's wish that was refused; it had been stored before it was
        for command in commands:
            if isinstance(command, do.SetTimer):
                timers[command.name] = command.at
            elif isinstance(command, do.CancelTimer):
                timers.pop(command.name, None)
    return timers
