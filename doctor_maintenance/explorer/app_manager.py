# SPDX-License-Identifier: Apache-2.0
"""The app manager of a world: the sample's policy and memory, and a dozen ways not to keep to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from doctor_maintenance.exceptions import RequestRefused
from doctor_maintenance.explorer.bus import Letter, readable
from doctor_maintenance.explorer.case import Manner, ProjectPlan
from doctor_maintenance.explorer.jobs import Job, Work
from doctor_maintenance.explorer.tool import UNREACHABLE
from doctor_maintenance.protocol import (
    Action,
    NotificationState,
    ProjectNotification,
    Reply,
    Verdict,
)
from doctor_maintenance.simulator.records import BootRequest
from sample_app_manager.handling import is_pressing
from sample_app_manager.policy import (
    Instance,
    Plan,
    Rules,
    Service,
    SwitchOver,
    View,
    decide,
    refusal,
)
from sample_app_manager.state import Entry, Memory, Phase

if TYPE_CHECKING:
    from doctor_maintenance.explorer.world import World

_UNDONE = (Phase.NOTED, Phase.WORKING)
_AGAIN_S = 1.0
_POLL_S = 0.4
_TRIES = 8
_SWITCH_S = 20.0
_BUILD_S = 60.0
_BUILDS = 3
_SAFETY_S = 2.0


class AppManager:
    """The app manager of one project.

    Args:
        world: where it lives.
        plan: what it is like.

    Attributes:
        alive: whether its process runs.
    """

    def __init__(self, world: World, plan: ProjectPlan) -> None:
        self.alive = True
        self.project_id = plan.name
        self._world = world
        self._stage = world.stage
        self._witness = world.stage.witness
        self._plan = plan
        self._rules = Rules(
            action=plan.action,
            single_action=plan.single_action,
            refuse=plan.manner is Manner.REFUSES,
            silent=plan.manner is Manner.SILENT,
        )
        self._memory = Memory()
        self._queue: deque[Entry] = deque()
        self._job: Job | None = None
        self._building = False
        self._last_sent: tuple[str, Reply] | None = None

    def receive(self, letter: Letter) -> None:
        """An alarm is posted."""
        if not self.alive:
            self._world.bus.lost.add(self.project_id)
            return
        notification = letter.notification
        assert isinstance(notification, ProjectNotification)
        source = f"app_manager:{self.project_id}"
        self._witness.readable(self.project_id, "alarm", readable(notification))
        self._witness.project_message(
            source, letter.message_id, letter.generated, notification, letter.instances
        )
        entry, new = self._memory.note(notification, letter.message_id, self._stage.clock.now())
        if new:
            self._queue.append(entry)
            self._next()

    def die(self, seconds: float) -> None:
        """Drop everything that is under way, and be back after so many seconds."""
        self.alive = False
        self._queue.clear()
        if self._job is not None:
            self._job.stop()
            self._job = None
        if self._building:
            self._world.hurt.add(self.project_id)  # what it was building nobody builds any more
            self._building = False
        self._stage.clock.call_later(seconds, self._return)

    def _return(self) -> None:
        """Take up what was noted and is not done, as the sample does from its notes."""
        self.alive = True
        self._queue.extend(entry for entry in self._memory.entries if entry.phase in _UNDONE)
        self._next()

    def _next(self) -> None:
        if self._job is not None or not self._queue:
            return
        entry = self._queue.popleft()
        if entry.phase is Phase.REPLIED:  # refused while it waited
            self._next()
            return
        self._job = Job(self._stage.clock, self._handle(entry), self._handled)

    def _handled(self, nothing: None) -> None:
        self._job = None
        self._next()

    def _handle(self, entry: Entry) -> Work:
        entry.phase = Phase.WORKING
        yield from self._do(entry)
        entry.phase = Phase.REPLIED

    def _do(self, entry: Entry) -> Work:
        notification = entry.notification
        yield self._plan.think_s
        planned = notification.state is NotificationState.PLANNED_MAINTENANCE
        affected = yield from self._affected(notification, patient=planned)
        if not planned or self._rules.silent:
            return
        if self._plan.manner is Manner.LATE and notification.reply_at is not None:
            yield max(0.0, notification.reply_at + 1.0 - self._stage.clock.now())
        plan, view = self._decide(notification, affected)
        plan = self._world.tamper.plan(self._world, notification, plan)
        if self._plan.manner is not Manner.LIES:
            problem = yield from self._switch_over(plan.switch_overs)
            if problem:
                plan = refusal(notification, problem)
        reply = plan.reply
        assert reply is not None
        if self._plan.manner is not Manner.IDLE:
            for instance_id in plan.recreate:
                if self._stage.clock.now() >= (notification.reply_at or 0.0):
                    break  # too late to say so: the operator goes by the default, perhaps with another host
                self._building = True
                yield from self._recreate(instance_id)
                self._building = False
        entry.placements = {
            key: view.instances[key].placement for key in affected or () if key in view.instances
        }
        status = yield from self._answer(notification, reply)
        if status == 200 and reply.verdict is Verdict.NACK:
            entry.placements.clear()

    def _decide(
        self, notification: ProjectNotification, affected: tuple[str, ...] | None
    ) -> tuple[Plan, View]:
        if affected is None:
            return refusal(notification, "what is affected is not known"), View({})
        view = self._view(affected)
        leaving = self._memory.leaving(
            {key: instance.placement for key, instance in view.instances.items()},
            self._stage.clock.now(),
        )
        view = View(
            {
                key: replace(instance, leaving=True) if key in leaving else instance
                for key, instance in view.instances.items()
            },
            view.services,
        )
        return decide(notification, affected, view, self._rules), view

    def _view(self, about: Collection[str]) -> View:
        known = self._stage.compute.instances
        services = tuple(
            Service(item.address, tuple(sorted(item.members)), item.told)
            for item in self._stage.addresses.of_project(self.project_id)
        )
        wanted = sorted({*about, *(key for item in services for key in item.members)})
        return View(
            {
                key: Instance(key, known[key].name, known[key].status, known[key].host or "")
                for key in wanted
                if key in known and known[key].project_id == self.project_id
            },
            services,
        )

    def _affected(
        self, notification: ProjectNotification, *, patient: bool
    ) -> Generator[float, None, tuple[str, ...] | None]:
        """Ask the admin tool what is affected; None if it cannot be asked in time."""
        until = (notification.reply_at or 0.0) - _SAFETY_S
        for _ in range(_TRIES):
            yield self._stage.latency()
            view = self._ask(notification.instance_ids)
            if view is not None:
                self._witness.readable(self.project_id, "instance_ids", str(view))
                return tuple(view["instance_ids"])
            if not patient or self._stage.clock.now() + _AGAIN_S > until:
                return None
            yield _AGAIN_S
        return None

    def _ask(self, url: str) -> Mapping[str, Any] | None:
        session_id, project_id, number = _named(url)
        try:
            return self._world.process.view(session_id, project_id, number)
        except RequestRefused:
            return None

    # Switching over.

    def _switch_over(self, wanted: tuple[SwitchOver, ...]) -> Generator[float, None, str]:
        for what in wanted:
            if not (yield from self._serves(what.to_instance)):
                return f"{what.to_instance} cannot take over {what.address}: it does not serve"
        for number, what in enumerate(wanted):
            if not (yield from self._one(what)):
                for done in reversed(wanted[: number + 1]):
                    back = SwitchOver(done.address, done.to_instance, done.from_instance)
                    yield from self._one(back)
                return f"{what.to_instance} did not take over {what.address}"
        return ""

    def _serves(self, instance_id: str) -> Generator[float, None, bool]:
        """Ask who is to take over at its own address: Nova may still say ACTIVE of one whose host is down."""
        deadline = self._stage.clock.now() + _SWITCH_S
        yield self._stage.latency()
        while not self._stage.compute.is_running(instance_id):
            if self._stage.clock.now() >= deadline:
                return False
            yield _POLL_S
        return True

    def _one(self, what: SwitchOver) -> Generator[float, None, bool]:
        tell, addresses = self._witness.switch_over, self._stage.addresses
        tell(self.project_id, "start", what.from_instance, what.to_instance)
        yield self._stage.latency()
        if what.to_instance not in self._stage.compute.instances:
            tell(self.project_id, "failed", what.from_instance, what.to_instance)
            return False
        addresses.move(what.address, what.to_instance, self._world.gap_s(self.project_id))
        deadline = self._stage.clock.now() + _SWITCH_S
        while addresses.services[what.address].who != what.to_instance:
            if self._stage.clock.now() >= deadline:
                tell(self.project_id, "failed", what.from_instance, what.to_instance)
                return False
            yield _POLL_S
        tell(self.project_id, "done", what.from_instance, what.to_instance)
        return True

    # Building anew.

    def _recreate(self, instance_id: str) -> Work:
        known = self._stage.compute.instances
        old = known.get(instance_id)
        if old is None or old.deleted:
            return
        request = BootRequest(old.name, old.flavor.flavor_id, group_id=old.group_id)
        yield from self._delete(instance_id)
        for _ in range(_BUILDS):
            yield self._stage.latency()
            new = self._stage.compute.boot(self.project_id, request)[0]
            deadline = self._stage.clock.now() + _BUILD_S
            while new.status not in ("ACTIVE", "ERROR") and self._stage.clock.now() < deadline:
                yield from self._refuse_pressing()
                yield _POLL_S
            if new.status == "ACTIVE":
                self._stage.addresses.replaced(instance_id, new.instance_id)
                return
            yield from self._delete(new.instance_id)
            yield _AGAIN_S
        self._world.hurt.add(self.project_id)

    def _refuse_pressing(self) -> Work:
        if self._rules.silent or self._plan.manner is Manner.LATE:
            return
        for entry in tuple(self._queue):
            if entry.phase is Phase.NOTED and is_pressing(entry, self._stage.clock.now()):
                entry.phase = Phase.WORKING
                plan = refusal(entry.notification, "other instances are being built anew first")
                assert plan.reply is not None
                yield from self._answer(entry.notification, plan.reply)
                entry.phase = Phase.REPLIED

    def _delete(self, instance_id: str) -> Work:
        yield self._stage.latency()
        self._stage.delete_for_owner(instance_id)
        while instance_id in self._stage.compute.instances:
            yield from self._refuse_pressing()
            yield _POLL_S

    # Replying, rightly and otherwise.

    def _answer(
        self, notification: ProjectNotification, reply: Reply
    ) -> Generator[float, None, int]:
        url = notification.reply_url or ""
        for wrong_url, wrong in self._wrong_ones(url, notification, reply):
            yield from self._send(wrong_url, wrong)
        if self._plan.manner is Manner.PARTIAL:
            half = sorted(reply.instance_actions)[1:]
            actions = {key: reply.instance_actions[key] for key in half}
            reply = replace(reply, instance_actions=actions)
        status = yield from self._send_until_answered(url, notification, reply)
        self._last_sent = url, reply
        if self._plan.manner is Manner.TWICE:
            yield from self._send(url, reply)
        elif self._plan.manner is Manner.CHANGES_MIND:
            other = replace(reply, verdict=Verdict.NACK, instance_actions={})
            yield from self._send(url, other)
        return status

    def _wrong_ones(
        self, url: str, notification: ProjectNotification, reply: Reply
    ) -> list[tuple[str, Reply]]:
        """Return what is sent before the right reply."""
        actions = dict(reply.instance_actions)
        match self._plan.manner:
            case Manner.FOREIGN:
                foreign = self._world.foreign_instance(self.project_id)
                return [
                    (url, replace(reply, instance_actions={**actions, foreign: Action.MIGRATE}))
                ]
            case Manner.WRONG_SESSION:
                return [(url, replace(reply, session_id="00000000-0000-4000-8000-000000000000"))]
            case Manner.NOT_ALLOWED if Action.LEAVE not in notification.allowed_actions:
                left = dict.fromkeys(actions, Action.LEAVE)
                return [(url, replace(reply, instance_actions=left))]
            case Manner.STALE if self._last_sent is not None:
                return [self._last_sent, (url, self._last_sent[1])]
            case _:
                return []

    def _send_until_answered(
        self, url: str, notification: ProjectNotification, reply: Reply
    ) -> Generator[float, None, int]:
        status = UNREACHABLE
        for _ in range(_TRIES):
            status = yield from self._send(url, reply)
            if status != UNREACHABLE:
                break
            if self._stage.clock.now() + _AGAIN_S > (notification.reply_at or 0.0):
                break
            yield _AGAIN_S
        return status

    def _send(self, url: str, reply: Reply) -> Generator[float, None, int]:
        sent = self._stage.clock.now()
        yield self._stage.latency()
        session_id, project_id, number = _named(url)
        status = self._world.process.reply(session_id, project_id, number, reply)
        self._witness.reply(
            self.project_id,
            sent,
            reply.session_id,
            f"{reply.verdict.value}_{reply.state.value}",
            {key: action.value for key, action in reply.instance_actions.items()},
            url,
            status,
        )
        return status


def _named(url: str) -> tuple[str, str, int]:
    """Return the session, the project and the number of an announcement from its URL."""
    session_id, project_id, number = url.split("/")[-3:]
    return session_id, project_id, int(number)
