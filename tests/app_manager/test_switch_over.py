# SPDX-License-Identifier: Apache-2.0
"""Each strategy on a simulated cloud: who answers when, what was called, and what is refused."""

from __future__ import annotations

import base64

import pytest

from doctor_maintenance.deployment import ApplicationSpec
from doctor_maintenance.deployment.service_address import SERVICE_IP, choose, user_data
from doctor_maintenance.exceptions import CloudError, PreconditionError
from doctor_maintenance.leading import Reach
from doctor_maintenance.protocol import Action
from sample_app_manager import strategies
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.policy import Rules, SwitchOver

from .app_world import AppWorld

WAYS = tuple(Reach)
EXTENSIONS = frozenset({"extraroute", "allowed-address-pairs", "floating-ip-port-forwarding"})


def world_led_by(reach: Reach, strategy: str = "auto", profile: str = "fast") -> AppWorld:
    application = ApplicationSpec("app", singles=0, reach=reach)
    return AppWorld(application=application, strategy=strategy, profile=profile)


def silences(world: AppWorld) -> list[float]:
    """Watch the address as soon as the guests have booted: how long nobody answered at it, each time."""
    guests = (world.app.active, world.app.standby)
    assert world.clock.run_until(
        lambda: all(world.cloud.compute.serves(guest) for guest in guests),
        world.clock.now() + 60.0,
    )
    gaps: list[float] = []
    since: list[float] = []

    def look(event: object) -> None:
        if world.answering(world.app.address) is None:
            since.append(world.clock.now())
        elif since:
            gaps.append(round(world.clock.now() - since.pop(), 3))

    world.cloud.subscribe(look)
    return gaps


@pytest.mark.parametrize("reach", WAYS)
def test_the_strategy_that_the_address_allows_is_taken_and_its_reason_told(reach: Reach) -> None:
    world = world_led_by(reach)

    world.tell([world.app.active])

    done = [item for item in world.records("switch_over") if item["phase"] == "done"]
    assert [(item["strategy"], item["reason"]) for item in done] == [
        (reach.value, f"{world.app.address} leads by {reach}")
    ]
    assert world.answering(world.app.address) == world.app.standby


def test_an_address_that_is_an_instances_own_is_not_switched_over() -> None:
    world = world_led_by(Reach.ROUTE)
    app = world.app
    own = {each: world.own_address(each) for each in (app.active, app.standby)}

    world.tell([app.active])

    assert len({app.address, *own.values()}) == 3
    assert {each: world.answering(address) for each, address in own.items()} == {
        each: each for each in own
    }


def test_an_instance_that_is_built_anew_gets_the_address_that_was_its_own() -> None:
    world = AppWorld(
        Rules(Action.OWN_ACTION),
        application=ApplicationSpec("app", singles=0, reach=Reach.ROUTE),
    )
    app = world.app
    own = world.own_address(app.active)

    world.tell([app.active])
    world.clock.advance(2.0)  # an address that is moved is silent for a moment

    new = world.answering(own)
    assert new not in (None, app.active, app.standby)


@pytest.mark.parametrize("profile", ["fast", "realistic"])
@pytest.mark.parametrize("reach", WAYS)
def test_only_moving_the_floating_ip_silences_the_service(reach: Reach, profile: str) -> None:
    world = world_led_by(reach, profile=profile)
    gaps = silences(world)

    world.tell([world.app.active])

    if reach is not Reach.FLOATING_IP:
        assert gaps == []
        return
    least, most = (0.122, 0.134) if profile == "fast" else (1.22, 1.34)
    assert len(gaps) == 1
    assert least <= gaps[0] <= most


@pytest.mark.parametrize("reach", WAYS)
def test_ten_switches_to_and_fro_end_where_they_should(reach: Reach) -> None:
    world = world_led_by(reach)
    cloud = ProjectCloud(world.connect(world.app.account.login))
    pair = [world.app.active, world.app.standby]

    for _ in range(10):
        what = SwitchOver(world.app.address, *pair)
        world.run(strategies.find(reach.value).switch_over(cloud, world.clock, what))
        pair.reverse()
        assert cloud.holder(world.app.address) == pair[0]


@pytest.mark.parametrize(
    ("strategy", "reach"),
    [
        ("floating_ip", Reach.ROUTE),
        ("route", Reach.FLOATING_IP),
        ("port_forwarding", Reach.ROUTE),
    ],
)
def test_a_strategy_that_does_not_fit_says_what_it_needs(strategy: str, reach: Reach) -> None:
    world = world_led_by(reach)
    lead = ProjectCloud(world.connect(world.app.account.login)).addresses.lead(world.app.address)

    assert strategies.find(strategy).unfit(lead) == (
        f"{strategy} needs an address that leads by {strategy}; {world.app.address} leads by {reach}"
    )
    assert strategies.find("auto").unfit(lead) is None


def test_a_dead_old_side_does_not_hinder_a_route() -> None:
    world = world_led_by(Reach.ROUTE)
    world.admin.compute.post(f"/servers/{world.app.active}/action", json={"os-stop": None})
    world.clock.advance(5.0)
    assert world.answering(world.app.address) is None

    world.tell([world.app.active])

    assert world.answering(world.app.address) == world.app.standby


def test_a_guest_whose_port_may_not_use_the_address_gets_the_right_first() -> None:
    world = world_led_by(Reach.ROUTE)
    ports = world.get("network", "/ports", device_id=world.app.standby)["ports"]
    path = f"/ports/{ports[0]['id']}"
    world.admin.network.put(path, json={"port": {"allowed_address_pairs": []}})

    world.tell([world.app.active])

    assert world.answering(world.app.address) == world.app.standby


def test_other_routes_of_the_router_are_left_alone() -> None:
    world = world_led_by(Reach.ROUTE)
    router = world.get("network", "/routers", project_id=world.app.account.project_id)["routers"][0]
    foreign = {"destination": "10.99.0.0/24", "nexthop": router["routes"][0]["nexthop"]}
    body = {"router": {"routes": [foreign, *router["routes"]]}}
    assert world.admin.network.put(f"/routers/{router['id']}", json=body).ok

    world.tell([world.app.active])

    routes = world.get("network", f"/routers/{router['id']}")["router"]["routes"]
    assert foreign in routes
    assert [each["destination"] for each in routes].count(f"{SERVICE_IP}/32") == 1


def test_an_address_that_is_gone_is_an_error_that_is_not_tried_again() -> None:
    world = world_led_by(Reach.ROUTE)
    cloud = ProjectCloud(world.connect(world.app.account.login))

    with pytest.raises(CloudError, match="is not there or leads nowhere") as caught:
        cloud.addresses.lead("127.77.0.250")

    assert caught.value.permanent


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (EXTENSIONS, Reach.ROUTE),
        (EXTENSIONS - {"extraroute"}, Reach.PORT_FORWARDING),
        (EXTENSIONS - {"allowed-address-pairs"}, Reach.PORT_FORWARDING),
        (frozenset(), Reach.FLOATING_IP),
    ],
)
def test_the_best_way_that_neutron_offers_is_chosen(offered: frozenset[str], chosen: Reach) -> None:
    assert choose(None, offered) is chosen


def test_a_way_that_neutron_does_not_offer_is_refused_with_what_is_missing() -> None:
    with pytest.raises(PreconditionError, match="needs Neutron's extraroute, which it does not"):
        choose(Reach.ROUTE, EXTENSIONS - {"extraroute"})


def test_guests_hold_the_address_before_what_they_are_started_with_runs() -> None:
    own = base64.b64encode(b"#!/bin/sh\nserve &\n").decode()

    script = base64.b64decode(user_data(Reach.ROUTE, own) or "").decode()

    assert script.startswith("#!/bin/sh\n")
    assert script.index(f"ip address add {SERVICE_IP}/32 dev lo") < script.index("serve &")
    assert user_data(Reach.FLOATING_IP, own) == own


def test_user_data_that_is_no_script_is_refused_where_the_address_must_be_held() -> None:
    own = base64.b64encode(b"#cloud-config\n").decode()

    with pytest.raises(PreconditionError, match="a script for /bin/sh"):
        user_data(Reach.ROUTE, own)
