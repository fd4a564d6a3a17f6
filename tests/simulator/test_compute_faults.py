# SPDX-License-Identifier: Apache-2.0
"""Faults, timing profiles and topologies, as data."""

from __future__ import annotations

import dataclasses
import random

import pytest

from doctor_maintenance.exceptions import InvalidRequestError, NotFoundError, UsageError
from doctor_maintenance.simulator.faults import FAULT_KINDS, Faults
from doctor_maintenance.simulator.processes import FOREVER, Process, Steps
from doctor_maintenance.simulator.profiles import PROFILES, TimingProfile, get_profile
from doctor_maintenance.simulator.profiles.base import draw
from doctor_maintenance.simulator.topology import build_topology

from .sim import Sim


def test_a_fault_happens_as_often_as_it_was_told() -> None:
    faults = Faults()
    faults.add("alarm_lost", times=2)
    happened = [faults.decide("aodh.post", url="u") is not None for _ in range(3)]
    assert happened == [True, True, False]


def test_a_fault_happens_only_where_its_criteria_fit() -> None:
    faults = Faults()
    faults.add("migration_fails", {"instance": "app-*", "source": "compute1"})
    facts = {"instance": ("uuid", "app-0"), "source": "compute1"}
    assert faults.decide("compute.migrate", **facts) is not None
    assert faults.decide("compute.migrate", **{**facts, "source": "compute2"}) is None
    assert faults.decide("compute.migrate", instance=("uuid", "db"), source="compute1") is None
    assert faults.decide("compute.schedule", **facts) is None


def test_a_fault_has_its_kinds_defaults() -> None:
    faults = Faults()
    faults.add("api_error", parameters={"status": 500})
    behaviour = faults.decide("api", service="compute")
    assert behaviour is not None
    assert behaviour.parameters == {"status": 500, "retry_after_s": None}


@pytest.mark.parametrize(
    ("name", "criteria", "parameters", "times", "reason"),
    [
        ("sabotage", {}, {}, None, "there is no fault 'sabotage'; there are: alarm_cache_stale"),
        (
            "alarm_lost",
            {"colour": "red"},
            {},
            None,
            "has no criterion 'colour'; it has: event_type",
        ),
        ("alarm_late", {}, {"hours": 1}, None, "has no parameter 'hours'; it has: delay_s"),
        ("alarm_lost", {}, {}, 0, "a fault happens at least once"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(
    name: str, criteria: dict[str, str], parameters: dict[str, int], times: int | None, reason: str
) -> None:
    with pytest.raises(InvalidRequestError, match=reason):
        Faults().add(name, criteria, parameters, times)


def test_a_fault_is_disarmed_once() -> None:
    faults = Faults()
    fault = faults.add("alarm_lost")
    faults.remove(fault.fault_id)
    with pytest.raises(NotFoundError, match="no fault 1 is armed"):
        faults.remove(fault.fault_id)


def test_every_kind_of_fault_says_what_it_does() -> None:
    assert all(kind.doc.endswith(".") for kind in FAULT_KINDS.values())


def test_an_unknown_profile_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="there are: fast, instant, realistic"):
        get_profile("slow")


def test_every_attribute_of_a_profile_is_described() -> None:
    text = TimingProfile.__doc__ or ""
    for field in dataclasses.fields(TimingProfile):
        assert f"        {field.name}: " in text


def test_the_instant_profile_has_no_durations() -> None:
    sim = Sim("instant", served=False)
    began = sim.clock.now()
    sim.cloud.compute.reboot_host("compute1")
    sim.clock.run()
    assert sim.clock.now() == began


def test_a_spread_is_drawn_between_its_ends() -> None:
    rng = random.Random(1)
    assert all(1.0 <= draw((1.0, 2.0), rng) <= 2.0 for _ in range(50))
    assert draw(0.5, rng) == 0.5


def test_the_fast_profile_is_quicker_than_the_realistic_one() -> None:
    fast, realistic = PROFILES["fast"], PROFILES["realistic"]
    for field in dataclasses.fields(TimingProfile):
        quick, slow = getattr(fast, field.name), getattr(realistic, field.name)
        if isinstance(quick, float):
            assert quick <= (slow[1] if isinstance(slow, tuple) else slow), field.name


def test_hosts_and_floating_ips_never_share_an_address() -> None:
    topology = build_topology(100)
    assert topology.floating_block == "127.77.0.128/25"
    assert topology.hosts[-1].address == "127.77.0.100"


def test_more_hosts_than_a_block_has_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="has room for 126"):
        build_topology(127, address_block="127.1.2.0/24")


def test_a_large_cloud_takes_a_larger_block() -> None:
    assert build_topology(300).address_block == "127.77.0.0/16"


def test_a_process_that_is_stopped_takes_no_further_step() -> None:
    sim = Sim("instant", served=False)
    seen: list[str] = []

    def steps() -> Steps:
        seen.append("begun")
        try:
            yield 1.0
            seen.append("never")
        finally:
            seen.append("tidied")

    process = Process(sim.clock, steps())
    process.stop()
    sim.clock.run()
    assert seen == ["begun", "tidied"]
    assert not process.running


def test_a_process_may_wait_forever() -> None:
    sim = Sim("instant", served=False)

    def steps() -> Steps:
        yield FOREVER

    process = Process(sim.clock, steps())
    assert sim.clock.run() == 0
    assert process.running
