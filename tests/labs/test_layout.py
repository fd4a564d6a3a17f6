# SPDX-License-Identifier: Apache-2.0
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from doctor_maintenance.exceptions import UsageError
from lab.layout import Kind, Port, named


def test_labs_of_the_two_kinds_share_no_folder_port_address_or_namespace(tmp_path: Path) -> None:
    one, other = (named(kind, root=tmp_path) for kind in Kind)

    assert one.home != other.home
    assert not {one.port(port) for port in Port} & {other.port(port) for port in Port}
    assert not {one.address_of(host) for host in one.hosts} & {
        other.address_of(host) for host in other.hosts
    }
    assert one.floating_range != other.floating_range
    assert one.namespace("hub") != other.namespace("hub")
    assert one.venv == other.venv


def test_named_lab_has_ports_of_its_own(tmp_path: Path) -> None:
    second = named(Kind.CONTROL_PLANE, name="second", root=tmp_path)

    assert second.home == tmp_path / "second"
    assert second.port_base != named(Kind.CONTROL_PLANE, root=tmp_path).port_base
    assert 23_000 <= second.port_base < 32_768


def test_hosts_do_not_answer_where_floating_ips_do(tmp_path: Path) -> None:
    lab = named(Kind.CONTROL_PLANE, hosts=9, root=tmp_path)

    addresses = [ip_address(lab.address_of(host)) for host in lab.hosts]
    assert len(set(addresses)) == 9
    assert all(address.is_loopback for address in addresses)
    assert not any(address in ip_network(lab.floating_range) for address in addresses)


@pytest.mark.parametrize("name", ["", "Lab", "9", "../home", "venv", "a" * 33])
def test_name_that_cannot_be_a_folder_and_a_namespace_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name"):
        named(Kind.CONTROL_PLANE, name=name, root=tmp_path)


@pytest.mark.parametrize("hosts", [0, 10])
def test_number_of_hosts_is_limited(hosts: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"1 to 9 hosts; found {hosts}"):
        named(Kind.CONTROL_PLANE, hosts=hosts, root=tmp_path)


@pytest.mark.parametrize("port", [80, 65_500])
def test_port_base_leaves_room_for_all_ports(port: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"found {port}"):
        named(Kind.CONTROL_PLANE, port_base=port, root=tmp_path)


def test_root_comes_from_the_environment_or_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCTOR_MAINTENANCE_LAB_ROOT", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert named(Kind.GUESTS).home == tmp_path / "doctor-maintenance" / "lab" / "guests"

    monkeypatch.setenv("DOCTOR_MAINTENANCE_LAB_ROOT", str(tmp_path / "labs"))
    assert named(Kind.GUESTS).home == tmp_path / "labs" / "guests"
