# SPDX-License-Identifier: Apache-2.0
"""The tables of the compute model, and the few operations on them that every timeline is made of.

The timelines (``lifecycle.py`` and its like) change instances only through these, so that an index, an allocation or an
event cannot be forgotten in one of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import ConflictError
from doctor_maintenance.simulator import ids
from doctor_maintenance.simulator.catalogues import Flavors
from doctor_maintenance.simulator.events import Emit
from doctor_maintenance.simulator.faults import Behaviour, Faults
from doctor_maintenance.simulator.groups import ServerGroups
from doctor_maintenance.simulator.networking import ComputeNetwork
from doctor_maintenance.simulator.placement_model import Inventory, Placement, Provider
from doctor_maintenance.simulator.processes import Process, Steps
from doctor_maintenance.simulator.profiles import Duration, TimingProfile
from doctor_maintenance.simulator.profiles.base import draw
from doctor_maintenance.simulator.quotas import Quotas
from doctor_maintenance.simulator.records import (
    Action,
    ActionEvent,
    Caller,
    Fault,
    Flavor,
    Host,
    Instance,
    Migration,
    MigrationType,
    Service,
)
from doctor_maintenance.simulator.scheduling import Scheduler
from doctor_maintenance.simulator.states import (
    ALLOWED,
    MIGRATION_ENDED,
    MigrationStatus,
    PowerState,
    TaskState,
    VmState,
)
from doctor_maintenance.simulator.topology import HostSpec, Topology

CONTROLLER = "controller"
CONTROLLER_BINARIES = ("nova-scheduler", "nova-conductor")
_KEEP: Any = object()


class ComputeBase:
    """What the compute model has.

    Attributes:
        hosts: every compute host by name, in the order of the topology.
        services: every Nova service by its UUID.
        instances: every instance that is not gone, the oldest first.
        gone: instances that are deleted, in the order of their deletion.
        migrations: every migration record by number.
        actions: what was asked for each instance, the oldest first; kept when it is gone.
    """

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        profile: TimingProfile,
        topology: Topology,
        faults: Faults,
        network: ComputeNetwork,
        emit: Emit,
    ) -> None:
        self.clock = clock
        self.rng = rng
        self.profile = profile
        self.faults = faults
        self.network = network
        self.emit = emit
        self._numbers: dict[str, int] = {}
        self.hosts: dict[str, Host] = {}
        self.services: dict[str, Service] = {}
        self.instances: dict[str, Instance] = {}
        self.gone: dict[str, Instance] = {}
        self.migrations: dict[int, Migration] = {}
        self.actions: dict[str, list[Action]] = {}
        self.placement = Placement()
        self.quotas = Quotas(topology.quotas)
        self.flavors = Flavors(rng, topology.flavors)
        self.groups = ServerGroups(rng, self.quotas)
        for binary in CONTROLLER_BINARIES:
            self._add_service(binary, CONTROLLER, "internal")
        for spec in topology.hosts:
            self._add_host(spec)
        self.scheduler = Scheduler(self.hosts, self.instances, self.placement, faults)

    def _add_service(self, binary: str, host: str, zone: str) -> Service:
        service = Service(
            ids.new_uuid(self.rng),
            self.next_number("service"),
            binary,
            host,
            zone,
            self.clock.now(),
        )
        self.services[service.service_id] = service
        return service

    def _add_host(self, spec: HostSpec) -> None:
        service = self._add_service("nova-compute", spec.name, spec.zone)
        host = Host(
            name=spec.name,
            host_id=ids.new_uuid(self.rng),
            number=self.next_number("hypervisor"),
            address=spec.address,
            vcpus=spec.vcpus,
            memory_mb=spec.memory_mb,
            disk_gb=spec.disk_gb,
            zone=spec.zone,
            service=service,
            boot_id=ids.new_uuid(self.rng),
            booted_at=self.clock.now(),
        )
        self.hosts[host.name] = host
        inventories = {
            "VCPU": Inventory(spec.vcpus, 0, spec.cpu_allocation_ratio, max_unit=spec.vcpus),
            "MEMORY_MB": Inventory(
                spec.memory_mb, spec.reserved_memory_mb, max_unit=spec.memory_mb
            ),
            "DISK_GB": Inventory(spec.disk_gb, max_unit=spec.disk_gb),
        }
        self.placement.add_provider(Provider(host.host_id, host.name, inventories))

    def next_number(self, table: str) -> int:
        """Return the next number of a table with numbered rows, from 1."""
        self._numbers[table] = number = self._numbers.get(table, 0) + 1
        return number

    def draw(self, duration: Duration) -> float:
        """Return how long something takes this time, in seconds."""
        return draw(duration, self.rng)

    # Checks

    def check(
        self, instance: Instance, action: str, allowed: frozenset[VmState] | None = None
    ) -> None:
        """Make sure that an instance's state allows an action.

        Raises:
            ConflictError: it does not; the text is Nova's.
        """
        states = ALLOWED[action] if allowed is None else allowed
        if instance.vm_state not in states:
            why = f"vm_state {instance.vm_state}"
        elif instance.task_state is not None:
            why = f"task_state {instance.task_state}"
        elif instance.launched_at is None:
            raise ConflictError(f"Cannot '{action}' an instance which has never been active")
        else:
            return
        raise ConflictError(
            f"Cannot '{action}' instance {instance.instance_id} while it is in {why}"
        )

    def migration_fault(self, instance: Instance, migration: Migration) -> Behaviour | None:
        """Return what goes wrong with a migration whose destination is chosen, if anything does."""
        return self.faults.decide(
            "compute.migrate",
            instance=(instance.instance_id, instance.name),
            project=instance.project_id,
            source=migration.source,
            dest=migration.dest,
            type=migration.type,
        )

    def request_lost(self, instance: Instance, migration: Migration) -> bool:
        """Return whether nobody ever hears that a migration was asked for."""
        lost = self.faults.decide(
            "compute.request",
            instance=(instance.instance_id, instance.name),
            project=instance.project_id,
            source=migration.source,
            type=migration.type,
        )
        return lost is not None

    # Changes

    def run(self, instance: Instance, steps: Steps) -> None:
        """Begin a timeline of an instance; it is the only one that the instance has."""
        instance.process = Process(self.clock, steps)

    def stop_process(self, instance: Instance) -> None:
        """Stop what is being done to an instance, and leave everything else as it is."""
        if instance.process is not None:
            instance.process.stop()
            instance.process = None

    def abandon(self, instance: Instance) -> None:
        """Stop what is being done to an instance, and close the migration that this was."""
        self.stop_process(instance)
        migration = self.current_migration(instance)
        if migration is None:
            return
        self.placement.release(migration.migration_id)
        finished = migration.status in (MigrationStatus.FINISHED, MigrationStatus.CONFIRMING)
        self.set_migration(
            migration, MigrationStatus.CONFIRMED if finished else MigrationStatus.ERROR
        )

    def current_migration(self, instance: Instance) -> Migration | None:
        """Return the migration of an instance that has not ended, if there is one."""
        for migration in reversed(self.migrations.values()):
            if migration.instance_id == instance.instance_id:
                return None if migration.status in MIGRATION_ENDED else migration
        return None

    def set_state(
        self,
        instance: Instance,
        *,
        vm_state: VmState | None = None,
        task_state: TaskState | None = _KEEP,
        power_state: int | None = None,
        host: str | None = _KEEP,
    ) -> None:
        """Change an instance's states, all in one step, and report it if anything is different."""
        before = (instance.vm_state, instance.task_state, instance.host, instance.power_state)
        if vm_state is not None:
            instance.vm_state = vm_state
        if task_state is not _KEEP:
            instance.task_state = task_state
        if power_state is not None:
            instance.power_state = power_state
        if host is not _KEEP and host != instance.host:
            if instance.host is not None:
                self.hosts[instance.host].instances.pop(instance.instance_id, None)
            if host is not None:
                self.hosts[host].instances[instance.instance_id] = None
            instance.host = host
        if before != (instance.vm_state, instance.task_state, instance.host, instance.power_state):
            self.touch(instance)
            self.report(instance)

    def touch(self, instance: Instance) -> None:
        """Note that an instance was changed now."""
        instance.updated = self.clock.now()

    def report(self, instance: Instance) -> None:
        """Tell what an instance is like now; of one that is gone, whether its owner deleted it."""
        fields: dict[str, Any] = {
            "instance_id": instance.instance_id,
            "name": instance.name,
            "project_id": instance.project_id,
            "host": instance.host,
            "status": instance.status,
            "vm_state": str(instance.vm_state),
            "task_state": None if instance.task_state is None else str(instance.task_state),
        }
        if instance.vm_state is VmState.DELETED:
            asked = [item for item in self.actions[instance.instance_id] if item.name == "delete"]
            fields["by_owner"] = asked[-1].project_id == instance.project_id
        self.emit("instance", fields)

    def set_guest(
        self, instance: Instance, *, up: bool, host: str | None = _KEEP, boots: bool = True
    ) -> None:
        """Say where an instance's guest really is, and whether it executes.

        Args:
            instance: whose guest.
            up: whether it executes now.
            host: where it is, from now on.
            boots: whether one that did not execute boots before it serves; not if it only stood still.
        """
        if host is not _KEEP and host != instance.domain_host:
            if instance.domain_host is not None:
                self.hosts[instance.domain_host].domains.pop(instance.instance_id, None)
            if host is not None:
                self.hosts[host].domains[instance.instance_id] = None
            instance.domain_host = host
        if up and boots and not instance.guest_up:
            self._boot_guest(instance)
        instance.guest_up = up

    def _boot_guest(self, instance: Instance) -> None:
        boot_s = self.draw(self.profile.guest_boot)
        serves_at = instance.serves_at = self.clock.now() + boot_s

        def booted() -> None:
            if instance.serves_at == serves_at and self.serves(instance.instance_id):
                self.report(instance)

        if boot_s > 0:
            self.clock.call_later(boot_s, booted)

    def fail(self, instance: Instance, message: str, code: int = 500, details: str = "") -> None:
        """Put an instance into ERROR."""
        instance.fault = Fault(code, message, self.clock.now(), details)
        self.set_state(instance, vm_state=VmState.ERROR, task_state=None)

    # Records

    def record_action(self, instance: Instance, name: str, caller: Caller) -> Action:
        """Note that somebody asked for something."""
        now = self.clock.now()
        action = Action(
            name,
            instance.instance_id,
            caller.request_id or ids.new_request_id(self.rng),
            caller.user_id or instance.user_id,
            caller.project_id or instance.project_id,
            now,
            now,
        )
        self.actions.setdefault(instance.instance_id, []).append(action)
        return action

    def begin_event(self, action: Action, name: str, host: str) -> ActionEvent:
        """Note that a part of an action began on a host."""
        event = ActionEvent(name, host, self.clock.now())
        action.events.append(event)
        action.updated = event.start
        return event

    def end_event(self, action: Action, event: ActionEvent, error: str | None = None) -> None:
        """Note how a part of an action ended."""
        event.finish = self.clock.now()
        event.result = "Success" if error is None else "Error"
        event.details = error
        action.updated = event.finish
        if error is not None:
            action.message = "Error"

    def create_migration(
        self,
        instance: Instance,
        kind: MigrationType,
        status: MigrationStatus,
        caller: Caller,
        new_flavor: Flavor | None = None,
    ) -> Migration:
        """Open a migration record; no destination is known yet."""
        now = self.clock.now()
        migration = Migration(
            number=self.next_number("migration"),
            migration_id=ids.new_uuid(self.rng),
            instance_id=instance.instance_id,
            type=kind,
            status=status,
            source=instance.host or "",
            created=now,
            updated=now,
            user_id=caller.user_id or instance.user_id,
            project_id=caller.project_id or instance.project_id,
            old_flavor=instance.flavor,
            new_flavor=new_flavor or instance.flavor,
        )
        self.migrations[migration.number] = migration
        self._report_migration(migration)
        return migration

    def set_migration(
        self, migration: Migration, status: MigrationStatus | None = None, dest: str | None = None
    ) -> None:
        """Change a migration record and report it."""
        if status is not None:
            migration.status = status
        if dest is not None:
            migration.dest = dest
        migration.updated = self.clock.now()
        self._report_migration(migration)

    def _report_migration(self, migration: Migration) -> None:
        self.emit(
            "migration",
            {
                "migration_id": migration.migration_id,
                "instance_id": migration.instance_id,
                "type": str(migration.type),
                "status": str(migration.status),
                "source": migration.source,
                "dest": migration.dest,
            },
        )

    def claim(
        self, consumer_id: str, host: str, resources: Mapping[str, int], instance: Instance
    ) -> None:
        """Allocate resources of a host, for the instance's project and user.

        Raises:
            NoValidHost: the host has not so much left.
        """
        self.placement.claim(
            consumer_id, host, resources, project_id=instance.project_id, user_id=instance.user_id
        )

    def later(self, duration: Duration, callback: Callable[[], None]) -> None:
        """Run callback after a duration; at once if that is 0."""
        delay_s = self.draw(duration)
        if delay_s > 0:
            self.clock.call_later(delay_s, callback)
        else:
            callback()

    # Questions

    def is_running(self, instance_id: str) -> bool:
        """Return whether an instance's guest executes at this moment."""
        instance = self.instances.get(instance_id)
        return (
            instance is not None
            and instance.guest_up
            and instance.domain_host is not None
            and self.hosts[instance.domain_host].powered
            and instance.power_state == PowerState.RUNNING
        )

    def serves(self, instance_id: str) -> bool:
        """Return whether an instance's guest executes and has booted, so that its addresses can answer."""
        return (
            self.is_running(instance_id)
            and self.instances[instance_id].serves_at <= self.clock.now()
        )

    def is_off(self, host: str | None) -> bool:
        """Return whether a host's machine is off; Nova may not know it yet."""
        return host is not None and not self.hosts[host].powered

    def guests_on(self, host: str) -> list[Instance]:
        """Return the instances whose guest is defined on a host: what its own tools would list."""
        known = (self.instances.get(instance_id) for instance_id in self.hosts[host].domains)
        return [instance for instance in known if instance is not None]
