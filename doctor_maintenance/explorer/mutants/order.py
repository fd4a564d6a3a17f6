# SPDX-License-Identifier: Apache-2.0
"""Admin tools that do the right things in the wrong order."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from doctor_maintenance.explorer.case import Manner
from doctor_maintenance.explorer.jobs import Work
from doctor_maintenance.explorer.mutants import cases
from doctor_maintenance.explorer.mutants.mutant import mutant
from doctor_maintenance.explorer.performing import Performer
from doctor_maintenance.explorer.tamper import Published, Tamper
from doctor_maintenance.explorer.tool import Tool
from doctor_maintenance.explorer.world import World
from doctor_maintenance.planning import Session
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import HostNotification, NotificationState, ProjectNotification

LATER_S = 40.0


@mutant("order.disable_before_planned", cases.ONE_HOST)
class NeverDisables(Tamper):
    """Tells projects of planned maintenance without having disabled nova-compute."""

    class _Performer(Performer):
        def disable(self, command: do.DisableCompute) -> Work:
            yield self.stage.latency()
            return saw.ComputeDisabled(command.key, False)

    performer_class = _Performer


@mutant("order.disable_before_planned", cases.ONE_HOST)
class DisablesLate(Tamper):
    """Disables nova-compute only a while after it has told the projects."""

    class _Performer(Performer):
        def disable(self, command: do.DisableCompute) -> Work:
            yield self.stage.latency()
            machines = self.stage.compute.machines
            self.stage.clock.call_later(1.0, lambda: machines.disable(command.host, command.reason))
            return saw.ComputeDisabled(command.key, False)

    performer_class = _Performer


@mutant("order.told_before_work", cases.ONE_HOST)
class WorksBeforeTelling(Tamper):
    """Begins the work on the host before the inspector is told that it is in maintenance."""

    class _Performer(Performer):
        def notify(self, command: do.NotifyProject | do.NotifyHost) -> Work:
            said = command.notification
            if isinstance(said, HostNotification) and said.state.value == "IN_MAINTENANCE":
                self.stage.witness.ssh(said.host, "maintenance", True, None, "during")
            return (yield from super().notify(command))

    performer_class = _Performer


@mutant("order.inspector_before_projects", cases.LEAVE)
class ProjectsBeforeInspector(Tamper):
    """Tells the projects of the maintenance before the inspector."""

    def publish(
        self, world: World, key: str, notification: ProjectNotification | HostNotification
    ) -> Iterable[Published]:
        """Hold the inspector's message back."""
        if says_host(notification, NotificationState.IN_MAINTENANCE):
            world.clock.call_later(1.0, lambda: world.bus.publish(key, notification))
            return ()
        return ((key, notification),)


@mutant("order.enable_before_over", cases.ONE_HOST)
class OverBeforeEnable(Tamper):
    """Says that the maintenance is over before nova-compute is enabled."""

    class _Performer(Performer):
        def enable(self, command: do.EnableCompute) -> Work:
            yield self.stage.latency()
            machines = self.stage.compute.machines
            self.stage.clock.call_later(LATER_S, lambda: machines.enable(command.host))
            return saw.Done(command.key)

    performer_class = _Performer


@mutant("order.inspector_over_before_projects", cases.LEAVE)
class ProjectsOverBeforeInspector(Tamper):
    """Tells the projects that the maintenance is over before the inspector."""

    def publish(
        self, world: World, key: str, notification: ProjectNotification | HostNotification
    ) -> Iterable[Published]:
        """Hold the inspector's message back."""
        if says_host(notification, NotificationState.MAINTENANCE_OVER):
            world.clock.call_later(1.0, lambda: world.bus.publish(key, notification))
            return ()
        return ((key, notification),)


@mutant("order.in_maintenance_before_enable", cases.ONE_HOST)
class EnablesTooEarly(Tamper):
    """Enables nova-compute as soon as the host is empty, before its maintenance."""

    class _Performer(Performer):
        def survey(self, command: do.Survey) -> Work:
            if "/verify" in command.key:
                self.stage.compute.machines.enable(command.host)
            return (yield from super().survey(command))

    performer_class = _Performer


@mutant("order.work_before_enable", cases.ONE_HOST)
class TestsAfterEnable(Tamper):
    """Tests the host only when it is back in production."""

    class _Performer(Performer):
        def test(self, command: do.Maintain) -> Generator[float, None, str]:
            yield self.stage.latency()
            witness = self.stage.witness
            self.stage.clock.call_later(
                LATER_S, lambda: witness.ssh(command.host, "test", True, None, "during")
            )
            return ""

    performer_class = _Performer


@mutant("order.moved_before_in_maintenance", cases.ONE_HOST)
class DoesNotWaitForMoves(Tamper):
    """Takes a migration for done as soon as Nova has accepted it, and asks nobody whether it is."""

    class _Performer(Performer):
        def move(self, command: do.MoveInstance) -> Work:
            yield self.stage.latency()
            instance = self.compute.instances[command.instance_id]
            self.ask_to_move(instance, command.action)
            return saw.InstanceMoved(command.key, command.instance_id, "elsewhere")

        def survey(self, command: do.Survey) -> Work:
            answer = yield from super().survey(command)
            if "/verify" in command.key:
                return saw.HostSurveyed(command.key, (), self.subscribed)
            return answer

    performer_class = _Performer


@mutant("hosts.one_at_a_time", cases.FULL, seen="Doctor's sample admin tool (W-15)")
class DisablesAllUpFront(Tamper):
    """Disables nova-compute on every host of the session before it begins with the first."""

    class _Performer(Performer):
        def disable(self, command: do.DisableCompute) -> Work:
            for host in self.stage.case.session.hosts:
                self.stage.compute.machines.disable(host, command.reason)
            return (yield from super().disable(command))

    performer_class = _Performer


@mutant("service.impacted_at_once", cases.manner(Manner.SILENT, cases.FULL))
class AllHostsAtOnce(Tamper):
    """Works on all hosts at the same time, without a proof that it may."""

    class _Tool(Tool):
        def new_session(self) -> Session:
            session = super().new_session()
            session._rounds = (session.request.hosts,)
            return session

    tool_class = _Tool


def says_host(
    notification: ProjectNotification | HostNotification, state: NotificationState
) -> bool:
    """Return whether a notification tells the inspector a state."""
    return isinstance(notification, HostNotification) and notification.state is state
