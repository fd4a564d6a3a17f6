# SPDX-License-Identifier: Apache-2.0
"""Admin tools that lose something on the way, or say that they did what they did not."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from doctor_maintenance.explorer.case import Manner
from doctor_maintenance.explorer.jobs import Work
from doctor_maintenance.explorer.mutants import cases
from doctor_maintenance.explorer.mutants.mutant import mutant
from doctor_maintenance.explorer.performing import Performer
from doctor_maintenance.explorer.tamper import Tamper
from doctor_maintenance.explorer.tool import Tool
from doctor_maintenance.explorer.world import World
from doctor_maintenance.planning import Session, SessionRequest
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import Action, ProjectNotification, SessionState
from doctor_maintenance.simulator.records import Instance
from sample_app_manager.policy import Plan


@mutant("lost.no_service", cases.ONE_HOST)
class NeverEnables(Tamper):
    """Leaves nova-compute disabled when the maintenance is over."""

    class _Performer(Performer):
        def enable(self, command: do.EnableCompute) -> Work:
            yield self.stage.latency()
            return saw.Done(command.key)

    performer_class = _Performer


@mutant(
    "lost.no_service",
    cases.manner(Manner.REFUSES),
    seen="Doctor's sample admin tool (W-15, Gerrit 63197 and 69662)",
)
class LeavesACanceledHostDisabled(Tamper):
    """Leaves nova-compute disabled when the maintenance was canceled."""

    class _Performer(Performer):
        def enable(self, command: do.EnableCompute) -> Work:
            if "/revert" not in command.key:
                return (yield from super().enable(command))
            yield self.stage.latency()
            return saw.Done(command.key)

    performer_class = _Performer


@mutant("lost.operator_disabled_stays", cases.DISABLED_BEFORE)
class EnablesWhatAnOperatorDisabled(Tamper):
    """Enables a nova-compute at the end that an operator had disabled before."""

    class _Performer(Performer):
        def disable(self, command: do.DisableCompute) -> Work:
            yield self.stage.latency()
            self.compute.machines.disable(command.host, command.reason)
            return saw.ComputeDisabled(command.key, False)

    performer_class = _Performer


@mutant("lost.no_instance", cases.ONE_HOST)
class DeletesInstances(Tamper):
    """Deletes what it should move."""

    class _Performer(Performer):
        def move(self, command: do.MoveInstance) -> Work:
            yield self.stage.latency()
            self.compute.delete(command.instance_id)
            yield self.stage.case.timing.delete_s
            return saw.InstanceGone(command.key, command.instance_id)

    performer_class = _Performer


@mutant("lost.no_instance", cases.ONE_HOST, seen="Doctor's sample admin tool (W-25)")
class NeverConfirms(Tamper):
    """Never confirms a cold migration, so that the instance waits for ever."""

    class _Performer(Performer):
        def move(self, command: do.MoveInstance) -> Work:
            yield self.stage.latency()
            instance = self.compute.instances[command.instance_id]
            self.ask_to_move(instance, command.action)
            while instance.status != "VERIFY_RESIZE":
                yield 1.0
            return saw.InstanceMoved(command.key, command.instance_id, instance.host or "")

    performer_class = _Performer


@mutant("lost.no_instance", cases.STOPPED)
class LeavesInstancesStopped(Tamper):
    """Does not start the instances again that were left on a rebooted host."""

    class _Performer(Performer):
        def restore(self, command: do.RestoreInstances) -> Work:
            yield self.stage.latency()
            return saw.Done(command.key)

    performer_class = _Performer


@mutant("hosts.emptied", cases.ONE_HOST, seen="Doctor's sample admin tool (W-26)")
class TakesAHostForEmpty(Tamper):
    """Begins full maintenance on a host that still has instances."""

    class _Performer(Performer):
        def move(self, command: do.MoveInstance) -> Work:
            yield self.stage.latency()
            return saw.InstanceMoved(command.key, command.instance_id, "elsewhere")

        def survey(self, command: do.Survey) -> Work:
            answer = yield from super().survey(command)
            if "/verify" in command.key:
                return saw.HostSurveyed(command.key, (), self.subscribed)
            return answer

    performer_class = _Performer


@mutant("hosts.worked", cases.ONE_HOST)
class SkipsTheWork(Tamper):
    """Says that a host was maintained on which nothing was done."""

    class _Performer(Performer):
        def commands(self, command: do.Maintain) -> Generator[float, None, str]:
            yield self.stage.latency()
            self.stage.witness.ssh(command.host, "maintenance", False, "not run", "during")
            return ""

    performer_class = _Performer


@mutant("hosts.rebooted", cases.REBOOT)
class SkipsTheReboot(Tamper):
    """Says that a host was rebooted that was not."""

    class _Performer(Performer):
        def reboot(self, command: do.Maintain) -> Generator[float, None, str]:
            yield self.stage.latency()
            return ""

    performer_class = _Performer


@mutant("hosts.tested", cases.ONE_HOST)
class IgnoresTheTest(Tamper):
    """Puts a host back to production whose test failed."""

    class _Performer(Performer):
        def test(self, command: do.Maintain) -> Generator[float, None, str]:
            yield self.stage.latency()
            self.stage.witness.ssh(command.host, "test", False, "failed", "during")
            return ""

    performer_class = _Performer


@mutant("session.ends", cases.ONE_HOST, seen="Doctor's sample admin tool (W-10)")
class GetsStuck(Tamper):
    """Loses an answer, and waits for it for ever."""

    class _Tool(Tool):
        def take(self, event: saw.Event) -> None:
            if not (isinstance(event, saw.Done) and event.key.endswith("/work-COMMANDS")):
                super().take(event)

    tool_class = _Tool


@mutant("session.covers_hosts", cases.FULL, seen="Doctor's sample admin tool (W-03)")
class SkipsAHost(Tamper):
    """Quietly leaves a host out that the operator had named."""

    def request(self, request: SessionRequest) -> SessionRequest:
        """Forget the last host."""
        return replace(request, hosts=request.hosts[:-1])


class _SaysOver(Tool):
    """Calls every session over at its end."""

    def tell(self, session: Session) -> None:
        """Say that all is well."""
        super().tell(session)
        if session.state.final:
            hosts = {work.host: work.state.value for work in session.works.values()}
            over = SessionState.MAINTENANCE_OVER.value
            self.stage.witness.session(session.session_id, over, self.hosts(hosts))

    def hosts(self, hosts: dict[str, str]) -> dict[str, str]:
        """Return what is said of the hosts."""
        return hosts


@mutant("session.state_fits_hosts", cases.SSH_FAILS, seen="Doctor's sample admin tool (W-03)")
class OverwritesAFailure(Tamper):
    """Calls the session over although the maintenance of a host failed."""

    tool_class = _SaysOver


@mutant(
    "session.hosts_fit_events",
    cases.manner(Manner.REFUSES, cases.FULL),
    seen="Doctor's sample admin tool (W-03)",
)
class CallsACanceledHostMaintained(Tamper):
    """Calls a host maintained whose maintenance was canceled."""

    class _Tool(_SaysOver):
        def hosts(self, hosts: dict[str, str]) -> dict[str, str]:
            return dict.fromkeys(hosts, SessionState.MAINTENANCE_OVER.value)

    tool_class = _Tool


@mutant("service.pair_apart", cases.LEAVE)
class PutsAPairTogether(Tamper):
    """Moves an instance, past the scheduler, to the host of the other one of its pair."""

    class _Performer(Performer):
        def disable(self, command: do.DisableCompute) -> Work:
            if command.host == "host-2":
                standby = self.stage.ids["red-a"]
                self.compute.live_migrate(standby, "host-2", force=True)
                yield self.stage.case.timing.move_s * 2
            return (yield from super().disable(command))

    performer_class = _Performer

    def plan(self, world: World, notification: ProjectNotification, plan: Plan) -> Plan:
        """Let the app manager know nothing of it."""
        assert plan.reply is not None
        left = dict.fromkeys(plan.reply.instance_actions, Action.LEAVE)
        return replace(plan, reply=replace(plan.reply, instance_actions=left))


@mutant("service.no_gap", cases.manner(Manner.SILENT))
class MovesTheActiveCold(Tamper):
    """Announces live migration by default, and stops the active instance to move it."""

    class _Performer(Performer):
        def ask_to_move(self, instance: Instance, action: Action) -> str:
            return super().ask_to_move(instance, Action.MIGRATE)

    performer_class = _Performer
