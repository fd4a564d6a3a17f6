# SPDX-License-Identifier: Apache-2.0
"""A host is not empty while a migration that was begun for somebody else is about to bring an instance to it.

Nova's list of a host's instances does not have such an instance yet. Found by the explorer, with two sessions
on one cloud.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from doctor_maintenance.simulator.profiles import get_profile
from doctor_maintenance.simulator.records import BootRequest

from .conftest import World


def on_its_way(world: World, instance_id: str) -> str:
    """Let Nova migrate an instance until the destination is chosen, and return that."""
    compute = world.cloud.compute
    compute.live_migrate(instance_id)
    (migration,) = compute.migrations.values()
    assert world.clock.run_until(lambda: migration.dest is not None, world.clock.now() + 10)
    assert migration.dest is not None
    assert world.host_of(instance_id) != migration.dest
    return migration.dest


def test_what_is_on_its_way_to_a_host_is_waited_for_and_moved_off_again(world: World) -> None:
    red = world.project("red")
    instance = world.boot("app", "red", "compute1")
    host = on_its_way(world, instance)

    view = world.finish(world.begin(hosts=[host]))

    assert view["state"] == "MAINTENANCE_OVER"
    assert red.states == ["PLANNED_MAINTENANCE"]
    assert red.views[0]["instance_ids"] == [instance]
    assert world.host_of(instance) != host


def test_a_host_that_something_never_arrives_at_is_canceled_and_the_reason_names_it(
    world: World,
) -> None:
    world.project("red")
    instance = world.boot("app", "red", "compute1")
    world.cloud.faults.add("migration_hangs", {"instance": "app"})
    host = on_its_way(world, instance)

    view = world.finish(world.begin(hosts=[host]))

    assert view["state"] == "MAINTENANCE_CANCELED"
    assert f"{instance} may be on the way to {host}" in str(view["hosts"])
    assert world.service(host) == (False, None)


def test_a_migration_to_another_host_is_nobodys_business(world: World) -> None:
    world.project("red")
    instance = world.boot("app", "red", "compute1")
    host = on_its_way(world, instance)
    other = ({"compute2", "compute3"} - {host}).pop()

    view = world.finish(world.begin(hosts=[other]))

    assert view["state"] == "MAINTENANCE_OVER"


def test_what_is_being_built_on_a_host_is_waited_for_and_runs_after_its_reboot(
    make_world: Any,
) -> None:
    """Seed 100428297: it was ACTIVE when the host went down, and nobody started it again."""
    world = make_world(profile=replace(get_profile("fast"), boot_spawning=5.0, resume_guests=False))
    red = world.project("red", lambda notification, ids: dict.fromkeys(ids, "LEAVE"))
    compute = world.cloud.compute
    request = BootRequest("app", "m1.small", host="compute1", forced=True)
    instance = compute.boot(red.project_id, request)[0]
    assert world.clock.run_until(lambda: instance.host is not None, world.clock.now() + 10)
    assert instance.status == "BUILD"

    view = world.finish(world.begin(hosts=["compute1"], type="reboot"))

    assert view["state"] == "MAINTENANCE_OVER"
    assert compute.is_running(instance.instance_id)
