# SPDX-License-Identifier: Apache-2.0
"""Admin tools that do not wait for an answer, do not keep to it, or take what they may not."""

from __future__ import annotations

from dataclasses import replace

from doctor_maintenance.exceptions import RequestRefused
from doctor_maintenance.explorer.case import Manner
from doctor_maintenance.explorer.jobs import Work
from doctor_maintenance.explorer.mutants import cases
from doctor_maintenance.explorer.mutants.mutant import mutant
from doctor_maintenance.explorer.performing import Performer
from doctor_maintenance.explorer.tamper import Tamper
from doctor_maintenance.explorer.tool import Tool
from doctor_maintenance.explorer.world import OPEN_S, World
from doctor_maintenance.planning import Session, SessionRequest, SessionRules
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import Action, NotificationState, Reply, Verdict
from doctor_maintenance.simulator.records import Instance


@mutant("consent.before_action", cases.ONE_HOST)
class MovesBeforeAnAnswer(Tamper):
    """Moves instances while it waits for their project's reply."""

    class _Performer(Performer):
        def notify(self, command: do.NotifyProject | do.NotifyHost) -> Work:
            answer = yield from super().notify(command)
            if command.notification.state is NotificationState.PLANNED_MAINTENANCE:
                for instance_id in sorted(self.compute.instances):
                    if self.compute.instances[instance_id].host == command.key.split("/")[1]:
                        self.refused(lambda one=instance_id: self.compute.live_migrate(one))  # type: ignore[misc]
            return answer

    performer_class = _Performer


@mutant("consent.before_action", cases.FULL, seen="Doctor's sample admin tool (W-11)")
class TakesAStaleAnswer(Tamper):
    """Takes a project's answer about the first host for its answer about the next."""

    class _Tool(Tool):
        def decide(self, session: Session, event: saw.Event, now: float) -> list[do.Command]:
            out = super().decide(session, event, now)
            if isinstance(event, saw.Done) and "/planned/" in event.key:
                project_id = event.key.rpartition("/")[2]
                announcement = session.announcements(project_id)[-1][1]
                if announcement.number > 1:
                    actions = dict.fromkeys(announcement.instance_ids, Action.MIGRATE)
                    reply = Reply(
                        session.session_id,
                        Verdict.ACK,
                        NotificationState.PLANNED_MAINTENANCE,
                        actions,
                    )
                    reply_event = saw.ReplyReceived(project_id, announcement.number, reply)
                    return out + session.handle(reply_event, now)
            return out

    tool_class = _Tool


@mutant(
    "consent.answered_or_deadline",
    cases.manner(Manner.SILENT, replace(cases.TWO_PROJECTS, projects=(cases.BLUE, cases.RED))),
    seen="Doctor's sample admin tool (W-12)",
)
class OneAnswerIsEnough(Tamper):
    """Goes on as soon as one of several projects has answered."""

    class _Tool(Tool):
        def decide(self, session: Session, event: saw.Event, now: float) -> list[do.Command]:
            if isinstance(event, saw.ReplyReceived):
                work = session.announcement(event.project_id, event.number)[0]
                for announcement in work.announcements.values():
                    announcement.expired = announcement.project_id != event.project_id
            return super().decide(session, event, now)

    tool_class = _Tool


@mutant("consent.before_action", cases.manner(Manner.SILENT))
class IgnoresTheDeadline(Tamper):
    """Acts at once where nobody answers, though it had given a deadline."""

    class _Tool(Tool):
        def decide(self, session: Session, event: saw.Event, now: float) -> list[do.Command]:
            return [
                replace(command, at=now + 1.0)
                if isinstance(command, do.SetTimer) and command.name.endswith("/reply")
                else command
                for command in super().decide(session, event, now)
            ]

    tool_class = _Tool


@mutant("consent.refused", cases.manner(Manner.REFUSES), seen="Doctor's sample admin tool (W-14)")
class IgnoresARefusal(Tamper):
    """Takes a refusal, and goes on as if it were none."""

    class _Tool(Tool):
        def reply(self, project_id: str, number: int, reply: Reply) -> int:
            assert self.session is not None
            announcement = self.session.announcement(project_id, number)[1]
            actions = dict.fromkeys(announcement.instance_ids, Action.MIGRATE)
            agreed = replace(reply, verdict=Verdict.ACK, instance_actions=actions)
            return super().reply(project_id, number, agreed)

    tool_class = _Tool


@mutant("consent.only_if_agreed", cases.AGREED_ONLY)
class ActsWithoutAgreement(Tamper):
    """Does by default what it may only do with the project's agreement."""

    def rules(self, rules: SessionRules) -> SessionRules:
        """Forget who must agree."""
        return replace(rules, only_if_agreed=frozenset())


class _Lenient(Tool):
    """Takes every reply."""

    def reply(self, project_id: str, number: int, reply: Reply) -> int:
        """Take it, or say so at least."""
        assert self.session is not None
        try:
            self.session.check_reply(project_id, number, reply, self.now())
        except RequestRefused:
            self.take_anyway(project_id, number, reply)
            return 200
        return super().reply(project_id, number, reply)

    def take_anyway(self, project_id: str, number: int, reply: Reply) -> None:
        """Take a reply that should be refused; here it is thrown away."""


@mutant("consent.late_reply", cases.manner(Manner.LATE), seen="Doctor's sample admin tool (W-13)")
class TakesALateReply(Tamper):
    """Takes a reply after its deadline."""

    tool_class = _Lenient


@mutant("consent.one_reply", cases.manner(Manner.CHANGES_MIND))
class TakesASecondReply(Tamper):
    """Takes another reply after one was accepted."""

    tool_class = _Lenient


@mutant("actions.no_leave_for_full", cases.manner(Manner.NOT_ALLOWED))
class TakesLeaveForFull(Tamper):
    """Lets a project leave its instances on a host that is to be emptied."""

    tool_class = _Lenient


@mutant("actions.allowed", cases.manner(Manner.FOREIGN, cases.TWO_PROJECTS))
class TakesForeignInstances(Tamper):
    """Takes a reply that disposes of another project's instance."""

    tool_class = _Lenient


@mutant("message.one_session_id", cases.manner(Manner.WRONG_SESSION))
class TakesAnotherSessionsReply(Tamper):
    """Takes a reply that names another session."""

    tool_class = _Lenient


@mutant("order.told_before_reply", cases.ONE_HOST, seen="Doctor's sample admin tool (W-13)")
class TakesAReplyToNothing(Tamper):
    """Takes a reply from a project that was told nothing yet."""

    def begin(self, world: World) -> None:
        """Let a reply be taken before anything was said."""
        world.clock.call_later(
            OPEN_S + 0.5,
            lambda: world.stage.witness.reply(
                "project-red",
                world.clock.now(),
                world.session_ids[0],
                "ACK_PLANNED_MAINTENANCE",
                {},
                world.url("project-red", 1),
                200,
            ),
        )


@mutant("actions.as_told", cases.ONE_HOST)
class MovesInItsOwnWay(Tamper):
    """Live-migrates what the project wanted to be migrated cold."""

    class _Performer(Performer):
        def ask_to_move(self, instance: Instance, action: Action) -> str:
            return super().ask_to_move(instance, Action.LIVE_MIGRATE)

    performer_class = _Performer


@mutant("actions.only_affected", cases.PART)
class EmptiesTheWholeHost(Tamper):
    """Empties a host of which only a part is affected."""

    def request(self, request: SessionRequest) -> SessionRequest:
        """Forget the part."""
        return replace(request, affected={})
