# SPDX-License-Identifier: Apache-2.0
"""Instances on the move: live and cold migration, evacuation, and how they fail."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from doctor_maintenance.exceptions import ConflictError, InvalidRequestError
from doctor_maintenance.simulator.errors import NoValidHost
from doctor_maintenance.simulator.profiles import TimingProfile, get_profile
from doctor_maintenance.simulator.records import BootRequest, Instance

from .sim import Sim

REALISTIC = get_profile("realistic")


class Moves:
    """A cloud of three hosts, and what its instances and migrations went through."""

    def __init__(self, profile: TimingProfile | str = "fast") -> None:
        self.sim = Sim(profile, served=False)
        self.cloud, self.clock = self.sim.cloud, self.sim.clock
        self.compute = self.cloud.compute
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.cloud.subscribe(lambda event: self.seen.append((event.kind, dict(event.fields))))

    def boot(self, name: str = "one", host: str | None = None, **wanted: Any) -> Instance:
        request = BootRequest(name, "m1.small", host=host, **wanted)
        instance = self.compute.boot("project", request, user_id="user")[0]
        self.clock.run()
        return instance

    def statuses(self, kind: str = "instance") -> list[str]:
        """Return the statuses that were gone through, without repetitions."""
        found: list[str] = []
        for seen, fields in self.seen:
            if seen == kind and (not found or found[-1] != fields["status"]):
                found.append(fields["status"])
        return found

    def tasks(self) -> list[str | None]:
        found: list[str | None] = []
        for seen, fields in self.seen:
            if seen == "instance" and (not found or found[-1] != fields["task_state"]):
                found.append(fields["task_state"])
        return found

    def forget(self) -> None:
        self.seen.clear()


@pytest.fixture
def moves() -> Moves:
    return Moves()


def test_a_boot_goes_through_the_recorded_states(moves: Moves) -> None:
    instance = moves.boot()
    assert moves.tasks() == [
        "scheduling", None, "networking", "block_device_mapping", "spawning", None,
    ]  # fmt: skip
    assert moves.statuses() == ["BUILD", "ACTIVE"]
    assert moves.compute.is_running(instance.instance_id)


def test_a_boot_without_a_valid_host_ends_in_error_with_a_fault(moves: Moves) -> None:
    for host in moves.compute.hosts:
        moves.compute.machines.disable(host)
    instance = moves.boot()
    assert instance.status == "ERROR"
    assert instance.host is None
    assert instance.fault is not None
    assert instance.fault.message == "No valid host was found. "


def test_a_live_migration_goes_through_the_recorded_states(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    moves.forget()
    moves.compute.live_migrate(instance.instance_id)
    moves.clock.run()
    assert moves.statuses() == ["MIGRATING", "ACTIVE"]
    assert moves.statuses("migration") == [
        "accepted", "queued", "preparing", "running", "completed",
    ]  # fmt: skip
    arrived = [fields for kind, fields in moves.seen if kind == "instance"][-1]
    assert arrived["status"] == "ACTIVE"
    assert arrived["host"] == instance.host != "compute1"


def test_the_destination_of_a_live_migration_is_unknown_at_first(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    migration = moves.compute.live_migrate(instance.instance_id, "compute3")
    assert migration.dest is None
    moves.clock.run()
    assert migration.dest == "compute3"


def test_a_migration_is_completed_only_after_the_instance_is_active(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    migration = moves.compute.live_migrate(instance.instance_id)
    moves.clock.run_until(lambda: instance.status == "ACTIVE", moves.clock.now() + 10)
    assert migration.status == "running"
    moves.clock.run()
    assert migration.status == "completed"


def test_a_guest_runs_on_during_a_live_migration_but_for_the_pause() -> None:
    profile = dataclasses.replace(get_profile("fast"), live_pause=0.05)
    moves = Moves(profile)
    instance = moves.boot(host="compute1")
    moves.compute.live_migrate(instance.instance_id)
    standing_still = 0
    for _ in range(50):
        moves.clock.advance(0.01)
        standing_still += not moves.compute.is_running(instance.instance_id)
    assert 4 <= standing_still <= 6
    assert moves.compute.is_running(instance.instance_id)


def test_no_valid_host_leaves_the_instance_active_and_without_a_fault(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    moves.compute.machines.disable("compute2")
    moves.compute.machines.disable("compute3")
    migration = moves.compute.live_migrate(instance.instance_id)
    assert instance.status == "MIGRATING"
    moves.clock.run()
    assert (instance.status, instance.host, instance.fault) == ("ACTIVE", "compute1", None)
    assert (migration.status, migration.dest) == ("error", None)
    assert moves.compute.actions_of(instance.instance_id)[0].message == "Error"


def test_live_migration_to_a_disabled_host_ends_in_error(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    moves.compute.machines.disable("compute2")
    migration = moves.compute.live_migrate(instance.instance_id, "compute2")
    moves.clock.run()
    assert (migration.status, instance.status, instance.host) == ("error", "ACTIVE", "compute1")


def test_a_synchronous_live_migration_refuses_at_once(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    with pytest.raises(InvalidRequestError, match="to current host"):
        moves.compute.live_migrate(instance.instance_id, "compute1", synchronous=True)
    moves.compute.machines.disable("compute2")
    moves.compute.machines.disable("compute3")
    with pytest.raises(NoValidHost):
        moves.compute.live_migrate(instance.instance_id, synchronous=True)
    assert instance.status == "ACTIVE"


def test_resetting_to_error_does_not_stop_a_migration_in_flight(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    moves.compute.live_migrate(instance.instance_id, "compute2")
    moves.clock.advance(0.1)
    moves.compute.reset_state(instance.instance_id, "error")
    moves.clock.run()
    assert (instance.status, instance.host) == ("ERROR", "compute2")


def test_a_live_migration_can_be_aborted(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    migration = moves.compute.live_migrate(instance.instance_id)
    moves.clock.advance(0.2)
    moves.compute.abort_migration(instance.instance_id, migration.number)
    moves.clock.run()
    assert (migration.status, instance.status, instance.host) == (
        "cancelled", "ACTIVE", "compute1",
    )  # fmt: skip
    with pytest.raises(ConflictError, match="invalid state for 'abort live migration'"):
        moves.compute.abort_migration(instance.instance_id, migration.number)


def test_a_cold_migration_goes_through_the_recorded_states(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    moves.forget()
    migration = moves.compute.migrate(instance.instance_id)
    moves.clock.run()
    assert moves.tasks() == [
        "resize_prep", "resize_migrating", "resize_migrated", "resize_finish", None,
    ]  # fmt: skip
    assert moves.statuses() == ["RESIZE", "VERIFY_RESIZE"]
    assert moves.statuses("migration") == [
        "pre-migrating", "migrating", "post-migrating", "finished",
    ]  # fmt: skip
    assert instance.host == migration.dest != "compute1"


def test_a_guest_is_off_while_it_is_moved_cold(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    moves.compute.migrate(instance.instance_id)
    reached = moves.clock.run_until(
        lambda: instance.task_state == "resize_migrating", moves.clock.now() + 10
    )
    assert reached
    assert not moves.compute.is_running(instance.instance_id)
    moves.clock.run()
    assert moves.compute.is_running(instance.instance_id)


def test_a_confirmed_instance_stays_verify_resize_for_a_while(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    migration = moves.compute.migrate(instance.instance_id)
    moves.clock.run()
    moves.compute.confirm_resize(instance.instance_id)
    assert (instance.status, migration.status) == ("VERIFY_RESIZE", "confirming")
    moves.clock.run()
    assert (instance.status, migration.status) == ("ACTIVE", "confirmed")


def test_a_cold_migration_is_confirmed_only_once(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    moves.compute.migrate(instance.instance_id)
    moves.clock.run()
    moves.compute.confirm_resize(instance.instance_id)
    with pytest.raises(InvalidRequestError, match="Instance has not been resized"):
        moves.compute.confirm_resize(instance.instance_id)


def test_a_revert_says_reverted_before_the_instance_does(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    migration = moves.compute.migrate(instance.instance_id)
    moves.clock.run()
    moves.compute.revert_resize(instance.instance_id)
    moves.clock.run_until(lambda: migration.status == "reverted", moves.clock.now() + 10)
    assert (instance.status, instance.host) == ("REVERT_RESIZE", "compute1")
    moves.clock.run()
    assert (instance.status, instance.host) == ("ACTIVE", "compute1")


def test_a_stopped_instance_is_stopped_after_its_cold_migration(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    moves.compute.stop(instance.instance_id)
    moves.clock.run()
    moves.compute.migrate(instance.instance_id)
    moves.clock.run()
    moves.compute.confirm_resize(instance.instance_id)
    moves.clock.run()
    assert instance.status == "SHUTOFF"
    assert not moves.compute.is_running(instance.instance_id)


def test_members_of_an_anti_affinity_group_never_share_a_host(moves: Moves) -> None:
    group = moves.compute.groups.create("project", "user", "apart", "anti-affinity")
    pair = [moves.boot(name, group_id=group.group_id) for name in ("one", "two")]
    assert pair[0].host != pair[1].host
    migration = moves.compute.live_migrate(pair[0].instance_id, pair[1].host)
    moves.clock.run()
    assert migration.status == "error"


def test_the_scheduler_believes_a_departed_member_to_be_there_still() -> None:
    moves = Moves(dataclasses.replace(get_profile("fast"), group_view_stale=62.0))
    group = moves.compute.groups.create("project", "user", "apart", "anti-affinity")
    first = moves.boot("a", "compute1", group_id=group.group_id)
    second = moves.boot("b", "compute2", group_id=group.group_id)
    moves.compute.live_migrate(first.instance_id, "compute3")
    moves.clock.run()
    refused = moves.compute.live_migrate(second.instance_id, "compute1")
    moves.clock.advance(10)
    assert refused.status == "error"
    moves.clock.advance(60)
    accepted = moves.compute.live_migrate(second.instance_id, "compute1")
    moves.clock.run()
    assert (accepted.status, second.host) == ("completed", "compute1")


def test_the_members_of_an_affinity_group_share_a_host(moves: Moves) -> None:
    group = moves.compute.groups.create("project", "user", "together", "affinity")
    first = moves.boot("a", group_id=group.group_id)
    second = moves.boot("b", group_id=group.group_id)
    assert first.host == second.host


def test_a_soft_group_gives_way_when_there_is_no_other_host(moves: Moves) -> None:
    group = moves.compute.groups.create("project", "user", "apart", "soft-anti-affinity")
    members = [moves.boot(f"m{number}", group_id=group.group_id) for number in range(4)]
    assert [member.status for member in members] == ["ACTIVE"] * 4
    assert len({member.host for member in members}) == 3


@pytest.mark.parametrize(
    ("fault", "status", "record"),
    [("migration_fails", "ACTIVE", "failed"), ("migration_ends_in_error", "ERROR", "error")],
)
def test_a_fault_fails_a_live_migration(fault: str, status: str, record: str) -> None:
    moves = Moves()
    instance = moves.boot(host="compute1")
    moves.cloud.faults.add(fault, {"instance": "one"}, times=1)
    migration = moves.compute.live_migrate(instance.instance_id)
    moves.clock.run()
    assert (instance.status, instance.host) == (status, "compute1")
    assert migration.status == record
    assert moves.compute.is_running(instance.instance_id) == (status == "ACTIVE")


def test_a_hanging_migration_ends_when_its_host_goes_down(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    moves.cloud.faults.add("migration_hangs")
    migration = moves.compute.live_migrate(instance.instance_id, "compute2")
    moves.clock.run()
    assert (instance.status, migration.status) == ("MIGRATING", "running")
    moves.compute.machines.power_off("compute2")
    assert (instance.status, instance.host, migration.status) == ("ACTIVE", "compute1", "error")
    assert moves.compute.is_running(instance.instance_id)


def test_a_fault_can_name_where_an_instance_lands(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    moves.cloud.faults.add("lands_on_unmaintained_host", parameters={"host": "compute3"})
    moves.compute.live_migrate(instance.instance_id)
    moves.clock.run()
    assert instance.host == "compute3"


def test_an_instance_on_a_dead_host_is_evacuated(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    with pytest.raises(InvalidRequestError, match="Compute service of compute1 is still in use"):
        moves.compute.evacuate(instance.instance_id)
    moves.compute.machines.power_off("compute1")
    moves.clock.run()
    migration = moves.compute.evacuate(instance.instance_id)
    moves.clock.run()
    assert (migration.status, instance.status) == ("done", "ACTIVE")
    assert instance.host != "compute1"
    assert moves.compute.is_running(instance.instance_id)


def test_deleting_an_instance_ends_its_migration(moves: Moves) -> None:
    instance = moves.boot(host="compute1")
    migration = moves.compute.live_migrate(instance.instance_id)
    moves.clock.advance(0.2)
    moves.compute.delete(instance.instance_id)
    moves.clock.run()
    assert migration.status == "error"
    assert moves.compute.instances == {}
    assert all(not provider.consumers for provider in moves.compute.placement.providers())


def test_a_live_migration_takes_as_long_as_its_profile_says() -> None:
    moves = Moves(REALISTIC)
    instance = moves.boot(host="compute1")
    began = moves.clock.now()
    moves.compute.live_migrate(instance.instance_id)
    moves.clock.run_until(lambda: instance.status == "ACTIVE", began + 60)
    assert 8.8 <= moves.clock.now() - began <= 13.2
