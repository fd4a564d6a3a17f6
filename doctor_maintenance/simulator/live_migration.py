# SPDX-License-Identifier: Apache-2.0
"""The timeline of a live migration, and how it fails.

Recorded on nova 34: MIGRATING at once with the record ``accepted``; a host is chosen (``dest_compute`` is
null until then); ``preparing``; ``running``; ACTIVE on the new host in one step; ``completed`` a moment
later. Without a valid host the instance is ACTIVE again after the choice and has no fault; only the record
and the instance action tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from doctor_maintenance.exceptions import InvalidRequestError
from doctor_maintenance.simulator.broken_migration import give_back, interrupt, undo
from doctor_maintenance.simulator.errors import NoValidHost
from doctor_maintenance.simulator.faults import Behaviour
from doctor_maintenance.simulator.lifecycle import set_ports
from doctor_maintenance.simulator.processes import FOREVER, Steps
from doctor_maintenance.simulator.records import Action, Caller, Instance, Migration, MigrationType
from doctor_maintenance.simulator.states import (
    MIGRATION_ENDED,
    MigrationStatus,
    PowerState,
    TaskState,
)

if TYPE_CHECKING:
    from doctor_maintenance.simulator.compute_base import ComputeBase


def begin(
    compute: ComputeBase,
    instance: Instance,
    host: str | None,
    force: bool,
    synchronous: bool,
    caller: Caller,
) -> Migration:
    """Begin a live migration; the checks of ``Compute.live_migrate`` are done.

    Raises:
        InvalidRequestError: synchronous, and the host is the instance's own.
        NoValidHost: synchronous, and no host will do.
    """
    action = compute.record_action(instance, "live-migration", caller)
    compute.set_state(instance, task_state=TaskState.MIGRATING)
    migration = compute.create_migration(
        instance, MigrationType.LIVE, MigrationStatus.ACCEPTED, caller
    )
    event = compute.begin_event(action, "conductor_live_migrate_instance", "controller")

    def choose() -> None:
        try:
            _choose(compute, instance, migration, host, force)
        except InvalidRequestError as error:
            compute.end_event(action, event, str(error))
            compute.set_state(instance, task_state=None)
            compute.set_migration(migration, MigrationStatus.ERROR)
            raise
        compute.end_event(action, event)

    if synchronous:
        choose()
    if not compute.request_lost(instance, migration):
        later = None if synchronous else choose
        compute.run(instance, _steps(compute, instance, migration, action, later))
    return migration


def _choose(
    compute: ComputeBase, instance: Instance, migration: Migration, host: str | None, force: bool
) -> None:
    """Choose the destination and allocate it; the source goes over to the migration."""
    if host == instance.host:
        raise InvalidRequestError(
            f"Unable to migrate instance ({instance.instance_id}) to current host ({host})."
        )
    if compute.hosts[migration.source].service.state != "up":
        raise InvalidRequestError(
            f"Compute service of {migration.source} is unavailable at this time."
        )
    resources = instance.flavor.resources
    if host is None or not force:
        host = compute.scheduler.select(
            instance,
            compute.groups.find(instance.group_id),
            now=compute.clock.now(),
            action="live-migration",
            resources=resources,
            host=host,
            exclude=() if instance.host is None else (instance.host,),
        )
    compute.placement.hand_over(instance.instance_id, migration.migration_id)
    try:
        compute.claim(instance.instance_id, host, resources, instance)
    except NoValidHost:
        compute.placement.hand_over(migration.migration_id, instance.instance_id)
        raise
    compute.set_migration(migration, MigrationStatus.QUEUED, dest=host)


def _steps(
    compute: ComputeBase,
    instance: Instance,
    migration: Migration,
    action: Action,
    choose: Callable[[], None] | None,
) -> Steps:
    profile = compute.profile
    yield compute.draw(profile.live_scheduling)
    if choose is not None:
        try:
            choose()
        except InvalidRequestError:
            return
    source, dest = migration.source, migration.dest or ""
    for name, host in (
        ("compute_check_can_live_migrate_destination", dest),
        ("compute_check_can_live_migrate_source", source),
        ("compute_live_migration", source),
    ):
        compute.end_event(action, compute.begin_event(action, name, host))
    event = compute.begin_event(action, "compute_pre_live_migration", dest)
    compute.set_migration(migration, MigrationStatus.PREPARING)
    preparing_s = compute.draw(profile.live_preparing)
    set_ports(compute, instance, "DOWN")
    yield preparing_s * 0.3
    set_ports(compute, instance, "ACTIVE")
    yield preparing_s * 0.7
    compute.set_migration(migration, MigrationStatus.RUNNING)
    running_s = compute.draw(profile.live_running)
    fault = compute.migration_fault(instance, migration)
    if compute.is_off(source) or compute.is_off(dest):
        compute.end_event(action, event, "A host of the migration is down.")
        undo(compute, instance, migration, MigrationStatus.FAILED)
        return
    compute.end_event(action, event)
    if fault is not None:
        yield running_s
        if fault.name == "migration_hangs":
            yield FOREVER
        _go_wrong(compute, instance, migration, fault)
        return
    pause_s = min(compute.draw(profile.live_pause), running_s)
    yield running_s - pause_s
    if pause_s > 0:
        compute.set_guest(instance, up=False)
        compute.report(instance)
        yield pause_s
    running = instance.power_state == PowerState.RUNNING
    compute.set_guest(instance, up=running, host=dest, boots=False)
    compute.report(instance)
    for port in compute.network.ports_of(instance.instance_id):
        compute.network.bind(port.id, dest)
    compute.later(profile.live_port_lag, lambda: _ports_active(compute, instance, dest))
    event = compute.begin_event(action, "compute_post_live_migration_at_destination", dest)
    yield compute.draw(profile.live_finishing)
    stale_s = compute.draw(profile.group_view_stale)
    if stale_s > 0:
        compute.scheduler.departed(instance.instance_id, source, compute.clock.now() + stale_s)
    compute.end_event(action, event)
    compute.placement.release(migration.migration_id)
    compute.set_state(instance, task_state=None, host=dest)
    compute.later(profile.live_record_lag, lambda: _completed(compute, migration))


def _go_wrong(
    compute: ComputeBase, instance: Instance, migration: Migration, fault: Behaviour
) -> None:
    if interrupt(compute, instance, migration, fault):
        return
    if fault.name == "migration_ends_in_error":
        compute.set_guest(instance, up=False)
        give_back(compute, instance, migration)
        compute.set_migration(migration, MigrationStatus.ERROR)
        compute.fail(instance, "Live migration failed.")
    else:
        undo(compute, instance, migration, MigrationStatus.FAILED)


def _completed(compute: ComputeBase, migration: Migration) -> None:
    """The record is completed, unless the instance was deleted meanwhile."""
    if migration.status is MigrationStatus.RUNNING:
        compute.set_migration(migration, MigrationStatus.COMPLETED)


def _ports_active(compute: ComputeBase, instance: Instance, host: str) -> None:
    """The ports of an instance are ACTIVE, if it is still there."""
    if not instance.deleted and instance.domain_host == host:
        set_ports(compute, instance, "ACTIVE")


def roll_back(
    compute: ComputeBase, instance: Instance, migration: Migration, status: MigrationStatus
) -> None:
    """End a live migration that is under way, from outside."""
    if migration.status in MIGRATION_ENDED:
        return
    compute.stop_process(instance)
    undo(compute, instance, migration, status)
