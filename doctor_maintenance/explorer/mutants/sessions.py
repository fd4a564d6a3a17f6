# SPDX-License-Identifier: Apache-2.0
"""Admin tools that mix two sessions up, and an app manager that agrees to both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from doctor_maintenance.explorer.case import Manner, Trouble, TroublePlan
from doctor_maintenance.explorer.jobs import Work
from doctor_maintenance.explorer.mutants import cases
from doctor_maintenance.explorer.mutants.mutant import mutant
from doctor_maintenance.explorer.performing import Performer
from doctor_maintenance.explorer.process import ToolProcess
from doctor_maintenance.explorer.tamper import Published, Tamper
from doctor_maintenance.explorer.tool import Tool
from doctor_maintenance.explorer.world import World
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import (
    Action,
    HostNotification,
    ProjectNotification,
    Reply,
    Verdict,
)
from sample_app_manager.policy import Plan


@mutant("session.one_a_host", cases.SAME_HOST)
class TakesAHostTwice(Tamper):
    """Begins a session on a host that another session has."""

    class _Process(ToolProcess):
        def held(self) -> dict[str, str]:
            return {}

    process_class = _Process


@mutant("message.one_session_id", cases.manner(Manner.STALE, cases.TWO_SESSIONS))
class TakesTheReplyToTheOther(Tamper):
    """Takes a project's reply to one session where another one had asked."""

    class _Tool(Tool):
        def reply(self, project_id: str, number: int, reply: Reply) -> int:
            assert self.session is not None
            if reply.session_id == self.session.session_id:
                return super().reply(project_id, number, reply)
            return 200

    tool_class = _Tool


@mutant("consent.before_action", cases.TWO_SESSIONS)
class OneAgreementForBoth(Tamper):
    """Takes a project's agreement to one session for its agreement to the other."""

    class _Tool(Tool):
        def take(self, event: saw.Event) -> None:
            super().take(event)
            if not isinstance(event, saw.ReplyReceived):
                return
            for other in self.process.tools.values():
                told = other.session.announcements(event.project_id) if other.session else []
                for _, announcement in told:
                    if announcement.waiting:
                        actions = dict.fromkeys(announcement.instance_ids, Action.MIGRATE)
                        reply = replace(event.reply, instance_actions=actions)
                        other.take(saw.ReplyReceived(event.project_id, announcement.number, reply))

    tool_class = _Tool


@mutant("order.in_maintenance_before_enable", cases.TWO_SESSIONS)
class EnablesBoth(Tamper):
    """Enables every host that is disabled for maintenance, also the other session's."""

    class _Performer(Performer):
        def enable(self, command: do.EnableCompute) -> Work:
            answer = yield from super().enable(command)
            for host in self.compute.hosts.values():
                if host.service.disabled:
                    self.compute.machines.enable(host.name)
            return answer

    performer_class = _Performer


@mutant("message.one_session_id", cases.TWO_SESSIONS)
class SignsForTheOther(Tamper):
    """Names the first session in what the inspector is told by the second."""

    def publish(
        self, world: World, key: str, notification: ProjectNotification | HostNotification
    ) -> Iterable[Published]:
        """Change the ID."""
        if isinstance(notification, HostNotification):
            notification = replace(notification, session_id=world.session_ids[0])
        return ((key, notification),)


@mutant(
    "session.ends",
    replace(cases.TWO_SESSIONS, troubles=(TroublePlan(Trouble.TOOL_DIES, "stored", at=12),)),
)
class ForgetsTheOther(Tamper):
    """Takes up only the first of its sessions when it comes back."""

    class _Tool(Tool):
        def resume(self) -> None:
            if self is next(iter(self.process.tools.values())):
                super().resume()
            else:
                self.session = self.new_session()

    tool_class = _Tool


@mutant("session.ends", cases.TWO_SESSIONS)
class OneTimerForBoth(Tamper):
    """Forgets a session's timer when another session sets one of the same name."""

    class _Tool(Tool):
        def _set_timer(self, name: str, at: float) -> None:
            for other in self.process.tools.values():
                if other is not self and isinstance(other, OneTimerForBoth._Tool):
                    other.forget(name)
            super()._set_timer(name, at)

        def forget(self, name: str) -> None:
            handle = self._timers.pop(name, None)
            if handle is not None:
                self.stage.clock.cancel(handle)

    tool_class = _Tool


@mutant("hosts.no_guests", cases.ON_ITS_WAY)
class OverlooksWhatArrives(Tamper):
    """Takes a host for empty that another session's migration is on its way to."""

    class _Performer(Performer):
        def arriving(self, host: str) -> bool:
            return False

    performer_class = _Performer


@mutant("service.impacted_at_once", cases.PAIR_APART, "app manager")
class AgreesToBoth(Tamper):
    """Lets two sessions touch both of its pair at the same time."""

    def plan(self, world: World, notification: ProjectNotification, plan: Plan) -> Plan:
        """Agree whatever happens."""
        assert plan.reply is not None
        if plan.reply.verdict is Verdict.ACK:
            return plan
        number = int(notification.instance_ids.rpartition("/")[2])
        view = world.process.view(notification.session_id, notification.project_id, number)
        assert view is not None
        actions = dict.fromkeys(view["instance_ids"], Action.LIVE_MIGRATE)
        reply = replace(plan.reply, verdict=Verdict.ACK, instance_actions=actions)
        return replace(plan, reply=reply)
