# SPDX-License-Identifier: Apache-2.0
"""What a host runs is started again when it ends, but not for ever."""

from __future__ import annotations

import pytest

from lab.guests.host import Service
from lab.guests.keeping import PAUSE_S, Keeper

LIBVIRTD = Service("libvirtd", ["libvirtd"])
SSHD = Service("sshd", ["sshd"])


class Host:
    """A host on which nothing runs; process IDs are given in order."""

    def __init__(self) -> None:
        self.time = 100.0
        self.started: list[str] = []
        self.told: list[str] = []
        self.keeper = Keeper(self.start, lambda: self.time, self.told.append)

    def start(self, service: Service) -> int:
        self.started.append(service.name)
        return len(self.started)

    def end_and_begin(self, pid: int) -> None:
        self.keeper.ended(pid, 9)
        self.time += PAUSE_S
        for service in self.keeper.due():
            self.keeper.begin(service)


@pytest.fixture
def host() -> Host:
    made = Host()
    made.keeper.begin(LIBVIRTD)
    made.keeper.begin(SSHD)
    return made


def test_service_that_ended_is_due_after_a_pause_and_once(host: Host) -> None:
    host.keeper.ended(1, 9)

    assert host.keeper.due() == []
    assert host.keeper.wait_s == pytest.approx(PAUSE_S)
    host.time += PAUSE_S
    assert host.keeper.due() == [LIBVIRTD]
    assert host.keeper.due() == []
    assert host.keeper.wait_s is None
    assert host.told == ["libvirtd ended with status 9: starting it again"]


def test_process_that_is_no_service_is_not_started_again(host: Host) -> None:
    host.keeper.ended(77, 0)

    assert host.keeper.wait_s is None
    assert host.told == []


def test_service_that_ends_again_and_again_is_left_alone(host: Host) -> None:
    host.end_and_begin(1)
    for pid in (3, 4, 5, 6):
        host.end_and_begin(pid)

    assert host.started.count("libvirtd") == 5
    assert "left alone" in host.told[-1]
    assert host.keeper.wait_s is None


def test_service_that_ends_now_and_then_is_started_each_time(host: Host) -> None:
    host.end_and_begin(1)
    for pid in (3, 4, 5, 6, 7, 8):
        host.time += 5.0
        host.end_and_begin(pid)

    assert host.started.count("libvirtd") == 8
