# SPDX-License-Identifier: Apache-2.0
"""The admin tool of a world: a session, its journal, its timers and what is under way; and its deaths.

It dies as a process dies: the session object, the timers and every answer that was not stored are gone,
and what it had asked of the cloud goes on. It comes back by replaying its journal, and takes up again
whatever has no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from doctor_maintenance.clock import TimerHandle
from doctor_maintenance.exceptions import ConflictError, MaintenanceError, RequestRefused
from doctor_maintenance.explorer.case import Moment, Trouble, TroublePlan
from doctor_maintenance.explorer.jobs import Job
from doctor_maintenance.explorer.performing import Performer
from doctor_maintenance.explorer.stage import CloudStage
from doctor_maintenance.planning import Session, SessionRequest, SessionRules, project_view
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.planning.phases import Phase
from doctor_maintenance.protocol import Reply, SessionState

UNREACHABLE = 0
"""Instead of an HTTP status: nobody answers."""

MAX_EVENTS = 5000
"""More events than any case of a sensible size has; a session that takes more does not end."""


class EndlessSession(MaintenanceError):
    """A session goes on and on."""


class Tool:
    """The admin tool, with one session.

    Args:
        stage: the cloud.
        performer: who performs commands.
        ended: is told whenever the session comes to an end, or to a rest.

    Attributes:
        journal: the events with their times: what a restart begins with.
        up: whether it runs.
        session: the session; None while the tool is down.
    """

    def __init__(
        self, stage: CloudStage, performer: Performer, ended: Callable[[SessionState], None]
    ) -> None:
        self.journal: list[tuple[float, saw.Event]] = []
        self.up = False
        self.session: Session | None = None
        self.stage = stage
        self._performer = performer
        self._ended = ended
        self._opening: tuple[SessionRequest, SessionRules] | None = None
        self._timers: dict[str, TimerHandle] = {}
        self._jobs: dict[str, Job] = {}
        self._offset_s = self._next_offset_s = 0.0
        self._told: list[Any] = []
        self._phases: list[Phase] = []
        self._deaths: dict[int, TroublePlan] = {
            int(trouble.at): trouble
            for trouble in stage.case.troubles
            if trouble.what is Trouble.TOOL_DIES
        }

    def now(self) -> float:
        """Return the time as the tool's machine has it."""
        return self.stage.clock.now() + self._offset_s

    def open(self, request: SessionRequest, rules: SessionRules) -> None:
        """Begin the session."""
        self._opening = request, rules
        self.up = True
        self.session = self.new_session()
        self.take(saw.Opened())

    def new_session(self) -> Session:
        """Return the session as it is before its first event."""
        assert self._opening is not None
        return Session(*self._opening)

    def take(self, event: saw.Event) -> None:
        """Store an event, hand it to the session, and begin what follows from it."""
        session = self.session
        if session is None:
            return
        death = self._deaths.pop(len(self.journal), None) if self._deaths else None
        if death is not None and death.target == Moment.BEFORE:
            self._die(death)
            return
        if len(self.journal) >= MAX_EVENTS:
            raise EndlessSession(f"the session took {MAX_EVENTS} events and has not ended")
        now = self.now()
        self.journal.append((now, event))
        if death is not None and death.target == Moment.STORED:
            self._die(death)
            return
        for command in self.decide(session, event, now):
            self._give(command)
        self.tell(session)
        if death is not None:
            self._die(death)

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
        return 200 if self.up else UNREACHABLE

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
            self._ended(command.state)
        else:
            self._begin(command)

    def _begin(self, command: do.Answered) -> None:
        key = command.key

        def done(event: saw.Event) -> None:
            del self._jobs[key]
            self.take(event)

        self._jobs[key] = Job(self.stage.clock, self._performer.perform(command), done)

    def _set_timer(self, name: str, at: float) -> None:
        handle = self._timers.pop(name, None)
        if handle is not None:
            self.stage.clock.cancel(handle)

        def fire() -> None:
            del self._timers[name]
            self.take(saw.TimerFired(name))

        self._timers[name] = self.stage.clock.call_at(at - self._offset_s, fire)

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

    # Death and return.

    def die(self, seconds: float) -> None:
        """Die now, and come back after so many seconds."""
        self.up = False
        self.session = None
        for handle in self._timers.values():
            self.stage.clock.cancel(handle)
        for job in self._jobs.values():
            job.stop()
        self._timers.clear()
        self._jobs.clear()
        self.stage.clock.call_later(seconds, self._return)

    def _die(self, death: TroublePlan) -> None:
        self.stage.happened[Trouble.TOOL_DIES] += 1
        self.die(death.seconds)

    def jump(self, seconds: float) -> None:
        """Let the clock of the tool's machine jump; the tool notices when it starts anew."""
        self._next_offset_s += seconds

    def _return(self) -> None:
        self._offset_s = self._next_offset_s
        self.session = self.new_session()
        timers = self._replay(self.session)
        self.up = True
        if not self.journal:
            self.take(saw.Opened())
            return
        for name, at in timers.items():
            self._set_timer(name, at)
        for outstanding in self.session.outstanding:
            self._begin(outstanding)
        self.tell(self.session)
        if self.session.state.final:
            self._ended(self.session.state)

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
