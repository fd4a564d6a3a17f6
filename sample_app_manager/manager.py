# SPDX-License-Identifier: Apache-2.0
"""The app manager's shell: it is told, asks the policy, does what that says, and replies.

Announcements are worked on one after another: two that switched over at the same time could hand the
service back and forth. Everything here runs on the clock; what blocks is done by workers.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import replace
from typing import Any

from doctor_maintenance import flow
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import LimitError, MaintenanceError, RemoteProtocolError
from doctor_maintenance.flow import Flow, blocking
from doctor_maintenance.observations import Observe, ignore
from doctor_maintenance.protocol import (
    Action,
    Alarm,
    NotificationState,
    ProjectNotification,
    Reply,
    Verdict,
    parse_alarm,
)
from doctor_maintenance.workers import Outcome, Workers
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.conversation import Conversation, reply_by
from sample_app_manager.peer import AdminTool
from sample_app_manager.policy import Plan, Rules, View, decide, refusal
from sample_app_manager.recreate import recreate
from sample_app_manager.seams import Ask, Waits
from sample_app_manager.state import Entry, Memory, Phase
from sample_app_manager.strategies import Strategy
from sample_app_manager.switching import Switching

LOG = logging.getLogger(__name__)


class Manager:
    """The app manager of one project.

    Args:
        clock: where it runs.
        workers: who does what blocks.
        cloud: the project's cloud.
        admin_tool: whom to reply to.
        project_id: the project.
        strategy: how to switch over.
        strategy_name: what the strategy is called in what is observed.
        rules: what the application wants; by default live migration.
        ask: asks the service who answers; None: the guests cannot be asked, so Neutron's word counts.
        waits: limits.
        observe: is told what was seen; see the trace's kinds.
    """

    def __init__(
        self,
        clock: Clock,
        workers: Workers,
        cloud: ProjectCloud,
        admin_tool: AdminTool,
        *,
        project_id: str,
        strategy: Strategy,
        strategy_name: str,
        rules: Rules | None = None,
        ask: Ask | None = None,
        waits: Waits | None = None,
        observe: Observe = ignore,
    ) -> None:
        self.project_id = project_id
        self._clock = clock
        self._workers = workers
        self._cloud = cloud
        self._rules = rules or Rules()
        self._waits = waits or Waits()
        self._observe = observe
        self._switching = Switching(
            clock,
            cloud,
            strategy,
            name=strategy_name,
            project_id=project_id,
            ask=ask,
            waits=self._waits,
            observe=observe,
        )
        self._conversation = Conversation(
            clock, admin_tool, project_id=project_id, waits=self._waits, observe=observe
        )
        self._memory = Memory()
        self._queue: deque[Entry] = deque()
        self._task: flow.Task[None] | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The notifications that are remembered, oldest first."""
        return self._memory.entries

    @property
    def idle(self) -> bool:
        """True if nothing is being worked on."""
        return self._task is None and not self._queue

    def receive(self, body: object, text: str) -> bool:
        """Take note of what was posted to the alarm URL; call it on the clock.

        Args:
            body: the decoded JSON.
            text: the same as it came.

        Returns:
            True if it is new, False if it was told before.

        Raises:
            RemoteProtocolError: it is malformed, cut, or not for this project.
            LimitError: too much is waiting.
        """
        self._observe("readable", {"project_id": self.project_id, "where": "alarm", "text": text})
        alarm = parse_alarm(body)
        notification = self._ours(alarm)
        if len(self._queue) >= self._waits.queue:
            raise LimitError(f"{len(self._queue)} notifications are waiting; try again later")
        self._observe("notification", _seen(alarm, notification))
        entry, new = self._memory.note(notification, alarm.message_id, self._clock.now())
        LOG.info(
            "session %s: told %s%s",
            notification.session_id,
            notification.state.value,
            "" if new else " again; nothing is done twice",
        )
        if new:
            self._queue.append(entry)
            self._next()
        return new

    def close(self) -> None:
        """Do nothing more; call it on the clock."""
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()

    def _ours(self, alarm: Alarm) -> ProjectNotification:
        notification = alarm.notification()
        if not isinstance(notification, ProjectNotification):
            raise RemoteProtocolError(
                f"event_type: an app manager takes no {alarm.event_type}; it is for the inspector"
            )
        if notification.project_id != self.project_id:
            raise RemoteProtocolError(
                f"project_id: this is the app manager of project {self.project_id};"
                f" found {notification.project_id!r:.80}"
            )
        return notification

    def _next(self) -> None:
        if self._task is not None or not self._queue:
            return
        entry = self._queue.popleft()

        def done(outcome: Outcome[None]) -> None:
            self._task = None
            if outcome.error is not None:
                entry.phase, entry.detail = Phase.FAILED, str(outcome.error)
                LOG.error(
                    "session %s: %s could not be handled: %s",
                    entry.notification.session_id,
                    entry.notification.state.value,
                    outcome.error,
                    exc_info=outcome.error,
                )
            self._next()

        self._task = flow.start(self._clock, self._workers, self._handle(entry), done)

    def _handle(self, entry: Entry) -> Flow[None]:
        notification = entry.notification
        if notification.state is not NotificationState.PLANNED_MAINTENANCE:
            yield from self._conversation.note(notification)
            return
        entry.phase = Phase.WORKING
        plan, view = yield from self._plan(notification)
        problem = yield from self._switching.switch_over(plan.switch_overs, reply_by(notification))
        if problem is not None:
            plan = refusal(notification, problem)
        for reason in plan.reasons:
            LOG.info("session %s: %s", notification.session_id, reason)
        entry.detail = "; ".join(plan.reasons)
        if plan.reply is None:
            entry.phase = Phase.SILENT
        elif plan.recreate:
            yield from self._recreate_and_reply(entry, plan.reply, plan.recreate, view)
        else:
            yield from self._reply(entry, plan.reply, view)

    def _plan(self, notification: ProjectNotification) -> Flow[tuple[Plan, View]]:
        nothing = View({})
        if self._rules.silent or self._rules.refuse:
            yield from self._conversation.note(notification)
            return decide(notification, (), nothing, self._rules), nothing
        try:
            affected = yield from self._conversation.affected(notification)
            view = yield from blocking(lambda: self._cloud.view(affected))
        except MaintenanceError as error:
            LOG.warning("session %s: %s", notification.session_id, error)
            return refusal(notification, f"what is affected is not known: {error}"), nothing
        places = {key: instance.placement for key, instance in view.instances.items()}
        leaving = self._memory.leaving(places, self._clock.now())
        view = View(
            {
                key: replace(instance, leaving=key in leaving)
                for key, instance in view.instances.items()
            },
            view.services,
        )
        return decide(notification, affected, view, self._rules), view

    def _recreate_and_reply(
        self, entry: Entry, reply: Reply, instance_ids: tuple[str, ...], view: View
    ) -> Flow[None]:
        """Build anew, then reply; reply before that is over if the deadline would pass."""
        work = flow.start(
            self._clock,
            self._workers,
            recreate(self._cloud, self._clock, instance_ids, self._waits.recreate),
        )
        try:
            while work.running and self._clock.now() < reply_by(entry.notification):
                yield from flow.wait(self._waits.poll_s)
            if work.outcome is not None:
                reply = _instead(entry.notification, reply, work.outcome.get().kept)
            yield from self._reply(entry, reply, view)
            while work.running:
                yield from flow.wait(self._waits.poll_s)
        finally:
            work.cancel()
        assert work.outcome is not None
        entry.recreated.update(work.outcome.get().created)
        for problem in work.outcome.get().problems:
            LOG.error("session %s: %s", entry.notification.session_id, problem)
            entry.detail = problem

    def _reply(self, entry: Entry, reply: Reply, view: View) -> Flow[None]:
        entry.actions = dict(reply.instance_actions)
        problem = yield from self._conversation.reply(entry.notification, reply)
        if problem is None:
            entry.phase = Phase.REPLIED
            entry.placements = {
                key: view.instances[key].placement
                for key in reply.instance_actions
                if key in view.instances
            }
        else:
            entry.phase, entry.detail = Phase.NOT_ACCEPTED, problem


def _instead(notification: ProjectNotification, reply: Reply, kept: frozenset[str]) -> Reply:
    """Ask the admin tool to move what we could not build anew."""
    if not kept:
        return reply
    for action in (Action.LIVE_MIGRATE, Action.MIGRATE):
        if action in notification.allowed_actions:
            actions = {**reply.instance_actions, **dict.fromkeys(kept, action)}
            return replace(reply, instance_actions=actions)
    return replace(reply, verdict=Verdict.NACK, instance_actions={})


def _seen(alarm: Alarm, notification: ProjectNotification) -> dict[str, Any]:
    default = notification.default_action
    fields: dict[str, Any] = {
        "event_type": alarm.event_type,
        "message_id": alarm.message_id,
        "generated": alarm.generated,
        "session_id": notification.session_id,
        "project_id": notification.project_id,
        "state": notification.state.value,
        "type": notification.type.value,
        "instance_ids": notification.instance_ids,
        "allowed_actions": [action.value for action in notification.allowed_actions],
        "default_action": None if default is None else default.value,
        "actions_at": notification.actions_at,
        "reply_at": notification.reply_at,
        "reply_url": notification.reply_url,
        "metadata": dict(notification.metadata),
    }
    return {name: value for name, value in fields.items() if value is not None}
