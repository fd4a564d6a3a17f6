# SPDX-License-Identifier: Apache-2.0
"""The admin tool on a simulated cloud, in virtual time: real HTTP, real openstacksdk, no waiting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doctor_maintenance.simulator.profiles.fast import FAST


def test_a_full_host_is_emptied_maintained_and_put_back(world: Any) -> None:
    blue = world.project("blue")
    instances = [world.boot("a", "blue", "compute1"), world.boot("b", "blue", "compute1")]

    view = world.finish(world.begin(hosts=["compute1"]))

    assert view["state"] == "MAINTENANCE_OVER"
    assert all(world.host_of(item) in ("compute2", "compute3") for item in instances)
    assert all(world.status_of(item) == "ACTIVE" for item in instances)
    assert blue.states == ["PLANNED_MAINTENANCE"]
    assert [answer.status_code for answer in blue.answers] == [200]
    assert world.inspector == [("compute1", "IN_MAINTENANCE"), ("compute1", "MAINTENANCE_OVER")]
    assert world.service("compute1") == (False, None)


def test_the_reason_of_a_disabled_service_carries_the_session(world: Any) -> None:
    world.project("blue", lambda notification, ids: None)
    world.boot("a", "blue", "compute1")

    session_id = world.begin(hosts=["compute1"])
    world.clock.advance(1.0)

    disabled, reason = world.service("compute1")
    assert disabled
    assert session_id in reason


def test_hosts_are_maintained_one_after_another(world: Any) -> None:
    world.project("blue")
    for host in ("compute1", "compute2", "compute3"):
        world.boot(host, "blue", host)

    view = world.finish(world.begin(hosts=["compute1", "compute2", "compute3"]))

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.inspector == [
        (host, state)
        for host in ("compute1", "compute2", "compute3")
        for state in ("IN_MAINTENANCE", "MAINTENANCE_OVER")
    ]


def test_a_host_is_rebooted_with_the_instances_that_are_left_on_it(world: Any) -> None:
    blue = world.project("blue", lambda notification, ids: dict.fromkeys(ids, "LEAVE"))
    instance = world.boot("a", "blue", "compute1")
    boot_id = world.cloud.compute.hosts["compute1"].boot_id

    view = world.finish(world.begin(hosts=["compute1"], type="reboot"))

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.cloud.compute.hosts["compute1"].boot_id != boot_id
    assert (world.host_of(instance), world.status_of(instance)) == ("compute1", "ACTIVE")
    assert blue.states == ["PLANNED_MAINTENANCE", "IN_MAINTENANCE", "MAINTENANCE_OVER"]


def test_an_instance_that_is_down_after_the_reboot_is_started(make_world: Any) -> None:
    world = make_world(profile=replace(FAST, resume_guests=False))
    world.project("blue", lambda notification, ids: dict.fromkeys(ids, "LEAVE"))
    instance = world.boot("a", "blue", "compute1")

    view = world.finish(world.begin(hosts=["compute1"], type="reboot"))

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.status_of(instance) == "ACTIVE"
    assert world.cloud.compute.is_running(instance)


def test_an_instance_that_its_owner_had_switched_off_stays_off(world: Any) -> None:
    world.project("blue", lambda notification, ids: dict.fromkeys(ids, "LEAVE"))
    instance = world.boot("a", "blue", "compute1")
    world.cloud.compute.stop(instance)
    world.clock.advance(5.0)

    view = world.finish(world.begin(hosts=["compute1"], type="reboot"))

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.status_of(instance) == "SHUTOFF"


@pytest.mark.parametrize("off", [False, True])
def test_an_instance_with_an_unconfirmed_move_is_as_it_was_after_the_reboot(
    world: Any, off: bool
) -> None:
    world.project("blue", lambda notification, ids: dict.fromkeys(ids, "LEAVE"))
    compute = world.cloud.compute
    instance = world.boot("a", "blue", "compute2")
    if off:
        compute.stop(instance)
        world.clock.advance(5.0)
    compute.migrate(instance, "compute1")
    world.clock.advance(5.0)
    assert world.status_of(instance) == "VERIFY_RESIZE"

    view = world.finish(world.begin(hosts=["compute1"], type="reboot"))

    assert view["state"] == "MAINTENANCE_OVER"
    assert compute.is_running(instance) is not off


def test_instances_are_live_migrated_where_their_project_asks_for_it(world: Any) -> None:
    world.project("blue", lambda notification, ids: dict.fromkeys(ids, "LIVE_MIGRATE"))
    instance = world.boot("a", "blue", "compute1")

    view = world.finish(world.begin(hosts=["compute1"]))

    assert view["state"] == "MAINTENANCE_OVER"
    migrations = world.cloud.compute.migrations.values()
    assert [item.type for item in migrations if item.instance_id == instance] == ["live-migration"]


@pytest.mark.parametrize(
    ("patience_s", "state"), [(130.0, "MAINTENANCE_OVER"), (0.0, "MAINTENANCE_CANCELED")]
)
def test_a_scheduler_that_is_behind_is_waited_for_and_nothing_is_forced(
    patience_s: float, state: str, make_world: Any
) -> None:
    behind = replace(FAST, group_view_stale=62.0)
    rules = {"move_attempts": 2, "move_retry_s": 10.0, "refusal_wait_s": patience_s}
    world = make_world(profile=behind, **rules)
    blue = world.project("blue", lambda notification, ids: dict.fromkeys(ids, "LIVE_MIGRATE"))
    group = world.cloud.compute.groups.create(blue.project_id, "user", "apart", "anti-affinity")
    pair = [world.boot(f"a{n}", "blue", f"compute{n}", group_id=group.group_id) for n in (1, 2)]

    view = world.finish(world.begin(hosts=["compute1", "compute2"]))

    assert view["state"] == state
    assert world.host_of(pair[0]) == "compute3"
    assert world.host_of(pair[1]) == ("compute1" if state == "MAINTENANCE_OVER" else "compute2")
    migrations = [m for m in world.cloud.compute.migrations.values() if m.instance_id == pair[1]]
    assert [m.status for m in migrations][:2] == ["error", "error"]


def test_an_instance_that_is_off_is_migrated_off(world: Any) -> None:
    world.project("blue", lambda notification, ids: dict.fromkeys(ids, "LIVE_MIGRATE"))
    instance = world.boot("a", "blue", "compute1")
    world.cloud.compute.stop(instance)
    world.clock.advance(5.0)

    view = world.finish(world.begin(hosts=["compute1"]))

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.status_of(instance) == "SHUTOFF"
    assert world.host_of(instance) != "compute1"


def test_an_instance_that_its_owner_deletes_meanwhile_is_no_failure(world: Any) -> None:
    world.project("blue")
    instance = world.boot("a", "blue", "compute1")
    session_id = world.begin(hosts=["compute1"])
    world.clock.run_until(lambda: world.status_of(instance) == "RESIZE", world.clock.now() + 10)

    world.cloud.compute.delete(instance)
    view = world.finish(session_id)

    assert view["state"] == "MAINTENANCE_OVER"


def test_a_project_that_does_not_reply_gets_the_default_action(world: Any) -> None:
    blue = world.project("blue", lambda notification, ids: None)
    instance = world.boot("a", "blue", "compute1")
    began = world.clock.now()

    view = world.finish(world.begin(hosts=["compute1"]))

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.host_of(instance) != "compute1"
    assert world.clock.now() - began > 5.0
    assert blue.heard[0].default_action is not None


def test_a_project_without_an_alarm_is_not_waited_for(world: Any) -> None:
    world.project("blue", subscribed=False)
    world.boot("a", "blue", "compute1")
    began = world.clock.now()

    view = world.finish(world.begin(hosts=["compute1"]))

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.clock.now() - began < 5.0


def test_a_refusal_puts_the_host_back_and_touches_nothing(world: Any) -> None:
    blue = world.project("blue", lambda notification, ids: {"verdict": "NACK"})
    instance = world.boot("a", "blue", "compute1")

    view = world.finish(world.begin(hosts=["compute1"]))

    assert view["state"] == "MAINTENANCE_CANCELED"
    assert (world.host_of(instance), world.status_of(instance)) == ("compute1", "ACTIVE")
    assert blue.states == ["PLANNED_MAINTENANCE", "MAINTENANCE_CANCELED"]
    assert world.inspector == []
    assert world.service("compute1") == (False, None)


def test_a_host_that_cannot_be_emptied_is_canceled_after_all_attempts(world: Any) -> None:
    world.project("blue")
    instance = world.boot("a", "blue", "compute1")
    world.cloud.faults.add("no_valid_host", {"instance": instance})

    view = world.finish(world.begin(hosts=["compute1"]))

    assert view["state"] == "MAINTENANCE_CANCELED"
    assert "found it there as ACTIVE" in view["hosts"][0]["reason"]
    assert world.status_of(instance) == "ACTIVE"
    assert world.service("compute1") == (False, None)


def test_a_migration_that_fails_once_is_tried_again(world: Any) -> None:
    world.project("blue")
    instance = world.boot("a", "blue", "compute1")
    world.cloud.faults.add("migration_fails", {"instance": instance}, times=1)

    view = world.finish(world.begin(hosts=["compute1"]))

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.host_of(instance) != "compute1"


def test_an_instance_in_error_after_its_migration_is_started_and_tried_again(world: Any) -> None:
    world.project("blue")
    instance = world.boot("a", "blue", "compute1")
    world.cloud.faults.add("migration_ends_in_error", {"instance": instance}, times=1)

    view = world.finish(world.begin(hosts=["compute1"]))

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.status_of(instance) == "ACTIVE"
    assert world.host_of(instance) != "compute1"


def test_a_live_migration_that_hangs_is_aborted_and_the_host_canceled(world: Any) -> None:
    world.project("blue", lambda notification, ids: dict.fromkeys(ids, "LIVE_MIGRATE"))
    instance = world.boot("a", "blue", "compute1")
    world.cloud.faults.add("migration_hangs", {"instance": instance})

    view = world.finish(world.begin(hosts=["compute1"]))

    assert view["state"] == "MAINTENANCE_CANCELED"
    assert (world.host_of(instance), world.status_of(instance)) == ("compute1", "ACTIVE")


def test_a_host_that_the_operator_had_disabled_is_left_disabled(world: Any) -> None:
    service = world.cloud.compute.hosts["compute1"].service
    world.cloud.compute.machines.set_service(service, disabled=True, reason="broken fan")

    view = world.finish(world.begin(hosts=["compute1"]))

    assert view["state"] == "MAINTENANCE_OVER"
    assert view["hosts"][0]["disabled_by_operator"]
    assert world.service("compute1") == (True, "broken fan")


def test_a_host_that_does_not_come_back_fails_and_is_left_in_maintenance(world: Any) -> None:
    world.cloud.faults.add("host_does_not_come_back", {"host": "compute1"})

    session_id = world.begin(hosts=["compute1"], type="reboot")
    view = world.finish(session_id)

    assert view["state"] == "MAINTENANCE_FAILED"
    assert "expected it back with another boot ID" in view["hosts"][0]["reason"]
    assert world.inspector == [("compute1", "IN_MAINTENANCE")]
    assert world.service("compute1")[0]


def test_a_failed_host_can_be_released_by_the_operator(world: Any) -> None:
    world.cloud.faults.add("command_fails", {"host": "compute1", "command": "true"})
    session_id = world.begin(hosts=["compute1"])
    assert world.finish(session_id)["state"] == "MAINTENANCE_FAILED"

    answer = world.admin("POST", f"/v1/maintenance/{session_id}/action", {"release": None})
    view = world.finish(session_id)

    assert answer.status_code == 202
    assert view["hosts"][0]["state"] == "MAINTENANCE_CANCELED"
    assert world.service("compute1") == (False, None)
    assert world.inspector == [("compute1", "IN_MAINTENANCE"), ("compute1", "MAINTENANCE_OVER")]


def test_a_failed_host_can_be_continued_by_the_operator(world: Any) -> None:
    world.cloud.faults.add("command_fails", {"host": "compute1", "command": "true"}, times=1)
    session_id = world.begin(hosts=["compute1"])
    assert world.finish(session_id)["state"] == "MAINTENANCE_FAILED"

    world.admin("POST", f"/v1/maintenance/{session_id}/action", {"continue": {"host": "compute1"}})
    view = world.finish(session_id)

    assert view["state"] == "MAINTENANCE_OVER"


def test_a_cloud_that_is_busy_is_asked_again(world: Any) -> None:
    world.project("blue")
    world.boot("a", "blue", "compute1")
    session_id = world.begin(hosts=["compute1"])
    world.cloud.faults.add(
        "api_error", {"service": "compute"}, {"status": 429, "retry_after_s": 2}, times=2
    )

    view = world.finish(session_id)

    assert view["state"] == "MAINTENANCE_OVER"


def test_only_the_affected_part_of_a_host_is_moved_and_named(world: Any) -> None:
    blue = world.project("blue")
    red = world.project("red")
    part = world.boot("a", "blue", "compute1")
    rest = world.boot("b", "blue", "compute1")
    other = world.boot("c", "red", "compute1")

    view = world.finish(world.begin(hosts=["compute1"], instances={"compute1": [part]}))

    assert view["state"] == "MAINTENANCE_OVER"
    assert blue.views[0]["instance_ids"] == [part]
    assert world.host_of(part) != "compute1"
    assert world.host_of(rest) == "compute1"
    assert world.host_of(other) == "compute1"
    assert red.heard == []


def test_a_session_waits_for_its_start(world: Any) -> None:
    session_id = world.begin(hosts=["compute1"], maintenance_at="2100-01-01 01:00:00")
    world.clock.advance(600.0)

    assert world.show(session_id)["state"] == "SCHEDULED"
    assert world.service("compute1") == (False, None)

    world.clock.advance(3600.0)
    assert world.show(session_id)["state"] == "MAINTENANCE_OVER"


def test_a_canceled_session_puts_everything_back(world: Any) -> None:
    blue = world.project("blue", lambda notification, ids: None)
    world.boot("a", "blue", "compute1")
    session_id = world.begin(hosts=["compute1", "compute2"])
    world.clock.advance(1.0)

    world.admin("POST", f"/v1/maintenance/{session_id}/action", {"cancel": None})
    view = world.finish(session_id)

    assert view["state"] == "MAINTENANCE_CANCELED"
    assert blue.states == ["PLANNED_MAINTENANCE", "MAINTENANCE_CANCELED"]
    assert world.service("compute1") == (False, None)
    assert world.inspector == []


def test_the_end_of_the_tool_puts_running_sessions_back(world: Any) -> None:
    world.project("blue", lambda notification, ids: None)
    world.boot("a", "blue", "compute1")
    world.begin(hosts=["compute1"])
    world.clock.advance(1.0)
    ended: list[float] = []

    world.tool.engine.close(30.0, lambda: ended.append(world.clock.now()))
    began = world.clock.now()
    world.clock.advance(20.0)

    assert ended
    assert ended[0] - began < 5.0
    assert world.service("compute1") == (False, None)
    refused = world.admin("POST", "/v1/maintenance", {"hosts": ["compute2"], "type": "full"})
    assert refused.status_code == 409


def test_the_end_of_the_tool_does_not_wait_for_ever(world: Any) -> None:
    world.cloud.faults.add("host_does_not_come_back", {"host": "compute1"})
    world.begin(hosts=["compute1"], type="reboot")
    world.clock.advance(5.0)
    ended: list[float] = []

    began = world.clock.now()
    world.tool.engine.close(3.0, lambda: ended.append(world.clock.now()))
    world.clock.advance(20.0)

    assert ended == [began + 3.0]


def test_the_same_world_gives_the_same_story(make_world: Any) -> None:
    def story() -> list[Any]:
        world = make_world()
        world.project("blue")
        for host in ("compute1", "compute2"):
            world.boot(host, "blue", host)
        world.finish(world.begin(hosts=["compute1", "compute2"]))
        return [world.observed, world.inspector, world.clock.now()]

    assert story() == story()


def test_a_cloud_that_is_asked_too_much_says_how_long_to_wait(world: Any) -> None:
    world.project("blue")
    instance = world.boot("a", "blue", "compute1")
    world.cloud.faults.add(
        "api_error",
        {"service": "compute", "method": "POST"},
        {"status": 429, "retry_after_s": 7},
        times=2,
    )
    began = world.clock.now()

    view = world.finish(world.begin(hosts=["compute1"]))

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.clock.now() - began > 14.0
    timeline = [item["event"] for item in view["timeline"]]
    assert "CommandFailed" not in timeline
    assert world.host_of(instance) != "compute1"


def test_a_long_outage_of_nova_does_not_leave_a_host_disabled(world: Any) -> None:
    world.project("blue", lambda notification, ids: {"verdict": "NACK"})
    world.boot("a", "blue", "compute1")
    session_id = world.begin(hosts=["compute1"])
    world.clock.run_until(lambda: bool(world.managers["blue"].answers), world.clock.now() + 10)
    fault = world.cloud.faults.add("api_error", {"service": "compute"})

    world.clock.advance(180.0)
    assert world.service("compute1")[0]
    world.cloud.faults.remove(fault.fault_id)
    view = world.finish(session_id)

    assert view["state"] == "MAINTENANCE_CANCELED"
    assert world.service("compute1") == (False, None)
