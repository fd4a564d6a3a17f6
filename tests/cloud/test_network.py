# SPDX-License-Identifier: Apache-2.0
"""Neutron: what deploying, switching over and removing need of it."""

from __future__ import annotations

from typing import Any

import pytest

from .asking import Answer, Voice
from .tenants import MOVE_S, House, Stay

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def make(stay: Stay, voice: Voice, kind: str, **fields: Any) -> dict[str, Any]:
    """Make something of Neutron's, to be deleted when the test ends."""
    path = f"/v2.0/{kind}s".replace("_", "-")
    made = voice.ask("POST", "network", path, {kind: fields})
    assert made.status == 201, made
    found: dict[str, Any] = made.body[kind]
    stay.keep(voice, "network", f"{path}/{found['id']}")
    return found


def floating_ip(stay: Stay, **fields: Any) -> dict[str, Any]:
    network_id = stay.house.ground.external_network_id
    return make(stay, stay.house.ours.voice, "floatingip", floating_network_id=network_id, **fields)


def port(stay: Stay, **fields: Any) -> dict[str, Any]:
    network_id = stay.house.network_id
    return make(
        stay, stay.house.ours.voice, "port", network_id=network_id, name=stay.name(), **fields
    )


def lead(voice: Voice, floating: dict[str, Any], port_id: str | None) -> Answer:
    return voice.ask(
        "PUT",
        "network",
        f"/v2.0/floatingips/{floating['id']}",
        {"floatingip": {"port_id": port_id}},
    )


def shown(voice: Voice, floating: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = voice.ask("GET", "network", f"/v2.0/floatingips/{floating['id']}").body[
        "floatingip"
    ]
    return found


def test_floating_ip_answers_its_change_with_the_status_it_had_before(
    stay: Stay, ours: Voice
) -> None:
    floating, first = floating_ip(stay), port(stay)

    led = lead(ours, floating, first["id"])
    after = shown(ours, floating)
    freed = lead(ours, floating, None)
    at_last = shown(ours, floating)

    assert floating["status"] == "DOWN"
    assert led.status == 200
    assert led.body["floatingip"]["status"] == "DOWN"
    assert led.body["floatingip"]["fixed_ip_address"] == first["fixed_ips"][0]["ip_address"]
    assert after["status"] == "ACTIVE"
    assert freed.body["floatingip"]["status"] == "ACTIVE"
    assert (at_last["status"], at_last["port_id"], at_last["router_id"]) == ("DOWN", None, None)


def test_floating_ip_is_moved_from_one_port_to_another_in_one_call(stay: Stay, ours: Voice) -> None:
    first, second = port(stay), port(stay)
    floating = floating_ip(stay, port_id=first["id"])

    moved = lead(ours, floating, second["id"])
    after = shown(ours, floating)

    assert moved.status == 200
    assert after["port_id"] == second["id"]
    assert after["port_details"]["mac_address"] == second["mac_address"]
    assert after["status"] == "ACTIVE"


def test_port_that_has_a_floating_ip_gets_no_other_and_nothing_changes(
    stay: Stay, ours: Voice
) -> None:
    first, second = port(stay), port(stay)
    floating_ip(stay, port_id=first["id"])
    other = floating_ip(stay, port_id=second["id"])

    refused = lead(ours, other, first["id"])

    assert refused.status == 409
    assert refused.body["NeutronError"]["type"] == "FloatingIPPortAlreadyAssociated"
    assert shown(ours, other)["port_id"] == second["id"]


def test_port_without_a_way_to_the_outside_cannot_have_a_floating_ip(
    stay: Stay, ours: Voice
) -> None:
    lonely = make(stay, ours, "network", name=stay.name())
    make(
        stay,
        ours,
        "subnet",
        name=stay.name(),
        network_id=lonely["id"],
        ip_version=4,
        cidr="10.79.0.0/24",
    )
    away = make(stay, ours, "port", network_id=lonely["id"], name=stay.name())
    floating = floating_ip(stay)

    refused = lead(ours, floating, away["id"])

    assert refused.status == 404
    assert refused.body["NeutronError"]["type"] == "ExternalGatewayForFloatingIPNotFound"


def test_deleting_a_port_frees_its_floating_ip(stay: Stay, ours: Voice) -> None:
    first = port(stay)
    floating = floating_ip(stay, port_id=first["id"])

    deleted = ours.ask("DELETE", "network", f"/v2.0/ports/{first['id']}")

    assert deleted.status == 204
    assert shown(ours, floating)["port_id"] is None
    path = f"/v2.0/floatingips/{floating['id']}"
    stay.watch(
        lambda: ours.look("GET", "network", path).body["floatingip"]["status"],
        lambda status: status == "DOWN",
        MOVE_S,
        "a floating IP that leads nowhere to be DOWN",
    )


def test_change_of_nothing_is_no_error(stay: Stay, ours: Voice) -> None:
    floating = floating_ip(stay)

    changed = ours.ask("PUT", "network", f"/v2.0/floatingips/{floating['id']}", {"floatingip": {}})

    assert changed.status == 200


def test_floating_ip_is_found_by_its_address_and_a_port_by_its_device(
    stay: Stay, ours: Voice, one: str
) -> None:
    floating = floating_ip(stay, description="of a test")

    by_address = ours.ask(
        "GET", "network", f"/v2.0/floatingips?floating_ip_address={floating['floating_ip_address']}"
    )
    by_device = ours.ask("GET", "network", f"/v2.0/ports?device_id={one}")

    assert [item["description"] for item in by_address.body["floatingips"]] == ["of a test"]
    (found,) = by_device.body["ports"]
    assert found["device_owner"].startswith("compute:")
    assert "binding:host_id" not in found


def test_what_belongs_to_another_project_is_not_found(
    stay: Stay, ours: Voice, theirs: Voice
) -> None:
    floating, first = floating_ip(stay), port(stay)

    answers = [
        theirs.ask("GET", "network", f"/v2.0/floatingips/{floating['id']}"),
        theirs.ask("PUT", "network", f"/v2.0/floatingips/{floating['id']}", {"floatingip": {}}),
        theirs.ask("DELETE", "network", f"/v2.0/ports/{first['id']}"),
        theirs.ask("GET", "network", f"/v2.0/networks/{stay.house.network_id}"),
        theirs.ask("GET", "network", f"/v2.0/ports/{UNKNOWN}"),
    ]

    assert [answer.status for answer in answers] == [404] * 5
    assert {answer.body["NeutronError"]["type"] for answer in answers} == {
        "FloatingIPNotFound",
        "PortNotFound",
        "NetworkNotFound",
    }
    assert theirs.ask(
        "GET", "network", f"/v2.0/ports?project_id={stay.house.ours.project_id}"
    ).body == {"ports": []}


def test_interface_of_a_router_is_added_once_and_removed(stay: Stay, ours: Voice) -> None:
    network = make(stay, ours, "network", name=stay.name())
    subnet = make(
        stay,
        ours,
        "subnet",
        name=stay.name(),
        network_id=network["id"],
        ip_version=4,
        cidr="10.80.0.0/24",
    )
    router = make(stay, ours, "router", name=stay.name())
    path, body = f"/v2.0/routers/{router['id']}", {"subnet_id": subnet["id"]}

    added = ours.ask("PUT", "network", f"{path}/add_router_interface", body)
    again = ours.ask("PUT", "network", f"{path}/add_router_interface", body)
    in_use = ours.ask("DELETE", "network", path)
    net_in_use = ours.ask("DELETE", "network", f"/v2.0/networks/{network['id']}")
    removed = ours.ask("PUT", "network", f"{path}/remove_router_interface", body)
    not_there = ours.ask("PUT", "network", f"{path}/remove_router_interface", body)

    assert (added.status, again.status) == (200, 400)
    assert added.body["subnet_ids"] == [subnet["id"]]
    assert (in_use.status, net_in_use.status) == (409, 409)
    assert in_use.body["NeutronError"]["type"] == "RouterInUse"
    assert net_in_use.body["NeutronError"]["type"] == "NetworkInUse"
    assert (removed.status, not_there.status) == (200, 404)


def test_gateway_in_use_by_a_floating_ip_is_not_taken_away(stay: Stay, ours: Voice) -> None:
    first = port(stay)
    floating = floating_ip(stay, port_id=first["id"])
    router_id = shown(ours, floating)["router_id"]

    refused = ours.ask(
        "PUT", "network", f"/v2.0/routers/{router_id}", {"router": {"external_gateway_info": None}}
    )

    assert refused.status == 409
    assert refused.body["NeutronError"]["type"] == "RouterExternalGatewayInUseByFloatingIp"


def test_more_than_the_quota_allows_is_refused_with_409(
    stay: Stay, house: House, admin: Voice, theirs: Voice
) -> None:
    path = f"/v2.0/quotas/{house.theirs.project_id}"
    set_ = admin.ask("PUT", "network", path, {"quota": {"network": 0}})

    try:
        refused = theirs.ask(
            "POST", "network", "/v2.0/networks", {"network": {"name": stay.name()}}
        )
    finally:
        admin.look("DELETE", "network", path)

    assert set_.body["quota"]["network"] == 0
    assert refused.status == 409
    assert refused.body["NeutronError"]["message"] == "Quota exceeded for resources: ['network']."


def test_security_group_has_rules_and_the_default_one_stays(stay: Stay, ours: Voice) -> None:
    group = make(stay, ours, "security_group", name=stay.name())
    rule = {
        "security_group_id": group["id"],
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": "udp",
        "port_range_min": 7777,
        "port_range_max": 7777,
        "remote_ip_prefix": "0.0.0.0/0",
    }

    made = ours.ask("POST", "network", "/v2.0/security-group-rules", {"security_group_rule": rule})
    again = ours.ask("POST", "network", "/v2.0/security-group-rules", {"security_group_rule": rule})
    bad = ours.ask(
        "POST",
        "network",
        "/v2.0/security-group-rules",
        {"security_group_rule": {**rule, "port_range_min": 9, "port_range_max": 1}},
    )
    defaults = ours.ask("GET", "network", "/v2.0/security-groups?name=default").body[
        "security_groups"
    ]
    kept = ours.ask("DELETE", "network", f"/v2.0/security-groups/{defaults[0]['id']}")

    assert (made.status, again.status, bad.status) == (201, 409, 400)
    assert len(group["security_group_rules"]) == 2
    assert (len(defaults), kept.status) == (1, 409)


def test_port_is_made_with_addresses_of_ones_own_choice(stay: Stay, ours: Voice) -> None:
    first = port(
        stay,
        fixed_ips=[{"subnet_id": stay.house.subnet_id, "ip_address": "10.78.0.200"}],
        allowed_address_pairs=[{"ip_address": "10.78.0.201"}],
    )
    taken = ours.ask(
        "POST",
        "network",
        "/v2.0/ports",
        {
            "port": {
                "network_id": stay.house.network_id,
                "fixed_ips": [{"ip_address": "10.78.0.200"}],
            }
        },
    )

    assert first["fixed_ips"][0]["ip_address"] == "10.78.0.200"
    assert first["allowed_address_pairs"] == [
        {"ip_address": "10.78.0.201", "mac_address": first["mac_address"]}
    ]
    assert taken.status == 409
    assert taken.body["NeutronError"]["type"] == "IpAddressAlreadyAllocated"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2.0/networks", {"network": {"colour": "blue"}}),
        ("/v2.0/networks", {"nonsense": {}}),
        ("/v2.0/subnets", {"subnet": {"ip_version": 4, "cidr": "10.9.0.0/24"}}),
        ("/v2.0/floatingips", {"floatingip": {}}),
    ],
    ids=["attribute", "resource", "no-network", "no-floating-network"],
)
def test_bad_request_is_answered_with_400(ours: Voice, path: str, body: dict[str, Any]) -> None:
    assert ours.ask("POST", "network", path, body).status == 400


def test_member_cannot_bind_a_port_or_make_an_external_network(stay: Stay, ours: Voice) -> None:
    bound = ours.ask(
        "POST",
        "network",
        "/v2.0/ports",
        {"port": {"network_id": stay.house.network_id, "binding:host_id": "compute1"}},
    )
    external = ours.ask(
        "POST", "network", "/v2.0/networks", {"network": {"name": "x", "router:external": True}}
    )

    assert (bound.status, external.status) == (403, 403)


def test_question_without_a_token_is_answered_with_401(nobody: Voice) -> None:
    assert nobody.ask("GET", "network", "/v2.0/networks").status == 401
    assert nobody.ask("GET", "network", "/v2.0/nonsense").status == 401


def test_external_networks_are_found(ours: Voice) -> None:
    found = ours.ask("GET", "network", "/v2.0/networks?router:external=true&fields=name&fields=id")

    assert found.status == 200
    assert found.body["networks"]
    assert set(found.body["networks"][0]) == {"name", "id"}
