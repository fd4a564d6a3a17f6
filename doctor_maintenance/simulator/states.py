# SPDX-License-Identifier: Apache-2.0
"""The states of an instance and which action is allowed in which: tables, as in Nova.

Two states are kept, as Nova keeps them: ``vm_state`` (what is) and ``task_state`` (what is being done). The
``status`` that users see follows from both. Checked against nova 34 (``api/openstack/common.py``, ``compute/api.py``).
"""

from __future__ import annotations

from enum import StrEnum


class VmState(StrEnum):
    """What an instance is."""

    BUILDING = "building"
    ACTIVE = "active"
    STOPPED = "stopped"
    PAUSED = "paused"
    RESIZED = "resized"
    ERROR = "error"
    DELETED = "deleted"


class TaskState(StrEnum):
    """What is being done to an instance."""

    SCHEDULING = "scheduling"
    NETWORKING = "networking"
    BLOCK_DEVICE_MAPPING = "block_device_mapping"
    SPAWNING = "spawning"
    DELETING = "deleting"
    POWERING_OFF = "powering-off"
    POWERING_ON = "powering-on"
    PAUSING = "pausing"
    UNPAUSING = "unpausing"
    REBOOTING = "rebooting"
    REBOOT_STARTED = "reboot_started"
    REBOOTING_HARD = "rebooting_hard"
    REBOOT_STARTED_HARD = "reboot_started_hard"
    MIGRATING = "migrating"
    RESIZE_PREP = "resize_prep"
    RESIZE_MIGRATING = "resize_migrating"
    RESIZE_MIGRATED = "resize_migrated"
    RESIZE_FINISH = "resize_finish"
    RESIZE_REVERTING = "resize_reverting"
    REBUILDING = "rebuilding"
    REBUILD_SPAWNING = "rebuild_spawning"


class PowerState:
    """Nova's numbers for what the hypervisor says of a guest."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4


class MigrationStatus(StrEnum):
    """What Nova's migration record says."""

    ACCEPTED = "accepted"
    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    ERROR = "error"
    CANCELLED = "cancelled"
    PRE_MIGRATING = "pre-migrating"
    MIGRATING = "migrating"
    POST_MIGRATING = "post-migrating"
    FINISHED = "finished"
    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    REVERTING = "reverting"
    REVERTED = "reverted"
    DONE = "done"


MIGRATION_ENDED = frozenset(
    {
        MigrationStatus.COMPLETED,
        MigrationStatus.FAILED,
        MigrationStatus.ERROR,
        MigrationStatus.CANCELLED,
        MigrationStatus.CONFIRMED,
        MigrationStatus.REVERTED,
        MigrationStatus.DONE,
    }
)

_STATUS: dict[VmState, str] = {
    VmState.BUILDING: "BUILD",
    VmState.ACTIVE: "ACTIVE",
    VmState.STOPPED: "SHUTOFF",
    VmState.PAUSED: "PAUSED",
    VmState.RESIZED: "VERIFY_RESIZE",
    VmState.ERROR: "ERROR",
    VmState.DELETED: "DELETED",
}

_STATUS_IN_TASK: dict[tuple[VmState, TaskState], str] = {
    (VmState.ACTIVE, TaskState.MIGRATING): "MIGRATING",
    (VmState.PAUSED, TaskState.MIGRATING): "MIGRATING",
    (VmState.ACTIVE, TaskState.REBOOTING): "REBOOT",
    (VmState.ACTIVE, TaskState.REBOOT_STARTED): "REBOOT",
    (VmState.ACTIVE, TaskState.REBOOTING_HARD): "HARD_REBOOT",
    (VmState.ACTIVE, TaskState.REBOOT_STARTED_HARD): "HARD_REBOOT",
    (VmState.STOPPED, TaskState.REBOOTING_HARD): "HARD_REBOOT",
    (VmState.STOPPED, TaskState.REBOOT_STARTED_HARD): "HARD_REBOOT",
    (VmState.ERROR, TaskState.REBOOTING_HARD): "HARD_REBOOT",
    (VmState.ERROR, TaskState.REBOOT_STARTED_HARD): "HARD_REBOOT",
    (VmState.RESIZED, TaskState.RESIZE_REVERTING): "REVERT_RESIZE",
} | {
    (vm_state, task_state): status
    for vm_state in (VmState.ACTIVE, VmState.STOPPED, VmState.ERROR)
    for task_state, status in (
        (TaskState.RESIZE_PREP, "RESIZE"),
        (TaskState.RESIZE_MIGRATING, "RESIZE"),
        (TaskState.RESIZE_MIGRATED, "RESIZE"),
        (TaskState.RESIZE_FINISH, "RESIZE"),
        (TaskState.REBUILDING, "REBUILD"),
        (TaskState.REBUILD_SPAWNING, "REBUILD"),
    )
    if not (vm_state is VmState.ERROR and status == "RESIZE")
}

STATUS_VM_STATES: dict[str, tuple[VmState, ...]] = {
    "ACTIVE": (VmState.ACTIVE,),
    "BUILD": (VmState.BUILDING,),
    "DELETED": (VmState.DELETED,),
    "ERROR": (VmState.ERROR,),
    "HARD_REBOOT": (VmState.ACTIVE, VmState.STOPPED, VmState.ERROR),
    "MIGRATING": (VmState.ACTIVE, VmState.PAUSED),
    "PAUSED": (VmState.PAUSED,),
    "REBOOT": (VmState.ACTIVE,),
    "REBUILD": (VmState.ACTIVE, VmState.STOPPED, VmState.ERROR),
    "RESIZE": (VmState.ACTIVE, VmState.STOPPED),
    "REVERT_RESIZE": (VmState.RESIZED,),
    "SHUTOFF": (VmState.STOPPED,),
    "VERIFY_RESIZE": (VmState.RESIZED,),
}
"""The statuses that a list of instances can be asked for."""


def status_of(vm_state: VmState, task_state: TaskState | None) -> str:
    """Return the status that users see."""
    if task_state is None:
        return _STATUS[vm_state]
    return _STATUS_IN_TASK.get((vm_state, task_state)) or _STATUS[vm_state]


ALLOWED: dict[str, frozenset[VmState]] = {
    "start": frozenset({VmState.STOPPED}),
    "stop": frozenset({VmState.ACTIVE, VmState.ERROR}),
    "pause": frozenset({VmState.ACTIVE}),
    "unpause": frozenset({VmState.PAUSED}),
    "reboot": frozenset({VmState.ACTIVE}),
    "reboot hard": frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.PAUSED, VmState.ERROR}),
    "os-migrateLive": frozenset({VmState.ACTIVE, VmState.PAUSED}),
    "migrate": frozenset({VmState.ACTIVE, VmState.STOPPED}),
    "resize": frozenset({VmState.ACTIVE, VmState.STOPPED}),
    "confirmResize": frozenset({VmState.RESIZED}),
    "revertResize": frozenset({VmState.RESIZED}),
    "evacuate": frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.ERROR}),
    "attach_interface": frozenset({VmState.ACTIVE, VmState.PAUSED, VmState.STOPPED}),
    "detach_interface": frozenset({VmState.ACTIVE, VmState.PAUSED, VmState.STOPPED}),
}
"""In which vm_state an action is allowed; every one wants that no task is under way."""
