# SPDX-License-Identifier: Apache-2.0
"""A maintenance session as a pure state machine: an event and a time in, commands out.

It performs nothing and asks nobody, so the same decisions run in production, in virtual time and
under ten thousand seeds, and a session that crashed is its journal, replayed. What happens on one host
is in ``host_work``; here is what happens between hosts, and what the operator may say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from doctor_maintenance.exceptions import ConflictError, NotFoundError
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.planning.announcement import Announcement
from doctor_maintenance.planning.host_work import HostWork
from doctor_maintenance.planning.phases import BEFORE_MAINTENANCE, Phase
from doctor_maintenance.planning.rounds import plan_rounds
from doctor_maintenance.planning.settings import SessionRequest, SessionRules
from doctor_maintenance.protocol import HostState, Reply, SessionState

START_TIMER = "start"


class Session:
    """One session.

    Args:
        request: what the operator asked for.
        rules: by which rules it is driven.

    Attributes:
        request: the same.
        works: what is done on each host, by name, in the operator's order.
    """

    def __init__(self, request: SessionRequest, rules: SessionRules) -> None:
        self.request = request
        self.rules = rules
        self.works = {
            host: HostWork(host, request, rules, self._numbering(host)) for host in request.hosts
        }
        self._rounds = plan_rounds(request.hosts)
        self._round = -1
        self._numbers: dict[str, int] = {}
        self._announced_for: dict[tuple[str, int], str] = {}
        self._stop_reason = ""
        self._ended = False

    @property
    def session_id(self) -> str:
        """The session's ID."""
        return self.request.session_id

    @property
    def state(self) -> SessionState:
        """How far the session is."""
        if self._ended:
            return self._end_state()
        if self._round < 0:
            return SessionState.SCHEDULED
        states = {self.works[host].state for host in self._rounds[self._round]}
        if HostState.IN_MAINTENANCE in states:
            return SessionState.IN_MAINTENANCE
        return SessionState.PLANNED_MAINTENANCE

    @property
    def outstanding(self) -> tuple[do.Answered, ...]:
        """Commands given and not yet answered: what a restarted engine takes up again."""
        return tuple(command for work in self.works.values() for command in work.outstanding)

    def announcement(self, project_id: str, number: int) -> tuple[HostWork, Announcement]:
        """Return what a project was told.

        Raises:
            NotFoundError: there is no such announcement.
        """
        host = self._announced_for.get((project_id, number))
        announcement = self.works[host].announcements.get(project_id) if host else None
        if host is None or announcement is None:
            raise NotFoundError("no such maintenance session")
        return self.works[host], announcement

    def announcements(self, project_id: str) -> list[tuple[HostWork, Announcement]]:
        """Return all that a project was told, oldest first."""
        found = [
            (work, work.announcements[project_id])
            for work in self.works.values()
            if project_id in work.announcements
        ]
        return sorted(found, key=lambda pair: pair[1].number)

    def check_reply(self, project_id: str, number: int, reply: Reply, now: float) -> bool:
        """Check a reply; if it is new, the caller hands in a ``ReplyReceived`` at once.

        Returns:
            True if it is new; False if it is an accepted reply again, which has no effect.

        Raises:
            NotFoundError: there is no such session for this project.
            InvalidRequestError: it names foreign instances or an action that is not allowed.
            ConflictError: it is late, or does not fit.
        """
        work, announcement = self.announcement(project_id, number)
        if reply.session_id != self.session_id:
            raise NotFoundError("no such maintenance session")
        new = announcement.check(reply, self.request.type, now)
        if new and work.phase not in (Phase.ANNOUNCING, Phase.REPLYING):
            raise ConflictError("the reply is late: this maintenance was canceled or has gone on")
        return new

    def handle(self, event: saw.Event, now: float) -> list[do.Command]:
        """Take an event and return what it leads to, in the order in which it must take effect.

        Args:
            event: what happened.
            now: when, in seconds since the epoch.

        Raises:
            ConflictError: the operator asks for what the session's state does not allow.
        """
        if isinstance(event, saw.Opened):
            return [do.SetTimer(START_TIMER, self.request.maintenance_at)]
        if isinstance(event, saw.TimerFired) and event.name == START_TIMER:
            return self._next_round(now) if self._round < 0 and not self._ended else []
        if isinstance(event, saw.OperatorCanceled):
            out = self._cancel(now)
        elif isinstance(event, saw.OperatorContinued):
            out = self._operate(event.host, HostWork.resume, now)
        elif isinstance(event, saw.OperatorReleased):
            out = self._operate(event.host, HostWork.release, now)
            self._stop_reason = "the operator put a failed host back and stopped the session"
        else:
            out = self.works[self._host_of(event)].handle(event, now)
        return out + self._go_on(now)

    def _host_of(self, event: saw.Event) -> str:
        match event:
            case saw.ReplyReceived():
                return self.announcement(event.project_id, event.number)[0].host
            case saw.TimerFired():
                return event.name.partition("/")[0]
            case (
                saw.Done()
                | saw.CommandFailed()
                | saw.ComputeDisabled()
                | saw.HostSurveyed()
                | saw.InstanceMoved()
                | saw.InstanceGone()
            ):
                return event.key.split("/", 2)[1]
            case (
                saw.Opened()
                | saw.OperatorCanceled()
                | saw.OperatorContinued()
                | saw.OperatorReleased()
            ):
                raise ConflictError(f"session {self.session_id}: {event} is about no host")
        assert_never(event)

    def _next_round(self, now: float) -> list[do.Command]:
        self._round += 1
        out: list[do.Command] = []
        for host in self._rounds[self._round]:
            out.extend(self.works[host].begin(now))
        return out

    def _go_on(self, now: float) -> list[do.Command]:
        if self._ended or self._round < 0:
            return []
        states = [self.works[host].state for host in self._rounds[self._round]]
        if not all(state.final for state in states):
            return []
        if HostState.MAINTENANCE_FAILED in states:
            return self._end()
        if self._stop_reason:
            for work in self.works.values():
                work.cancel(self._stop_reason, now)
        elif self._round + 1 < len(self._rounds):
            return self._next_round(now)
        return self._end()

    def _end(self) -> list[do.Command]:
        self._ended = True
        return [do.EndSession(self._end_state())]

    def _end_state(self) -> SessionState:
        states = {work.state for work in self.works.values()}
        if HostState.MAINTENANCE_FAILED in states:
            return SessionState.MAINTENANCE_FAILED
        if states == {HostState.MAINTENANCE_OVER}:
            return SessionState.MAINTENANCE_OVER
        return SessionState.MAINTENANCE_CANCELED

    def _cancel(self, now: float) -> list[do.Command]:
        if self._ended:
            raise ConflictError(
                f"session {self.session_id} is {self.state.value}; only a running one can be canceled"
            )
        self._stop_reason = "the operator canceled the session"
        out: list[do.Command] = []
        if self._round < 0:
            out.append(do.CancelTimer(START_TIMER))
        for work in self.works.values():
            if work.phase is Phase.PENDING or work.phase in BEFORE_MAINTENANCE:
                out.extend(work.cancel(self._stop_reason, now))
        return out + (self._end() if self._round < 0 else [])

    def _operate(
        self, host: str, act: Callable[[HostWork, float], list[do.Command]], now: float
    ) -> list[do.Command]:
        work = self.works.get(host)
        if work is None or work.phase is not Phase.FAILED:
            failed = [work.host for work in self.works.values() if work.phase is Phase.FAILED]
            raise ConflictError(
                f"session {self.session_id}: {host} has not failed; failed: {', '.join(failed) or 'none'}"
            )
        self._ended = False
        return act(work, now)

    def _numbering(self, host: str) -> Callable[[str], int]:
        def number(project_id: str) -> int:
            self._numbers[project_id] = self._numbers.get(project_id, 0) + 1
            self._announced_for[project_id, self._numbers[project_id]] = host
            return self._numbers[project_id]

        return number
