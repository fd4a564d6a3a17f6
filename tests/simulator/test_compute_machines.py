# SPDX-License-Identifier: Apache-2.0
"""Hosts as machines: reboot, what it does to guests and services, and how it goes wrong."""

from __future__ import annotations

import dataclasses

import pytest

from doctor_maintenance.exceptions import NotFoundError
from doctor_maintenance.simulator.compute import Compute
from doctor_maintenance.simulator.profiles import get_profile
from doctor_maintenance.simulator.records import BootRequest, Instance

from .sim import Sim


def booted(sim: Sim, host: str = "compute1") -> Instance:
    """Return an instance that is ACTIVE on a host."""
    request = BootRequest("one", "m1.small", host=host)
    instance = sim.cloud.compute.boot("project", request)[0]
    sim.clock.run()
    return instance


def service(compute: Compute, host: str = "compute1") -> tuple[str, str]:
    found = compute.hosts[host].service
    return found.status, found.state


def test_a_reboot_changes_the_boot_id() -> None:
    sim = Sim("fast", served=False)
    host = sim.cloud.compute.hosts["compute1"]
    before = host.boot_id
    sim.cloud.compute.reboot_host("compute1")
    assert not host.powered
    sim.clock.run()
    assert host.powered
    assert host.boot_id != before


def test_the_service_is_down_only_after_a_while_and_up_after_the_boot() -> None:
    sim = Sim("fast", served=False)
    compute = sim.cloud.compute
    seen = []
    sim.cloud.subscribe(
        lambda event: seen.append(event.fields["state"]) if event.kind == "service" else None
    )
    compute.reboot_host("compute1")
    assert service(compute) == ("enabled", "up")
    sim.clock.run()
    assert seen == ["down", "up"]


def test_a_disabled_host_is_disabled_after_its_reboot() -> None:
    sim = Sim("fast", served=False)
    sim.cloud.compute.machines.disable("compute1", "maintenance")
    sim.cloud.compute.reboot_host("compute1")
    sim.clock.run()
    found = sim.cloud.compute.hosts["compute1"].service
    assert (found.status, found.state, found.disabled_reason) == ("disabled", "up", "maintenance")


def test_a_guest_is_down_with_its_host_and_resumed_after_it() -> None:
    sim = Sim("fast", served=False)
    compute = sim.cloud.compute
    instance = booted(sim)
    compute.reboot_host("compute1")
    assert not compute.is_running(instance.instance_id)
    assert instance.status == "ACTIVE"
    sim.clock.run()
    assert compute.is_running(instance.instance_id)


def test_a_guest_is_shutoff_after_the_reboot_if_the_profile_says_so() -> None:
    sim = Sim(dataclasses.replace(get_profile("fast"), resume_guests=False), served=False)
    instance = booted(sim)
    sim.cloud.compute.reboot_host("compute1")
    sim.clock.run()
    assert instance.status == "SHUTOFF"
    assert not sim.cloud.compute.is_running(instance.instance_id)


def test_a_guest_that_was_stopped_stays_stopped() -> None:
    sim = Sim("fast", served=False)
    instance = booted(sim)
    sim.cloud.compute.stop(instance.instance_id)
    sim.clock.run()
    sim.cloud.compute.reboot_host("compute1")
    sim.clock.run()
    assert instance.status == "SHUTOFF"


def test_a_guest_that_was_moved_before_is_resumed_as_well() -> None:
    sim = Sim("fast", served=False)
    compute = sim.cloud.compute
    instance = booted(sim)
    compute.live_migrate(instance.instance_id, "compute2")
    sim.clock.run()
    compute.reboot_host("compute2")
    sim.clock.run()
    assert compute.is_running(instance.instance_id)


def test_a_host_may_not_come_back() -> None:
    sim = Sim("fast", served=False)
    compute = sim.cloud.compute
    sim.cloud.faults.add("host_does_not_come_back", {"host": "compute1"})
    compute.reboot_host("compute1")
    sim.clock.run()
    assert not compute.hosts["compute1"].powered
    assert service(compute) == ("enabled", "down")
    sim.cloud.faults.clear()
    compute.machines.power_on("compute1")
    sim.clock.run()
    assert service(compute) == ("enabled", "up")


def test_a_service_may_come_back_late() -> None:
    sim = Sim("fast", served=False)
    compute = sim.cloud.compute
    sim.cloud.faults.add("service_comes_back_late", {"host": "compute1"}, {"delay_s": 30.0})
    compute.reboot_host("compute1")
    sim.clock.advance(20)
    assert compute.hosts["compute1"].powered
    assert service(compute)[1] == "down"
    sim.clock.advance(20)
    assert service(compute)[1] == "up"


def test_an_instance_that_is_being_built_on_a_host_that_goes_down_ends_in_error() -> None:
    sim = Sim("fast", served=False)
    request = BootRequest("one", "m1.small", host="compute1")
    instance = sim.cloud.compute.boot("project", request)[0]
    sim.clock.advance(0.12)
    sim.cloud.compute.machines.power_off("compute1")
    sim.clock.run()
    assert instance.status == "ERROR"


def test_what_is_asked_of_a_dead_host_is_forgotten_at_its_boot() -> None:
    sim = Sim("fast", served=False)
    compute = sim.cloud.compute
    instance = booted(sim)
    compute.machines.power_off("compute1")
    compute.stop(instance.instance_id)
    sim.clock.run()
    assert instance.task_state == "powering-off"
    compute.machines.power_on("compute1")
    sim.clock.run()
    assert (instance.status, instance.task_state) == ("ACTIVE", None)


def test_forcing_a_service_down_does_not_stop_its_guests() -> None:
    sim = Sim("fast", served=False)
    compute = sim.cloud.compute
    instance = booted(sim)
    compute.machines.force_down(compute.hosts["compute1"].service, True)
    assert service(compute)[1] == "down"
    assert compute.is_running(instance.instance_id)


def test_guests_are_listed_where_they_really_are() -> None:
    sim = Sim("fast", served=False)
    compute = sim.cloud.compute
    instance = booted(sim)
    assert compute.guests_on("compute1") == [instance]
    compute.live_migrate(instance.instance_id, "compute2")
    sim.clock.run()
    assert compute.guests_on("compute1") == []
    assert compute.guests_on("compute2") == [instance]


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(NotFoundError, match="Compute host nowhere could not be found"):
        Sim("fast", served=False).cloud.compute.reboot_host("nowhere")


def test_the_same_seed_gives_the_same_events() -> None:
    def story() -> list[tuple[float, str, dict[str, object]]]:
        sim = Sim("realistic", served=False)
        events: list[tuple[float, str, dict[str, object]]] = []
        sim.cloud.subscribe(lambda event: events.append((event.at, event.kind, dict(event.fields))))
        instance = booted(sim)
        sim.cloud.compute.live_migrate(instance.instance_id)
        sim.clock.run()
        sim.cloud.compute.reboot_host("compute1")
        sim.clock.run()
        return events

    assert story() == story()
