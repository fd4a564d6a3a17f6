# SPDX-License-Identifier: Apache-2.0
"""What always holds in the compute model, whatever is done to it and in whatever order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.exceptions import RequestRefused
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.compute import Compute
from doctor_maintenance.simulator.profiles import get_profile
from doctor_maintenance.simulator.records import BootRequest, Instance
from doctor_maintenance.simulator.states import MIGRATION_ENDED, MigrationStatus, VmState
from doctor_maintenance.simulator.topology import build_topology

HOSTS = ("compute1", "compute2", "compute3")
SETTLED = {VmState.ACTIVE, VmState.STOPPED, VmState.PAUSED, VmState.RESIZED, VmState.ERROR}
numbers = st.integers(min_value=0, max_value=7)
hosts = st.sampled_from(HOSTS)


def no_host_gives_more_than_it_has(compute: Compute) -> None:
    for provider in compute.placement.providers():
        for name, inventory in provider.inventories.items():
            assert provider.used[name] <= inventory.capacity, (provider.name, name)


def what_is_used_is_what_is_allocated(compute: Compute) -> None:
    for provider in compute.placement.providers():
        total: Counter[str] = Counter()
        for allocation in provider.consumers.values():
            total.update(allocation.resources)
        assert {name: total[name] for name in provider.used} == provider.used


def whoever_holds_resources_exists(compute: Compute) -> None:
    open_migrations = {
        migration.migration_id
        for migration in compute.migrations.values()
        if migration.status not in MIGRATION_ENDED
    }
    for provider in compute.placement.providers():
        for consumer in provider.consumers:
            assert consumer in compute.instances or consumer in open_migrations


def a_placed_instance_holds_what_its_flavor_takes_on_its_host(compute: Compute) -> None:
    for instance in compute.instances.values():
        busy = instance.task_state is not None or instance.deleted
        if instance.host is None or busy:
            continue
        held = compute.placement.allocations(instance.instance_id)
        host = compute.hosts[instance.host]
        assert [allocation.provider_id for allocation in held] == [host.host_id]
        assert held[0].resources == instance.flavor.resources


def an_instance_is_on_exactly_one_host(compute: Compute) -> None:
    for instance_id, instance in compute.instances.items():
        known = [h.name for h in compute.hosts.values() if instance_id in h.instances]
        expected = [] if instance.host is None or instance.deleted else [instance.host]
        assert known == expected
        there = [h.name for h in compute.hosts.values() if instance_id in h.domains]
        assert there == ([] if instance.domain_host is None else [instance.domain_host])


def members_of_an_anti_affinity_group_are_apart(compute: Compute) -> None:
    members = compute.groups.all()[0].members
    placed = [compute.instances[member].host for member in members]
    used = Counter(host for host in placed if host is not None)
    assert all(count == 1 for count in used.values()), used


def nothing_runs_on_a_host_that_is_off(compute: Compute) -> None:
    for instance in compute.instances.values():
        if instance.guest_up:
            assert instance.domain_host is not None
            assert compute.hosts[instance.domain_host].powered


INVARIANTS = (
    no_host_gives_more_than_it_has,
    what_is_used_is_what_is_allocated,
    whoever_holds_resources_exists,
    a_placed_instance_holds_what_its_flavor_takes_on_its_host,
    an_instance_is_on_exactly_one_host,
    members_of_an_anti_affinity_group_are_apart,
    nothing_runs_on_a_host_that_is_off,
)


class ComputeMachine(RuleBasedStateMachine):
    """A small cloud to which anything may be done at any time."""

    @initialize(
        seed=st.integers(0, 2**16), profile=st.sampled_from(["fast", "instant", "realistic"])
    )
    def begin(self, seed: int, profile: str) -> None:
        topology = build_topology(3, vcpus=1, memory_mb=4096)
        clock = VirtualClock()
        self.cloud = SimCloud(clock, random.Random(seed), get_profile(profile), topology)
        self.clock, self.compute = clock, self.cloud.compute
        group = self.compute.groups.create("p", "u", "apart", "anti-affinity")
        self.group_id = group.group_id
        self.stale = profile == "realistic"

    def pick(self, number: int) -> Instance | None:
        instances = list(self.compute.instances.values())
        return instances[number % len(instances)] if instances else None

    def attempt(self, number: int, act: Callable[[str], object]) -> None:
        """Do something to an instance if its state allows it."""
        instance = self.pick(number)
        if instance is not None:
            try:
                act(instance.instance_id)
            except RequestRefused:
                return

    @rule(flavor=st.sampled_from(["m1.tiny", "m1.medium"]), grouped=st.booleans())
    def boot(self, flavor: str, grouped: bool) -> None:
        request = BootRequest("i", flavor, group_id=self.group_id if grouped else None)
        if len(self.compute.instances) < 9:
            self.compute.boot("p", request, user_id="u")

    @rule(number=numbers)
    def delete(self, number: int) -> None:
        self.attempt(number, self.compute.delete)

    @rule(number=numbers, host=st.none() | hosts, synchronous=st.booleans())
    def live_migrate(self, number: int, host: str | None, synchronous: bool) -> None:
        self.attempt(number, lambda i: self.compute.live_migrate(i, host, synchronous=synchronous))

    @rule(number=numbers, host=st.none() | hosts)
    def migrate(self, number: int, host: str | None) -> None:
        self.attempt(number, lambda i: self.compute.migrate(i, host))

    @rule(number=numbers)
    def resize(self, number: int) -> None:
        self.attempt(number, lambda i: self.compute.resize(i, "m1.small"))

    @rule(number=numbers)
    def confirm(self, number: int) -> None:
        self.attempt(number, self.compute.confirm_resize)

    @rule(number=numbers)
    def revert(self, number: int) -> None:
        instance = self.pick(number)
        if instance is not None and instance.group_id is None:
            self.attempt(number, self.compute.revert_resize)

    @rule(number=numbers)
    def stop(self, number: int) -> None:
        self.attempt(number, self.compute.stop)

    @rule(number=numbers)
    def start(self, number: int) -> None:
        self.attempt(number, self.compute.start)

    @rule(number=numbers, hard=st.booleans())
    def reboot(self, number: int, hard: bool) -> None:
        self.attempt(number, lambda i: self.compute.reboot(i, hard=hard))

    @rule(number=numbers)
    def evacuate(self, number: int) -> None:
        self.attempt(number, self.compute.evacuate)

    @rule(number=numbers)
    def abort(self, number: int) -> None:
        instance = self.pick(number)
        running = list(self.compute.running_migrations(instance.instance_id)) if instance else []
        for migration in running:
            self.attempt(
                number, lambda i, number=migration.number: self.compute.abort_migration(i, number)
            )

    @rule(host=hosts)
    def reboot_host(self, host: str) -> None:
        self.compute.reboot_host(host)

    @rule(host=hosts, disabled=st.booleans())
    def switch_service(self, host: str, disabled: bool) -> None:
        machines = self.compute.machines
        machines.disable(host, "why") if disabled else machines.enable(host)

    @rule(
        fault=st.sampled_from(["migration_fails", "migration_ends_in_error", "no_valid_host"]),
    )
    def arm(self, fault: str) -> None:
        self.cloud.faults.add(fault, times=1)

    @rule(seconds=st.sampled_from([0.01, 0.06, 0.2, 0.5, 3.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def everything_holds(self) -> None:
        for check in INVARIANTS:
            check(self.compute)

    def teardown(self) -> None:
        self.clock.run()
        for instance in self.compute.instances.values():
            assert instance.task_state is None, instance
            assert instance.vm_state in SETTLED, instance
            if instance.vm_state is VmState.ACTIVE:
                assert self.compute.is_running(instance.instance_id), instance
        for migration in self.compute.migrations.values():
            ended = migration.status in MIGRATION_ENDED
            assert ended or migration.status is MigrationStatus.FINISHED, migration


ComputeMachine.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAnythingAtAnyTime = ComputeMachine.TestCase
