# SPDX-License-Identifier: Apache-2.0
"""What is left of a migration that came to nothing.

One whose nova-compute is killed in the middle and started again leaves the most, as seen with nova 34.0.0. When it
starts it clears the task of the instances on its host, so that they are ACTIVE there; of the migration's record it
knows nothing, and nobody ever ends it. If it was killed before it had begun with its part, that waits in its queue:
it takes it up, finds that the instance is not what it expects, and leaves it in ERROR with a task that nobody works
on, so that Nova refuses a reboot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor_maintenance.simulator.lifecycle import set_ports
from doctor_maintenance.simulator.records import Instance, Migration
from doctor_maintenance.simulator.states import MigrationStatus, PowerState, TaskState

if TYPE_CHECKING:
    from doctor_maintenance.simulator.compute_base import ComputeBase
    from doctor_maintenance.simulator.faults import Behaviour

FORGOTTEN, TAKEN_UP = "migration_forgotten", "migration_taken_up_late"


def give_back(compute: ComputeBase, instance: Instance, migration: Migration) -> None:
    """Free the destination, and let the instance hold its source again."""
    if compute.placement.allocations(migration.migration_id):
        compute.placement.release(instance.instance_id)
        compute.placement.hand_over(migration.migration_id, instance.instance_id)


def undo(
    compute: ComputeBase, instance: Instance, migration: Migration, status: MigrationStatus
) -> None:
    """The instance is ACTIVE on its old host, as if nothing had been; the record has the status."""
    give_back(compute, instance, migration)
    if instance.domain_host is not None:
        up = instance.power_state == PowerState.RUNNING and not compute.is_off(migration.source)
        compute.set_guest(instance, up=up, host=migration.source)
        for port in compute.network.ports_of(instance.instance_id):
            compute.network.bind(port.id, migration.source)
        set_ports(compute, instance, "ACTIVE")
    compute.set_state(instance, task_state=None)
    compute.set_migration(migration, status)


def interrupt(
    compute: ComputeBase, instance: Instance, migration: Migration, fault: Behaviour
) -> bool:
    """Leave of a migration what such a fault leaves; return whether it is such a fault."""
    if fault.name == FORGOTTEN:
        undo(compute, instance, migration, migration.status)
    elif fault.name == TAKEN_UP:
        task = instance.task_state or TaskState.RESIZE_MIGRATING
        undo(compute, instance, migration, MigrationStatus.ERROR)
        compute.fail(instance, f"Conflict updating instance {instance.instance_id}.")
        compute.set_state(instance, task_state=task)
    else:
        return False
    return True
