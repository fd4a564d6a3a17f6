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

TRIES = 4
_AGAIN_S = 0.5
_RECOVERY_S = 60.0

Publish = Callable[[str, ProjectNotification | HostNotification], None]


class Performer:
    """Performs commands.

    Args:
        stage: the cloud.
        publish: puts a notification on the bus, under the key of its command.
        subscribed: the projects that have an alarm.
    """

    def __init__(self, stage: CloudStage, publish: Publish, subscribed: frozenset[str]) -> None:
        self._stage = stage
        self._compute = stage.compute
        self._publish = publish
        self._subscribed = subscribed
        self._boot_ids: dict[str, str] = {}
        self._table: dict[type, Callable[[Any], Work]] = {
            do.DisableCompute: self._disable,
            do.EnableCompute: self._enable,
            do.Survey: self._survey,
            do.NotifyProject: self._notify,
            do.NotifyHost: self._notify,
            do.MoveInstance: self._move,
            do.Maintain: self._maintain,
            do.RestoreInstances: self._restore,
        }

    def perform(self, command: do.Answered) -> Work:
        """Perform a command; the result is the event that answers it."""
        return self._table[type(command)](command)

    def _ask(self, call: str, act: Callable[[], Any]) -> Generator[float, None, Any]:
        """Call the cloud, with patience; ``None`` if it never answers well."""
        for _ in range(TRIES):
            yield self._stage.latency()
            trouble = self._stage.api_trouble(call)
            answer = None if trouble is Trouble.API_REFUSES else act()
            if trouble is None:
                yield self._stage.latency()
                return answer
            yield _AGAIN_S
        return None

    # Nova's services, and who is on a host.

    def _disable(self, command: do.DisableCompute) -> Work:
        service = self._compute.machines.get(command.host).service

        def act() -> bool:
            if service.disabled:
                return service.disabled_reason != command.reason
            self._compute.machines.disable(command.host, command.reason)
            return False

        by_operator = yield from self._ask("disable", act)
        if by_operator is None:
            return saw.CommandFailed(command.key, "nova: 503, again and again")
        return saw.ComputeDisabled(command.key, by_operator)

    def _enable(self, command: do.EnableCompute) -> Work:
        service = self._compute.machines.get(command.host).service
        session_id = command.key.partition("/")[0]

        def act() -> bool:
            if service.disabled and session_id in (service.disabled_reason or ""):
                self._compute.machines.enable(command.host)
            return True

        if (yield from self._ask("enable", act)) is None:
            return saw.CommandFailed(command.key, "nova: 503, again and again")
        return saw.Done(command.key)

    def _survey(self, command: do.Survey) -> Work:
        def act() -> tuple[SeenInstance, ...]:
            known = self._compute.instances
            return tuple(
                SeenInstance(key, known[key].project_id, known[key].status)
                for key in sorted(self._compute.hosts[command.host].instances)
                if not known[key].deleted
            )

        instances = yield from self._ask("survey", act)
        if instances is None:
            return saw.CommandFailed(command.key, "nova: 503, again and again")
        return saw.HostSurveyed(command.key, instances, self._subscribed)

    def _notify(self, command: do.NotifyProject | do.NotifyHost) -> Work:
        yield self._stage.latency()
        trouble = self._stage.api_trouble("publish")
        if trouble is not Trouble.API_REFUSES:
            self._publish(command.key, command.notification)
        yield self._stage.latency()
        if trouble is not None:
            return saw.CommandFailed(command.key, "the bus did not take the notification")
        return saw.Done(command.key)

    # Moving.

    def _move(self, command: do.MoveInstance) -> Work:
        yield self._stage.latency()
        clock, poll_s = self._stage.clock, self._stage.case.session.poll_s * 0.5
        deadline = clock.now() + self._stage.case.timing.move_timeout_s
        asked = aborted = False
        while True:
            instance = self._compute.instances.get(command.instance_id)
            ended, asked = self._move_on(command, instance, asked)
            if ended == self._recover:
                return (yield from self._recover(command))
            if ended is not None:
                return ended
            if clock.now() >= deadline:
                if aborted or not self._abort(command.instance_id):
                    return saw.CommandFailed(command.key, "it is still on its way")
                aborted = True
            yield poll_s

    def _move_on(
        self, command: do.MoveInstance, instance: Instance | None, asked: bool
    ) -> tuple[Any, bool]:
        """Take the next step, from what an instance looks like; return how the attempt ended, if it did."""
        key, instance_id = command.key, command.instance_id
        if instance is None or instance.deleted:
            return saw.InstanceGone(key, instance_id), asked
        if instance.task_state is not None:
            return None, asked
        if instance.status == "ERROR":
            if asked:
                return self._recover, asked
            return saw.CommandFailed(key, f"{instance_id} is in ERROR", True), asked
        if instance.status == "VERIFY_RESIZE":
            self._refused(lambda: self._compute.confirm_resize(instance_id))
            return None, asked
        if instance.host != command.host:
            return saw.InstanceMoved(key, instance_id, instance.host or ""), asked
        if asked:
            return saw.CommandFailed(key, f"{instance_id} did not leave {command.host}"), asked
        if self._stage.api_trouble("migrate") is not Trouble.API_REFUSES:
            refused = self._ask_to_move(instance, command.action)
            if refused:
                return saw.CommandFailed(key, refused), asked
        return None, True

    def _ask_to_move(self, instance: Instance, action: Action) -> str:
        if action is Action.LIVE_MIGRATE and instance.status == "ACTIVE":
            return self._refused(lambda: self._compute.live_migrate(instance.instance_id))
        return self._refused(lambda: self._compute.migrate(instance.instance_id))

    def _refused(self, act: Callable[[], Any]) -> str:
        try:
            act()
        except RequestRefused as error:
            return str(error)
        return ""

    def _abort(self, instance_id: str) -> bool:
        running = next(self._compute.running_migrations(instance_id), None)
        if running is None:
            return False
        return not self._refused(lambda: self._compute.abort_migration(instance_id, running.number))

    def _recover(self, command: do.MoveInstance) -> Work:
        """Start an instance again that its migration left in ERROR; it may then be tried again."""
        instance_id = command.instance_id
        self._refused(lambda: self._compute.reboot(instance_id, hard=True))
        deadline = self._stage.clock.now() + _RECOVERY_S
        while self._stage.clock.now() < deadline:
            yield _AGAIN_S
            instance = self._compute.instances.get(instance_id)
            if instance is None or instance.deleted:
                return saw.InstanceGone(command.key, instance_id)
            if instance.status == "ACTIVE":
                if instance.host != command.host:
                    return saw.InstanceMoved(command.key, instance_id, instance.host or "")
                return saw.CommandFailed(command.key, f"{instance_id} was in ERROR; it runs again")
        return saw.CommandFailed(command.key, f"{instance_id} is in ERROR", True)

    # The maintenance itself.

    def _maintain(self, command: do.Maintain) -> Work:
        steps: dict[do.WorkStep, Callable[[do.Maintain], Generator[float, None, str]]] = {
            do.WorkStep.COMMANDS: self._commands,
            do.WorkStep.REBOOT: self._reboot,
            do.WorkStep.SERVICE: self._service,
            do.WorkStep.TEST: self._test,
        }
        problem = yield from steps[command.step](command)
        if problem:
            return saw.CommandFailed(command.key, problem)
        return saw.Done(command.key)

    def _commands(self, command: do.Maintain) -> Generator[float, None, str]:
        stage, host = self._stage, command.host
        yield stage.latency()
        stage.witness.ssh(host, "guests", True, tuple(self._compute.hosts[host].domains), "during")
        yield stage.case.timing.work_s
        ok = stage.api_trouble("ssh") is None
        stage.witness.ssh(host, "maintenance", ok, None, "during")
        return "" if ok else f"{host}: the maintenance commands failed"

    def _test(self, command: do.Maintain) -> Generator[float, None, str]:
        yield self._stage.latency()
        ok = self._stage.api_trouble("ssh") is None
        self._stage.witness.ssh(command.host, "test", ok, None, "during")
        return "" if ok else f"{command.host}: the test failed"

    def _reboot(self, command: do.Maintain) -> Generator[float, None, str]:
        stage, host = self._stage, self._compute.hosts[command.host]
        yield stage.latency()
        before = self._boot_ids.setdefault(command.key, host.boot_id)
        if host.powered and host.boot_id == before:
            if stage.api_trouble("ssh") is not None:
                return f"{host.name}: SSH refused the reboot"
            self._compute.machines.reboot(host.name)
        return (
            yield from self._until(
                lambda: host.powered and host.boot_id != before, f"{host.name} did not come back"
            )
        )

    def _service(self, command: do.Maintain) -> Generator[float, None, str]:
        service = self._compute.hosts[command.host].service
        yield self._stage.latency()
        return (
            yield from self._until(
                lambda: service.state == "up", f"nova-compute of {command.host} is down"
            )
        )

    def _restore(self, command: do.RestoreInstances) -> Work:
        yield self._stage.latency()
        known = self._compute.instances

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
            self._refused(lambda: self._compute.reboot(instance.instance_id, hard=True))
        else:
            self._refused(lambda: self._compute.start(instance.instance_id))

    def _until(self, holds: Callable[[], bool], problem: str) -> Generator[float, None, str]:
        deadline = self._stage.clock.now() + self._stage.case.timing.host_timeout_s
        while not holds():
            if self._stage.clock.now() >= deadline:
                return problem
            yield self._stage.case.session.poll_s
        return ""
