# SPDX-License-Identifier: Apache-2.0
"""Nova's API where the recording has no answer: faults, locks, pages, roles, and the real SDK."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from keystoneauth1 import session as keystone_session
from keystoneauth1.identity import V3Password
from openstack.connection import Connection

from doctor_maintenance.simulator.records import BootRequest

from .sim import BASE, Sim

NEWEST = {"OpenStack-API-Version": "compute 2.104"}


@pytest.fixture
def sim() -> Sim:
    return Sim("fast")


def boot(sim: Sim, project: str = "demo", count: int = 1, **wanted: Any) -> list[str]:
    """Return the IDs of new instances that are ACTIVE."""
    user = sim.cloud.identity.find_user(project)
    assert user is not None
    request = BootRequest("one", "m1.tiny", **wanted)
    made = sim.cloud.compute.boot(sim.project(project), request, user_id=user.id, count=count)
    sim.clock.run()
    return [instance.instance_id for instance in made]


def act(sim: Sim, instance_id: str, action: dict[str, Any], user: str = "demo") -> Any:
    return sim.ask("POST", f"/compute/v2.1/servers/{instance_id}/action", action, user, **NEWEST)


def test_a_fault_is_answered_in_novas_form(sim: Sim) -> None:
    sim.cloud.faults.add(
        "api_error", {"service": "compute", "method": "GET"}, {"retry_after_s": 3}, times=1
    )
    answer = sim.ask("GET", "/compute/v2.1/servers")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "3"
    assert answer.json()["serviceUnavailable"]["code"] == 503
    assert sim.ask("GET", "/compute/v2.1/servers").status_code == 200


def test_a_locked_instance_is_the_admins_to_move_but_not_a_members_to_stop(sim: Sim) -> None:
    (instance_id,) = boot(sim)
    assert act(sim, instance_id, {"lock": None}).status_code == 202
    refused = act(sim, instance_id, {"os-stop": None})
    assert refused.status_code == 409
    assert refused.json()["conflictingRequest"]["message"] == f"Instance {instance_id} is locked"
    move = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    assert act(sim, instance_id, move, "admin").status_code == 202


def test_a_reader_may_look_but_not_boot(sim: Sim) -> None:
    identity = sim.cloud.identity
    reader = identity.create_user("demo-reader", "demo-reader")
    identity.grant(sim.project("demo"), reader.id, identity.role_named("reader").id)
    token = sim.login("demo-reader", project="demo").headers["X-Subject-Token"]
    headers = {"X-Auth-Token": token}
    assert sim.http.get(f"{BASE}/compute/v2.1/servers", headers=headers).status_code == 200
    body = {"server": {"name": "x", "imageRef": "", "flavorRef": "y"}}
    answer = sim.http.post(f"{BASE}/compute/v2.1/servers", json=body, headers=headers)
    assert answer.status_code == 403


def test_a_list_is_read_page_by_page(sim: Sim) -> None:
    made = boot(sim, count=5)
    seen, path = [], "/compute/v2.1/servers?limit=2"
    while path:
        page = sim.ask("GET", path).json()
        seen += [server["id"] for server in page["servers"]]
        links = page.get("servers_links", [])
        path = links[0]["href"].removeprefix(BASE) if links else ""
    assert seen == list(reversed(made))


def test_several_instances_of_one_request_have_numbers(sim: Sim) -> None:
    boot(sim, count=3)
    servers = sim.ask("GET", "/compute/v2.1/servers").json()["servers"]
    assert [server["name"] for server in servers] == ["one-3", "one-2", "one-1"]


def test_filters_by_host_work_for_an_admin_only(sim: Sim) -> None:
    boot(sim, host="compute1")
    boot(sim, host="compute2")
    path = "/compute/v2.1/servers?host=compute1&all_tenants=True"
    assert len(sim.ask("GET", path, user="admin").json()["servers"]) == 1
    assert len(sim.ask("GET", "/compute/v2.1/servers?host=compute1").json()["servers"]) == 2


def test_a_flavor_is_named_by_its_id_only(sim: Sim) -> None:
    image_id = next(iter(sim.cloud.images.images))
    server = {"name": "x", "imageRef": image_id, "flavorRef": "m1.tiny", "networks": "none"}
    answer = sim.ask("POST", "/compute/v2.1/servers", {"server": server}, **NEWEST)
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"] == "Flavor m1.tiny could not be found."


def test_a_host_in_maintenance_shows_in_the_status_of_its_instances(sim: Sim) -> None:
    (instance_id,) = boot(sim, host="compute1")
    path = f"/compute/v2.1/servers/{instance_id}"
    machines = sim.cloud.compute.machines

    def status() -> str:
        return str(sim.ask("GET", path, user="admin", **NEWEST).json()["server"]["host_status"])

    assert status() == "UP"
    machines.disable("compute1", "maintenance")
    assert status() == "MAINTENANCE"
    machines.power_off("compute1")
    sim.clock.run()
    assert status() == "UNKNOWN"


def test_a_hypervisor_counts_what_its_instances_take(sim: Sim) -> None:
    boot(sim, host="compute1")
    path = "/compute/v2.1/os-hypervisors/compute1/search"
    old = {"OpenStack-API-Version": "compute 2.34"}
    found = sim.ask("GET", path, user="admin", **old).json()["hypervisors"][0]
    shown = sim.ask("GET", f"/compute/v2.1/os-hypervisors/{found['id']}", user="admin", **old)
    assert shown.json()["hypervisor"]["vcpus_used"] == 1
    assert shown.json()["hypervisor"]["memory_mb_used"] == 512 + 512


def test_an_action_is_found_by_the_request_that_asked_for_it(sim: Sim) -> None:
    (instance_id,) = boot(sim)
    move = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    request_id = act(sim, instance_id, move, "admin").headers["x-openstack-request-id"]
    sim.clock.run()
    path = f"/compute/v2.1/servers/{instance_id}/os-instance-actions/{request_id}"
    shown = sim.ask("GET", path, user="admin", **NEWEST).json()["instanceAction"]
    assert (shown["action"], shown["message"]) == ("live-migration", None)
    events = [event["event"] for event in shown["events"]]
    assert events[0] == "compute_post_live_migration_at_destination"
    assert events[-1] == "conductor_live_migrate_instance"


def test_the_migrations_of_a_deleted_instance_are_hidden(sim: Sim) -> None:
    (instance_id,) = boot(sim)
    sim.cloud.compute.live_migrate(instance_id)
    sim.clock.run()
    path = "/compute/v2.1/os-migrations"
    assert len(sim.ask("GET", path, user="admin").json()["migrations"]) == 1
    sim.cloud.compute.delete(instance_id)
    sim.clock.run()
    assert sim.ask("GET", path, user="admin").json()["migrations"] == []


def test_a_quota_is_kept_and_given_back(sim: Sim) -> None:
    path = f"/compute/v2.1/os-quota-sets/{sim.project('demo')}"
    sim.ask("PUT", path, {"quota_set": {"instances": 1}}, "admin")
    sim.ask("DELETE", path, user="admin")
    shown = sim.ask("GET", path, user="admin").json()["quota_set"]
    assert shown["instances"] == sim.cloud.topology.quotas["instances"]


def test_a_quota_below_what_is_used_needs_force(sim: Sim) -> None:
    boot(sim)
    path = f"/compute/v2.1/os-quota-sets/{sim.project('demo')}"
    refused = sim.ask("PUT", path, {"quota_set": {"instances": 0}}, "admin")
    assert refused.status_code == 400
    forced = sim.ask("PUT", path, {"quota_set": {"instances": 0, "force": True}}, "admin")
    assert forced.json()["quota_set"]["instances"] == 0


def test_the_default_quotas_are_those_of_the_class(sim: Sim) -> None:
    body = {"quota_class_set": {"instances": 99}}
    sim.ask("PUT", "/compute/v2.1/os-quota-class-sets/default", body, "admin")
    path = f"/compute/v2.1/os-quota-sets/{sim.project('demo')}"
    assert sim.ask("GET", path).json()["quota_set"]["instances"] == 99


def test_a_port_is_attached_and_detached(sim: Sim) -> None:
    (instance_id,) = boot(sim)
    network = sim.cloud.network.create_network(sim.project("demo"), name="private")
    block = ipaddress.IPv4Network("10.9.0.0/24")
    sim.cloud.network.create_subnet(network, block, project_id=sim.project("demo"))
    path = f"/compute/v2.1/servers/{instance_id}/os-interface"
    body = {"interfaceAttachment": {"net_id": network.id}}
    attached = sim.ask("POST", path, body).json()["interfaceAttachment"]
    assert attached["port_state"] == "ACTIVE"
    assert sim.ask("DELETE", f"{path}/{attached['port_id']}").status_code == 202
    assert sim.ask("GET", path).json()["interfaceAttachments"] == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"os-stop": null, "os-start": null}', b"1"])
def test_a_malformed_action_is_refused(sim: Sim, body: bytes) -> None:
    (instance_id,) = boot(sim)
    answer = sim.http.post(
        f"{BASE}/compute/v2.1/servers/{instance_id}/action",
        data=body,
        headers={"X-Auth-Token": sim.token("demo"), "Content-Type": "application/json"},
    )
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"] == "Malformed request body"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/servers", {"server": {"name": 5, "flavorRef": [], "networks": {}}}),
        ("POST", "/servers", {"server": "text"}),
        ("POST", "/os-server-groups", {"server_group": {"name": "x", "policy": None}}),
        ("PUT", "/os-services/00000000-0000-0000-0000-000000000000", {"status": "maybe"}),
        ("POST", "/flavors", {"flavor": {"name": "x", "ram": -1, "vcpus": 1, "disk": 1}}),
        ("GET", "/servers?limit=many", None),
        ("GET", "/servers/detail?all_tenants=perhaps", None),
        ("POST", "/os-aggregates/1/action", {"add_host": {}}),
    ],
)
def test_bad_input_is_refused_with_a_reason(sim: Sim, method: str, path: str, body: Any) -> None:
    answer = sim.ask(method, f"/compute/v2.1{path}", body, "admin", **NEWEST)
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"]


def test_the_sdk_drives_an_instance_through_its_life(sim: Sim) -> None:
    admin = connect(sim, "admin")
    network = sim.cloud.network.create_network(sim.project("admin"), name="private")
    block = ipaddress.IPv4Network("10.9.0.0/24")
    sim.cloud.network.create_subnet(network, block, project_id=sim.project("admin"))
    flavor = admin.compute.find_flavor("m1.tiny")
    image_id = next(iter(sim.cloud.images.images))
    server = admin.compute.create_server(
        name="one", image_id=image_id, flavor_id=flavor.id, networks=[{"uuid": network.id}]
    )
    sim.clock.run()
    server = admin.compute.get_server(server.id)
    assert server.status == "ACTIVE"
    first = server.compute_host
    admin.compute.live_migrate_server(server, host=None, block_migration="auto")
    sim.clock.run()
    assert admin.compute.get_server(server.id).compute_host != first
    admin.compute.migrate_server(server)
    sim.clock.run()
    assert admin.compute.get_server(server.id).status == "VERIFY_RESIZE"
    admin.compute.confirm_server_resize(server)
    sim.clock.run()
    statuses = {migration.status for migration in admin.compute.migrations()}
    assert statuses == {"completed", "confirmed"}
    admin.compute.delete_server(server)
    sim.clock.run()
    assert list(admin.compute.servers()) == []


def test_the_sdk_disables_and_enables_a_service(sim: Sim) -> None:
    admin = connect(sim, "admin")
    service = next(admin.compute.services(host="compute2", binary="nova-compute"))
    admin.compute.disable_service(service, disabled_reason="session 1")
    found = sim.cloud.compute.hosts["compute2"].service
    assert (found.status, found.disabled_reason) == ("disabled", "session 1")
    admin.compute.enable_service(service)
    assert (found.status, found.disabled_reason) == ("enabled", None)


def test_the_sdk_reads_capacity_from_placement(sim: Sim) -> None:
    boot(sim, host="compute1")
    admin = connect(sim, "admin")
    provider = next(admin.placement.resource_providers(name="compute1"))
    inventories = {
        inventory.resource_class: inventory
        for inventory in admin.placement.resource_provider_inventories(provider)
    }
    assert inventories["VCPU"].total == sim.cloud.compute.hosts["compute1"].vcpus
    usages = admin.placement.get(f"/resource_providers/{provider.id}/usages").json()["usages"]
    assert usages == {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}


def test_a_disabled_host_has_the_trait_that_says_so(sim: Sim) -> None:
    compute = sim.cloud.compute
    path = f"/placement/resource_providers/{compute.hosts['compute1'].host_id}/traits"
    version = {"OpenStack-API-Version": "placement 1.39"}
    compute.machines.disable("compute1")
    traits = sim.ask("GET", path, user="admin", **version).json()["traits"]
    assert "COMPUTE_STATUS_DISABLED" in traits
    compute.machines.enable("compute1")
    traits = sim.ask("GET", path, user="admin", **version).json()["traits"]
    assert "COMPUTE_STATUS_DISABLED" not in traits


def test_an_allocation_follows_its_instance(sim: Sim) -> None:
    (instance_id,) = boot(sim, host="compute1")
    version = {"OpenStack-API-Version": "placement 1.39"}
    path = f"/placement/allocations/{instance_id}"
    sim.cloud.compute.live_migrate(instance_id, "compute2")
    sim.clock.run()
    held = sim.ask("GET", path, user="admin", **version).json()["allocations"]
    assert list(held) == [sim.cloud.compute.hosts["compute2"].host_id]


def connect(sim: Sim, user: str) -> Connection:
    """Return an SDK connection whose requests go to the simulated cloud."""
    auth = V3Password(
        f"{BASE}/identity/v3",
        username=user,
        password=user,
        project_name=user,
        user_domain_id="default",
        project_domain_id="default",
    )
    session = keystone_session.Session(auth=auth, session=sim.http)
    return Connection(session=session, compute_default_microversion="2.104")
