# SPDX-License-Identifier: Apache-2.0
"""All services behind one port: paths, faults, the control API and what a request costs."""

from __future__ import annotations

import time
import timeit

import pytest

from doctor_maintenance.simulator.faults import FAULT_KINDS
from doctor_maintenance.simulator.services import MODULES, services

from .sim import BASE, Sim


def test_every_service_has_words_of_its_own() -> None:
    found = services()

    assert len(found) == len(MODULES)
    for word in ("type", "name", "path"):
        assert len({getattr(service, word) for service in found}) == len(found)


def test_unknown_first_segment_names_the_services() -> None:
    sim = Sim()

    answer = sim.http.get(f"{BASE}/nonsense")

    assert answer.status_code == 404
    assert "/identity" in answer.text
    assert "/compute" in answer.text


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("identity", "/identity/v3/regions"),
        ("network", "/network/v2.0/networks"),
        ("image", "/image/v2/images"),
        ("alarming", "/alarming/v2/alarms"),
        ("compute", "/compute/v2.1/servers"),
        ("placement", "/placement/resource_providers"),
    ],
)
def test_fault_lets_a_service_answer_an_error_in_its_own_form(service: str, path: str) -> None:
    sim = Sim()
    whole = sim.ask("GET", path, user="admin")
    sim.cloud.faults.add("api_error", {"service": service}, {"retry_after_s": 7}, times=1)

    failed = sim.ask("GET", path, user="admin")
    again = sim.ask("GET", path, user="admin")

    assert failed.status_code == 503
    assert failed.headers["Retry-After"] == "7"
    assert failed.headers["Content-Type"].startswith("application/json")
    assert (again.status_code, again.json()) == (200, whole.json())


def test_fault_can_be_restricted_to_one_method_and_path() -> None:
    sim = Sim()
    criteria = {"service": "neutron", "method": "PUT", "path": "/v2.0/floatingips/*"}
    sim.cloud.faults.add("api_error", criteria, {"status": 500})

    read = sim.ask("GET", "/network/v2.0/floatingips/x")
    written = sim.ask("PUT", "/network/v2.0/floatingips/x", {"floatingip": {}})

    assert (read.status_code, written.status_code) == (404, 500)


def test_control_arms_shows_and_disarms_faults() -> None:
    sim = Sim()
    wanted = {"name": "alarm_lost", "criteria": {"state": "X"}, "times": 2}

    armed = sim.http.post(f"{BASE}/control/faults", json=wanted)
    shown = sim.http.get(f"{BASE}/control/faults").json()
    gone = sim.http.delete(f"{BASE}/control/faults/{armed.json()['id']}")

    assert armed.status_code == 201
    assert [fault["name"] for fault in shown["armed"]] == ["alarm_lost"]
    assert {kind["name"] for kind in shown["kinds"]} == set(FAULT_KINDS)
    assert gone.status_code == 204
    assert sim.cloud.faults.armed() == []


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"name": "no_such"},
        {"name": "alarm_lost", "colour": 1},
        {"name": "alarm_lost", "times": "x"},
    ],
)
def test_control_refuses_a_fault_that_cannot_be_with_a_reason(body: object) -> None:
    sim = Sim()

    refused = sim.http.post(f"{BASE}/control/faults", json=body)

    assert refused.status_code == 400
    assert refused.json()["error"]["message"]


def test_control_lets_virtual_time_pass() -> None:
    sim = Sim()
    before = sim.clock.now()

    answer = sim.http.post(f"{BASE}/control/tick", json={"seconds": 2.5})

    assert answer.json()["now"] == before + 2.5
    assert sim.http.post(f"{BASE}/control/tick", json={"seconds": -1}).status_code == 400


def test_control_tells_what_happened_since_an_event() -> None:
    sim = Sim()
    external = sim.cloud.network.external.id
    floating = sim.cloud.network.floating.create(sim.project("demo"), external)

    first = sim.http.get(f"{BASE}/control/events").json()
    second = sim.http.get(f"{BASE}/control/events?since={first['last']}").json()

    assert first["events"][-1]["kind"] == "address"
    assert first["events"][-1]["address"] == floating.address
    assert second == {"events": [], "last": first["last"], "forgotten": 0}


def test_control_shows_and_resets_what_users_made() -> None:
    sim = Sim()
    sim.ask("POST", "/network/v2.0/networks", {"network": {"name": "n"}})
    sim.cloud.network.floating.create(sim.project("demo"), sim.cloud.network.external.id)
    alarm = {"name": "a", "type": "event", "event_rule": {}}
    sim.ask("POST", "/alarming/v2/alarms", alarm)
    sim.cloud.faults.add("alarm_lost")

    before = sim.http.get(f"{BASE}/control/state").json()
    assert sim.http.post(f"{BASE}/control/reset").status_code == 204
    after = sim.http.get(f"{BASE}/control/state").json()

    assert (before["alarms"], len(before["addresses"]), len(before["faults"])) == (1, 1, 1)
    assert (after["alarms"], after["addresses"], after["faults"]) == (0, {}, [])
    assert set(after["hosts"]) == {"compute1", "compute2", "compute3"}
    listed = sim.ask("GET", "/network/v2.0/networks").json()["networks"]
    assert [network["name"] for network in listed] == ["public"]


def test_body_that_is_too_large_is_refused() -> None:
    sim = Sim()

    answer = sim.http.post(f"{BASE}/identity/v3/auth/tokens", data=b"x" * 16_777_217)

    assert answer.status_code == 413


def test_view_runs_while_the_clock_stands_still() -> None:
    sim = Sim()
    entered: list[bool] = []
    call = sim.clock.call

    def watched(function: object) -> object:
        entered.append(True)
        return call(function)  # type: ignore[arg-type]

    sim.clock.call = watched  # type: ignore[assignment]
    sim.http.get(f"{BASE}/identity/v3")

    assert entered == [True]


def test_request_in_process_costs_little() -> None:
    sim = Sim()
    sim.ask("GET", "/network/v2.0/networks")

    best = min(
        timeit.repeat(
            lambda: sim.ask("GET", "/network/v2.0/networks"),
            timer=time.process_time,  # what else the machine does is no defect of ours
            number=20,
            repeat=5,
        )
    )

    assert best / 20 < 0.005, "a request takes about 1 ms; five times that is a defect"


def test_calls_take_their_time_in_the_realistic_profile_and_none_in_the_others() -> None:
    def takes(profile: str, method: str) -> float:
        sim = Sim(profile)
        sim.token("demo")
        began = sim.clock.now()
        sim.ask(method, "/network/v2.0/networks", {"network": {}} if method == "POST" else None)
        return sim.clock.now() - began

    assert 0.008 <= takes("realistic", "GET") <= 0.18
    assert 0.007 <= takes("realistic", "POST") <= 0.33
    assert takes("fast", "GET") == takes("instant", "POST") == 0.0
