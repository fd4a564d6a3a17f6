# SPDX-License-Identifier: Apache-2.0
"""Faults over sockets and in real time: what virtual time cannot show."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
import requests

from doctor_maintenance.clock import WallClock
from doctor_maintenance.serving import serve
from doctor_maintenance.simulator.app import create_app
from doctor_maintenance.simulator.cloud import SimCloud


@pytest.fixture
def served() -> Iterator[tuple[SimCloud, str]]:
    clock = WallClock()
    clock.start()
    cloud = SimCloud(clock, random.Random(1))
    with serve(create_app(cloud)) as server:
        yield cloud, f"{server.url}/identity/v3"
    clock.stop()


@pytest.mark.parametrize("name", ["connection_reset", "answer_lost"])
def test_a_connection_is_cut_and_the_next_one_is_whole(
    served: tuple[SimCloud, str], name: str
) -> None:
    cloud, url = served
    cloud.faults.add(name, {"service": "identity"}, times=1)

    with pytest.raises(requests.RequestException):
        requests.get(url, timeout=5)
    assert requests.get(url, timeout=5).ok


def test_a_slow_service_answers_others_meanwhile(served: tuple[SimCloud, str]) -> None:
    cloud, url = served
    cloud.faults.add("api_slow", {"method": "GET"}, {"delay_s": 1.0}, times=1)

    with pytest.raises(requests.ReadTimeout):
        requests.get(url, timeout=0.2)
    assert requests.get(url, timeout=5).ok


def test_a_jump_of_the_machines_clock_moves_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = WallClock()
    before = clock.now()

    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0.0 <= clock.now() - before < 5.0
