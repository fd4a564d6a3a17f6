# SPDX-License-Identifier: Apache-2.0
"""What the compute model keeps: hosts, instances, migrations and their like, as plain records.

They hold times as seconds since the epoch and sizes in Nova's units; how a thing looks on the wire at some
microversion is the service's business.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from doctor_maintenance.simulator.processes import Process
from doctor_maintenance.simulator.states import (
    MigrationStatus,
    PowerState,
    TaskState,
    VmState,
    status_of,
)

REPORT_INTERVAL_S = 10.0
"""How often a service that lives writes its heartbeat (Nova's default)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked for an action, for its record.

    Attributes:
        user_id: the user; empty for the cloud itself.
        project_id: the project of the user's token.
        request_id: the ID of the request; the model makes one if it is empty.
    """

    user_id: str = ""
    project_id: str = ""
    request_id: str = ""


NOBODY = Caller()


@dataclass(frozen=True, slots=True)
class Flavor:
    """A size of instance."""

    flavor_id: str
    name: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    ephemeral_gb: int = 0
    swap_mb: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    disabled: bool = False
    description: str | None = None
    extra_specs: tuple[tuple[str, str], ...] = ()
    number: int = 0

    @property
    def resources(self) -> dict[str, int]:
        """What an instance of this flavor takes, in Placement's resource classes."""
        return {
            "VCPU": self.vcpus,
            "MEMORY_MB": self.memory_mb,
            "DISK_GB": self.disk_gb + self.ephemeral_gb + math.ceil(self.swap_mb / 1024),
        }


@dataclass(slots=True)
class Service:
    """A Nova service on a host.

    Attributes:
        service_id: the UUID, as microversion 2.53 and later name it.
        number: the number, as earlier ones do.
        binary: ``nova-compute`` or one of the controller's.
        host: the host it is on.
        zone: its availability zone.
        disabled: whether the scheduler is told to leave it alone.
        disabled_reason: what the operator wrote.
        disabled_at: when it was disabled or enabled last.
        forced_down: whether somebody who knows better says that it is down.
        alive: whether the process runs.
        up: whether Nova believes so; follows ``alive`` with a delay.
        last_seen: the last heartbeat of a process that does not run any more, or when it began.
    """

    service_id: str
    number: int
    binary: str
    host: str
    zone: str
    last_seen: float
    disabled: bool = False
    disabled_reason: str | None = None
    disabled_at: float | None = None
    forced_down: bool = False
    alive: bool = True
    up: bool = True

    @property
    def status(self) -> str:
        """``enabled`` or ``disabled``."""
        return "disabled" if self.disabled else "enabled"

    @property
    def state(self) -> str:
        """``up`` or ``down``."""
        return "up" if self.up and not self.forced_down else "down"

    def heartbeat(self, now: float) -> float:
        """Return when the service was last heard of."""
        if not self.alive:
            return self.last_seen
        return self.last_seen + (now - self.last_seen) // REPORT_INTERVAL_S * REPORT_INTERVAL_S


@dataclass(slots=True)
class Host:
    """A compute host: its machine, what Nova thinks is on it and what really is.

    Attributes:
        name: the host name.
        host_id: the UUID of its hypervisor, which is also its resource provider's.
        number: the hypervisor's number before microversion 2.53.
        address: where its SSH answers.
        vcpus: physical threads.
        memory_mb: installed memory.
        disk_gb: local disk.
        zone: the availability zone.
        service: its nova-compute.
        boot_id: changes with every boot, as ``/proc/sys/kernel/random/boot_id`` does.
        booted_at: when it booted.
        powered: whether the machine runs.
        instances: IDs of the instances that Nova has on this host.
        domains: IDs of the instances whose guest is defined on this host, running or not.
    """

    name: str
    host_id: str
    number: int
    address: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    zone: str
    service: Service
    boot_id: str
    booted_at: float
    powered: bool = True
    instances: dict[str, None] = field(default_factory=dict)
    domains: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is told of an instance in ERROR."""

    code: int
    message: str
    created: float
    details: str = ""


@dataclass(slots=True)
class Instance:
    """An instance.

    Attributes:
        instance_id: its UUID.
        host: the host that Nova says it is on; None before one is chosen.
        domain_host: the host where its guest really is.
        guest_up: whether the guest executes at this moment.
        serves_at: when the guest has booted, if it executes until then.
        resumable: whether the guest ran when its host went down.
        old_host: during a cold migration, where it came from.
        process: what is being done to it.
        tie: its rank among instances created at the same time.
    """

    instance_id: str
    name: str
    project_id: str
    user_id: str
    flavor: Flavor
    image_id: str
    created: float
    updated: float
    tie: int
    reservation_id: str
    vm_state: VmState = VmState.BUILDING
    task_state: TaskState | None = TaskState.SCHEDULING
    power_state: int = PowerState.NOSTATE
    host: str | None = None
    domain_host: str | None = None
    guest_up: bool = False
    serves_at: float = 0.0
    resumable: bool = False
    launched_at: float | None = None
    terminated_at: float | None = None
    old_host: str | None = None
    old_vm_state: VmState | None = None
    group_id: str | None = None
    zone: str | None = None
    key_name: str | None = None
    launch_index: int = 0
    description: str | None = None
    user_data: str | None = None
    config_drive: bool = False
    locked: bool = False
    locked_reason: str | None = None
    root_device: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    security_groups: tuple[str, ...] = ("default",)
    fault: Fault | None = None
    process: Process | None = None

    @property
    def status(self) -> str:
        """The status that users see."""
        return status_of(self.vm_state, self.task_state)

    @property
    def busy(self) -> bool:
        """Whether something is being done to it."""
        return self.process is not None and self.process.running

    @property
    def deleted(self) -> bool:
        """Whether it is gone."""
        return self.vm_state is VmState.DELETED


class MigrationType(StrEnum):
    """Nova's kinds of migration."""

    LIVE = "live-migration"
    COLD = "migration"
    RESIZE = "resize"
    EVACUATION = "evacuation"


@dataclass(slots=True)
class Migration:
    """A migration record; ``dest`` is None until a host is chosen."""

    number: int
    migration_id: str
    instance_id: str
    type: MigrationType
    status: MigrationStatus
    source: str
    created: float
    updated: float
    user_id: str
    project_id: str
    old_flavor: Flavor
    new_flavor: Flavor
    dest: str | None = None
    process: Process | None = None


@dataclass(slots=True)
class ActionEvent:
    """A part of an action, as Nova's services record it."""

    name: str
    host: str
    start: float
    finish: float | None = None
    result: str | None = None
    details: str | None = None


@dataclass(slots=True)
class Action:
    """What somebody asked for an instance; its message is ``Error`` if that failed."""

    name: str
    instance_id: str
    request_id: str
    user_id: str
    project_id: str
    start: float
    updated: float
    message: str | None = None
    events: list[ActionEvent] = field(default_factory=list)


class GroupPolicy(StrEnum):
    """How the instances of a server group are to be placed."""

    ANTI_AFFINITY = "anti-affinity"
    AFFINITY = "affinity"
    SOFT_ANTI_AFFINITY = "soft-anti-affinity"
    SOFT_AFFINITY = "soft-affinity"


@dataclass(slots=True)
class ServerGroup:
    """Instances that are to be together or apart; members that are deleted leave it."""

    group_id: str
    name: str
    project_id: str
    user_id: str
    policy: GroupPolicy
    max_per_host: int | None = None
    members: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """A network or a ready port that an instance is to be on."""

    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None


@dataclass(frozen=True, slots=True)
class BootRequest:
    """What an instance is to be.

    Attributes:
        name: its name.
        flavor_id: the flavor's ID or name.
        image_id: the image; the model does not check it, the service does.
        networks: what it is connected to.
        group_id: a server group.
        host: the only host that will do; None: any.
        forced: put it on that host without asking the scheduler, as ``availability_zone: zone:host`` does.
        zone: an availability zone; None: any.
    """

    name: str
    flavor_id: str
    image_id: str = ""
    networks: tuple[NetworkRequest, ...] = ()
    group_id: str | None = None
    host: str | None = None
    forced: bool = False
    zone: str | None = None
    key_name: str | None = None
    description: str | None = None
    user_data: str | None = None
    config_drive: bool = False
    metadata: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ("default",)
