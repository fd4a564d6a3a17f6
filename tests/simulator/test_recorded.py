# SPDX-License-Identifier: Apache-2.0
"""What real Keystone, Neutron, Glance and Aodh answered, asked again of the simulated ones, in the same order.

A difference that is meant has its reason beside it; any other one fails.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace

import pytest
from tallying import fields, tally

from doctor_maintenance.simulator.topology import build_topology

from .replay import Replay, recorded
from .sim import Sim

PATHS = {
    "keystone": "/identity",
    "neutron": "/network",
    "neutron_switching": "/network",
    "glance": "/image",
    "aodh": "/alarming",
}
ADMIN_PROJECT, DEMO_PROJECT = "f2ca7f8d1ddb407faed18773e01e2f02", "5e02cc38adfe4c54a9fbb4f27479d403"
ADMIN_USER, DEMO_USER = "38e611f099144777a4348c3892567034", "35c557c0bce748da855ca4a6a91bf2ad"

SCHEMA = "the text of a JSON schema's validator goes on with the schema"
ANOTHER_PAST = "numbers and orders follow from the recorded cloud's past"
ANOTHER_IMAGE = "the recorded cloud's image is another one, with properties and a kernel beside it"
LATER = "this cloud was recorded before the one with port forwardings"
OTHER_USERS = "the recorded cloud has users of its services, and role assignments of other kinds"

MEANT = {
    "token-bad-schema": (r"body\.error\.message", SCHEMA),
    "image-create-schema": (r"body\.message", SCHEMA),
    "image-create-bad-format": (r"body\.message", SCHEMA),
    "users-list": (r"body\.users", OTHER_USERS),
    "role-assignments-user-demo": (r"body\.role_assignments\[\]\.links", OTHER_USERS),
    "endpoints": (r"body\.endpoints", OTHER_USERS),
    "subnets-demo": (
        r"body\.subnets\[\]\.cidr",
        "our external network's addresses are in 127.0.0.0/8 and answer",
    ),
    "subnets-admin": (
        r"body\.subnets\[\]\.cidr",
        "our external network's addresses are in 127.0.0.0/8 and answer",
    ),
    "networks-admin": (r".*provider:segmentation_id", ANOTHER_PAST),
    "network-show-admin": (r".*provider:segmentation_id", ANOTHER_PAST),
    "extensions": (r"body\.extensions", "we name the extensions whose calls we answer"),
    "agents": (r"body\.agents", "the agents are those of the recorded cloud's hosts"),
    "quota-details": (r".*security_group_rule\.used", ANOTHER_PAST),
    "network-delete-in-use": (
        r"body\.NeutronError\.message.*There are one or more ports still in use",
        ANOTHER_PAST,
    ),
    "security-groups": (
        r".*(standard_attr_id|belongs_to_default_sg|revision_number)",
        ANOTHER_PAST,
    ),
    "security-group-create": (r".*standard_attr_id", ANOTHER_PAST),
    "security-group-show": (r"body\.security_group\.security_group_rules", ANOTHER_PAST),
    "security-group-rules": (r"body\.security_group_rules", ANOTHER_PAST),
    "ports-of-router": (r".*(status|revision_number)", "an interface of a router is up at once"),
    "images": (r"body\.images\[\]", ANOTHER_IMAGE),
    "images-by-name": (r"body\.images\[\]", ANOTHER_IMAGE),
    "images-limit": (r"body(\.images\[\]|: we lack \['next'\])", ANOTHER_IMAGE),
    "image-show": (r"body", ANOTHER_IMAGE),
    "info-import": (r".*import-methods\.value", "images are uploaded, not imported"),
    "forwarding-floatingip-show": (
        r"body\.floatingip\.port_forwardings\[\]",
        "forwardings are shown in no certain order",
    ),
}
"""What may differ in an answer (a regular expression), and why."""

NO_FORWARDINGS = re.compile(r"body\.floatingips?(\[\])?: we add \['port_forwardings'\]")
"""The cloud of most recordings had no port forwardings; the one of ``neutron_switching`` has them, and so have we."""


def _replay(service: str) -> tuple[Sim, Replay]:
    sim = Sim(topology=replace(build_topology(), image="tiny"))
    identity = sim.cloud.identity
    admin, demo = identity.find_user("admin"), identity.find_user("demo")
    assert admin is not None
    assert demo is not None
    same = {
        ADMIN_PROJECT: sim.project("admin"),
        DEMO_PROJECT: sim.project("demo"),
        ADMIN_USER: admin.id,
        DEMO_USER: demo.id,
    }
    return sim, Replay(sim, PATHS[service], same)


def _give_demo_a_network(sim: Sim) -> None:
    """The recorded cloud had one, behind a router."""
    network, project_id = sim.cloud.network, sim.project("demo")
    private = network.create_network(project_id, name="private")
    block = ipaddress.IPv4Network("10.77.0.0/24")
    subnet = network.create_subnet(private, block, project_id, name="private")
    router = network.routers.create(project_id, network.external.id, name="router")
    network.routers.add_interface(router.id, subnet.id)


def _fire_the_recorded_alarm(sim: Sim) -> None:
    """Between two of the recorded questions, seven notifications were published."""
    for case in recorded("alarm_posts"):
        envelope = case["notification"]
        payload = {**envelope["payload"], "project_id": sim.project("demo")}
        sim.cloud.bus.publish({**envelope, "payload": payload})


@pytest.mark.parametrize("service", sorted(PATHS))
def test_service_answers_as_the_recorded_one_did(service: str) -> None:
    sim, replay = _replay(service)
    if service == "neutron":
        _give_demo_a_network(sim)
    differences = []

    for entry in recorded(service):
        if entry["slug"] == "alarm-state-after-firing":
            _fire_the_recorded_alarm(sim)
        found = replay.run(entry)
        pattern, why = MEANT.get(entry["slug"], ("(?!)", ""))
        meant = [(item, why) for item in found if re.match(pattern, item, re.DOTALL)]
        if service == "neutron":
            meant += [(item, LATER) for item in found if NO_FORWARDINGS.fullmatch(item)]
        explained = {item for item, _ in meant}
        differences += [f"{entry['slug']}: {item}" for item in found if item not in explained]
        tally(f"story-{service}", entry["slug"], 1 + fields(entry.get("response")), meant)

    assert not differences, "\n".join(differences)
