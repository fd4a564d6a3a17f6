# SPDX-License-Identifier: Apache-2.0
"""Drives one session after the other: an event in, stored; commands out, performed; their answers are events.

A session that cannot be driven any more, because the journal does not take its events or another admin tool
has it, is let go: its flows are cancelled and its timers forgotten. Taking it up again is the same as after
a crash, so there is one way back and not two.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from doctor_maintenance.admin_tool.journal import Journal, JournalError
from doctor_maintenance.admin_tool.narration import describe, log_event
from doctor_maintenance.admin_tool.sessions import Known
from doctor_maintenance.clock import Clock, TimerHandle
from doctor_maintenance.flow import Flow, Task, start
from doctor_maintenance.observations import Observe
from doctor_maintenance.planning import Session
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.workers import Outcome, Workers

LOG = logging.getLogger(__name__)


class Performer(Protocol):
    """Whoever performs commands: :class:`~doctor_maintenance.admin_tool.actions.Actions`."""

    def perform(self, command: do.Answered) -> Flow[saw.Event]:
        """Perform a command and return the event that answers it."""


class Driving:
    """What is under way for the sessions that we drive; on the clock.

    Args:
        clock: the time.
        workers: who does blocking work.
        performer: who performs commands.
        journal: where events are stored.
        observe: told of every change of a session (kind ``session``).
        taken: called after every event.
    """

    def __init__(
        self,
        clock: Clock,
        workers: Workers,
        performer: Performer,
        journal: Journal,
        observe: Observe,
        taken: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._workers = workers
        self._performer = performer
        self._journal = journal
        self._observe = observe
        self._taken = taken
        self._tasks: dict[str, dict[str, Task[saw.Event]]] = {}
        self._timers: dict[tuple[str, str], TimerHandle] = {}
        self._seen: dict[str, Mapping[str, Any]] = {}

    def resume(self, known: Known) -> None:
        """Go on with a session from where it was left."""
        session = known.session
        for name, when in known.timers.items():
            self._set_timer(known, do.SetTimer(name, when))
        for command in session.outstanding:
            LOG.info("session %s: taken up again: %s", session.session_id, command.key)
            self._begin(known, command)
        self._tell(session)

    def forget(self, known: Known) -> None:
        """Forget a session that was removed."""
        self.let_go(known)
        self._seen.pop(known.session.session_id, None)

    def let_go(self, known: Known) -> None:
        """Drive a session no longer; what is under way for it is given up."""
        known.driven = False
        session_id = known.session.session_id
        for name in [name for owner, name in self._timers if owner == session_id]:
            self._cancel_timer(session_id, name)
        for task in self._tasks.pop(session_id, {}).values():
            task.cancel()

    def take(self, known: Known, event: saw.Event) -> None:
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
            self.let_go(known)
            raise
        known.length += 1
        log_event(session, event)
        for command in session.handle(event, now):
            self._give(known, command)
        self._tell(session)
        self._taken()

    def hear(self, known: Known, event: saw.Event) -> None:
        """Take an event that nobody waits for."""
        try:
            self.take(known, event)
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
        """Perform a command; what answers it is taken in its turn."""
        flow = self._performer.perform(command)
        task = start(self._clock, self._workers, flow, partial(self._answered, known, command))
        self._tasks.setdefault(known.session.session_id, {})[command.key] = task

    def _answered(self, known: Known, command: do.Answered, outcome: Outcome[saw.Event]) -> None:
        session_id = known.session.session_id
        if self._tasks.get(session_id, {}).pop(command.key, None) is None:
            return  # it was let go
        if isinstance(outcome.error, JournalError):
            LOG.error("session %s is let go: %s", session_id, outcome.error)
            self.let_go(known)
            return
        if outcome.error is None:
            event = outcome.get()
        else:
            # A defect of ours must not leave a session waiting for ever.
            LOG.error("session %s: %s failed", session_id, command.key, exc_info=outcome.error)
            event = saw.CommandFailed(command.key, f"internal error: {outcome.error!r}", True)
        self.hear(known, event)

    def _set_timer(self, known: Known, command: do.SetTimer) -> None:
        """Wake a session at a time."""
        session_id = known.session.session_id
        self._cancel_timer(session_id, command.name)

        def fire() -> None:
            del self._timers[session_id, command.name]
            self.hear(known, saw.TimerFired(command.name))

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
