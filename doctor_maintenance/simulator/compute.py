# SPDX-License-Identifier: Apache-2.0
"""The compute model: what Nova has and does, on a clock, without HTTP.

This is the front: tables, look-ups and the checks that Nova's API makes before it says yes. What then takes
time is in ``lifecycle.py``, ``live_migration.py``, ``cold_migration.py`` and ``machines.py``, each a
timeline of the states that real Nova was seen to go through. Policy (who may ask) is not here but in the
services.
"""

from __future__ import annotations

import random

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import InvalidRequestError, NotFoundError
from doctor_maintenance.simulator import ids, lifecycle, machines
from doctor_maintenance.simulator.catalogues import Aggregates, Keypairs
from doctor_maintenance.simulator.compute_moves import ComputeMoves
from doctor_maintenance.simulator.errors import QuotaExceeded
from doctor_maintenance.simulator.events import Emit
from doctor_maintenance.simulator.faults import Faults
from doctor_maintenance.simulator.networking import ComputeNetwork
from doctor_maintenance.simulator.profiles import TimingProfile
from doctor_maintenance.simulator.records import (
    NOBODY,
    Action,
    BootRequest,
    Caller,
    Flavor,
    Instance,
)
from doctor_maintenance.simulator.states import (
    ALLOWED,
    TaskState,
    VmState,
)
from doctor_maintenance.simulator.topology import Topology


class Compute(ComputeMoves):
    """Nova.

    Args:
        clock: what everything that takes time waits on.
        rng: where IDs and chance come from.
        profile: how long things take.
        topology: the hosts, flavors and quotas of the start.
        faults: what may go wrong.
        network: where ports are.
        emit: who is told of changes.
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
        super().__init__(clock, rng, profile, topology, faults, network, emit)
        self.keypairs = Keypairs(self.quotas)
        self.aggregates = Aggregates(rng, self.hosts)
        self.machines = machines.Machines(self)

    # Instances

    def boot(
        self,
        project_id: str,
        request: BootRequest,
        *,
        user_id: str = "",
        count: int = 1,
        caller: Caller = NOBODY,
    ) -> list[Instance]:
        """Start ``count`` new instances; they are BUILD, and ACTIVE or ERROR later.

        Raises:
            InvalidRequestError: the flavor, group, host or network does not exist.
            QuotaExceeded: the project may not have so much.
        """
        flavor = self.flavor_for(request.flavor_id)
        group = None
        if request.group_id is not None:
            group = self.groups.find(request.group_id)
            if group is None:
                raise InvalidRequestError(f"Instance group {request.group_id} could not be found.")
        if request.host is not None and request.host not in self.hosts:
            raise InvalidRequestError(f"Compute host {request.host} could not be found.")
        self._check_quota(project_id, flavor, count)
        if group is not None and not self.quotas.allows(
            project_id, "server_group_members", len(group.members), count
        ):
            raise QuotaExceeded("Quota exceeded, too many servers in group")
        reservation = f"r-{self.rng.getrandbits(40):08x}"[:10]
        return [
            self._boot_one(
                project_id,
                user_id,
                request,
                flavor,
                caller,
                reservation,
                number if count > 1 else None,
            )
            for number in range(count)
        ]

    def _boot_one(
        self,
        project_id: str,
        user_id: str,
        request: BootRequest,
        flavor: Flavor,
        caller: Caller,
        reservation: str,
        number: int | None,
    ) -> Instance:
        now = self.clock.now()
        instance = Instance(
            instance_id=ids.new_uuid(self.rng),
            name=request.name if number is None else f"{request.name}-{number + 1}",
            project_id=project_id,
            user_id=user_id,
            flavor=flavor,
            image_id=request.image_id,
            created=now,
            updated=now,
            tie=self.next_number("instance"),
            reservation_id=reservation,
            zone=request.zone,
            key_name=request.key_name,
            launch_index=number or 0,
            description=request.description,
            user_data=request.user_data,
            config_drive=request.config_drive,
            metadata=dict(request.metadata),
            tags=list(request.tags),
            security_groups=request.security_groups,
            group_id=request.group_id,
        )
        self.instances[instance.instance_id] = instance
        if request.group_id is not None:
            self.groups.join(request.group_id, instance.instance_id)
        action = self.record_action(instance, "create", caller)
        self.report(instance)
        self.run(instance, lifecycle.boot(self, instance, request, action))
        return instance

    def _check_quota(self, project_id: str, flavor: Flavor, count: int) -> None:
        if self.faults.decide("compute.quota", project=project_id) is not None:
            raise QuotaExceeded(f"Quota exceeded for instances: Requested {count}")
        used = self.usage(project_id)
        wanted = {
            "instances": count,
            "cores": count * flavor.vcpus,
            "ram": count * flavor.memory_mb,
        }
        over = [
            name
            for name in ("cores", "instances", "ram")
            if not self.quotas.allows(project_id, name, used[name], wanted[name])
        ]
        if over:
            limits = self.quotas.limits(project_id)
            names = ", ".join(over)
            raise QuotaExceeded(
                f"Quota exceeded for {names}: Requested {', '.join(str(wanted[name]) for name in over)},"
                f" but already used {', '.join(str(used[name]) for name in over)}"
                f" of {', '.join(str(limits[name]) for name in over)} {names}"
            )

    def usage(self, project_id: str) -> dict[str, int]:
        """Return what a project uses of its quotas."""
        mine = [
            instance for instance in self.instances.values() if instance.project_id == project_id
        ]
        return {
            "instances": len(mine),
            "cores": sum(instance.flavor.vcpus for instance in mine),
            "ram": sum(instance.flavor.memory_mb for instance in mine),
            "server_groups": len(self.groups.of_project(project_id)),
        }

    def of_project(self, project_id: str) -> list[Instance]:
        """Return a project's instances, the oldest first."""
        return [
            instance for instance in self.instances.values() if instance.project_id == project_id
        ]

    def delete(self, instance_id: str, caller: Caller = NOBODY) -> None:
        """Delete an instance; it is ``deleting`` now and gone later. Again meanwhile: no effect.

        Raises:
            NotFoundError: there is none.
        """
        instance = self.get(instance_id)
        if instance.task_state is TaskState.DELETING:
            return
        self.abandon(instance)
        action = self.record_action(instance, "delete", caller)
        self.set_state(instance, task_state=TaskState.DELETING)
        self.run(instance, lifecycle.delete(self, instance, action))

    def stop(self, instance_id: str, caller: Caller = NOBODY) -> None:
        """Shut an instance down.

        Raises:
            NotFoundError: there is none, or it has no host yet.
            ConflictError: its state does not allow it.
        """
        instance = self._ready(instance_id, "stop")
        action = self.record_action(instance, "stop", caller)
        self.set_state(instance, task_state=TaskState.POWERING_OFF)
        self.run(instance, lifecycle.stop(self, instance, action))

    def start(self, instance_id: str, caller: Caller = NOBODY) -> None:
        """Start an instance that is SHUTOFF.

        Raises:
            NotFoundError: there is none, or it has no host yet.
            ConflictError: its state does not allow it.
        """
        instance = self._ready(instance_id, "start")
        action = self.record_action(instance, "start", caller)
        self.set_state(instance, task_state=TaskState.POWERING_ON)
        self.run(instance, lifecycle.start(self, instance, action))

    def pause(self, instance_id: str, caller: Caller = NOBODY) -> None:
        """Freeze an instance where it is.

        Raises:
            NotFoundError: there is none.
            ConflictError: its state does not allow it.
        """
        instance = self._ready(instance_id, "pause")
        action = self.record_action(instance, "pause", caller)
        self.set_state(instance, task_state=TaskState.PAUSING)
        self.run(instance, lifecycle.pause(self, instance, action))

    def unpause(self, instance_id: str, caller: Caller = NOBODY) -> None:
        """Let a frozen instance go on.

        Raises:
            NotFoundError: there is none.
            ConflictError: its state does not allow it.
        """
        instance = self._ready(instance_id, "unpause")
        action = self.record_action(instance, "unpause", caller)
        self.set_state(instance, task_state=TaskState.UNPAUSING)
        self.run(instance, lifecycle.unpause(self, instance, action))

    def reboot(self, instance_id: str, *, hard: bool = False, caller: Caller = NOBODY) -> None:
        """Reboot an instance, softly through its operating system or hard through its power.

        Raises:
            NotFoundError: there is none.
            ConflictError: its state does not allow it.
        """
        instance = self.get(instance_id)
        self.check(instance, "reboot", ALLOWED["reboot hard" if hard else "reboot"])
        action = self.record_action(instance, "reboot", caller)
        self.set_state(
            instance, task_state=TaskState.REBOOTING_HARD if hard else TaskState.REBOOTING
        )
        self.run(instance, lifecycle.reboot(self, instance, hard, action))

    def reset_state(self, instance_id: str, state: str) -> None:
        """Say that an instance is ``active`` or in ``error``, whatever it is; nothing else is done to it.

        Raises:
            NotFoundError: there is none.
        """
        instance = self.get(instance_id)
        instance.vm_state = VmState(state)
        instance.task_state = None
        self.touch(instance)
        self.report(instance)

    def _ready(self, instance_id: str, action: str) -> Instance:
        instance = self.get(instance_id)
        if instance.host is None:
            raise NotFoundError(f"Instance {instance_id} could not be found.")
        self.check(instance, action)
        return instance

    # Hosts

    def reboot_host(self, name: str) -> None:
        """Reboot a host; see ``machines.py`` for everything else that can happen to one.

        Raises:
            NotFoundError: there is none of this name.
        """
        self.machines.reboot(name)

    def actions_of(self, instance_id: str) -> list[Action]:
        """Return what was asked for an instance, the newest first; also for one that is gone.

        Raises:
            NotFoundError: there never was such an instance.
        """
        if instance_id not in self.actions:
            raise NotFoundError(f"Instance {instance_id} could not be found.")
        return list(reversed(self.actions[instance_id]))
