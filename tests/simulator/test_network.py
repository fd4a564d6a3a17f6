# SPDX-License-Identifier: Apache-2.0
"""The network model: who answers on a floating IP and when, and what the model refuses."""

from __future__ import annotations

import contextlib
import ipaddress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor_maintenance.simulator.network import Network
from doctor_maintenance.simulator.network_records import FloatingIp, NetworkRefused, Port

from .sim import Sim

PROJECT = "p"


class Wired:
    """A cloud with a network, a router and some ports of instances."""

    def __init__(self, **durations: Any) -> None:
        self.sim = Sim(served=False, **durations)
        self.network: Network = self.sim.cloud.network
        net = self.network.create_network(PROJECT, name="net")
        self.subnet = self.network.create_subnet(net, ipaddress.IPv4Network("10.0.0.0/24"), PROJECT)
        self.router = self.network.routers.create(PROJECT, self.network.external.id)
        self.network.routers.add_interface(self.router.id, self.subnet.id)
        self.net = net

    def port(self, instance: str) -> Port:
        return self.network.create_port(PROJECT, self.net.id, device_id=instance)

    def floating(self, port: Port | None = None) -> FloatingIp:
        port_id = port.id if port is not None else None
        return self.network.floating.create(PROJECT, self.network.external.id, port_id)

    def move(self, floating: FloatingIp, port: Port | None) -> None:
        self.network.floating.move(floating.id, port.id if port is not None else None)

    def told(self) -> list[tuple[float, str | None]]:
        """Who held the address, and since when."""
        start = self.sim.clock.now()
        return [
            (event.at - start, event.fields["instance_id"])
            for event in self.sim.events
            if event.kind == "address"
        ]


def test_moved_address_is_silent_for_the_gap_and_then_leads_to_the_other_instance() -> None:
    wired = Wired(floating_ip_move_gap_s=1.26)
    a, b = wired.port("a"), wired.port("b")
    floating = wired.floating(a)
    wired.sim.clock.advance(2.0)
    holder = wired.network.holder
    assert holder(floating.address) == "a"

    wired.move(floating, b)

    assert floating.status == "ACTIVE"
    assert holder(floating.address) is None
    wired.sim.clock.advance(1.25)
    assert holder(floating.address) is None
    wired.sim.clock.advance(0.02)
    assert holder(floating.address) == "b"


def test_without_a_gap_nobody_sees_the_address_between_two_instances() -> None:
    wired = Wired()
    a, b = wired.port("a"), wired.port("b")
    floating = wired.floating(a)

    wired.move(floating, b)

    assert [who for _, who in wired.told()] == [None, "a", "b"]


def test_second_move_within_the_gap_begins_it_anew() -> None:
    wired = Wired(floating_ip_move_gap_s=1.0)
    a, b, c = (wired.port(name) for name in "abc")
    floating = wired.floating(a)
    wired.sim.clock.advance(2.0)

    wired.move(floating, b)
    wired.sim.clock.advance(0.5)
    wired.move(floating, c)
    wired.sim.clock.advance(0.75)

    assert wired.network.holder(floating.address) is None
    wired.sim.clock.advance(0.5)
    assert wired.network.holder(floating.address) == "c"


def test_move_to_the_same_port_interrupts_nothing() -> None:
    wired = Wired(floating_ip_move_gap_s=1.0)
    floating = wired.floating(wired.port("a"))
    wired.sim.clock.advance(2.0)

    wired.network.floating.move(floating.id, floating.port_id)

    assert wired.network.holder(floating.address) == "a"


def test_fault_makes_the_gap_longer_for_one_address() -> None:
    wired = Wired()
    a, b, c, d = (wired.port(name) for name in "abcd")
    late, usual = wired.floating(a), wired.floating(b)
    wired.sim.cloud.faults.add("floating_ip_late", {"address": late.address}, {"delay_s": 3.0})

    wired.move(late, c)
    wired.move(usual, d)

    assert wired.network.holder(late.address) is None
    assert wired.network.holder(usual.address) == "d"
    wired.sim.clock.advance(3.0)
    assert wired.network.holder(late.address) == "c"


def test_refused_move_keeps_the_old_association() -> None:
    wired = Wired()
    a, b = wired.port("a"), wired.port("b")
    first, second = wired.floating(a), wired.floating(b)

    with pytest.raises(NetworkRefused) as refused:
        wired.network.floating.move(first.id, second.port_id)

    assert (refused.value.status, refused.value.kind) == (409, "FloatingIPPortAlreadyAssociated")
    assert first.port_id == a.id
    assert wired.network.holder(first.address) == "a"


def test_floating_ip_that_cannot_be_associated_is_not_created() -> None:
    wired = Wired()
    lonely = wired.network.create_network(PROJECT)
    wired.network.create_subnet(lonely, ipaddress.IPv4Network("10.1.0.0/24"), PROJECT)
    port = wired.network.create_port(PROJECT, lonely.id, device_id="x")
    ports_before = set(wired.network.ports)

    with pytest.raises(NetworkRefused) as refused:
        wired.floating(port)

    assert (refused.value.status, refused.value.kind) == (
        404,
        "ExternalGatewayForFloatingIPNotFound",
    )
    assert wired.network.floating_addresses() == []
    assert set(wired.network.ports) == ports_before


def test_deleted_instance_frees_its_floating_ip() -> None:
    wired = Wired()
    floating = wired.floating(wired.port("a"))

    wired.network.delete_ports_of("a")

    assert floating.port_id is None
    assert wired.network.holder(floating.address) is None
    assert [who for _, who in wired.told()] == [None, "a", None]


def test_port_that_was_there_before_its_instance_stays_when_that_is_deleted() -> None:
    wired = Wired()
    own = wired.network.create_port(PROJECT, wired.net.id)
    wired.network.attach_port(own.id, "a")
    made = wired.port("a")
    floating = wired.floating(own)
    assert wired.network.holder(floating.address) == "a"

    wired.network.delete_ports_of("a")

    assert made.id not in wired.network.ports
    assert (own.device_id, own.host, floating.port_id) == ("", "", own.id)
    assert wired.network.holder(floating.address) is None


def test_instance_shows_its_fixed_and_floating_address_by_network() -> None:
    wired = Wired()
    port = wired.port("a")
    floating = wired.floating(port)

    shown = wired.network.addresses("a")

    assert [(a["OS-EXT-IPS:type"], a["addr"]) for a in shown["net"]] == [
        ("fixed", port.fixed_ips[0][1]),
        ("floating", floating.address),
    ]


def test_addresses_of_floating_ips_are_of_the_blocks_upper_half() -> None:
    wired = Wired()
    block = ipaddress.ip_network(wired.sim.cloud.topology.floating_block)

    taken = {wired.floating().address for _ in range(20)}

    assert len(taken) == 20
    assert all(ipaddress.ip_address(address) in block for address in taken)


def test_network_can_be_cleared_whatever_is_on_it() -> None:
    wired = Wired()
    wired.floating(wired.port("a"))

    for floating_id in list(wired.network.floating.floating_ips):
        wired.network.floating.delete(floating_id)
    wired.network.clear()

    assert list(wired.network.networks.values()) == [wired.network.external]
    assert wired.network.ports == {}
    assert wired.network.holder("10.0.0.5") is None


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["move", "free", "delete", "boot", "wait"]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=25,
)


class Acted:
    """Four addresses and up to four instances, and what the events told of them."""

    def __init__(self) -> None:
        self.wired = Wired(floating_ip_move_gap_s=0.5)
        self.floating = [self.wired.floating() for _ in range(4)]
        self.ports: dict[int, Port] = {n: self.wired.port(f"i{n}") for n in range(4)}
        self.told: dict[str, str | None] = {f.address: None for f in self.floating}

    def act(self, act: str, which: int, target: int) -> None:
        if act == "move" and target in self.ports:
            self.wired.move(self.floating[which], self.ports[target])
        elif act == "free":
            self.wired.move(self.floating[which], None)
        elif act == "delete" and target in self.ports:
            self.wired.network.delete_ports_of(f"i{target}")
            del self.ports[target]
        elif act == "boot" and target not in self.ports:
            self.ports[target] = self.wired.port(f"i{target}")
        elif act == "wait":
            self.wired.sim.clock.advance(0.3)

    def listen(self) -> None:
        for event in self.wired.sim.events:
            if event.kind == "address":
                self.told[event.fields["address"]] = event.fields["instance_id"]
        self.wired.sim.events.clear()

    def leads_to(self, floating: FloatingIp) -> str | None:
        if floating.port_id is None:
            return None
        return self.wired.network.ports[floating.port_id].device_id


@settings(max_examples=30)
@given(acts=ACTS)
def test_address_never_leads_to_two_instances_and_the_events_tell_who_holds_it(
    acts: list[tuple[str, int, int]],
) -> None:
    acted = Acted()
    holder = acted.wired.network.holder

    for act in acts:
        with contextlib.suppress(NetworkRefused):
            acted.act(*act)
        acted.listen()
        assert {each.address: holder(each.address) for each in acted.floating} == acted.told
        associated = [each.port_id for each in acted.floating if each.port_id is not None]
        assert len(associated) == len(set(associated))
    acted.wired.sim.clock.advance(1.0)

    for each in acted.floating:
        assert holder(each.address) == acted.leads_to(each)
