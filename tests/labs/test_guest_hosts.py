# SPDX-License-Identifier: Apache-2.0
"""The hosts and wires of a lab of kind guests, as data; nothing here needs root."""

from __future__ import annotations

import json
import shutil
import subprocess
from ipaddress import IPv4Network, ip_address, ip_interface
from pathlib import Path

import pytest

from doctor_maintenance.exceptions import PreconditionError
from lab import catalogue
from lab.guests import compute, ovn, supervisor, versions
from lab.guests.host import SHIMS, Host
from lab.guests.network import GATEWAY, Network, taken
from lab.guests.words import from_words, to_words
from lab.layout import Kind, Lab, named
from lab.site import Site


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return named(Kind.GUESTS, root=tmp_path)


def _files(host: Host) -> dict[str, str]:
    return {path.name: text for path, text in host.files(Path("/keys"), Path("/own")).items()}


def test_networks_of_a_lab_do_not_meet(lab: Lab) -> None:
    network = Network(lab)
    ranges = [network.management, network.tunnels, network.outside]

    assert [
        one for one in ranges for other in ranges if one is not other and one.overlaps(other)
    ] == []
    assert all(one.subnet_of(IPv4Network("198.18.0.0/15")) for one in ranges)


def test_networks_of_two_labs_do_not_meet(lab: Lab, tmp_path: Path) -> None:
    one, other = Network(lab), Network(named(Kind.GUESTS, name="second", root=tmp_path))

    assert not one.management.overlaps(other.management)
    assert not one.outside.overlaps(other.outside)
    assert not set(one.namespaces) & set(other.namespaces)
    assert not set(one.machine_links.values()) & set(other.machine_links.values())


def test_every_host_has_addresses_of_its_own_in_the_right_networks(lab: Lab) -> None:
    network = Network(lab)
    management = [network.management_of(host) for host in network.hosts]
    tunnels = [network.tunnels_of(host) for host in network.hosts]

    assert len({*management, network.central, network.management[1]}) == len(lab.hosts) + 3
    assert all(address in network.management for address in management)
    assert len(set(tunnels)) == len(network.hosts)
    assert all(address.network == network.tunnels for address in tunnels)


def test_no_interface_has_a_name_that_the_kernel_refuses(tmp_path: Path) -> None:
    network = Network(named(Kind.GUESTS, hosts=9, port_base=65_000, root=tmp_path))
    lines = [*network.machine_commands(), *network.hub_commands()]

    names = {line.split()[line.split().index("add") + 1] for line in lines if "link add" in line}
    names |= {line.split(" peer name ")[1].split()[0] for line in lines if " peer name " in line}
    assert {"root-m", "compute9-t", "network1-e", "dm65000m", "ext0", "mgmt"} <= names
    assert max(map(len, names)) <= 15


def test_range_that_an_interface_has_is_taken() -> None:
    wanted = [IPv4Network("198.18.220.0/25"), IPv4Network("198.19.220.0/24")]
    links = {"eth0": ["192.0.2.2/24"], "dm23000e": ["198.19.0.1/16"], "lo": ["127.0.0.1/8"]}

    assert taken(links, wanted) == ["dm23000e has 198.19.0.1/16"]


def test_host_is_the_same_after_it_was_words(lab: Lab) -> None:
    assert from_words(to_words(lab, "compute2")) == (lab, "compute2")


def test_first_process_of_a_host_ends_with_its_supervisor_and_its_namespaces(lab: Lab) -> None:
    words = to_words(lab, "compute1")

    argv = supervisor.init_argv(Host(lab, "compute1"), words)

    assert argv[:7] == [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "ip",
        "netns",
        "exec",
        "dm-guests-compute1",
    ]
    assert {"--pid", "--fork", "--kill-child=SIGKILL", "--mount", "--uts"} <= set(argv)
    assert argv[-2 - len(words) :] == ["-m", "lab.guests.host_init", *words]


def test_nova_compute_is_in_its_host_but_not_in_its_network() -> None:
    argv = compute.inside_argv(4711, ["nova-compute", "--config-file", "x"])

    assert argv[:3] == ["setpriv", "--pdeathsig", "KILL"]
    assert argv[3:9] == ["nsenter", "--target", "4711", "--mount", "--uts", "--pid"]
    assert "--net" not in argv
    assert argv[-3:] == ["nova-compute", "--config-file", "x"]


def test_sshd_answers_on_the_hosts_address_and_to_a_key_only(lab: Lab) -> None:
    host = Host(lab, "compute2")

    lines = _files(host)["sshd_config"].splitlines()

    assert f"ListenAddress {host.address}" in lines
    assert "AuthorizedKeysFile /keys" in lines
    assert "HostKey /own" in lines
    assert {"PasswordAuthentication no", "KbdInteractiveAuthentication no"} <= set(lines)


def test_hosts_have_different_ids_for_libvirt(lab: Lab) -> None:
    ids = {
        line
        for name in lab.hosts
        for line in _files(Host(lab, name))["libvirtd.conf"].splitlines()
        if line.startswith("host_uuid")
    }

    assert len(ids) == len(lab.hosts)


def test_every_host_finds_the_others_by_name(lab: Lab) -> None:
    lines = _files(Host(lab, "compute1"))["hosts"].splitlines()

    assert [line.split()[1] for line in lines] == ["localhost", *lab.hosts]
    assert all(ip_address(line.split()[0]) for line in lines)


def test_tunnels_leave_by_a_bridge_whose_prefix_holds_the_other_ends(lab: Lab) -> None:
    network = Network(lab)
    first, second = (Host(lab, name) for name in lab.hosts[:2])

    assert network.tunnels_of(second.name).ip in ip_interface(str(first.tunnels)).network
    assert f'external_ids:ovn-encap-ip="{first.tunnels.ip}"' in first.switch_settings()


def test_bridge_has_the_address_of_its_interface_so_it_is_the_same_after_a_reboot(lab: Lab) -> None:
    macs = {"ext0": "02:00:00:00:00:01", "tun0": "02:00:00:00:00:02"}

    words = Host(lab, "compute1").switch_bridges(macs)

    by_bridge = {words[at + 1]: words[at + 3] for at, word in enumerate(words) if word == "bridge"}
    assert by_bridge == {
        "br-ex": 'other_config:hwaddr="02:00:00:00:00:01"',
        "br-tun": 'other_config:hwaddr="02:00:00:00:00:02"',
    }


def test_only_the_gateway_is_between_guests_and_the_outside(lab: Lab) -> None:
    told = 'external_ids:ovn-cms-options="enable-chassis-as-gw"'

    assert [name for name in Network(lab).hosts if told in Host(lab, name).switch_settings()] == [
        GATEWAY
    ]
    assert Host(lab, GATEWAY).services() == []


def test_switch_waits_for_no_guest_and_no_guest_for_the_control_plane(lab: Lab) -> None:
    host = Host(lab, "compute1")
    services = [*host.services(), *host.network_services(follows_kernel=False)]

    started = {service.name: list(service.argv[:3]) for service in services}
    assert started["ovs-vswitchd"] == ["chrt", "--rr", "1"]
    assert started["ovsdb-server"] == started["ovn-controller"] == ["nice", "-n", "-15"]
    assert started["libvirtd"] == ["nice", "-n", "-10"]
    assert started["sshd"][0] == "/usr/sbin/sshd"


def test_new_database_of_ovn_listens_and_is_patient() -> None:
    database, connection, root = json.loads(
        ovn.first_rows("OVN_Northbound", "NB_Global", "ptcp:1:2.3.4.5")
    )

    assert database == "OVN_Northbound"
    assert connection["row"] == {"target": "ptcp:1:2.3.4.5", "inactivity_probe": 60_000}
    assert root["table"] == "NB_Global"
    assert root["row"] == {"connections": ["named-uuid", connection["uuid-name"]]}


@pytest.mark.parametrize("name", sorted(path.name for path in SHIMS.iterdir()))
def test_command_of_a_host_is_a_program_that_a_shell_understands(name: str) -> None:
    path = SHIMS / name

    assert path.stat().st_mode & 0o111
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell here")
def test_host_refuses_what_it_cannot_do_and_says_what_it_can() -> None:
    for argv in (["systemctl", "stop", "nova-compute"], ["shutdown", "-h", "now"]):
        done = subprocess.run(
            ["sh", str(SHIMS / argv[0]), *argv[1:]], capture_output=True, text=True, check=False
        )

        assert done.returncode == 1
        assert "a host of the lab knows" in done.stderr


def test_a_host_knows_the_other_ends_of_its_tunnels_and_no_two_are_the_same(lab: Lab) -> None:
    network = Network(lab)
    macs = {network.tunnel_mac_of(name) for name in network.hosts}
    assert len(macs) == len(network.hosts)
    for name in network.hosts:
        ends = Host(lab, name).tunnel_ends
        assert set(ends.values()) == macs - {network.tunnel_mac_of(name)}
        assert f"link set tun0 address {network.tunnel_mac_of(name)}" in network.host_commands(name)


def test_what_the_kind_adds_may_be_asked_for_twice(lab: Lab) -> None:
    site = Site(lab, "x7-unsaid")
    assert catalogue.parts_of(site).services
    assert catalogue.parts_of(site).services


def test_host_has_accounts_of_its_own_with_which_libvirtd_and_sshd_start(lab: Lab) -> None:
    host = Host(lab, "compute1")

    files = _files(host)
    users = {line.split(":")[0]: line.split(":") for line in files["passwd"].splitlines()}
    groups = {line.split(":")[0] for line in files["group"].splitlines()}
    locked = {line.split(":")[0] for line in files["shadow"].splitlines()}

    assert {"root", "sshd", "libvirt-qemu"} <= users.keys()
    assert {"root", "libvirt-qemu"} <= groups
    assert all(len(fields) == 7 for fields in users.values())
    # "!" would be an account that sshd lets nobody into, not even with a key.
    assert locked == users.keys()
    assert all(line.split(":")[1] == "*" for line in files["shadow"].splitlines())
    for name in ("passwd", "group", "shadow"):
        assert host.mounts[Path("/etc", name)] in host.files(Path("/keys"), Path("/own"))


def test_switch_is_told_its_routes_unless_the_tunnels_of_ovn_need_the_kernels(lab: Lab) -> None:
    host = Host(lab, "compute1")

    told, following = (
        host.network_services(follows_kernel=follows)[1].argv for follows in (False, True)
    )

    assert "--disable-system-route" in told
    assert "--disable-system-route" not in following


@pytest.mark.parametrize(("told", "major"), [("23.03.1", 23), ("25.03.0", 25)])
def test_version_of_ovn_is_what_it_says_and_not_that_of_open_vswitch(told: str, major: int) -> None:
    said = f"ovn-controller {told}\nOpen vSwitch Library 3.5.0\nOpenFlow versions 0x6:0x6\n"

    assert versions.major(said) == major


def test_ovn_that_does_not_tell_its_version_is_an_unmet_precondition() -> None:
    with pytest.raises(PreconditionError, match="version of ovn-controller"):
        versions.major("Open vSwitch Library 3.5.0\n")
