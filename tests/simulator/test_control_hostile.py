# SPDX-License-Identifier: Apache-2.0
"""What the control API takes, it can also use: the rest is refused at once, and never stops the cloud."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sim_world import CLOUD_URL, World

from doctor_maintenance.simulator.app import create_app
from doctor_maintenance.simulator.control import MOST_FAULTS


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def post(world: World, path: str, text: str) -> Any:
    return world.http.post(f"{CLOUD_URL}/control{path}", data=text.encode(), timeout=5)


def refused(answer: Any) -> str:
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"]["message"])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "true", '"1"', "1e17"])
@pytest.mark.parametrize("path", ["seed", "tick"])
def test_what_is_no_ordinary_number_is_refused(world: World, path: str, number: str) -> None:
    name = {"seed": "seed", "tick": "seconds"}[path]

    assert refused(post(world, f"/{path}", f'{{"{name}": {number}}}')).startswith(name)


@pytest.mark.parametrize("number", ["-1", "0.5"])
def test_a_seed_is_a_whole_number(world: World, number: str) -> None:
    assert "whole number" in refused(post(world, "/seed", f'{{"seed": {number}}}'))


@pytest.mark.parametrize("seconds", ["-1", "86401"])
def test_time_jumps_neither_back_nor_too_far(world: World, seconds: str) -> None:
    assert "from 0 to 86400" in refused(post(world, "/tick", f'{{"seconds": {seconds}}}'))


@pytest.mark.parametrize("since", ["-1", "x", "\N{SUPERSCRIPT TWO}", "9" * 5000, "1.0", " 1"])
def test_what_is_no_number_of_an_event_is_refused(world: World, since: str) -> None:
    answer = world.http.get(f"{CLOUD_URL}/control/events", params={"since": since}, timeout=5)

    assert refused(answer).startswith("since")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"name": "alarm_late", "parameters": {"delay_s": "soon"}}, "parameters[delay_s]"),
        ({"name": "alarm_late", "parameters": {"delay_s": -1}}, "parameters[delay_s]"),
        ({"name": "alarm_late", "parameters": {"delay_s": None}}, "parameters[delay_s]"),
        ({"name": "api_error", "parameters": {"status": 99}}, "parameters[status]"),
        ({"name": "api_error", "parameters": {"status": 200}}, "parameters[status]"),
        ({"name": "api_error", "parameters": {"status": True}}, "parameters[status]"),
        ({"name": "api_error", "parameters": {"retry_after_s": "x"}}, "parameters[retry_after_s]"),
        ({"name": "alarm_lost", "criteria": {"project": 1}}, "criteria[project]"),
        ({"name": "alarm_lost", "times": True}, "times"),
        ({"name": "alarm_lost", "times": 0}, "times"),
        ({"name": "alarm_lost", "colour": 1}, "colour"),
        ({"name": "nonsense"}, "there is no fault"),
    ],
)
def test_a_fault_that_cannot_happen_is_refused(
    world: World, fault: dict[str, Any], reason: str
) -> None:
    assert reason in refused(post(world, "/faults", json.dumps(fault)))
    assert world.cloud.faults.armed() == []


def test_only_so_many_faults_are_armed() -> None:
    world = World()
    for _ in range(MOST_FAULTS):
        world.cloud.faults.add("alarm_lost")

    assert post(world, "/faults", '{"name": "alarm_lost"}').status_code == 429


@pytest.mark.parametrize("length", ["x", "-1", "1" * 5000, "\N{SUPERSCRIPT TWO}", "0x10"])
def test_a_content_length_that_is_no_number_is_refused(world: World, length: str) -> None:
    seen: list[str] = []
    environ = {"PATH_INFO": "/control/seed", "REQUEST_METHOD": "POST", "CONTENT_LENGTH": length}

    create_app(world.cloud)(environ, lambda status, headers, *_: seen.append(status))  # type: ignore[arg-type,return-value]

    assert seen == ["400 Bad Request"]
