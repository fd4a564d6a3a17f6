# SPDX-License-Identifier: Apache-2.0
"""A host whose cable to the management network is pulled in the middle of its maintenance; on a lab of kind guests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from doctor_maintenance.protocol import HostState, SessionState
from doctor_maintenance.scenario import Application, Expected, Scenario
from lab.guests.commands import call
from lab.guests.network import MANAGEMENT, Network, _port
from lab.layout import Kind, Lab
from labs.outages import Playing, Record, mend, why

pytestmark = [pytest.mark.slow, pytest.mark.outage]

EMPTIED = Scenario(
    name="cut_off",
    summary="one host is emptied, and cut off before anything is done to it",
    applications=(Application("app", singles=0),),
    max_hosts=1,
    rules={"settle_s": 20.0},  # in which it is looked into, and cut off
    expected=Expected(
        SessionState.MAINTENANCE_FAILED,
        HostState.MAINTENANCE_FAILED,
        allowed_gap_s=0.2,  # of the switch-over, on a machine that is too busy; it is not what is tried here
        clauses=(),
    ),
)


@pytest.fixture
def guests(running: Lab) -> Iterator[Lab]:
    if running.kind is not Kind.GUESTS:
        pytest.skip("the hosts of this kind of lab have no cables")
    yield running
    for host in running.hosts:
        cable(running, host, "up")
    mend(running)


def cable(lab: Lab, host: str, state: str) -> None:
    """Pull the cable between a host and the management network, or plug it in, at the switch's end."""
    call("ip", "-n", Network(lab).hub, "link", "set", _port(host, MANAGEMENT), state)


def found_empty(record: Record) -> bool:
    return record["kind"] == "ssh" and record["phase"] == "during"


def over(record: Record) -> bool:
    return record["kind"] == "session" and record["state"] == SessionState.MAINTENANCE_FAILED


def test_a_host_that_is_cut_off_in_maintenance_fails_alone_and_is_named(
    guests: Lab, tmp_path: Path
) -> None:
    with Playing(guests, EMPTIED, tmp_path) as play:
        host = play.moment("a look into the empty host", found_empty)["host"]
        cable(guests, host, "down")
        play.moment("the end of the session", over)
        cable(guests, host, "up")

        report = play.report()
        assert report.passed, why(report)
        assert report.left == ()
        states = {record["host"]: record for record in play.records("service")}
        assert states[host]["status"] == "disabled"
        assert host in play.log("admin-tool")
