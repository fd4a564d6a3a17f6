# SPDX-License-Identifier: Apache-2.0
"""What the explorer found: each a defect once, here as the smallest conversation that shows it."""

from __future__ import annotations

from typing import Any

import pytest

from doctor_maintenance.exceptions import InvalidRequestError
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import HostState, MaintenanceType, SessionState
from tests.planning.test_session import A1, Play, leave, session


def disabling_seems_to_fail(command: Any) -> str | None:
    return "503" if isinstance(command, do.DisableCompute) else None


def test_a_disabling_that_failed_without_a_refusal_is_taken_back() -> None:
    """Seed 197: Nova answered 503 each time, and had disabled the host; it stayed disabled for good."""
    play = Play(session("h1"), {"h1": []}, fail=disabling_seems_to_fail)

    assert play.run() == ["DisableCompute h1", "EnableCompute h1", "end MAINTENANCE_CANCELED"]


def test_a_disabling_that_seems_to_fail_while_the_operator_cancels_is_taken_back() -> None:
    play = Play(session("h1"), {"h1": []})
    play.session.handle(saw.Opened(), play.now)
    (disable,) = play.session.handle(saw.TimerFired("start"), play.now)
    play.session.handle(saw.OperatorCanceled(), play.now)

    out = play.session.handle(saw.CommandFailed(disable.key, "503"), play.now)  # type: ignore[union-attr]

    assert [type(command) for command in out] == [do.EnableCompute]


def test_a_refused_disabling_leaves_nothing_to_take_back() -> None:
    play = Play(session("h1"), {"h1": []})
    play.session.handle(saw.Opened(), play.now)
    (disable,) = play.session.handle(saw.TimerFired("start"), play.now)

    out = play.session.handle(saw.CommandFailed(disable.key, "404", permanent=True), play.now)  # type: ignore[union-attr]

    assert not any(isinstance(command, do.EnableCompute) for command in out)
    assert out[-1] == do.EndSession(SessionState.MAINTENANCE_CANCELED)


def test_a_released_host_was_not_maintained() -> None:
    """Seed 99: it was called MAINTENANCE_OVER, and nothing had been done on it."""
    play = Play(
        session("h1"),
        {"h1": []},
        fail=lambda command: "no answer" if isinstance(command, do.Maintain) else None,
    )
    play.run()

    play.tell(saw.OperatorReleased("h1"))

    assert play.session.works["h1"].state is HostState.MAINTENANCE_CANCELED


def test_the_inspector_is_told_that_it_is_over_if_it_may_have_been_told_of_the_maintenance() -> (
    None
):
    """A bus that takes a message and reports a failure left the inspector standing down for ever."""

    def bus_fails(command: Any) -> str | None:
        state = getattr(getattr(command, "notification", None), "state", "")
        return (
            "timeout" if isinstance(command, do.NotifyHost) and state == "IN_MAINTENANCE" else None
        )

    play = Play(session("h1"), {"h1": [A1]}, fail=bus_fails)

    log = play.run()

    assert log[-4:] == [
        "EnableCompute h1",
        "tell inspector h1 MAINTENANCE_OVER",
        "tell project-a MAINTENANCE_CANCELED",
        "end MAINTENANCE_CANCELED",
    ]


def entering_and_enabling_fail(command: Any) -> str | None:
    state = getattr(getattr(command, "notification", None), "state", "")
    told = isinstance(command, do.NotifyHost) and state == "IN_MAINTENANCE"
    return "timeout" if told or isinstance(command, do.EnableCompute) else None


def test_the_inspector_is_not_told_that_it_is_over_while_the_host_is_still_disabled() -> None:
    """Seed 5002041: step 11 came before step 10, which the operator had to make up for."""
    play = Play(session("h1"), {"h1": [A1]}, fail=entering_and_enabling_fail)

    assert "tell inspector h1 MAINTENANCE_OVER" not in play.run()
    assert play.ended == [SessionState.MAINTENANCE_FAILED]
    play.fail = lambda command: None
    play.log.clear()
    play.tell(saw.OperatorReleased("h1"))

    assert play.log == [
        "EnableCompute h1",
        "tell inspector h1 MAINTENANCE_OVER",
        "end MAINTENANCE_CANCELED",
    ]


def rebooting_fails(command: Any) -> str | None:
    return "no answer" if getattr(command, "step", "") == "REBOOT" else None


def test_a_released_host_gets_its_instances_running_first() -> None:
    """Seed 3139: a standby that had been left on the host stayed SHUTOFF."""
    play = Play(
        session("h1", kind=MaintenanceType.REBOOT),
        {"h1": [A1]},
        {"project-a": leave},
        fail=rebooting_fails,
    )
    play.run()
    play.log.clear()

    play.tell(saw.OperatorReleased("h1"))

    assert play.log[:2] == ["restore a1", "EnableCompute h1"]


def test_a_released_host_is_put_back_even_if_its_instances_do_not_run() -> None:
    play = Play(
        session("h1", kind=MaintenanceType.REBOOT),
        {"h1": [A1]},
        {"project-a": leave},
        fail=lambda command: (
            "SHUTOFF" if isinstance(command, do.RestoreInstances) else rebooting_fails(command)
        ),
    )
    play.run()
    play.log.clear()

    play.tell(saw.OperatorReleased("h1"))

    assert play.log[:2] == ["restore a1", "EnableCompute h1"]
    assert play.disabled == set()


def test_a_part_of_a_host_cannot_be_rebooted() -> None:
    """Seed 21: instances that nobody had asked about went down with the host."""
    with pytest.raises(InvalidRequestError, match="a reboot affects every instance"):
        session("h1", kind=MaintenanceType.REBOOT, affected={"h1": frozenset({"a1"})})
