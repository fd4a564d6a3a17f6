# SPDX-License-Identifier: Apache-2.0
"""The cloud of a world: the simulator's compute model, the services' addresses, and what goes wrong with them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.explorer.addresses import Addresses
from doctor_maintenance.explorer.case import Case, InstancePlan, TimingPlan, Trouble, TroublePlan
from doctor_maintenance.explorer.witness import Witness
from doctor_maintenance.simulator.compute import Compute
from doctor_maintenance.simulator.faults import Fault, Faults
from doctor_maintenance.simulator.networking import Unconnected
from doctor_maintenance.simulator.profiles import TimingProfile
from doctor_maintenance.simulator.profiles.instant import INSTANT
from doctor_maintenance.simulator.records import BootRequest, Instance
from doctor_maintenance.simulator.topology import FlavorSpec, HostSpec, Topology

FLAVOR = "m1.tiny"
_IDS = 1
"""The seed of every world's IDs: the same ones each time, so that what is made from them can be cached."""
_FLAVORS = (FlavorSpec(FLAVOR, vcpus=1, memory_mb=512, disk_gb=1),)
_QUOTAS = {
    "instances": -1,
    "cores": -1,
    "ram": -1,
    "key_pairs": -1,
    "metadata_items": -1,
    "server_groups": -1,
    "server_group_members": -1,
}

_IN_CLOUD = {
    Trouble.MIGRATION_FAILS: ("migration_fails", "instance"),
    Trouble.MIGRATION_HANGS: ("migration_hangs", "instance"),
    Trouble.MIGRATION_ENDS_IN_ERROR: ("migration_ends_in_error", "instance"),
    Trouble.NO_VALID_HOST: ("no_valid_host", "instance"),
    Trouble.HOST_STAYS_OFF: ("host_does_not_come_back", "host"),
    Trouble.SERVICE_LATE: ("service_comes_back_late", "host"),
}
"""Troubles that the simulator has faults for, and what of them the target is."""

TROUBLE_OF = {name: trouble for trouble, (name, _) in _IN_CLOUD.items()}
"""The troubles by the names of the simulator's faults."""


class _Watched(Compute):
    """A compute model that tells when a guest may have stopped or started."""

    stage: CloudStage | None = None

    def set_guest(self, instance: Instance, *, up: bool, **where: Any) -> None:
        super().set_guest(instance, up=up, **where)
        if self.stage is not None:
            self.stage.addresses.changed(instance.instance_id)


class CloudStage:
    """A cloud with everything on it, as a case says.

    Args:
        clock: the time.
        case: what there is.

    Attributes:
        compute: the simulator's model of Nova.
        addresses: the services.
        witness: who writes down what happens.
        ids: instances by the names that the case gave them.
        boots: who an instance that was built anew replaces, by ID.
        armed: the simulator's faults, also those that were mended since.
        happened: how often each other trouble came about.
        troubled_calls: how often something went wrong with each call to the cloud.
    """

    def __init__(self, clock: VirtualClock, case: Case) -> None:
        self.clock = clock
        self.case = case
        self.chance = random.Random(case.seed)
        self.owner_deleted: set[str] = set()
        self.witness = Witness(clock, self.owner_deleted.__contains__)
        self.faults = Faults()
        self.armed: list[Fault] = []
        self.compute = _Watched(
            clock,
            random.Random(_IDS),
            INSTANT,
            _topology(case.hosts),
            self.faults,
            Unconnected(),
            self._nothing,
        )
        self.addresses = Addresses(clock, self.witness, self.compute.is_running)
        self.ids: dict[str, str] = {}
        self.happened: Counter[Trouble] = Counter()
        self.troubled_calls: Counter[str] = Counter()
        self._api_troubles: dict[str, list[list[Any]]] = {}
        self._begin()

    def _nothing(self, kind: str, fields: Mapping[str, Any]) -> None:
        """See nothing: the cloud is being made."""

    def _begin(self) -> None:
        compute = self.compute
        for project in self.case.projects:
            groups: dict[int, str] = {}
            for instance in project.instances:
                if instance.pair is not None and instance.pair not in groups:
                    group = compute.groups.create(
                        project.name, "", f"pair-{instance.pair}", "anti-affinity"
                    )
                    groups[instance.pair] = group.group_id
                self._boot(project.name, instance, groups.get(instance.pair or 0))
        for host in self.case.session.operator_disabled:
            compute.machines.disable(host, "broken fan")
        compute.profile = profile(self.case.timing)
        compute.emit = self._emit
        compute.stage = self
        self._tell_all()
        for trouble in self.case.troubles:
            self._arm(trouble)

    def _boot(self, project: str, plan: InstancePlan, group_id: str | None) -> None:
        request = BootRequest(
            plan.name,
            FLAVOR,
            host=plan.host,
            forced=True,
            group_id=group_id if plan.pair is not None else None,
        )
        self.ids[plan.name] = self.compute.boot(project, request)[0].instance_id

    def _tell_all(self) -> None:
        witness = self.witness
        for host in self.compute.hosts.values():
            witness.cloud("host", {"host": host.name, "powered": True, "boot_id": host.boot_id})
            service = host.service
            witness.cloud(
                "service",
                {
                    "host": host.name,
                    "binary": service.binary,
                    "status": service.status,
                    "state": service.state,
                    "reason": service.disabled_reason,
                },
            )
        for instance in self.compute.instances.values():
            witness.cloud(
                "instance",
                {
                    "instance_id": instance.instance_id,
                    "name": instance.name,
                    "project_id": instance.project_id,
                    "host": instance.host,
                    "status": instance.status,
                    "task_state": None,
                },
            )
        number = 0
        for project in self.case.projects:
            pairs: dict[int, list[str]] = {}
            for plan in project.instances:
                if plan.pair is not None:
                    pairs.setdefault(plan.pair, []).append(self.ids[plan.name])
            for members in pairs.values():
                number += 1
                self.addresses.add(f"203.0.113.{number}", project.name, members)

    def _emit(self, kind: str, fields: Mapping[str, Any]) -> None:
        self.witness.cloud(kind, fields)
        if kind == "instance":
            if fields["status"] == "DELETED":
                self.addresses.gone(fields["instance_id"])
            self.addresses.changed(fields["instance_id"])

    def _arm(self, trouble: TroublePlan) -> None:
        if trouble.what in _IN_CLOUD:
            name, criterion = _IN_CLOUD[trouble.what]
            criteria = {criterion: trouble.target}
            if trouble.what is Trouble.MIGRATION_HANGS:
                criteria["type"] = "live-migration"
            seconds = {"delay_s": trouble.seconds} if trouble.what is Trouble.SERVICE_LATE else None
            self.armed.append(self.faults.add(name, criteria, seconds, trouble.times))
        elif trouble.what in (Trouble.API_REFUSES, Trouble.API_LIES, Trouble.SSH_FAILS):
            name = "ssh" if trouble.what is Trouble.SSH_FAILS else trouble.target
            self._api_troubles.setdefault(name, []).append([trouble.what, trouble.times])

    def api_trouble(self, call: str) -> Trouble | None:
        """Return what goes wrong with a call to the cloud, if anything does."""
        for armed in self._api_troubles.get(call, ()):
            if armed[1] > 0:
                armed[1] -= 1
                self.happened[armed[0]] += 1
                self.troubled_calls[call] += 1
                return Trouble(armed[0])
        return None

    def delete_for_owner(self, instance_id: str) -> bool:
        """Delete an instance, as its owner; False if there is none."""
        instance = self.compute.instances.get(instance_id)
        if instance is None or instance.deleted:
            return False
        self.owner_deleted.add(instance_id)
        self.compute.delete(instance_id)
        return True

    def mend(self, host: str) -> None:
        """Repair a host that did not come back."""
        self.faults.clear()
        self._api_troubles.clear()
        self.compute.machines.power_on(host)

    def latency(self) -> float:
        """Return how long a call takes this time."""
        return self.case.timing.api_s * (0.5 + self.chance.random())

    def hosts_of(self, project: str) -> set[str]:
        """Return the hosts that a project has instances on."""
        return {
            instance.host
            for instance in self.compute.instances.values()
            if instance.project_id == project and instance.host is not None
        }


@cache
def _topology(hosts: tuple[Any, ...]) -> Topology:
    specs = tuple(
        HostSpec(
            plan.name,
            f"127.77.0.{number}",
            vcpus=plan.room,
            memory_mb=512 * plan.room + 512,
            cpu_allocation_ratio=1.0,
        )
        for number, plan in enumerate(hosts, 1)
    )
    return Topology(hosts=specs, flavors=_FLAVORS, quotas=_QUOTAS)


def profile(timing: TimingPlan) -> TimingProfile:
    """Return the simulator's timing profile of a case."""
    move, boot = timing.move_s, timing.boot_s
    return TimingProfile(
        name="case",
        boot_scheduling=boot * 0.2,
        boot_networking=boot * 0.2,
        boot_spawning=boot * 0.6,
        delete=timing.delete_s,
        delete_visible=0.0,
        stop=boot,
        start=boot,
        reboot_hard=boot,
        live_scheduling=move * 0.1,
        live_preparing=move * 0.2,
        live_running=move * 0.6,
        live_pause=timing.pause_s,
        live_finishing=move * 0.1,
        live_record_lag=move * 0.05,
        cold_scheduling=move * 0.1,
        cold_preparing=move * 0.1,
        cold_migrating=move * 0.3,
        cold_migrated=move * 0.2,
        cold_finishing=move * 0.1,
        confirm=move * 0.2,
        host_boot=timing.reboot_s,
        service_down=timing.service_s * 0.5,
        service_up=timing.service_s,
        resume_guests=timing.resume_guests,
        group_view_stale=timing.stale_s,
    )
