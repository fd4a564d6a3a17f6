# SPDX-License-Identifier: Apache-2.0
"""How the admin tool of a world performs commands: on the simulated cloud directly, one function a command.

The rules are those of the real one (``admin_tool/actions.py``, ``moves.py``, ``host_side.py``): look before
acting, believe no answer, bound every wait, answer always.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from doctor_maintenance.exceptions import RequestRefused
from doctor_maintenance.explorer.case import Trouble
from doctor_maintenance.explorer.jobs import Work
from doctor_maintenance.explorer.stage import CloudStage
from doctor_maintenance.planning import SeenInstance
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import Action, HostNotification, ProjectNotification
from doctor_maintenance.simulator.records import Instance
from doctor_maintenance.simulator.states import MigrationStatus

TRIES = 4
_AGAIN_S = 0.5
_RECOVERY_S = 60.0
_ARRIVAL_POLL_S = 1.0
_ARRIVAL_LOOKS = 60
_ARRIVING = frozenset(
    {
        MigrationStatus.ACCEPTED,
        MigrationStatus.QUEUED,
        MigrationStatus.PREPARING,
        MigrationStatus.RUNNING,
        MigrationStatus.PRE_MIGRATING,
        MigrationStatus.MIGRATING,
        MigrationStatus.POST_MIGRATING,
    }
)

Publish = Callable[[str, ProjectNotification | HostNotification], None]


class Performer:
    """Performs commands. What it must remember over a restart it keeps, as the real one does in its journal.

    Args:
        stage: the cloud.
        publish: puts a notification on the bus, under the key of its command.
        subscribed: the projects that have an alarm.
    """

    def __init__(self, stage: CloudStage, publish: Publish, subscribed: frozenset[str]) -> None:
        self.stage = stage
        self.compute = stage.compute
        self.publish = publish
        self.subscribed = subscribed
        self._boot_ids: dict[str, str] = {}
        self._asked: set[str] = set()
        self._table: dict[type, Callable[[Any], Work]] = {
            do.DisableCompute: self.disable,
            do.EnableCompute: self.enable,
            do.Survey: self.survey,
            do.NotifyProject: self.notify,
            do.NotifyHost: self.notify,
            do.MoveInstance: self.move,
            do.Maintain: self.maintain,
            do.RestoreInstances: self.restore,
        }

    def perform(self, command: do.Answered) -> Work:
        """Perform a command; the result is the event that answers it."""
        return self._table[type(command)](command)

    def ask(self, call: str, act: Callable[[], Any]) -> Generator[float, None, Any]:
        """Call the cloud, with patience; ``None`` if it never answers well."""
        for _ in range(TRIES):
            yield self.stage.latency()
            trouble = self.stage.api_trouble(call)
            answer = None if trouble is Trouble.API_REFUSES else act()
            if trouble is None:
                yield self.stage.latency()
                return answer
            yield _AGAIN_S
        return None

    # Nova's services, and who is on a host.

    def disable(self, command: do.DisableCompute) -> Work:
        """Step 1."""
        service = self.compute.machines.get(command.host).service

        def act() -> bool:
            if service.disabled:
                return service.disabled_reason != command.reason
            self.compute.machines.disable(command.host, command.reason)
            return False

        by_operator = yield from self.ask("disable", act)
        if by_operator is None:
            return saw.CommandFailed(command.key, "nova: 503, again and again")
        return saw.ComputeDisabled(command.key, by_operator)

    def enable(self, command: do.EnableCompute) -> Work:
        """Step 10; only what we had disabled is enabled."""
        service = self.compute.machines.get(command.host).service
        session_id = command.key.partition("/")[0]

        def act() -> bool:
            if service.disabled and session_id in (service.disabled_reason or ""):
                self.compute.machines.enable(command.host)
            return True

        if (yield from self.ask("enable", act)) is None:
            return saw.CommandFailed(command.key, "nova: 503, again and again")
        return saw.Done(command.key)

    def survey(self, command: do.Survey) -> Work:
        """Look who is on the host, when whatever was on its way there has arrived and been built."""
        for _ in range(_ARRIVAL_LOOKS):
            if not self.arriving(command.host):
                break
            yield _ARRIVAL_POLL_S
        else:
            return saw.CommandFailed(command.key, f"something is on its way to {command.host}")

        def act() -> tuple[SeenInstance, ...]:
            known = self.compute.instances
            return tuple(
                SeenInstance(key, known[key].project_id, known[key].status)
                for key in sorted(self.compute.hosts[command.host].instances)
                if not known[key].deleted
            )

        instances = yield from self.ask("survey", act)
        if instances is None:
            return saw.CommandFailed(command.key, "nova: 503, again and again")
        return saw.HostSurveyed(command.key, instances, self.subscribed)

    def arriving(self, host: str) -> bool:
        """Return whether an instance is being built on a host, or a migration may be about to bring one."""
        known = self.compute.instances
        return any(
            known[key].status == "BUILD" for key in self.compute.hosts[host].instances
        ) or any(
            migration.dest in (None, host) and migration.status in _ARRIVING
            for migration in self.compute.migrations.values()
        )

    def notify(self, command: do.NotifyProject | do.NotifyHost) -> Work:
        """Steps 2, 7, 8, 11 and 12."""
        yield self.stage.latency()
        trouble = self.stage.api_trouble("publish")
        if trouble is not Trouble.API_REFUSES:
            self.publish(command.key, command.notification)
        yield self.stage.latency()
        if trouble is not None:
            return saw.CommandFailed(command.key, "the bus did not take the notification")
        return saw.Done(command.key)

    # Moving.

    def move(self, command: do.MoveInstance) -> Work:
        """Step 6: one attempt, bounded in time."""
        yield self.stage.latency()
        clock, poll_s = self.stage.clock, self.stage.case.session.poll_s * 0.5
        deadline = clock.now() + self.stage.case.timing.move_timeout_s
        aborted = False
        while True:
            instance = self.compute.instances.get(command.instance_id)
            ended = self.move_on(command, instance)
            if ended == self.recover:
                return (yield from self.recover(command))
            if ended is not None:
                return ended
            if clock.now() >= deadline:
                if aborted or not self._abort(command.instance_id):
                    return saw.CommandFailed(command.key, "it is still on its way")
                aborted = True
            yield poll_s

    def move_on(self, command: do.MoveInstance, instance: Instance | None) -> Any:
        """Take the next step, from what an instance looks like; return how the attempt ended, if it did.

        That Nova was about to be asked is kept over a restart: what is in ERROR is ours to mend only then.
        """
        key, instance_id = command.key, command.instance_id
        if instance is None or instance.deleted:
            return saw.InstanceGone(key, instance_id)
        if instance.task_state is not None:
            return None
        if instance.status == "ERROR":
            if key in self._asked:
                return self.recover
            return saw.CommandFailed(key, f"{instance_id} is in ERROR", True)
        if instance.status == "VERIFY_RESIZE":
            self.refused(lambda: self.compute.confirm_resize(instance_id))
            return None
        if instance.host != command.host:
            return saw.InstanceMoved(key, instance_id, instance.host or "")
        if key in self._asked:
            return saw.CommandFailed(key, f"{instance_id} did not leave {command.host}")
        self._asked.add(key)
        if self.stage.api_trouble("migrate") is not Trouble.API_REFUSES:
            refused = self.ask_to_move(instance, command.action)
            if refused:
                return saw.CommandFailed(key, refused)
        return None

    def ask_to_move(self, instance: Instance, action: Action) -> str:
        """Ask Nova to migrate an instance; return why it refuses, if it does."""
        if action is Action.LIVE_MIGRATE and instance.status == "ACTIVE":
            return self.refused(lambda: self.compute.live_migrate(instance.instance_id))
        return self.refused(lambda: self.compute.migrate(instance.instance_id))

    def refused(self, act: Callable[[], Any]) -> str:
        """Do something; return why it is refused, if it is."""
        try:
            act()
        except RequestRefused as error:
            return str(error)
        return ""

    def _abort(self, instance_id: str) -> bool:
        running = next(self.compute.running_migrations(instance_id), None)
        if running is None:
            return False
        return not self.refused(lambda: self.compute.abort_migration(instance_id, running.number))

    def recover(self, command: do.MoveInstance) -> Work:
        """Start an instance again that its migration left in ERROR; it may then be tried again."""
        instance_id = command.instance_id
        self.refused(lambda: self.compute.reboot(instance_id, hard=True))
        deadline = self.stage.clock.now() + _RECOVERY_S
        while self.stage.clock.now() < deadline:
            yield _AGAIN_S
            instance = self.compute.instances.get(instance_id)
            if instance is None or instance.deleted:
                return saw.InstanceGone(command.key, instance_id)
            if instance.status == "ACTIVE":
                if instance.host != command.host:
                    return saw.InstanceMoved(command.key, instance_id, instance.host or "")
                return saw.CommandFailed(command.key, f"{instance_id} was in ERROR; it runs again")
        return saw.CommandFailed(command.key, f"{instance_id} is in ERROR", True)

    # The maintenance itself.

    def maintain(self, command: do.Maintain) -> Work:
        """The maintenance itself, one part of it."""
        steps: dict[do.WorkStep, Callable[[do.Maintain], Generator[float, None, str]]] = {
            do.WorkStep.COMMANDS: self.commands,
            do.WorkStep.REBOOT: self.reboot,
            do.WorkStep.SERVICE: self.service,
            do.WorkStep.TEST: self.test,
        }
        problem = yield from steps[command.step](command)
        if problem:
            return saw.CommandFailed(command.key, problem)
        return saw.Done(command.key)

    def commands(self, command: do.Maintain) -> Generator[float, None, str]:
        """Run the operator's commands."""
        stage, host = self.stage, command.host
        yield stage.latency()
        stage.witness.ssh(host, "guests", True, tuple(self.compute.hosts[host].domains), "during")
        yield stage.case.timing.work_s
        ok = stage.api_trouble("ssh") is None
        stage.witness.ssh(host, "maintenance", ok, None, "during")
        return "" if ok else f"{host}: the maintenance commands failed"

    def test(self, command: do.Maintain) -> Generator[float, None, str]:
        """Run the operator's test."""
        yield self.stage.latency()
        ok = self.stage.api_trouble("ssh") is None
        self.stage.witness.ssh(command.host, "test", ok, None, "during")
        return "" if ok else f"{command.host}: the test failed"

    def reboot(self, command: do.Maintain) -> Generator[float, None, str]:
        """Reboot, unless that was done before a restart; wait for another boot ID."""
        stage, host = self.stage, self.compute.hosts[command.host]
        yield stage.latency()
        before = self._boot_ids.setdefault(command.key, host.boot_id)
        if host.powered and host.boot_id == before:
            if stage.api_trouble("ssh") is not None:
                return f"{host.name}: SSH refused the reboot"
            self.compute.machines.reboot(host.name)
        return (
            yield from self._until(
                lambda: host.powered and host.boot_id != before, f"{host.name} did not come back"
            )
        )

    def service(self, command: do.Maintain) -> Generator[float, None, str]:
        """Wait until nova-compute is up."""
        service = self.compute.hosts[command.host].service
        yield self.stage.latency()
        return (
            yield from self._until(
                lambda: service.state == "up", f"nova-compute of {command.host} is down"
            )
        )

    def restore(self, command: do.RestoreInstances) -> Work:
        """See to it that instances left on the host run again."""
        yield self.stage.latency()
        known = self.compute.instances

        def all_run() -> bool:
            waiting = [
                known[key]
                for key in command.instance_ids
                if key in known and known[key].status != "ACTIVE" and not known[key].deleted
            ]
            for instance in waiting:
                if instance.task_state is None and instance.host == command.host:
                    self._start(instance)
            return not waiting

        problem = yield from self._until(all_run, f"instances left on {command.host} do not run")
        return saw.CommandFailed(command.key, problem) if problem else saw.Done(command.key)

    def _start(self, instance: Instance) -> None:
        if instance.status == "ERROR":
            self.refused(lambda: self.compute.reboot(instance.instance_id, hard=True))
        else:
            self.refused(lambda: self.compute.start(instance.instance_id))

    def _until(self, holds: Callable[[], bool], problem: str) -> Generator[float, None, str]:
        deadline = self.stage.clock.now() + self.stage.case.timing.host_timeout_s
        while not holds():
            if self.stage.clock.now() >= deadline:
                return problem
            yield self.stage.case.session.poll_s
        return ""
