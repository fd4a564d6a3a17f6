# SPDX-License-Identifier: Apache-2.0
"""What drives one session in a world: the session, its journal, its timers and what is under way.

What is lost with the process is the session object, the timers and every answer that was not stored; what was
asked of the cloud goes on. A session comes back by replaying its journal, and takes up again whatever
has no answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doctor_maintenance.clock import TimerHandle
from doctor_maintenance.exceptions import ConflictError, MaintenanceError, RequestRefused
from doctor_maintenance.explorer.case import Moment
from doctor_maintenance.explorer.jobs import Job
from doctor_maintenance.planning import Session, SessionRequest, SessionRules, project_view
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.planning.phases import Phase
from doctor_maintenance.protocol import Reply

if TYPE_CHECKING:
    from doctor_maintenance.explorer.process import ToolProcess

UNREACHABLE = 0
"""Instead of an HTTP status: nobody answers."""

MAX_EVENTS = 5000
"""More events than any case of a sensible size has; a session that takes more does not end."""


class EndlessSession(MaintenanceError):
    """A session goes on and on."""


class Tool:
    """The admin tool, as far as one session is concerned.

    Args:
        process: the process that it lives in.
        request: what the operator asked for.
        rules: the session's rules.

    Attributes:
        journal: the events with their times: what a restart begins with.
        session: the session; None while the process is down.
    """

    def __init__(self, process: ToolProcess, request: SessionRequest, rules: SessionRules) -> None:
        self.journal: list[tuple[float, saw.Event]] = []
        self.session: Session | None = None
        self.process = process
        self.stage = process.stage
        self._opening = request, rules
        self._timers: dict[str, TimerHandle] = {}
        self._jobs: dict[str, Job] = {}
        self._told: list[Any] = []
        self._phases: list[Phase] = []

    def now(self) -> float:
        """Return the time as the tool's machine has it."""
        return self.process.now()

    def begin(self) -> None:
        """Begin the session."""
        self.session = self.new_session()
        self.take(saw.Opened())

    def new_session(self) -> Session:
        """Return the session as it is before its first event."""
        return Session(*self._opening)

    def take(self, event: saw.Event) -> None:
        """Store an event, hand it to the session, and begin what follows from it."""
        session = self.session
        if session is None:
            return
        process = self.process
        death = process.death()
        if death is not None and death.target == Moment.BEFORE:
            process.die_of(death)
            return
        if len(self.journal) >= MAX_EVENTS:
            raise EndlessSession(f"the session took {MAX_EVENTS} events and has not ended")
        now = self.now()
        self.journal.append((now, event))
        process.events += 1
        if death is not None and death.target == Moment.STORED:
            process.die_of(death)
            return
        for command in self.decide(session, event, now):
            self._give(command)
        self.tell(session)
        if death is not None:
            process.die_of(death)

    def decide(self, session: Session, event: saw.Event, now: float) -> list[do.Command]:
        """Return what the session wants done; a wrong tool decides otherwise."""
        return session.handle(event, now)

    # What projects and the operator ask.

    def reply(self, project_id: str, number: int, reply: Reply) -> int:
        """Take a reply, and return the HTTP status that answers it."""
        if self.session is None:
            return UNREACHABLE
        try:
            new = self.session.check_reply(project_id, number, reply, self.now())
        except RequestRefused as error:
            return error.status
        if new:
            self.take(saw.ReplyReceived(project_id, number, reply))
        return 200 if self.process.up else UNREACHABLE

    def view(self, project_id: str, number: int) -> dict[str, Any] | None:
        """Return what a project may see; None if nobody answers."""
        if self.session is None:
            return None
        return project_view(self.session, project_id, number)

    def operate(self, event: saw.Event) -> None:
        """Do what the operator says; what the session's state does not allow is refused."""
        try:
            self.take(event)
        except ConflictError:
            return

    # Commands and timers.

    def _give(self, command: do.Command) -> None:
        if isinstance(command, do.SetTimer):
            self._set_timer(command.name, command.at)
        elif isinstance(command, do.CancelTimer):
            handle = self._timers.pop(command.name, None)
            if handle is not None:
                self.stage.clock.cancel(handle)
        elif isinstance(command, do.EndSession):
            self._ended()
        else:
            self._begin(command)

    def _begin(self, command: do.Answered) -> None:
        key = command.key

        def done(event: saw.Event) -> None:
            del self._jobs[key]
            self.take(event)

        self._jobs[key] = Job(self.stage.clock, self.process.performer.perform(command), done)

    def _set_timer(self, name: str, at: float) -> None:
        handle = self._timers.pop(name, None)
        if handle is not None:
            self.stage.clock.cancel(handle)

        def fire() -> None:
            del self._timers[name]
            self.take(saw.TimerFired(name))

        self._timers[name] = self.stage.clock.call_at(at - self.process.offset_s, fire)

    def tell(self, session: Session) -> None:
        """Let operators see what is new."""
        phases = [work.phase for work in session.works.values()]
        if phases == self._phases:
            return
        self._phases = phases
        seen = [session.state, *(work.state for work in session.works.values())]
        if seen != self._told:
            self._told = seen
            hosts = {work.host: work.state.value for work in session.works.values()}
            self.stage.witness.session(session.session_id, session.state.value, hosts)

    def _ended(self) -> None:
        if self.session is not None:
            self.process.ended(self.session)

    # Death and return.

    def stop(self) -> None:
        """Die with the process."""
        self.session = None
        for handle in self._timers.values():
            self.stage.clock.cancel(handle)
        for job in self._jobs.values():
            job.stop()
        self._timers.clear()
        self._jobs.clear()

    def resume(self) -> None:
        """Come back with the process."""
        session = self.session = self.new_session()
        timers = self._replay(session)
        if not self.journal:
            self.take(saw.Opened())
            return
        for name, at in timers.items():
            self._set_timer(name, at)
        for outstanding in session.outstanding:
            self._begin(outstanding)
        self.tell(session)
        if session.state.final:
            self._ended()

    def _replay(self, session: Session) -> dict[str, float]:
        """Bring a session to where it was; return the timers that are set."""
        timers: dict[str, float] = {}
        for at, event in self.journal:
            if isinstance(event, saw.TimerFired):
                timers.pop(event.name, None)
            try:
                commands = self.decide(session, event, at)
            except ConflictError:
                continue  # the operator's wish was refused then, too
            for command in commands:
                if isinstance(command, do.SetTimer):
                    timers[command.name] = command.at
                elif isinstance(command, do.CancelTimer):
                    timers.pop(command.name, None)
        return timers
