# SPDX-License-Identifier: Apache-2.0
"""Admin tools that tell the wrong people, the wrong things, twice, or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from doctor_maintenance.explorer.case import Manner
from doctor_maintenance.explorer.jobs import Work
from doctor_maintenance.explorer.mutants import cases
from doctor_maintenance.explorer.mutants.mutant import mutant
from doctor_maintenance.explorer.mutants.order import says_host
from doctor_maintenance.explorer.performing import Performer
from doctor_maintenance.explorer.tamper import Published, Tamper
from doctor_maintenance.explorer.tool import Tool
from doctor_maintenance.explorer.world import World
from doctor_maintenance.planning import commands as do
from doctor_maintenance.protocol import HostNotification, NotificationState, ProjectNotification

IN, OVER = NotificationState.IN_MAINTENANCE, NotificationState.MAINTENANCE_OVER
PLANNED, CANCELED = NotificationState.PLANNED_MAINTENANCE, NotificationState.MAINTENANCE_CANCELED
OTHER_SESSION = "5e551011-0000-4000-8000-ffffffffffff"

Said = ProjectNotification | HostNotification


def says(notification: Said, state: NotificationState) -> bool:
    """Return whether a notification tells a project a state."""
    return isinstance(notification, ProjectNotification) and notification.state is state


def to_blue(notification: Any) -> ProjectNotification:
    """Return the same for the other project."""
    url = notification.instance_ids.replace("project-red", "project-blue")
    copy: ProjectNotification = replace(notification, project_id="project-blue", instance_ids=url)
    return copy


class _Changed(Tamper):
    """Changes one notification at a time."""

    def publish(self, world: World, key: str, notification: Said) -> Iterable[Published]:
        """Publish what :meth:`instead` says."""
        return self.instead(key, notification)

    def instead(self, key: str, said: Any) -> Iterable[Published]:
        """Return what is published instead."""
        return ((key, said),)


BYSTANDER = replace(
    cases.LEAVE,
    projects=(
        *cases.LEAVE.projects,
        replace(cases.BLUE, instances=(replace(cases.BLUE.instances[0], host="host-3"),)),
    ),
    session=replace(cases.LEAVE.session, hosts=("host-1",)),
)
"""A host is rebooted; another project has nothing on it."""


class _ToBystander(Tamper):
    """Tells a project that has nothing on the host as well."""

    state = PLANNED

    def publish(self, world: World, key: str, notification: Said) -> Iterable[Published]:
        """Publish it to both."""
        if not says(notification, self.state):
            return ((key, notification),)
        now = world.clock.now()
        world.stage.witness.project_message("bus", f"{key}-blue", now, to_blue(notification))
        return ((key, notification),)


@mutant("told.planned_only", BYSTANDER)
class TellsABystander(_ToBystander):
    """Tells a project of planned maintenance that has nothing on the host."""


@mutant("told.in_maintenance_only", BYSTANDER)
class TellsABystanderOfMaintenance(_ToBystander):
    """Tells a project that a host is in maintenance on which it has nothing."""

    state = IN


@mutant("told.over_only", BYSTANDER)
class TellsABystanderOfTheEnd(_ToBystander):
    """Tells a project that a maintenance is over that was never about it."""

    state = OVER


@mutant("told.canceled_only", cases.manner(Manner.REFUSES, BYSTANDER))
class TellsABystanderOfCancellation(_ToBystander):
    """Tells a project that a maintenance is canceled of which it had never heard."""

    state = CANCELED


@mutant("told.planned", cases.TWO_PROJECTS)
class ForgetsAProject(_Changed):
    """Does not tell one of the projects on the host of planned maintenance."""

    def instead(self, key: str, said: Any) -> Iterable[Published]:
        """Drop it."""
        blue = says(said, PLANNED) and said.project_id == "project-blue"
        return () if blue else ((key, said),)


@mutant("told.in_maintenance", cases.LEAVE)
class ForgetsInMaintenance(_Changed):
    """Does not tell projects with instances left that the host is in maintenance."""

    def instead(self, key: str, said: Any) -> Iterable[Published]:
        """Drop it."""
        return () if says(said, IN) else ((key, said),)


@mutant("told.over", cases.LEAVE)
class ForgetsOver(_Changed):
    """Does not tell projects that the maintenance is over."""

    def instead(self, key: str, said: Any) -> Iterable[Published]:
        """Drop it."""
        return () if says(said, OVER) else ((key, said),)


@mutant(
    "told.canceled",
    cases.manner(Manner.REFUSES, cases.TWO_PROJECTS),
    seen="Doctor's sample admin tool (W-14)",
)
class CancelsWithoutTelling(_Changed):
    """Gives a host up after a refusal, and tells nobody who had prepared for it."""

    def instead(self, key: str, said: Any) -> Iterable[Published]:
        """Drop it."""
        return () if says(said, CANCELED) else ((key, said),)


@mutant("told.canceled_excludes_maintenance", cases.LEAVE)
class CancelsAfterStepSeven(_Changed):
    """Cancels when the inspector has already been told of the maintenance."""

    def instead(self, key: str, said: Any) -> Iterable[Published]:
        """Say canceled instead of in maintenance."""
        return ((key, replace(said, state=CANCELED) if says(said, IN) else said),)


@mutant("session.hosts_fit_events", cases.ONE_HOST)
class ForgetsTheInspector(_Changed):
    """Does not tell the inspector of the maintenance at all."""

    def instead(self, key: str, said: Any) -> Iterable[Published]:
        """Drop it."""
        return () if isinstance(said, HostNotification) else ((key, said),)


@mutant("inspector.acts_again", cases.HOST_FAULTS)
class LeavesTheInspectorStandingDown(Tamper):
    """Publishes that the maintenance is over, but not in a form that the inspector can read."""

    def begin(self, world: World) -> None:
        """Let the second message to the inspector go astray."""
        receive = world.bus.receiver("inspector")

        def first_only(letter: Any) -> None:
            if says_host(letter.notification, IN):
                receive(letter)

        world.bus.subscribe("inspector", first_only)


@mutant("told.arrives", cases.ONE_HOST)
class AlarmsGoAstray(Tamper):
    """Publishes what no app manager's alarm matches."""

    def begin(self, world: World) -> None:
        """Let nothing reach the project."""
        world.bus.subscribe("project-red", lambda letter: None)


@mutant("told.lists_instances", cases.ONE_HOST)
class ListsNotAll(Tamper):
    """Leaves an instance out of the list that a project is told."""

    def listed(self, instances: tuple[str, ...]) -> tuple[str, ...]:
        """Leave the last one out."""
        return instances[:-1]


@mutant("message.complete", cases.ONE_HOST)
class SetsNoDeadline(_Changed):
    """Asks for a reply without saying until when."""

    def instead(self, key: str, said: Any) -> Iterable[Published]:
        """Leave the deadline out."""
        return ((key, replace(said, actions_at=None) if says(said, PLANNED) else said),)


@mutant("message.same_content", cases.LEAVE)
class SaysItTwiceDifferently(_Changed):
    """Sends a notification again, with other words."""

    def instead(self, key: str, said: Any) -> Iterable[Published]:
        """Say it twice."""
        if not says(said, OVER):
            return ((key, said),)
        return ((key, said), (f"{key}-again", replace(said, metadata={"why": "changed"})))


@mutant("message.one_session_id", cases.ONE_HOST)
class NamesAnotherSession(_Changed):
    """Puts the ID of another session into a message."""

    def instead(self, key: str, said: Any) -> Iterable[Published]:
        """Change the ID for the inspector."""
        host = isinstance(said, HostNotification)
        return ((key, replace(said, session_id=OTHER_SESSION) if host else said),)


@mutant("message.one_session_id", cases.ONE_HOST)
class DisablesWithoutReason(Tamper):
    """Disables nova-compute without naming the session, so that nobody knows whose it is."""

    class _Performer(Performer):
        def disable(self, command: do.DisableCompute) -> Work:
            answer = yield from super().disable(replace(command, reason="maintenance"))
            return answer

        def enable(self, command: do.EnableCompute) -> Work:
            answer = yield from super().enable(command)
            self.compute.machines.enable(command.host)
            return answer

    performer_class = _Performer


@mutant("privacy.no_host", cases.ONE_HOST, seen="Doctor's sample admin tool (W-31)")
class NamesTheHost(_Changed):
    """Names the host in what a project is told."""

    def instead(self, key: str, said: Any) -> Iterable[Published]:
        """Put it into the metadata."""
        host = key.split("/")[1]
        return ((key, replace(said, metadata={"host": host}) if says(said, PLANNED) else said),)


@mutant("privacy.no_other_project", cases.TWO_PROJECTS)
class ShowsOthersInstances(Tamper):
    """Shows a project all instances on the host, whosever they are."""

    class _Tool(Tool):
        def view(self, project_id: str, number: int) -> dict[str, Any] | None:
            view = super().view(project_id, number)
            if view is None or self.session is None:
                return view
            work = self.session.announcement(project_id, number)[0]
            return {**view, "on_the_same_host": sorted(work.remaining)}

    tool_class = _Tool


@mutant("privacy.routing", cases.ONE_HOST, seen="Doctor's sample admin tool (W-31)")
class HostEventsInAProject(_Changed):
    """Publishes host events as events of a project, which can then have an alarm on them."""

    def instead(self, key: str, said: Any) -> Iterable[Published]:
        """Change the project."""
        host = isinstance(said, HostNotification)
        return ((key, replace(said, project_id="project-red") if host else said),)
