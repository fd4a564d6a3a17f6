# SPDX-License-Identifier: Apache-2.0
"""Neutron over HTTP, where the recorded answers say nothing: projects apart from each other, and big clouds."""

from __future__ import annotations

from .sim import Sim

NETWORKS, PORTS = "/network/v2.0/networks", "/network/v2.0/ports"


def test_another_projects_network_is_not_there() -> None:
    sim = Sim()
    made = sim.ask("POST", NETWORKS, {"network": {"name": "secret"}}, user="admin").json()
    path = f"{NETWORKS}/{made['network']['id']}"

    shown, deleted = sim.ask("GET", path), sim.ask("DELETE", path)
    listed = sim.ask("GET", NETWORKS).json()["networks"]

    assert (shown.status_code, deleted.status_code) == (404, 404)
    assert shown.json()["NeutronError"]["type"] == "NetworkNotFound"
    assert "secret" not in [network["name"] for network in listed]


def test_only_an_admin_sees_where_a_port_is_bound() -> None:
    sim = Sim()
    net = sim.ask("POST", NETWORKS, {"network": {"name": "n"}}).json()["network"]["id"]
    port = sim.ask("POST", PORTS, {"port": {"network_id": net}}).json()["port"]["id"]
    sim.cloud.network.bind(port, "compute1")

    own = sim.ask("GET", f"{PORTS}/{port}").json()["port"]
    admins = sim.ask("GET", f"{PORTS}/{port}", user="admin").json()["port"]

    assert "compute1" not in str(own)
    assert admins["binding:host_id"] == "compute1"
    assert admins["binding:vif_type"] == "ovs"


def test_ports_of_an_instance_are_listed_by_it() -> None:
    sim = Sim()
    net = sim.ask("POST", NETWORKS, {"network": {"name": "n"}}).json()["network"]["id"]
    for device in ("one", "two", "two"):
        body = {"port": {"network_id": net, "device_id": device}}
        assert sim.ask("POST", PORTS, body).status_code == 201

    found = sim.ask("GET", f"{PORTS}?device_id=two&fields=device_id").json()["ports"]

    assert found == [{"device_id": "two"}, {"device_id": "two"}]


def test_address_comes_back_to_the_pool_when_its_port_is_deleted() -> None:
    sim = Sim()
    net = sim.ask("POST", NETWORKS, {"network": {"name": "n"}}).json()["network"]["id"]
    subnet = {"network_id": net, "ip_version": 4, "cidr": "10.2.0.0/30"}
    assert sim.ask("POST", "/network/v2.0/subnets", {"subnet": subnet}).status_code == 201
    wanted = {"port": {"network_id": net}}
    first = sim.ask("POST", PORTS, wanted)

    full = sim.ask("POST", PORTS, wanted)
    sim.ask("DELETE", f"{PORTS}/{first.json()['port']['id']}")
    again = sim.ask("POST", PORTS, wanted)

    assert (first.status_code, full.status_code, again.status_code) == (201, 409, 201)
    assert full.json()["NeutronError"]["type"] == "IpAddressGenerationFailure"


def test_malformed_values_are_refused_and_named() -> None:
    sim = Sim()
    for body, name in (
        ({"name": 5}, "name"),
        ({"name": "x", "admin_state_up": "perhaps"}, "admin_state_up"),
    ):
        refused = sim.ask("POST", NETWORKS, {"network": body})

        assert refused.status_code == 400
        assert name in refused.json()["NeutronError"]["message"]


def test_pages_are_linked_until_the_last() -> None:
    sim = Sim()
    for number in range(5):
        sim.ask("POST", NETWORKS, {"network": {"name": f"n{number}"}})
    path = f"{NETWORKS}?limit=4&sort_key=name"
    names = []

    while path:
        page = sim.ask("GET", path).json()
        names += [network["name"] for network in page["networks"]]
        links = {link["rel"]: link["href"] for link in page.get("networks_links", ())}
        path = links.get("next", "").removeprefix("http://cloud.sim")

    assert names == ["n0", "n1", "n2", "n3", "n4", "public"]
