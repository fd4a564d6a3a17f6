# SPDX-License-Identifier: Apache-2.0
"""The timelines that stop an instance to move it: cold migration (and resize), confirm, revert, evacuation.

Recorded on nova 34: resize_prep, resize_migrating, resize_migrated (the host is the destination already),
resize_finish, VERIFY_RESIZE. ``confirmResize`` answers at once, but the instance stays VERIFY_RESIZE for
about two seconds. Without a valid host the instance is ACTIVE again and keeps a fault that is not shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor_maintenance.exceptions import InvalidRequestError
from doctor_maintenance.simulator.broken_migration import give_back, interrupt
from doctor_maintenance.simulator.errors import NoValidHost
from doctor_maintenance.simulator.lifecycle import set_ports
from doctor_maintenance.simulator.processes import FOREVER, Steps
from doctor_maintenance.simulator.records import (
    Action,
    Caller,
    Fault,
    Flavor,
    Instance,
    Migration,
    MigrationType,
)
from doctor_maintenance.simulator.states import MigrationStatus, PowerState, TaskState, VmState

if TYPE_CHECKING:
    from doctor_maintenance.simulator.compute_base import ComputeBase

_NO_HOST = "No valid host was found. No valid host found for cold migrate"


def begin(
    compute: ComputeBase,
    instance: Instance,
    host: str | None,
    flavor: Flavor | None,
    caller: Caller,
) -> Migration:
    """Begin a cold migration, or a resize if there is a flavor; the checks of ``Compute`` are done."""
    action = compute.record_action(instance, "migrate" if flavor is None else "resize", caller)
    compute.set_state(instance, task_state=TaskState.RESIZE_PREP)
    kind = MigrationType.COLD if flavor is None else MigrationType.RESIZE
    migration = compute.create_migration(
        instance, kind, MigrationStatus.PRE_MIGRATING, caller, flavor
    )
    if not compute.request_lost(instance, migration):
        compute.run(instance, _steps(compute, instance, migration, host, action))
    return migration


def _choose(
    compute: ComputeBase, instance: Instance, migration: Migration, host: str | None, action: str
) -> str:
    """Choose the destination and allocate it; the source goes over to the migration."""
    resources = migration.new_flavor.resources
    dest = compute.scheduler.select(
        instance,
        compute.groups.find(instance.group_id),
        now=compute.clock.now(),
        action=action,
        resources=resources,
        host=host,
        exclude=() if instance.host is None else (instance.host,),
    )
    compute.placement.hand_over(instance.instance_id, migration.migration_id)
    try:
        compute.claim(instance.instance_id, dest, resources, instance)
    except NoValidHost:
        compute.placement.hand_over(migration.migration_id, instance.instance_id)
        raise
    compute.set_migration(migration, dest=dest)
    return dest


def _steps(
    compute: ComputeBase, instance: Instance, migration: Migration, host: str | None, action: Action
) -> Steps:
    profile = compute.profile
    conductor = compute.begin_event(action, "conductor_migrate_server", "controller")
    cold = compute.begin_event(action, "cold_migrate", "controller")
    yield compute.draw(profile.cold_scheduling)
    try:
        dest = _choose(compute, instance, migration, host, action.name)
    except NoValidHost as error:
        compute.end_event(action, cold, _NO_HOST)
        compute.end_event(action, conductor, _NO_HOST)
        instance.fault = Fault(400, str(error), compute.clock.now())
        compute.set_state(instance, task_state=None)
        compute.set_migration(migration, MigrationStatus.ERROR)
        return
    compute.end_event(action, cold)
    compute.end_event(action, conductor)
    event = compute.begin_event(action, "compute_prep_resize", dest)
    yield compute.draw(profile.cold_preparing)
    compute.end_event(action, event)
    event = compute.begin_event(action, "compute_resize_instance", migration.source)
    was_up = instance.guest_up
    instance.old_vm_state = instance.vm_state
    compute.set_state(instance, task_state=TaskState.RESIZE_MIGRATING)
    compute.set_migration(migration, MigrationStatus.MIGRATING)
    compute.set_guest(instance, up=False)
    yield compute.draw(profile.cold_migrating)
    fault = compute.migration_fault(instance, migration)
    if compute.is_off(migration.source) or compute.is_off(dest):
        compute.end_event(action, event, "A host of the migration is down.")
        give_back(compute, instance, migration)
        compute.set_migration(migration, MigrationStatus.ERROR)
        compute.fail(instance, "A host of the migration is down.")
        return
    if fault is not None:
        if fault.name == "migration_hangs":
            yield FOREVER
        compute.end_event(action, event, "Cold migration failed.")
        if interrupt(compute, instance, migration, fault):
            return
        give_back(compute, instance, migration)
        compute.set_migration(migration, MigrationStatus.ERROR)
        if fault.name == "migration_ends_in_error":
            compute.fail(instance, "Cold migration failed.")
        else:
            compute.set_guest(instance, up=was_up)
            compute.set_state(instance, task_state=None)
        return
    compute.end_event(action, event)
    compute.set_migration(migration, MigrationStatus.POST_MIGRATING)
    _move(compute, instance, dest)
    instance.old_host = migration.source
    compute.set_state(instance, task_state=TaskState.RESIZE_MIGRATED, host=dest)
    event = compute.begin_event(action, "compute_finish_resize", dest)
    yield compute.draw(profile.cold_migrated)
    compute.set_state(instance, task_state=TaskState.RESIZE_FINISH)
    instance.flavor = migration.new_flavor
    yield compute.draw(profile.cold_finishing)
    set_ports(compute, instance, "ACTIVE")
    compute.set_migration(migration, MigrationStatus.FINISHED)
    compute.set_guest(instance, up=was_up)
    compute.end_event(action, event)
    instance.launched_at = compute.clock.now()
    compute.set_state(instance, vm_state=VmState.RESIZED, task_state=None)


def _move(compute: ComputeBase, instance: Instance, host: str) -> None:
    """Define the guest on another host, off, with its ports bound there."""
    compute.set_guest(instance, up=False, host=host)
    for port in compute.network.ports_of(instance.instance_id):
        compute.network.bind(port.id, host)


def _finished(compute: ComputeBase, instance: Instance) -> Migration:
    for migration in reversed(compute.migrations.values()):
        if (
            migration.instance_id == instance.instance_id
            and migration.status is MigrationStatus.FINISHED
        ):
            return migration
    raise InvalidRequestError("Instance has not been resized.")


def begin_confirm(compute: ComputeBase, instance: Instance, caller: Caller) -> None:
    """Begin to confirm a cold migration.

    Raises:
        InvalidRequestError: there is none to confirm, as one is being confirmed.
    """
    migration = _finished(compute, instance)
    action = compute.record_action(instance, "confirmResize", caller)
    compute.set_migration(migration, MigrationStatus.CONFIRMING)
    compute.run(instance, _confirm(compute, instance, migration, action))


def _confirm(
    compute: ComputeBase, instance: Instance, migration: Migration, action: Action
) -> Steps:
    event = compute.begin_event(action, "compute_confirm_resize", migration.source)
    yield compute.draw(compute.profile.confirm)
    compute.placement.release(migration.migration_id)
    compute.set_migration(migration, MigrationStatus.CONFIRMED)
    compute.end_event(action, event)
    instance.old_host = None
    compute.set_state(instance, vm_state=_settled(instance), task_state=None)


def begin_revert(compute: ComputeBase, instance: Instance, caller: Caller) -> None:
    """Begin to revert a cold migration.

    Raises:
        InvalidRequestError: there is none to revert, as one is being confirmed.
    """
    migration = _finished(compute, instance)
    action = compute.record_action(instance, "revertResize", caller)
    compute.set_state(instance, task_state=TaskState.RESIZE_REVERTING)
    compute.set_migration(migration, MigrationStatus.REVERTING)
    compute.run(instance, _revert(compute, instance, migration, action))


def _revert(
    compute: ComputeBase, instance: Instance, migration: Migration, action: Action
) -> Steps:
    was_up = instance.guest_up
    event = compute.begin_event(action, "compute_revert_resize", migration.dest or "")
    compute.set_guest(instance, up=False)
    yield compute.draw(compute.profile.revert_source)
    give_back(compute, instance, migration)
    instance.flavor = migration.old_flavor
    compute.end_event(action, event)
    compute.set_migration(migration, MigrationStatus.REVERTED)
    _move(compute, instance, migration.source)
    compute.set_state(instance, host=migration.source)
    event = compute.begin_event(action, "compute_finish_revert_resize", migration.source)
    yield compute.draw(compute.profile.revert_finish)
    set_ports(compute, instance, "ACTIVE")
    compute.set_guest(instance, up=was_up)
    compute.end_event(action, event)
    instance.old_host = None
    compute.set_state(instance, vm_state=_settled(instance), task_state=None)


def _settled(instance: Instance) -> VmState:
    """What an instance is after a cold migration: what it was before."""
    before, instance.old_vm_state = instance.old_vm_state, None
    if before is VmState.STOPPED:
        instance.power_state = PowerState.SHUTDOWN
        return VmState.STOPPED
    instance.power_state = PowerState.RUNNING
    return VmState.ACTIVE


def begin_evacuation(
    compute: ComputeBase, instance: Instance, host: str | None, caller: Caller
) -> Migration:
    """Begin to start an instance anew on another host; the checks of ``Compute.evacuate`` are done."""
    action = compute.record_action(instance, "evacuate", caller)
    compute.set_state(instance, task_state=TaskState.REBUILDING)
    migration = compute.create_migration(
        instance, MigrationType.EVACUATION, MigrationStatus.ACCEPTED, caller
    )
    compute.run(instance, _evacuate(compute, instance, migration, host, action))
    return migration


def _evacuate(
    compute: ComputeBase, instance: Instance, migration: Migration, host: str | None, action: Action
) -> Steps:
    event = compute.begin_event(action, "rebuild_server", "controller")
    whole = compute.draw(compute.profile.evacuate)
    yield whole * 0.2
    try:
        dest = _choose(compute, instance, migration, host, "evacuate")
    except NoValidHost as error:
        compute.end_event(action, event, str(error))
        compute.set_migration(migration, MigrationStatus.ERROR)
        compute.fail(instance, str(error))
        return
    compute.end_event(action, event)
    event = compute.begin_event(action, "compute_rebuild_instance", dest)
    compute.set_migration(migration, MigrationStatus.PRE_MIGRATING)
    stopped = instance.vm_state is VmState.STOPPED
    _move(compute, instance, dest)
    compute.set_state(instance, task_state=TaskState.REBUILD_SPAWNING, host=dest)
    yield whole * 0.8
    compute.placement.release(migration.migration_id)
    set_ports(compute, instance, "ACTIVE")
    compute.end_event(action, event)
    compute.set_migration(migration, MigrationStatus.DONE)
    instance.launched_at = compute.clock.now()
    instance.fault = None
    compute.set_guest(instance, up=not stopped)
    compute.set_state(
        instance,
        vm_state=VmState.STOPPED if stopped else VmState.ACTIVE,
        task_state=None,
        power_state=PowerState.SHUTDOWN if stopped else PowerState.RUNNING,
    )
