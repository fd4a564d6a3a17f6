# SPDX-License-Identifier: Apache-2.0
"""One host of a session, from step 1 to step 12: a table of phases, and what each event does in it.

Every path leads to one of three ends: the host is over, it was canceled and is as it was, or its
maintenance failed and it is left in maintenance and named. What is not in the table is a late answer
to something that no longer matters, and changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.planning.announcement import Announcement
from doctor_maintenance.planning.drain import Drain
from doctor_maintenance.planning.phases import BEFORE_MAINTENANCE, HOST_STATES, Phase, work_steps
from doctor_maintenance.planning.settings import SessionRequest, SessionRules
from doctor_maintenance.planning.snapshot import SeenInstance
from doctor_maintenance.protocol import (
    Action,
    HostNotification,
    HostState,
    NotificationState,
)


class HostWork:
    """The work on one host.

    Args:
        host: its name.
        request: the session.
        rules: the rules.
        number: gives the next announcement number of a project.

    Attributes:
        phase: where it is.
        announcements: what each project was told and answered, by project.
        remaining: the instances known to be on the host, by ID.
        reason: why it was canceled or failed; operators read it.
        disabled_by_operator: True if somebody else had disabled nova-compute.
        released: True if the operator put the host back although its maintenance had failed.
    """

    def __init__(
        self, host: str, request: SessionRequest, rules: SessionRules, number: Callable[[str], int]
    ) -> None:
        self.host = host
        self.phase = Phase.PENDING
        self.announcements: dict[str, Announcement] = {}
        self.remaining: dict[str, SeenInstance] = {}
        self.reason = ""
        self.disabled_by_operator = False
        self.released = False
        self._request = request
        self._rules = rules
        self._number = number
        self._steps = work_steps(request.type, rules)
        self._step = 0
        self._round = 0
        self._open: dict[str, do.Answered] = {}
        self._attempts: dict[str, int] = {}
        self._drain = Drain(host, rules, self._give_move)
        self._owners_by = math.inf
        self._in_maintenance = False
        self._disabled = False
        self._inspector_unsure = False

    @property
    def state(self) -> HostState:
        """The host's state as sessions show it; a released host was not maintained."""
        if self.phase is Phase.OVER and self.released:
            return HostState.MAINTENANCE_CANCELED
        return HOST_STATES[self.phase]

    @property
    def outstanding(self) -> tuple[do.Answered, ...]:
        """Commands that were given and not yet answered, in order."""
        return tuple(self._open.values())

    def begin(self, now: float) -> list[do.Command]:
        """Start with the host: step 1."""
        self.phase = Phase.DISABLING
        return [
            self._give(do.DisableCompute(self._key("disable"), self.host, self._disable_reason()))
        ]

    def handle(self, event: saw.Event, now: float) -> list[do.Command]:
        """Take an event that is about this host and return what it leads to."""
        key = getattr(event, "key", None)
        command = self._open.pop(key, None) if key is not None else None
        if key is not None and command is None:
            return []
        if isinstance(event, saw.CommandFailed) and command is not None:
            return self._failed(command, event, now)
        handler = _TABLE.get((self.phase, type(event)))
        return [] if handler is None else handler(self, event, now)

    def cancel(self, reason: str, now: float) -> list[do.Command]:
        """Give the host up, if it is not in maintenance yet: it goes back as it was."""
        if self.phase is Phase.PENDING:
            self.reason = reason
            self.phase = Phase.CANCELED
            return []
        if self.phase not in BEFORE_MAINTENANCE:
            return []
        self.reason = reason
        self.phase = Phase.STOPPING
        return self._timers() + self._stopped(now)

    def resume(self, now: float) -> list[do.Command]:
        """Go on with the step that failed, after the operator mended the host."""
        if self.phase is not Phase.FAILED:
            return []
        self.reason = ""
        self._round += 1
        return self._work(now) if self._in_maintenance else self._enable(now)

    def release(self, now: float) -> list[do.Command]:
        """Put a failed host back to production as it is, with what was left on it running again."""
        if self.phase is not Phase.FAILED:
            return []
        self._round += 1
        self.released = self._in_maintenance
        return self._restore(now) if self._in_maintenance else self._enable(now)

    # Steps 1 to 3: disable, look, tell.

    def _disabled_now(self, event: saw.ComputeDisabled, now: float) -> list[do.Command]:
        self.disabled_by_operator = event.by_operator
        self._disabled = not event.by_operator
        self.phase = Phase.SURVEYING
        return [self._give(do.Survey(self._key("survey"), self.host))]

    def _surveyed(self, event: saw.HostSurveyed, now: float) -> list[do.Command]:
        self._remember(event.instances)
        owners: dict[str, list[str]] = {}
        for instance in self.remaining.values():
            owners.setdefault(instance.project_id, []).append(instance.instance_id)
        if len(owners) > self._rules.max_projects:
            return self.cancel(
                f"the instances on the host are of {len(owners)} projects; {self._rules.max_projects} are allowed",
                now,
            )
        reply_at = float(math.ceil(now + self._rules.reply_wait_s))
        out: list[do.Command] = []
        for project_id in sorted(owners):
            announcement = Announcement(
                project_id=project_id,
                number=self._number(project_id),
                instance_ids=tuple(sorted(owners[project_id])),
                reply_at=reply_at,
                default_action=self._default(project_id),
                subscribed=project_id in event.subscribed,
            )
            self.announcements[project_id] = announcement
            out.append(self._tell("planned", announcement, NotificationState.PLANNED_MAINTENANCE))
        self.phase = Phase.ANNOUNCING
        return out or self._announced(event, now)

    def _announced(self, event: saw.Event, now: float) -> list[do.Command]:
        if self._open:
            return []
        self.phase = Phase.REPLYING
        waiting = [item.reply_at for item in self.announcements.values() if item.waiting]
        if not waiting:
            return self._replied(event, now)
        return [do.SetTimer(self._timer("reply"), max(waiting))]

    def _early_reply(self, event: saw.ReplyReceived, now: float) -> list[do.Command]:
        self.announcements[event.project_id].reply = event.reply
        return []

    # Steps 5 and 6: replies, and what they ask for.

    def _reply(self, event: saw.ReplyReceived, now: float) -> list[do.Command]:
        self.announcements[event.project_id].reply = event.reply
        return self._replied(event, now)

    def _reply_deadline(self, event: saw.TimerFired, now: float) -> list[do.Command]:
        if event.name != self._timer("reply"):
            return []
        for announcement in self.announcements.values():
            announcement.expired = announcement.expired or announcement.waiting
        return self._replied(event, now)

    def _replied(self, event: saw.Event, now: float) -> list[do.Command]:
        for project_id, announcement in self.announcements.items():
            if announcement.refused:
                return self.cancel(self._refusal(project_id, announcement), now)
        if any(announcement.waiting for announcement in self.announcements.values()):
            return []
        self.phase = Phase.DRAINING
        self._owners_by = now + self._rules.own_action_wait_s
        wanted = {
            instance_id: announcement.action(instance_id)
            for announcement in self.announcements.values()
            for instance_id in announcement.instance_ids
        }
        owners = {item: instance.project_id for item, instance in self.remaining.items()}
        out: list[do.Command] = [do.CancelTimer(self._timer("reply"))]
        return out + self._drain.begin(wanted, owners, now) + self._drained(event, now)

    def _moved(self, event: saw.InstanceMoved | saw.InstanceGone, now: float) -> list[do.Command]:
        self._drain.moved(event.instance_id)
        self.remaining.pop(event.instance_id, None)
        return self._drained(event, now)

    def _drain_timer(self, event: saw.TimerFired, now: float) -> list[do.Command]:
        out = self._drain.timer(event.name)
        return self.cancel(self._drain.failure, now) if self._drain.failure else out

    def _drained(self, event: saw.Event, now: float) -> list[do.Command]:
        if not self._drain.over:
            return []
        self.phase = Phase.VERIFYING
        return [*self._drain.timers(), self._give(do.Survey(self._key("verify"), self.host))]

    def _verified(self, event: saw.HostSurveyed, now: float) -> list[do.Command]:
        self._remember(event.instances)
        by_owner = [item for item in self.remaining if self._wanted(item) is Action.OWN_ACTION]
        if by_owner and now < self._owners_by:
            return [do.SetTimer(self._timer("look"), now + self._rules.poll_s)]
        stuck = [item for item in self.remaining if self._wanted(item) is not Action.LEAVE]
        if stuck:
            return self.cancel(f"not every instance left the host: {', '.join(sorted(stuck))}", now)
        self.phase = Phase.ENTERING
        return [self._tell_host("in", NotificationState.IN_MAINTENANCE)]

    def _look_again(self, event: saw.TimerFired, now: float) -> list[do.Command]:
        if event.name != self._timer("look"):
            return []
        self._round += 1
        return [self._give(do.Survey(self._key("verify"), self.host))]

    # Steps 7 to 9, and the maintenance itself.

    def _entered(self, event: saw.Done, now: float) -> list[do.Command]:
        self.phase = Phase.TELLING
        self._in_maintenance = True
        out: list[do.Command] = [
            self._tell("in", announcement, NotificationState.IN_MAINTENANCE)
            for announcement in self._affected()
        ]
        return out or self._told(event, now)

    def _told(self, event: saw.Event, now: float) -> list[do.Command]:
        if self._open:
            return []
        self.phase = Phase.SETTLING
        return [do.SetTimer(self._timer("settle"), now + self._rules.settle_s)]

    def _settled(self, event: saw.TimerFired, now: float) -> list[do.Command]:
        return self._work(now) if event.name == self._timer("settle") else []

    def _worked(self, event: saw.Done, now: float) -> list[do.Command]:
        self._step += 1
        return self._work(now)

    def _work(self, now: float) -> list[do.Command]:
        if self._step < len(self._steps):
            self.phase = Phase.WORKING
            step = self._steps[self._step]
            return [self._give(do.Maintain(self._key(f"work-{step.value}"), self.host, step))]
        return self._restore(now)

    def _restore(self, now: float) -> list[do.Command]:
        left = tuple(sorted(key for key, seen in self.remaining.items() if seen.ran))
        if not left:
            return self._enable(now)
        self.phase = Phase.RESTORING
        return [self._give(do.RestoreInstances(self._key("restore"), self.host, left))]

    def _restored(self, event: saw.Event, now: float) -> list[do.Command]:
        return self._enable(now)

    # Steps 10 to 13.

    def _enable(self, now: float) -> list[do.Command]:
        self.phase = Phase.ENABLING
        if not self._disabled:
            return self._enabled(saw.Done(""), now)
        return [self._give(do.EnableCompute(self._key("enable"), self.host))]

    def _enabled(self, event: saw.Done, now: float) -> list[do.Command]:
        self._disabled = False
        if not self._in_maintenance:
            self.phase = Phase.RETRACTING
            return self._tell_unsure_inspector() or self._retracted(event, now)
        self.phase = Phase.ENDING
        return [self._tell_host("over", NotificationState.MAINTENANCE_OVER)]

    def _ended(self, event: saw.Event, now: float) -> list[do.Command]:
        self.phase = Phase.CLOSING
        out: list[do.Command] = [
            self._tell("over", announcement, NotificationState.MAINTENANCE_OVER)
            for announcement in self._affected()
        ]
        return out or self._closed(event, now)

    def _closed(self, event: saw.Event, now: float) -> list[do.Command]:
        if not self._open:
            self.phase = Phase.OVER
        return []

    # Canceled: what is under way ends, nova-compute is enabled, everybody who was told is told.

    def _stopped(self, now: float) -> list[do.Command]:
        if self._open:
            return []
        self.phase = Phase.REVERTING
        if not self._disabled:
            return self._reverted(saw.Done(""), now)
        return [self._give(do.EnableCompute(self._key("revert"), self.host))]

    def _stopped_one(self, event: saw.Event, now: float) -> list[do.Command]:
        if isinstance(event, saw.ComputeDisabled):
            self.disabled_by_operator = event.by_operator
            self._disabled = not event.by_operator
        if isinstance(event, saw.InstanceMoved | saw.InstanceGone):
            self.remaining.pop(event.instance_id, None)
        return self._stopped(now)

    def _reverted(self, event: saw.Event, now: float) -> list[do.Command]:
        self._disabled = self._disabled and isinstance(event, saw.CommandFailed)
        self.phase = Phase.RETRACTING
        out: list[do.Command] = [
            self._tell("canceled", announcement, NotificationState.MAINTENANCE_CANCELED)
            for announcement in self.announcements.values()
        ]
        if not self._disabled:  # else the operator enables it first: step 10 comes before 11
            out = [*self._tell_unsure_inspector(), *out]
        return out or self._retracted(event, now)

    def _tell_unsure_inspector(self) -> list[do.Command]:
        """Tell it that nothing is in maintenance, once, if what it was told before may have arrived."""
        unsure, self._inspector_unsure = self._inspector_unsure, False
        return [self._tell_host("over", NotificationState.MAINTENANCE_OVER)] if unsure else []

    def _retracted(self, event: saw.Event, now: float) -> list[do.Command]:
        if not self._open:
            self.phase = Phase.FAILED if self._disabled else Phase.CANCELED
        return []

    # What cannot be done.

    def _failed(
        self, command: do.Answered, event: saw.CommandFailed, now: float
    ) -> list[do.Command]:
        if isinstance(command, do.DisableCompute) and not event.permanent:
            self._disabled = True  # perhaps: an answer that is no refusal may hide a success
        if self.phase is Phase.STOPPING:
            return self._stopped(now)
        if isinstance(command, do.MoveInstance):
            return self._move_failed(command, event, now)
        if isinstance(command, do.EnableCompute | do.NotifyHost | do.NotifyProject | do.Survey):
            again = self._again(command, event)
            if again:
                return again
        if self.phase in BEFORE_MAINTENANCE or self.phase is Phase.ENTERING:
            if self.phase is Phase.ENTERING:
                self._inspector_unsure = not event.permanent
                self.phase = Phase.VERIFYING
            return self.cancel(event.reason, now)
        after = {
            Phase.TELLING: self._told,
            Phase.ENDING: self._ended,
            Phase.CLOSING: self._closed,
            Phase.REVERTING: self._reverted,
            Phase.RETRACTING: self._retracted,
            Phase.RESTORING: self._restored if self.released else None,
        }.get(self.phase)
        if after is not None:
            self.reason = self.reason or event.reason
            return after(event, now)
        self.reason = event.reason
        self.phase = Phase.FAILED
        return []

    def _again(self, command: do.Answered, event: saw.CommandFailed) -> list[do.Command]:
        base = command.key.partition("#")[0]
        attempt = self._attempts[base] = self._attempts.get(base, 0) + 1
        if event.permanent or attempt >= self._rules.work_attempts:
            return []
        return [self._give(_with_key(command, f"{base}#{attempt}"))]

    def _move_failed(
        self, command: do.MoveInstance, event: saw.CommandFailed, now: float
    ) -> list[do.Command]:
        out = self._drain.failed(command, event, now)
        return self.cancel(self._drain.failure, now) if self._drain.failure else out

    # Small things.

    def _key(self, what: str) -> str:
        return f"{self._request.session_id}/{self.host}/{what}" + (
            f"@{self._round}" if self._round else ""
        )

    def _timer(self, what: str) -> str:
        return f"{self.host}/{what}"

    def _timers(self) -> list[do.Command]:
        own = [do.CancelTimer(self._timer(name)) for name in ("reply", "look")]
        return [*own, *self._drain.timers()]

    def _give(self, command: Any) -> Any:
        self._open[command.key] = command
        return command

    def _disable_reason(self) -> str:
        return f"maintenance session {self._request.session_id}"

    def _remember(self, instances: tuple[SeenInstance, ...]) -> None:
        part = self._request.affected.get(self.host)
        self.remaining = {
            instance.instance_id: instance
            for instance in instances
            if part is None or instance.instance_id in part
        }

    def _default(self, project_id: str) -> Action | None:
        return None if project_id in self._rules.only_if_agreed else self._rules.default_action

    def _wanted(self, instance_id: str) -> Action:
        instance = self.remaining.get(instance_id)
        owner = None if instance is None else self.announcements.get(instance.project_id)
        return Action.OWN_ACTION if owner is None else owner.action(instance_id)

    def _give_move(
        self, name: str, instance_id: str, project_id: str, action: Action
    ) -> do.MoveInstance:
        key = self._key(name)
        command: do.MoveInstance = self._give(
            do.MoveInstance(key, self.host, instance_id, project_id, action)
        )
        return command

    def _affected(self) -> list[Announcement]:
        owners = {instance.project_id for instance in self.remaining.values()}
        return [item for project_id, item in self.announcements.items() if project_id in owners]

    def _refusal(self, project_id: str, announcement: Announcement) -> str:
        if announcement.reply is not None:
            return f"project {project_id} refused"
        if announcement.subscribed:
            return f"project {project_id} did not reply, and nothing is done without its agreement"
        return f"project {project_id} has no alarm, and nothing is done without its agreement"

    def _tell(
        self, what: str, announcement: Announcement, state: NotificationState
    ) -> do.NotifyProject:
        announcement.state = state
        notification = announcement.notification(self._request, self._rules, state)
        command: do.NotifyProject = self._give(
            do.NotifyProject(self._key(f"{what}/{announcement.project_id}"), notification)
        )
        return command

    def _tell_host(self, what: str, state: NotificationState) -> do.NotifyHost:
        notification = HostNotification(
            session_id=self._request.session_id,
            project_id=self._rules.admin_project_id,
            host=self.host,
            state=state,
        )
        command: do.NotifyHost = self._give(do.NotifyHost(self._key(f"host-{what}"), notification))
        return command


def _with_key(command: Any, key: str) -> Any:
    fields = {name: getattr(command, name) for name in command.__slots__}
    return type(command)(**{**fields, "key": key})


_Handler = Callable[[HostWork, Any, float], list[do.Command]]

_TABLE: dict[tuple[Phase, type], _Handler] = {
    (Phase.DISABLING, saw.ComputeDisabled): HostWork._disabled_now,
    (Phase.SURVEYING, saw.HostSurveyed): HostWork._surveyed,
    (Phase.ANNOUNCING, saw.Done): HostWork._announced,
    (Phase.ANNOUNCING, saw.ReplyReceived): HostWork._early_reply,
    (Phase.REPLYING, saw.ReplyReceived): HostWork._reply,
    (Phase.REPLYING, saw.TimerFired): HostWork._reply_deadline,
    (Phase.DRAINING, saw.InstanceMoved): HostWork._moved,
    (Phase.DRAINING, saw.InstanceGone): HostWork._moved,
    (Phase.DRAINING, saw.TimerFired): HostWork._drain_timer,
    (Phase.VERIFYING, saw.HostSurveyed): HostWork._verified,
    (Phase.VERIFYING, saw.TimerFired): HostWork._look_again,
    (Phase.ENTERING, saw.Done): HostWork._entered,
    (Phase.TELLING, saw.Done): HostWork._told,
    (Phase.SETTLING, saw.TimerFired): HostWork._settled,
    (Phase.WORKING, saw.Done): HostWork._worked,
    (Phase.RESTORING, saw.Done): HostWork._restored,
    (Phase.ENABLING, saw.Done): HostWork._enabled,
    (Phase.ENDING, saw.Done): HostWork._ended,
    (Phase.CLOSING, saw.Done): HostWork._closed,
    (Phase.STOPPING, saw.Done): HostWork._stopped_one,
    (Phase.STOPPING, saw.ComputeDisabled): HostWork._stopped_one,
    (Phase.STOPPING, saw.HostSurveyed): HostWork._stopped_one,
    (Phase.STOPPING, saw.InstanceMoved): HostWork._stopped_one,
    (Phase.STOPPING, saw.InstanceGone): HostWork._stopped_one,
    (Phase.REVERTING, saw.Done): HostWork._reverted,
    (Phase.RETRACTING, saw.Done): HostWork._retracted,
}
