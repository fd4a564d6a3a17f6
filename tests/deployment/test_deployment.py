# SPDX-License-Identifier: Apache-2.0
"""Deploying on a simulated cloud and removing it again, in virtual time."""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest
from sim_world import ADMIN, World

from doctor_maintenance.deployment import ApplicationSpec, Deployment, Sizes, Spec
from doctor_maintenance.deployment.preconditions import not_enough_room, slots
from doctor_maintenance.exceptions import (
    CloudError,
    MaintenanceError,
    PreconditionError,
    UsageError,
)
from doctor_maintenance.flow import FlowTimeout, start
from doctor_maintenance.simulator.topology import build_topology

APP = ApplicationSpec("app", singles=2)

_LISTS = (
    ("compute", "/servers?all_tenants=1", "servers"),
    ("compute", "/flavors", "flavors"),
    ("compute", "/os-server-groups?all_projects=True", "server_groups"),
    ("network", "/networks", "networks"),
    ("network", "/subnets", "subnets"),
    ("network", "/ports", "ports"),
    ("network", "/routers", "routers"),
    ("network", "/floatingips", "floatingips"),
    ("network", "/security-groups", "security_groups"),
    ("identity", "/projects", "projects"),
    ("identity", "/users", "users"),
)


def inventory(world: World) -> dict[str, list[str]]:
    """Return what an operator sees of everything that a run may create."""
    found = {}
    for service, path, key in _LISTS:
        items = getattr(world.admin, service).get(path).json()[key]
        found[key] = sorted(
            item["id"]
            for item in items
            if key != "security_groups" or item["name"] != "default"  # Neutron's own
        )
    found["alarms"] = sorted(item["alarm_id"] for item in alarms(world))
    return found


def alarms(world: World) -> list[dict[str, object]]:
    url = "http://cloud.sim/alarming/v2/alarms"
    query = {"q.field": "all_projects", "q.op": "eq", "q.value": "true"}
    found: list[dict[str, object]] = world.admin.session.get(url, params=query).json()
    return found


def test_the_pair_is_on_two_hosts_and_the_address_leads_to_the_active_member() -> None:
    world = World()
    (app,) = world.deploy(APP)
    assert world.host_of(app.active) != world.host_of(app.standby)
    assert world.answering(app.address) == app.active
    assert len(app.singles) == 2


def test_single_instances_are_spread_over_the_hosts() -> None:
    world = World()
    (app,) = world.deploy(ApplicationSpec("app", singles=6))
    hosts = [world.host_of(instance_id) for instance_id in app.singles]
    assert {host: hosts.count(host) for host in hosts} == {
        "compute1": 2,
        "compute2": 2,
        "compute3": 2,
    }


def test_a_group_with_one_on_every_host_is_on_every_host() -> None:
    world = World()
    (app,) = world.deploy(ApplicationSpec("app", singles=0, one_on_every_host=True))
    hosts = sorted(world.host_of(instance_id) for instance_id in app.everywhere)
    assert hosts == ["compute1", "compute2", "compute3"]


def test_members_of_an_anti_affinity_group_are_started_one_after_another() -> None:
    world = World(profile="realistic")
    (app,) = world.deploy(ApplicationSpec("app", singles=0, one_on_every_host=True))
    for members in ([app.active, app.standby], app.everywhere):
        servers = [world.admin.compute.get(f"/servers/{key}").json()["server"] for key in members]
        servers.sort(key=lambda server: server["created"])
        for earlier, later in itertools.pairwise(servers):
            assert _time(later["created"]) >= _time(earlier["OS-SRV-USG:launched_at"]), earlier


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z")).replace(microsecond=0)


def test_each_application_has_a_project_of_its_own() -> None:
    world = World()
    red, blue = world.deploy(ApplicationSpec("red", singles=1), ApplicationSpec("blue", singles=1))
    assert red.account.project_id != blue.account.project_id
    own = world.connect(red.account.login).compute.get("/servers").json()["servers"]
    assert sorted(item["id"] for item in own) == sorted(red.instances)
    assert red.address != blue.address


def test_a_deployed_project_can_do_what_a_member_can_and_no_more() -> None:
    world = World()
    (app,) = world.deploy(APP)
    assert not world.connect(app.account.login).compute.get("/os-services").ok


def test_alarms_lead_to_the_app_manager_of_their_project_and_to_the_inspector() -> None:
    world = World()
    deployment = world.deployment(APP)
    (app,) = world.run(deployment.deploy({"app": "http://a.sim/m"}, "http://i.sim/m"))
    found = {alarm["name"]: alarm for alarm in alarms(world)}
    project, host = found["dm-test1-app-alarm"], found["dm-test1-inspector-alarm"]
    assert project["project_id"] == app.account.project_id
    assert project["alarm_actions"] == ["http://a.sim/m"]
    assert project["event_rule"]["event_type"] == "maintenance.scheduled"  # type: ignore[index]
    assert host["project_id"] == world.cloud.identity.admin_project.id
    assert host["alarm_actions"] == ["http://i.sim/m"]
    assert host["event_rule"]["event_type"] == "maintenance.host"  # type: ignore[index]
    assert project["repeat_actions"] is host["repeat_actions"] is True


def test_removing_leaves_the_cloud_as_it_was() -> None:
    world = World()
    before = inventory(world)
    deployment = world.deployment(
        ApplicationSpec("red", singles=1, one_on_every_host=True), ApplicationSpec("blue")
    )
    world.run(deployment.deploy({"red": "http://a.sim/m"}, "http://i.sim/m"))
    assert world.run(deployment.remove()) == []
    assert inventory(world) == before


def test_removing_twice_is_no_error() -> None:
    world = World()
    deployment = world.deployment(APP)
    world.run(deployment.deploy({}, None))
    assert world.run(deployment.remove()) == []
    assert world.run(deployment.remove()) == []


@pytest.mark.parametrize(("down_s", "deleted_after_s"), [(60.0, 60.0), (3600.0, 90.0)])
def test_an_instance_whose_nova_compute_is_down_is_deleted_when_that_is_back_or_given_up(
    down_s: float, deleted_after_s: float
) -> None:
    world = World()
    deployment = world.deployment(APP)
    (app,) = world.run(deployment.deploy({}, None))
    host = world.host_of(app.active)
    world.cloud.compute.machines.stop_service(host)
    world.clock.advance(1.0)
    world.clock.call_later(down_s, lambda: world.cloud.compute.machines.start_service(host))
    began = world.clock.now()

    task = start(world.clock, world.workers, deployment.remove())
    world.clock.run_until(lambda: not task.running, began + 300.0)

    assert task.outcome is not None
    assert task.outcome.get() == []
    assert deleted_after_s <= world.clock.now() - began < deleted_after_s + 10.0


def test_what_a_crashed_run_left_is_removed_by_its_id_alone() -> None:
    world = World()
    before = inventory(world)
    world.run(world.deployment(APP).deploy({"app": "http://a.sim/m"}, "http://i.sim/m"))
    another = Deployment(world.clock, world.admin, world.connect, Spec("test1", ()))
    assert world.run(another.remove()) == []
    assert inventory(world) == before


def test_another_run_is_not_touched() -> None:
    world = World()
    other = world.deployment(APP, run_id="test10")
    (app,) = world.run(other.deploy({"app": "http://a.sim/m"}, "http://i.sim/m"))
    between = inventory(world)
    run = world.deployment(APP, run_id="test1")
    world.run(run.deploy({"app": "http://a.sim/m"}, "http://i.sim/m"))
    assert world.run(run.remove()) == []
    assert inventory(world) == between
    assert world.answering(app.address) == app.active


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.1, 0.2, 0.3])
def test_a_deployment_cancelled_at_any_moment_is_removed_whole(after_s: float) -> None:
    world = World()
    before = inventory(world)
    deployment = world.deployment(APP)
    task = start(world.clock, world.workers, deployment.deploy({"app": "http://a.sim/m"}, None))
    world.clock.advance(after_s)
    task.cancel()
    assert world.run(deployment.remove()) == []
    assert inventory(world) == before


@pytest.mark.parametrize("step", range(0, 44, 4))
def test_a_deployment_that_fails_at_any_step_is_removed_whole(step: int) -> None:
    world = World()
    before = inventory(world)
    deployment = world.deployment(APP)
    _fail_request(world, step)
    task = start(world.clock, world.workers, deployment.deploy({"app": "http://a.sim/m"}, None))
    world.clock.run_until(lambda: not task.running, world.clock.now() + 700)
    assert task.outcome is not None
    assert isinstance(task.outcome.error, MaintenanceError)
    world.cloud.faults.clear()
    assert world.run(deployment.remove()) == []
    assert inventory(world) == before


def _fail_request(world: World, number: int) -> None:
    """Let the request of this number to the cloud, and every later one, fail."""
    count = 0
    send = world.http.send

    def counting(request: object, **named: object) -> object:
        nonlocal count
        if count == number:
            world.cloud.faults.add("api_error", {}, parameters={"status": 500})
        count += 1
        return send(request, **named)  # type: ignore[arg-type]

    world.http.send = counting  # type: ignore[method-assign,assignment]


def test_an_error_while_removing_does_not_end_it_and_what_is_left_is_named() -> None:
    world = World()
    deployment = world.deployment(APP, remove_s=5.0)
    world.run(deployment.deploy({}, None))
    world.cloud.faults.add(
        "api_error", {"service": "network", "method": "DELETE"}, parameters={"status": 500}
    )
    left = world.run(deployment.remove())
    assert any("network" in problem for problem in left)
    assert world.get("compute", "/servers", all_tenants="1")["servers"] == []
    world.cloud.faults.clear()
    assert world.run(deployment.remove()) == []


def test_an_instance_that_does_not_start_is_built_again() -> None:
    world = World()
    world.cloud.faults.add("no_valid_host", {"action": "create"}, times=1)
    (app,) = world.deploy(APP)
    assert all(world.host_of(instance_id) for instance_id in app.instances)
    assert world.answering(app.address) == app.active


def test_instances_that_never_start_end_the_deployment_with_the_reason() -> None:
    world = World()
    world.cloud.faults.add("no_valid_host", {"action": "create"})
    with pytest.raises(CloudError, match="No valid host"):
        world.deploy(APP)


def test_instances_that_take_too_long_end_the_deployment() -> None:
    world = World(profile="realistic")
    with pytest.raises(FlowTimeout, match="instances to be built"):
        world.run(world.deployment(APP, boot_s=0.5).deploy({}, None))


def test_a_cloud_with_too_few_hosts_is_refused_before_anything_is_created() -> None:
    world = World(build_topology(hosts=2))
    before = inventory(world)
    with pytest.raises(PreconditionError, match=r"at least 3 compute hosts.*found 2"):
        world.deploy(APP)
    assert inventory(world) == before


def test_a_disabled_host_does_not_count() -> None:
    world = World()
    services = world.admin.compute.get("/os-services", microversion="2.53").json()["services"]
    one = next(item["id"] for item in services if item["host"] == "compute2")
    world.admin.compute.put(f"/os-services/{one}", json={"status": "disabled"}, microversion="2.53")
    with pytest.raises(PreconditionError, match=r"compute2 \(disabled, up\)"):
        world.deploy(APP)


def test_a_cloud_without_room_is_refused_and_says_how_much_there_is() -> None:
    world = World(build_topology(vcpus=1, cpu_allocation_ratio=1.0))
    with pytest.raises(PreconditionError, match=r"expected room for 4 instances.*found 2"):
        world.deploy(APP)


def test_everything_that_is_missing_is_told_at_once() -> None:
    world = World(build_topology(hosts=2))
    with pytest.raises(PreconditionError) as refused:
        world.run(world.deployment(APP, image="none", external_network="nowhere").check())
    for part in ("3 compute hosts", "image 'none'", "external network 'nowhere'"):
        assert part in str(refused.value)


def test_a_run_id_that_is_in_use_is_refused() -> None:
    world = World()
    world.deploy(APP)
    with pytest.raises(PreconditionError, match="run test1 is there already"):
        world.run(world.deployment(APP).check())


def test_building_without_accounts_is_refused() -> None:
    world = World()
    with pytest.raises(PreconditionError, match="open_accounts"):
        world.run(world.deployment(APP).build())


def test_a_large_application_has_the_quotas_that_it_needs() -> None:
    world = World(build_topology(hosts=6, vcpus=16))
    (app,) = world.deploy(ApplicationSpec("app", singles=40))
    assert len(app.instances) == 42


@pytest.mark.parametrize("run_id", ["", "abc", "With-Dash", "a" * 25, "run_1"])
def test_a_run_id_is_short_and_has_no_dash(run_id: str) -> None:
    with pytest.raises(UsageError, match="run ID"):
        Spec(run_id, (APP,))


def test_two_applications_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="name of its own"):
        Spec("test1", (APP, APP))


@pytest.mark.parametrize("name", ["", "Red", "a-b", "1a", "a" * 17])
def test_an_application_has_a_plain_name(name: str) -> None:
    with pytest.raises(UsageError, match="application's name"):
        ApplicationSpec(name)


def test_a_login_is_not_shown_by_accident() -> None:
    world = World()
    (app,) = world.deploy(APP)
    assert app.account.login["password"] == "password-0"
    assert "password" not in repr(app)


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ({}, 4),
        ({"VCPU": 1}, 3),
        ({"MEMORY_MB": 900}, 0),
        ({"DISK_GB": 8}, 2),
        ({"VCPU": 4}, 0),
    ],
)
def test_the_scarcest_resource_says_how_many_fit(used: dict[str, float], expected: int) -> None:
    capacity = {"VCPU": 4.0, "MEMORY_MB": 1024.0, "DISK_GB": 10.0}
    assert slots(capacity, used, Sizes(vcpus=1, memory_mb=256, disk_gb=1)) == expected


def test_room_is_counted_without_the_roomiest_host() -> None:
    spec = Spec("test1", (ApplicationSpec("app", singles=4),))
    assert not_enough_room({"a": 3, "b": 3, "c": 9}, spec) == []
    assert not_enough_room({"a": 3, "b": 2, "c": 9}, spec) != []


def test_a_wrong_password_is_told_as_what_it_is() -> None:
    world = World()
    stranger = world.connect({**ADMIN, "password": "wrong"})
    deployment = Deployment(world.clock, stranger, world.connect, Spec("test1", (APP,)))
    with pytest.raises(CloudError, match="401"):
        world.run(deployment.check())
