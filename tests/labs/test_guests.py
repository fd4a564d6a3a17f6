# SPDX-License-Identifier: Apache-2.0
"""What a virt driver without a hypervisor writes down, and who else reads it."""

import socket
from pathlib import Path

import pytest

from lab.inside.virt.lab_guests import Records

GUEST = {
    "id": "11111111-0000-4000-8000-000000000001",
    "name": "app-ha-1",
    "libvirt_name": "instance-00000001",
    "host": "compute1",
    "running": True,
    "ports": ["port-1"],
}


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path, tmp_path / "bell.sock")


def test_record_is_read_as_it_was_written(records: Records) -> None:
    records.put(GUEST)

    assert records.get(GUEST["id"]) == GUEST
    assert records.on("compute1") == [GUEST]
    assert records.on("compute2") == []


def test_live_migration_hands_a_guest_over_in_one_write(records: Records) -> None:
    records.put(GUEST)

    records.change(GUEST["id"], "compute1", host="compute2")

    assert records.get(GUEST["id"]) == {**GUEST, "host": "compute2"}


def test_source_host_cannot_change_or_remove_a_guest_that_has_moved(records: Records) -> None:
    moved = {**GUEST, "host": "compute2"}
    records.put(moved)

    records.change(GUEST["id"], "compute1", running=False)
    records.remove(GUEST["id"], "compute1")

    assert records.get(GUEST["id"]) == moved


def test_removed_guest_is_on_no_host(records: Records) -> None:
    records.put(GUEST)

    records.remove(GUEST["id"], "compute1")

    assert records.get(GUEST["id"]) is None
    assert records.on("compute1") == []


def test_bell_is_rung_at_every_change(records: Records, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.bind(str(tmp_path / "bell.sock"))
        bell.settimeout(5.0)

        records.put(GUEST)
        assert bell.recv(100)
        records.change(GUEST["id"], "compute1", running=False)
        assert bell.recv(100)
        records.remove(GUEST["id"], "compute1")
        assert bell.recv(100)


def test_nobody_need_listen_to_the_bell(records: Records) -> None:
    records.put(GUEST)

    assert records.get(GUEST["id"]) == GUEST
