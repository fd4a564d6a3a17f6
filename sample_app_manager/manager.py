# SPDX-License-Identifier: Apache-2.0
"""The app manager's shell: it is told, asks the policy, does what that says, and replies.

Announcements are worked on one after another: two that switched over at the same time could hand the
service back and forth. Everything here runs on the clock; what blocks is done by workers.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

from doctor_maintenance import flow
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import LimitError, LocalProtocolError, RemoteProtocolError
from doctor_maintenance.observations import Observe, ignore
from doctor_maintenance.protocol import Alarm, ProjectNotification, parse_alarm
from doctor_maintenance.workers import Outcome, Workers
from sample_app_manager import notes
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.catching_up import CatchingUp
from sample_app_manager.conversation import Conversation
from sample_app_manager.handling import Handling
from sample_app_manager.peer import AdminTool
from sample_app_manager.policy import Rules
from sample_app_manager.seams import Ask, GoodManners, Manners, Waits
from sample_app_manager.state import Entry, Memory, Phase
from sample_app_manager.store import NoStore, Store, StoreError
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
        manners: how it replies; default: as it should.
        observe: is told what was seen; see the trace's kinds.
        store: where is written down what must not be forgotten; None: nowhere.
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
        manners: Manners | None = None,
        observe: Observe = ignore,
        store: Store | None = None,
    ) -> None:
        self.project_id = project_id
        self._clock = clock
        self._workers = workers
        self._waits = waits or Waits()
        self._observe = observe
        switching = Switching(
            clock,
            cloud,
            strategy,
            name=strategy_name,
            project_id=project_id,
            ask=ask,
            waits=self._waits,
            observe=observe,
        )
        conversation = Conversation(
            clock, admin_tool, project_id=project_id, waits=self._waits, observe=observe
        )
        self._memory = _remembered(store or NoStore())
        self._handling = Handling(
            clock,
            workers,
            cloud,
            conversation=conversation,
            switching=switching,
            memory=self._memory,
            rules=rules or Rules(),
            manners=manners or GoodManners(),
            waits=self._waits,
            waiting=lambda: tuple(self._queue),
        )
        self._catching_up = CatchingUp(
            clock,
            workers,
            conversation,
            self._memory,
            project_id=project_id,
            every_s=self._waits.look_s,
            learn=self._learn,
        )
        self._closed = False
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
            StoreError: it cannot be written down, so it is not taken.
        """
        self._observe("readable", {"project_id": self.project_id, "where": "alarm", "text": text})
        alarm = parse_alarm(body)
        notification = self._ours(alarm)
        if len(self._queue) >= self._waits.queue:
            raise LimitError(f"{len(self._queue)} notifications are waiting; try again later")
        entry, new = self._memory.note(notification, alarm.message_id, self._clock.now())
        self._observe("notification", _seen(alarm, notification))
        LOG.info(
            "session %s: told %s%s",
            notification.session_id,
            notification.state.value,
            "" if new else " again; nothing is done twice",
        )
        if new:
            self._queue.append(entry)
            self._next()
        self._catching_up.wake()
        return new

    def resume(self) -> None:
        """Go on where an earlier life was, and ask what was missed; on the clock, before anything else."""
        for entry in self._memory.entries:
            if entry.unfinished:
                LOG.info(
                    "session %s: taken up again: %s",
                    entry.notification.session_id,
                    entry.notification.state.value,
                )
                self._queue.append(entry)
        self._next()
        self._catching_up.wake(at_once=True)

    def close(self) -> None:
        """Do nothing more; what is not finished is left to another life. Call it on the clock."""
        self._closed = True
        self._queue.clear()
        self._catching_up.close()
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

    def _learn(self, notification: ProjectNotification) -> None:
        """Take what an alarm should have told."""
        entry, new = self._memory.note(notification, "", self._clock.now())
        if new:
            LOG.warning(
                "session %s: no alarm told %s; it was found by asking",
                notification.session_id,
                notification.state.value,
            )
            self._queue.append(entry)
            self._next()

    def _next(self) -> None:
        if self._task is not None or not self._queue or self._closed:
            return
        entry = self._queue.popleft()

        def done(outcome: Outcome[None]) -> None:
            self._task = None
            if outcome.error is not None and not self._closed:
                self._failed(entry, outcome.error)
            self._next()

        self._task = flow.start(self._clock, self._workers, self._handling.handle(entry), done)

    def _failed(self, entry: Entry, error: Exception) -> None:
        entry.phase, entry.detail = Phase.FAILED, str(error)
        LOG.error(
            "session %s: %s could not be handled: %s",
            entry.notification.session_id,
            entry.notification.state.value,
            error,
            exc_info=error,
        )
        try:
            self._memory.keep(entry)
        except StoreError as problem:
            LOG.error("session %s: %s", entry.notification.session_id, problem)


def _remembered(store: Store) -> Memory:
    """Return the memory of an earlier life; notes that cannot be read are named and left alone."""
    entries = []
    kept = store.load()
    for number, note in kept:
        try:
            entries.append(notes.from_data(number, note))
        except LocalProtocolError as error:
            LOG.error("%s", error)
    return Memory(
        keep=lambda entry: store.save(entry.number, notes.to_data(entry)),
        forget=lambda entry: store.forget(entry.number),
        entries=entries,
        last=max((number for number, _ in kept), default=0),
    )


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
