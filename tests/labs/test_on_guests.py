# SPDX-License-Identifier: Apache-2.0
"""A lab of kind guests while it is up: its hosts, its switches, and reboots that are real."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from doctor_maintenance.clock import WallClock
from lab.guests import boots, versions
from lab.guests.host import Host
from lab.guests.network import GATEWAY, Network
from lab.guests.service_hosts import keys_of
from lab.layout import Kind, Lab
from labs.outages import wait_for_hosts

pytestmark = pytest.mark.slow

BACK_S = 180.0


@pytest.fixture(scope="module")
def guests(running: Lab) -> Iterator[Lab]:
    """A lab whose hosts may be hurt: Nova uses all of them again afterwards."""
    if running.kind is not Kind.GUESTS:
        pytest.skip("the hosts of this kind of lab are stood in for")
    yield running
    wait_for_hosts(running)


def on(host: Host, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a host as an operator would, host key verified."""
    keys = keys_of(host.lab)
    options = [
        f"UserKnownHostsFile={keys.known_hosts}",
        "StrictHostKeyChecking=yes",
        "BatchMode=yes",
        "ConnectTimeout=10",
    ]
    words = [word for option in options for word in ("-o", option)]
    return subprocess.run(
        ["ssh", "-i", str(keys.key_file), *words, f"root@{host.address}", command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def wait_until(what: Callable[[], bool]) -> None:
    clock = WallClock()
    deadline = clock.now() + BACK_S
    pause = threading.Event()
    while not what():
        assert clock.now() < deadline
        pause.wait(0.5)


def test_host_calls_itself_by_its_name_and_shows_its_own_processes_only(guests: Lab) -> None:
    host = Host(guests, guests.hosts[0])

    assert on(host, "hostname").stdout.strip() == host.name
    first = on(host, "cat /proc/1/cmdline").stdout
    assert "lab.guests.host_init" in first
    assert host.name in first


def test_operators_commands_succeed_on_every_host(guests: Lab) -> None:
    for name in guests.hosts:
        for command in ("sudo maintain-host", "sudo test-host", "sudo -n virsh list --uuid"):
            done = on(Host(guests, name), command)
            assert done.returncode == 0, (name, command, done.stderr)


def test_switches_know_the_way_to_the_other_ends_of_tunnels(guests: Lab) -> None:
    network = Network(guests)
    for name in guests.hosts:
        routes = on(Host(guests, name), "ovs-appctl ovs/route/show").stdout
        assert f"{network.tunnels} dev br-tun" in routes
        # A route that it was told is never that of its own end, which a newer OVN asks for.
        assert ("Cached" in routes) == versions.follows_kernel(), routes
        known = on(Host(guests, name), "ovs-appctl tnl/neigh/show").stdout
        for other in network.hosts:
            if other != name:
                line = rf"{network.tunnels_of(other).ip}\s+{network.tunnel_mac_of(other)}\s+br-tun"
                assert re.search(line, known), known


def test_switches_do_not_commit_translations_to_nothing(guests: Lab) -> None:
    for name in guests.hosts:
        flows = on(Host(guests, name), "ovs-ofctl dump-flows br-int").stdout
        assert flows
        assert "nat(src)" not in flows.replace(" ", "")


def test_bridge_of_tunnels_has_the_address_that_outlives_reboots(guests: Lab) -> None:
    for name in guests.hosts:
        shown = on(
            Host(guests, name), "cat /sys/class/net/tun0/address /sys/class/net/br-tun/address"
        )
        assert len(set(shown.stdout.split())) == 1


def test_gateway_answers_nobody_by_ssh(guests: Lab) -> None:
    assert on(Host(guests, GATEWAY), "true").returncode == 255


def kill(host: Host, service: str) -> None:
    """Kill a service of a host, and wait until it runs again."""
    wait_until(lambda: on(host, f"pgrep -x {service}").returncode == 0)
    before = on(host, f"pgrep -x {service}").stdout.split()
    on(host, f"kill -9 {' '.join(before)}")

    def again() -> bool:
        found = on(host, f"pgrep -x {service}").stdout.split()
        return bool(found) and not set(found) & set(before)

    wait_until(again)


@pytest.mark.parametrize("service", ["libvirtd", "ovn-controller", "ovs-vswitchd"])
def test_service_of_a_host_that_is_killed_runs_again(service: str, guests: Lab) -> None:
    host = Host(guests, guests.hosts[-1])

    kill(host, service)

    wait_until(lambda: on(host, "sudo test-host").returncode == 0)


def test_switch_that_is_killed_commits_no_translations_to_nothing_afterwards(guests: Lab) -> None:
    host = Host(guests, guests.hosts[-1])

    kill(host, "ovs-vswitchd")

    # It says anew what it is capable of, and that is taken from it again.
    shown = "ovs-vsctl list datapath"
    wait_until(lambda: 'ct_zero_snat="false"' in on(host, shown).stdout)


def test_reboot_ends_every_process_of_a_host_and_all_come_back(guests: Lab) -> None:
    host = Host(guests, guests.hosts[-1])
    before = boots.running(host)
    assert before is not None
    wait_until(lambda: on(host, "systemctl is-active nova-compute").returncode == 0)

    assert on(host, "sudo systemctl reboot").returncode in (0, 255)

    wait_until(lambda: not before.first.alive)
    wait_until(lambda: boots.running(host) is not None)
    wait_until(lambda: on(host, "systemctl is-active nova-compute").returncode == 0)
    after = boots.running(host)
    assert after is not None
    assert after.boot_id != before.boot_id
    assert on(host, "cat /proc/sys/kernel/random/boot_id").stdout.strip() == after.boot_id
    wait_until(lambda: on(host, "sudo test-host").returncode == 0)
