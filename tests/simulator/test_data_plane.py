# SPDX-License-Identifier: Apache-2.0
"""Floating IPs of the simulated cloud answer on the network, and only while their instance runs."""

from __future__ import annotations

import ipaddress
import random
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from doctor_maintenance.clock import VirtualClock, WallClock
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.probe import (
    LiveProbe,
    ProbeConfig,
    ProbeProtocol,
    ProbeReport,
    VirtualProbe,
    ask_once,
)
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.data_plane import DataPlane, who_answers
from doctor_maintenance.simulator.profiles import get_profile
from doctor_maintenance.simulator.records import BootRequest, NetworkRequest

PATIENCE_S = 20.0
QUIET_S = 0.05
BOTH = [socket.SOCK_DGRAM, socket.SOCK_STREAM]


class Application:
    """A pair of instances and a floating IP, made in the model without any API."""

    def __init__(self, cloud: SimCloud) -> None:
        self.cloud = cloud
        network = cloud.network
        self.project_id = cloud.identity.admin_project.id
        net = network.create_network(self.project_id, name="net")
        block = ipaddress.IPv4Network("192.168.7.0/24")
        subnet = network.create_subnet(net, block, self.project_id)
        router = network.routers.create(self.project_id, gateway=network.external.id)
        network.routers.add_interface(router.id, subnet.id)
        request = NetworkRequest(network_id=net.id)
        flavor = "m1.tiny"
        self.instances = [
            cloud.compute.boot(
                self.project_id, BootRequest(name, flavor, networks=(request,), host=host)
            )[0].instance_id
            for name, host in (("app-0", "compute1"), ("app-1", "compute2"))
        ]

    def port_of(self, instance_id: str) -> str:
        return str(self.cloud.network.ports_of(instance_id)[0].id)

    def floating_ip(self, instance_id: str | None) -> Any:
        """Make a floating IP that leads to an instance, or to none."""
        port_id = None if instance_id is None else self.port_of(instance_id)
        floating = self.cloud.network.floating
        return floating.create(self.project_id, self.cloud.network.external.id, port_id)


class Lab:
    """A cloud in real time with an application on it whose addresses answer."""

    def __init__(self) -> None:
        self.clock = WallClock()
        self.cloud = SimCloud(self.clock, random.Random(1), get_profile("instant"))
        self.app = self.on_clock(lambda: Application(self.cloud))
        self.first, self.second = self.app.instances
        self.floating = self.on_clock(lambda: self.app.floating_ip(self.first))
        self.plane = DataPlane(self.cloud, 0)
        self.clock.start()
        self.plane.start()

    def on_clock(self, function: Callable[[], Any]) -> Any:
        return self.clock.call(function)

    def who(self, kind: socket.SocketKind, wait_s: float = PATIENCE_S) -> str | None:
        address = (self.floating.address, self.plane.port)
        answer = ask_once(address, kind, 1, "test", wait_s)
        return None if answer is None else answer.who

    def close(self) -> None:
        self.plane.close()
        self.clock.stop()


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.close()


@pytest.mark.parametrize("kind", BOTH)
def test_the_instance_behind_a_floating_ip_answers_with_its_name_and_id(
    lab: Lab, kind: socket.SocketKind
) -> None:
    answer = ask_once((lab.floating.address, lab.plane.port), kind, 7, "n", PATIENCE_S)

    assert answer is not None
    assert (answer.name, answer.instance_id) == ("app-0", lab.first)


@pytest.mark.parametrize("kind", BOTH)
def test_a_stopped_instance_is_silent(lab: Lab, kind: socket.SocketKind) -> None:
    lab.on_clock(lambda: lab.cloud.compute.stop(lab.first))
    assert lab.who(kind, QUIET_S) is None

    lab.on_clock(lambda: lab.cloud.compute.start(lab.first))
    assert lab.who(kind) == lab.first


@pytest.mark.parametrize("kind", BOTH)
def test_the_instances_of_a_host_that_is_off_are_silent(lab: Lab, kind: socket.SocketKind) -> None:
    lab.on_clock(lambda: lab.cloud.compute.machines.power_off("compute1"))

    assert lab.who(kind, QUIET_S) is None


@pytest.mark.parametrize("kind", BOTH)
def test_a_floating_ip_that_moves_is_answered_by_the_other_instance_at_once(
    lab: Lab, kind: socket.SocketKind
) -> None:
    port_id = lab.app.port_of(lab.second)
    lab.on_clock(lambda: lab.cloud.network.floating.move(lab.floating.id, port_id))

    assert lab.who(kind) == lab.second


def test_a_new_floating_ip_answers_without_a_restart(lab: Lab) -> None:
    lab.floating = lab.on_clock(lambda: lab.app.floating_ip(lab.second))

    with LoopTurn(lab.plane):
        assert lab.who(socket.SOCK_STREAM) == lab.second


def test_a_floating_ip_that_is_deleted_is_free_for_others(lab: Lab) -> None:
    address, port = lab.floating.address, lab.plane.port
    lab.on_clock(lambda: lab.cloud.network.floating.delete(lab.floating.id))
    with LoopTurn(lab.plane), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, port))


def test_what_is_no_probe_is_counted_and_not_answered(lab: Lab) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect((lab.floating.address, lab.plane.port))
        sock.send(b"hello")
        sock.send(b"1 n")
        assert sock.recv(100).startswith(b"1 n app-0 ")

    with LoopTurn(lab.plane):
        counts = lab.plane.counts[lab.floating.address]
    assert (counts.received, counts.answered, counts.malformed) == (1, 1, 1)


def test_a_tcp_client_may_ask_many_times_and_in_pieces(lab: Lab) -> None:
    with socket.create_connection((lab.floating.address, lab.plane.port), PATIENCE_S) as sock:
        lines = sock.makefile("rb")
        for piece in (b"1 n\n2", b" n", b"\n"):
            sock.sendall(piece)
        answers = [lines.readline(), lines.readline()]

    assert [line.split()[0] for line in answers] == [b"1", b"2"]


def test_a_tcp_client_that_never_ends_its_line_is_dropped(lab: Lab) -> None:
    with socket.create_connection((lab.floating.address, lab.plane.port), PATIENCE_S) as sock:
        sock.sendall(b"x" * 2000)
        try:
            left = sock.recv(1)
        except ConnectionResetError:
            left = b""

    assert left == b""
    assert lab.who(socket.SOCK_STREAM) == lab.first


def test_a_port_that_is_taken_is_named() -> None:
    clock = WallClock()
    cloud = SimCloud(clock, random.Random(1), get_profile("instant"))
    floating = Application(cloud).floating_ip(None)
    with socket.socket() as taken:
        taken.bind((floating.address, 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(PreconditionError, match=rf"{floating.address}.*port {port}.*choose"):
            DataPlane(cloud, port).start()


@pytest.mark.parametrize("protocol", list(ProbeProtocol))
def test_a_probe_sees_the_switch_over_and_loses_nothing(lab: Lab, protocol: ProbeProtocol) -> None:
    config = ProbeConfig(lab.floating.address, lab.plane.port, protocol, timeout_s=5.0)
    probe = LiveProbe(config, now=lab.clock.now, nonce="test")
    port_id = lab.app.port_of(lab.second)
    probe.start()
    wait_until(lab, lambda: probe.snapshot().sent >= 20)
    lab.on_clock(lambda: lab.cloud.network.floating.move(lab.floating.id, port_id))
    wait_until(lab, lambda: probe.snapshot().who == lab.second)

    report = probe.stop()

    assert (report.lost, report.gaps) == (0, ())
    assert [stretch.who for stretch in report.answers] == [lab.first, lab.second]


class VirtualLab:
    """A cloud in virtual time with an application whose service is probed."""

    def __init__(self, profile: str) -> None:
        self.clock = VirtualClock()
        self.cloud = SimCloud(self.clock, random.Random(1), get_profile(profile))
        self.app = Application(self.cloud)
        self.clock.advance(60.0)
        self.active = self.app.instances[0]
        self.floating = self.app.floating_ip(self.active)
        self.clock.advance(60.0)
        self.probe = VirtualProbe(self.clock, self.who)
        self.cloud.subscribe(self.probe.changed)
        self.probe.start()

    def who(self, seq: int) -> str | None:
        responder = who_answers(self.cloud, self.floating.address)
        return None if responder is None else responder.who

    def report(self) -> ProbeReport:
        self.clock.advance(60.0)
        return self.probe.stop()


def test_a_cold_migration_is_an_outage_of_exactly_its_states_and_the_boot() -> None:
    lab = VirtualLab("fast")
    profile = lab.cloud.profile
    lab.cloud.compute.migrate(lab.active)

    report = lab.report()

    states_s = profile.cold_migrating + profile.cold_migrated + profile.cold_finishing  # type: ignore[operator]
    down_s = states_s + profile.guest_boot
    (gap,) = report.gaps
    assert (gap.lower_s, gap.upper_s) == (pytest.approx(down_s), pytest.approx(down_s))
    assert {stretch.who for stretch in report.answers} == {lab.active}


def test_the_moment_in_which_a_live_migration_stops_the_guest_is_seen() -> None:
    lab = VirtualLab("realistic")
    least, most = lab.cloud.profile.live_pause  # type: ignore[misc]
    lab.cloud.compute.live_migrate(lab.active)

    (gap,) = lab.report().gaps

    assert least <= gap.lower_s <= most


def test_a_floating_ip_that_leads_nowhere_is_silent() -> None:
    lab = VirtualLab("fast")
    began = lab.clock.now()
    lab.cloud.network.floating.move(lab.floating.id, None)
    lab.cloud.compute.delete(lab.active)

    (gap,) = lab.report().gaps

    assert gap.start == began
    assert lab.cloud.network.holder(lab.floating.address) is None


def wait_until(lab: Lab, met: Callable[[], bool]) -> None:
    """Wait until something is so; one question to the plane between two looks."""
    for _ in range(100_000):
        if met():
            return
        lab.who(socket.SOCK_DGRAM)
    raise AssertionError("what was waited for did not come")


class LoopTurn:
    """Waits until the plane's thread has done what it was told before, by a task of its own."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def __enter__(self) -> None:
        done = threading.Event()
        self._plane.do(done.set)
        assert done.wait(PATIENCE_S)

    def __exit__(self, *_: object) -> None:
        return None
