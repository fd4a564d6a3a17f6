# SPDX-License-Identifier: Apache-2.0
"""What stands in for hosts and guests follows what Nova and Neutron wrote down."""

import json

import pytest

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.simulator.data_plane import who_answers
from doctor_maintenance.simulator.events import CloudEvent
from doctor_maintenance.simulator.hosts import look
from lab.control_plane.machines import Machines
from lab.control_plane.parts import addresses_of, guests_of
from lab.control_plane.stand_in import stop_guests
from lab.inside.virt.lab_guests import Records
from lab.layout import Lab
from lab.site import Site

ADDRESS = "127.200.128.7"


@pytest.fixture
def lab(site: Site) -> Lab:
    for folder in (guests_of(site.lab), addresses_of(site.lab), site.lab.run):
        folder.mkdir(parents=True)
    return site.lab


def guest(lab: Lab, name: str, host: str, *, running: bool = True) -> Records:
    records = Records(guests_of(lab), lab.run / "bell.sock")
    records.put(
        {
            "id": f"id-{name}",
            "name": name,
            "libvirt_name": name,
            "host": host,
            "running": running,
            "ports": [f"port-{name}"],
        }
    )
    return records


def address(lab: Lab, port: str | None) -> None:
    record = {"address": ADDRESS, "port": port}
    (addresses_of(lab) / f"{ADDRESS}.json").write_text(json.dumps(record))


def machines(lab: Lab) -> Machines:
    return Machines(lab, VirtualClock(), reboot=lambda host: None)


def answering(cloud: Machines) -> str | None:
    responder = who_answers(cloud, ADDRESS)
    return None if responder is None else responder.name


def test_floating_ip_answers_with_the_instance_that_neutron_says_holds_it(lab: Lab) -> None:
    guest(lab, "active", "compute1")
    guest(lab, "standby", "compute2")
    address(lab, "port-active")
    cloud = machines(lab)
    assert answering(cloud) == "active"

    address(lab, "port-standby")
    cloud.read()

    assert answering(cloud) == "standby"


@pytest.mark.parametrize("port", [None, "port-of-nobody"])
def test_floating_ip_that_leads_nowhere_is_silent(lab: Lab, port: str | None) -> None:
    guest(lab, "active", "compute1")
    address(lab, port)

    assert answering(machines(lab)) is None


def test_floating_ip_is_silent_while_its_guest_is_stopped(lab: Lab) -> None:
    guest(lab, "active", "compute1", running=False)
    address(lab, "port-active")

    assert answering(machines(lab)) is None


def test_floating_ip_answers_throughout_a_live_migration(lab: Lab) -> None:
    records = guest(lab, "active", "compute1")
    address(lab, "port-active")
    cloud = machines(lab)

    records.change("id-active", "compute1", host="compute3")
    assert answering(cloud) == "active"  # before what changed is read
    cloud.read()

    assert answering(cloud) == "active"
    assert [one.name for one in cloud.guests_on("compute3")] == ["active"]
    assert cloud.guests_on("compute1") == []


def test_guest_does_not_run_on_a_host_that_is_off(lab: Lab) -> None:
    guest(lab, "active", "compute1")
    address(lab, "port-active")
    cloud = machines(lab)

    cloud.power("compute1", on=False)

    assert answering(cloud) is None


def test_boot_id_is_another_one_after_a_reboot(lab: Lab) -> None:
    cloud = machines(lab)
    before = look(cloud, "compute2").boot_id

    cloud.power("compute2", on=False)
    cloud.power("compute2", on=True)

    assert look(cloud, "compute2").boot_id != before


def test_guests_of_a_host_stop_with_it_and_others_do_not(lab: Lab) -> None:
    guest(lab, "here", "compute1")
    guest(lab, "there", "compute2")

    stop_guests(lab, "compute1")

    cloud = machines(lab)
    assert not cloud.is_running("id-here")
    assert cloud.is_running("id-there")
    assert [one.running for one in look(cloud, "compute1").guests] == [False]


def test_new_and_deleted_floating_ips_are_told(lab: Lab) -> None:
    cloud = machines(lab)
    told: list[CloudEvent] = []
    cloud.subscribe(told.append)

    address(lab, None)
    cloud.read()
    (addresses_of(lab) / f"{ADDRESS}.json").unlink()
    cloud.read()

    assert [event.fields for event in told] == [{"address": ADDRESS}, {"address": ADDRESS}]
    assert list(cloud.floating_addresses()) == []


def test_nova_compute_that_does_not_run_is_seen_over_ssh(lab: Lab) -> None:
    assert not look(machines(lab), "compute1").compute_running
