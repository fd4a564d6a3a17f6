# SPDX-License-Identifier: Apache-2.0
"""The hosts as machines, and the nova-compute on each: power, boot, services, and what that does to guests.

Nova does not notice at once that a host is gone: its service is ``down`` only after a while, and its
instances stay ACTIVE in the API. When the host is back, the guests that ran on it are started again or are
SHUTOFF, as Nova's ``resume_guests_state_on_host_boot`` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor_maintenance.exceptions import NotFoundError
from doctor_maintenance.simulator import ids
from doctor_maintenance.simulator.broken_migration import give_back, undo
from doctor_maintenance.simulator.lifecycle import set_ports
from doctor_maintenance.simulator.placement_model import TRAIT_DISABLED
from doctor_maintenance.simulator.processes import Process, Steps
from doctor_maintenance.simulator.records import Host, Instance, Migration, MigrationType, Service
from doctor_maintenance.simulator.states import (
    MIGRATION_ENDED,
    MigrationStatus,
    PowerState,
    TaskState,
    VmState,
)

if TYPE_CHECKING:
    from doctor_maintenance.simulator.compute_base import ComputeBase


class Machines:
    """Power and services of the hosts of a compute model.

    Args:
        compute: the model whose hosts they are.
    """

    def __init__(self, compute: ComputeBase) -> None:
        self._compute = compute
        self._boots: dict[str, Process] = {}

    def get(self, host: str) -> Host:
        """Return a host.

        Raises:
            NotFoundError: there is none of this name.
        """
        try:
            return self._compute.hosts[host]
        except KeyError:
            raise NotFoundError(f"Compute host {host} could not be found.") from None

    # Services

    def set_service(self, service: Service, *, disabled: bool, reason: str | None = None) -> None:
        """Enable a service, or disable it with the operator's reason."""
        service.disabled = disabled
        service.disabled_reason = reason if disabled else None
        service.disabled_at = self._compute.clock.now()
        if service.host in self._compute.hosts:
            traits = self._compute.placement.of_host(service.host).traits
            if disabled:
                traits[TRAIT_DISABLED] = None
            else:
                traits.pop(TRAIT_DISABLED, None)
        self._report_service(service)

    def disable(self, host: str, reason: str | None = None) -> None:
        """Disable the nova-compute of a host."""
        self.set_service(self.get(host).service, disabled=True, reason=reason)

    def enable(self, host: str) -> None:
        """Enable the nova-compute of a host."""
        self.set_service(self.get(host).service, disabled=False)

    def force_down(self, service: Service, forced: bool) -> None:
        """Say that a service is down whatever it says itself, or that it may speak for itself again."""
        service.forced_down = forced
        service.disabled_at = self._compute.clock.now()
        self._report_service(service)

    def stop_service(self, host: str) -> None:
        """Stop the nova-compute of a host; its service is ``down`` a while later."""
        service = self.get(host).service
        if not service.alive:
            return
        compute = self._compute
        service.last_seen = service.heartbeat(compute.clock.now())
        service.alive = False

        def noticed() -> None:
            if not service.alive and service.up:
                service.up = False
                self._report_service(service)

        compute.later(compute.profile.service_down, noticed)

    def start_service(self, host: str) -> None:
        """Start the nova-compute of a host that runs; its service is ``up`` at once."""
        service = self.get(host).service
        service.alive = True
        service.last_seen = self._compute.clock.now()
        if not service.up:
            service.up = True
            self._report_service(service)

    def _report_service(self, service: Service) -> None:
        self._compute.emit(
            "service",
            {
                "host": service.host,
                "binary": service.binary,
                "status": service.status,
                "state": service.state,
                "reason": service.disabled_reason,
            },
        )

    # Power

    def power_off(self, name: str) -> None:
        """Switch a host off, with everything on it."""
        host = self.get(name)
        boot = self._boots.pop(name, None)
        if boot is not None:
            boot.stop()
        if not host.powered:
            return
        host.powered = False
        self._report_host(host)
        self.stop_service(name)
        compute = self._compute
        for instance in compute.guests_on(name):
            instance.resumable = instance.power_state == PowerState.RUNNING
            compute.set_guest(instance, up=False)
        for instance in list(compute.instances.values()):
            if instance.busy:
                self._interrupt(instance, name)

    def power_on(self, name: str) -> None:
        """Boot a host that is off; its nova-compute and its guests follow."""
        host = self.get(name)
        if not host.powered and name not in self._boots:
            self._begin(name, self._boot(host))

    def reboot(self, name: str) -> None:
        """Reboot a host."""
        self.power_off(name)
        self.power_on(name)

    def _begin(self, name: str, steps: Steps) -> None:
        process = Process(self._compute.clock, steps)
        if process.running:
            self._boots[name] = process

    def _boot(self, host: Host) -> Steps:
        compute = self._compute
        yield compute.draw(compute.profile.host_boot)
        if compute.faults.decide("host.boot", host=host.name) is not None:
            self._boots.pop(host.name, None)
            return
        host.powered = True
        host.boot_id = ids.new_uuid(compute.rng)
        host.booted_at = compute.clock.now()
        self._report_host(host)
        yield compute.draw(compute.profile.service_up)
        late = compute.faults.decide("host.service", host=host.name)
        if late is not None:
            yield float(late.parameters["delay_s"])
        self.start_service(host.name)
        yield compute.draw(compute.profile.guest_resume)
        for instance_id in list(host.instances):
            self._forget_task(compute.instances[instance_id])
        for instance in compute.guests_on(host.name):
            self._revive(instance)
        self._boots.pop(host.name, None)

    def _forget_task(self, instance: Instance) -> None:
        """What was asked of a nova-compute that was not there is not done any more."""
        tasks = (
            TaskState.POWERING_OFF,
            TaskState.POWERING_ON,
            TaskState.PAUSING,
            TaskState.UNPAUSING,
        )
        if instance.task_state in tasks:
            self._compute.stop_process(instance)
            self._compute.set_state(instance, task_state=None)

    def _revive(self, instance: Instance) -> None:
        """Start a guest that ran when its host went down, or let Nova find it stopped."""
        compute = self._compute
        if instance.busy or not instance.resumable:
            return
        instance.resumable = False
        if compute.profile.resume_guests:
            set_ports(compute, instance, "ACTIVE")
            compute.set_guest(instance, up=True)
            compute.touch(instance)
            compute.report(instance)
        elif instance.vm_state is VmState.ACTIVE:
            compute.set_state(
                instance, vm_state=VmState.STOPPED, task_state=None, power_state=PowerState.SHUTDOWN
            )

    def _report_host(self, host: Host) -> None:
        self._compute.emit(
            "host", {"host": host.name, "powered": host.powered, "boot_id": host.boot_id}
        )

    def _interrupt(self, instance: Instance, host: str) -> None:
        """End what was being done to an instance, if the host that just went off had a part in it."""
        compute = self._compute
        if instance.task_state is TaskState.DELETING or instance.deleted:
            return
        migration = compute.current_migration(instance)
        if migration is not None and host in (migration.source, migration.dest):
            self._interrupt_migration(instance, migration, host)
        elif instance.host == host:
            compute.abandon(instance)
            if instance.vm_state is VmState.BUILDING:
                compute.set_guest(instance, up=False, host=None)
                compute.fail(instance, f"Host {host} went down while the instance was being built.")
            else:
                compute.set_state(instance, task_state=None)

    def _interrupt_migration(self, instance: Instance, migration: Migration, host: str) -> None:
        compute = self._compute
        moved = instance.domain_host == migration.dest
        if moved and host == migration.source:
            return
        if migration.type is MigrationType.LIVE:
            compute.stop_process(instance)
            if moved and migration.dest is not None:
                compute.placement.release(migration.migration_id)
                compute.set_state(instance, task_state=None, host=migration.dest)
                compute.set_migration(migration, MigrationStatus.COMPLETED)
            else:
                undo(compute, instance, migration, MigrationStatus.ERROR)
        elif migration.status not in MIGRATION_ENDED:
            compute.stop_process(instance)
            if moved:
                compute.placement.release(migration.migration_id)
            else:
                give_back(compute, instance, migration)
            compute.set_migration(migration, MigrationStatus.ERROR)
            compute.fail(
                instance, f"Host {host} went down during a {migration.type} of the instance."
            )
