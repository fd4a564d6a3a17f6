# SPDX-License-Identifier: Apache-2.0
"""What is done about one notification: look, decide, switch over, build anew, reply.

Each decision is written down before it is acted on, and a life that takes an entry up again keeps to what it
finds there: the admin tool takes no second, different reply, and what was taken apart must be built again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from doctor_maintenance import flow
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import MaintenanceError
from doctor_maintenance.flow import Flow
from doctor_maintenance.protocol import (
    Action,
    NotificationState,
    ProjectNotification,
    Reply,
    Verdict,
)
from doctor_maintenance.workers import Workers
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.conversation import Conversation, reply_by
from sample_app_manager.patience import patiently
from sample_app_manager.policy import Plan, Rules, SwitchOver, View, decide, refusal
from sample_app_manager.recreate import Recreated, recreate
from sample_app_manager.seams import Manners, Waits
from sample_app_manager.state import Entry, Memory, Phase
from sample_app_manager.switching import Switching

LOG = logging.getLogger(__name__)

_PRESSING = 0.2
"""The last part of its time in which an announcement is refused that cannot wait any longer."""


class Handling:
    """Handles the notifications of one project.

    Args:
        clock: for waits.
        workers: who does what blocks.
        cloud: the project's cloud.
        conversation: with the admin tool.
        switching: switches over.
        memory: where entries are kept.
        rules: what the application wants.
        manners: how it replies.
        waits: limits.
        waiting: the entries that are handled after the present one.
    """

    def __init__(
        self,
        clock: Clock,
        workers: Workers,
        cloud: ProjectCloud,
        *,
        conversation: Conversation,
        switching: Switching,
        memory: Memory,
        rules: Rules,
        manners: Manners,
        waits: Waits,
        waiting: Callable[[], Sequence[Entry]] = tuple,
    ) -> None:
        self._clock = clock
        self._workers = workers
        self._cloud = cloud
        self._conversation = conversation
        self._switching = switching
        self._memory = memory
        self._rules = rules
        self._manners = manners
        self._waits = waits
        self._waiting = waiting

    def handle(self, entry: Entry) -> Flow[None]:
        """Do what is left to be done about a notification."""
        notification = entry.notification
        if notification.state is not NotificationState.PLANNED_MAINTENANCE:
            yield from self._conversation.note(notification)
            return
        if entry.phase in (Phase.NOTED, Phase.WORKING) and entry.reply is None:
            yield from self._decide(entry)
        if entry.phase is Phase.WORKING and entry.reply is None:
            self._end(entry, Phase.SILENT, entry.detail)
            return
        if entry.recreate:
            yield from self._recreate_and_reply(entry)
        else:
            yield from self._reply(entry)

    def _decide(self, entry: Entry) -> Flow[None]:
        """Look, decide, switch over; afterwards the entry says what is to be replied."""
        notification = entry.notification
        entry.phase = Phase.WORKING
        plan, affected, view = yield from self._plan(notification)
        wanted = _still_wanted(entry.switch_overs, plan, view) + plan.switch_overs
        if wanted:
            entry.switch_overs = wanted
            self._memory.keep(entry)
        problem = yield from self._switching.switch_over(wanted, reply_by(notification))
        if problem is not None:
            plan = refusal(notification, problem)
        for reason in plan.reasons:
            LOG.info("session %s: %s", notification.session_id, reason)
        entry.detail = "; ".join(plan.reasons)
        entry.reply = plan.reply
        entry.recreate = plan.recreate
        entry.placements = {
            key: view.instances[key].placement for key in affected if key in view.instances
        }
        self._memory.keep(entry)

    def _plan(self, notification: ProjectNotification) -> Flow[tuple[Plan, tuple[str, ...], View]]:
        """Return the plan, the affected instances as far as they are known, and what was seen."""
        nothing = View({})
        if self._rules.silent or self._rules.refuse:
            yield from self._conversation.note(notification)
            return decide(notification, (), nothing, self._rules), (), nothing
        try:
            affected = yield from self._conversation.affected(notification)
            view = yield from patiently(
                self._clock,
                lambda: self._cloud.view(affected),
                tries=self._waits.reply_retries,
                every_s=self._waits.retry_s,
                until=reply_by(notification),
            )
        except MaintenanceError as error:
            LOG.warning("session %s: %s", notification.session_id, error)
            return refusal(notification, f"what is affected is not known: {error}"), (), nothing
        places = {key: instance.placement for key, instance in view.instances.items()}
        leaving = self._memory.leaving(places, self._clock.now())
        view = View(
            {
                key: replace(instance, leaving=key in leaving)
                for key, instance in view.instances.items()
            },
            view.services,
        )
        return decide(notification, affected, view, self._rules), affected, view

    def _recreate_and_reply(self, entry: Entry) -> Flow[None]:
        """Build anew, then reply; reply before that is over if the deadline would pass."""
        work = flow.start(
            self._clock,
            self._workers,
            recreate(
                self._cloud,
                self._clock,
                entry.recreate,
                self._waits.recreate,
                entry.rebuilds,
                lambda: self._memory.keep(entry),
            ),
        )
        try:
            while work.running and self._clock.now() < reply_by(entry.notification):
                yield from self._refuse_pressing()
                yield from flow.wait(self._waits.poll_s)
            if work.outcome is not None and entry.phase is Phase.WORKING:
                assert entry.reply is not None, "nothing is built anew without a reply"
                entry.reply = _instead(entry.notification, entry.reply, work.outcome.get().kept)
                self._memory.keep(entry)
            yield from self._reply(entry)
            while work.running:
                yield from self._refuse_pressing()
                yield from flow.wait(self._waits.poll_s)
        finally:
            work.cancel()
        assert work.outcome is not None
        self._rebuilt(entry, work.outcome.get())

    def _refuse_pressing(self) -> Flow[None]:
        """Refuse what waits for us and will be decided without us soon.

        Without a reply the operator moves by default, and what he moves may serve together with what is being built.
        """
        if self._rules.silent:
            return
        for entry in self._waiting():
            if entry.phase is Phase.NOTED and is_pressing(entry, self._clock.now()):
                plan = refusal(entry.notification, "other instances are being built anew first")
                entry.phase, entry.reply, entry.detail = Phase.WORKING, plan.reply, plan.reasons[0]
                self._memory.keep(entry)
                yield from self._reply(entry)

    def _rebuilt(self, entry: Entry, recreated: Recreated) -> None:
        for problem in recreated.problems:
            LOG.error("session %s: %s", entry.notification.session_id, problem)
            entry.detail = problem
        self._memory.keep(entry)

    def _reply(self, entry: Entry) -> Flow[None]:
        """Send the reply, unless that has been done.

        Only a refusal that arrived keeps the instances where they are. Of a reply without an answer nobody
        knows whether it was taken, and without a reply in time the operator does as was announced.
        """
        if entry.phase is not Phase.WORKING or entry.reply is None:
            return
        send = partial(self._conversation.reply, entry.notification)
        problem = yield from self._manners.deliver(entry.notification, entry.reply, send)
        if problem is None:
            if entry.reply.verdict is Verdict.NACK:
                entry.placements.clear()
            self._end(entry, Phase.REPLIED, entry.detail)
        else:
            self._end(entry, Phase.NOT_ACCEPTED, problem)

    def _end(self, entry: Entry, phase: Phase, detail: str) -> None:
        entry.phase, entry.detail = phase, detail
        self._memory.keep(entry)


def is_pressing(entry: Entry, now: float) -> bool:
    """Return whether an announcement has little time left until its default action."""
    by = reply_by(entry.notification)
    planned = entry.notification.state is NotificationState.PLANNED_MAINTENANCE
    return planned and by < float("inf") and now >= by - _PRESSING * (by - entry.received_at)


def _still_wanted(begun: tuple[SwitchOver, ...], plan: Plan, view: View) -> tuple[SwitchOver, ...]:
    """Return the switch-overs that an earlier life began and did not see to their end.

    Their address leads to the new one already, so the plan does not ask for them; whether the new one
    answers there is not known yet.
    """
    active = {service.address: service.active for service in view.services}
    planned = {each.address for each in plan.switch_overs}
    if plan.reply is None or plan.reply.verdict is Verdict.NACK:
        return ()
    return tuple(
        each
        for each in begun
        if each.address not in planned and active.get(each.address) == each.to_instance
    )


def _instead(notification: ProjectNotification, reply: Reply, kept: frozenset[str]) -> Reply:
    """Ask the admin tool to move what we could not build anew."""
    if not kept:
        return reply
    for action in (Action.LIVE_MIGRATE, Action.MIGRATE):
        if action in notification.allowed_actions:
            actions = {**reply.instance_actions, **dict.fromkeys(kept, action)}
            return replace(reply, instance_actions=actions)
    return replace(reply, verdict=Verdict.NACK, instance_actions={})
