# SPDX-License-Identifier: Apache-2.0
"""What is done about an instance follows from what it looks like, and from nothing else."""

from __future__ import annotations

import pytest

from doctor_maintenance.admin_tool.calls import Server
from doctor_maintenance.admin_tool.moves import earlier_keys
from doctor_maintenance.admin_tool.next_steps import Step, next_step
from doctor_maintenance.protocol import Action

HERE, AWAY = "compute1", "compute2"
MIGRATE, LIVE = Action.MIGRATE, Action.LIVE_MIGRATE


def look(host: str, status: str, task: str = "") -> Server:
    return Server("i", "p", host, status, task)


UNASKED = {
    "an active instance is migrated": (HERE, "ACTIVE", "", MIGRATE, Step.MIGRATE),
    "or live, as its project wants": (HERE, "ACTIVE", "", LIVE, Step.LIVE_MIGRATE),
    "one that is off cannot be moved live": (HERE, "SHUTOFF", "", LIVE, Step.MIGRATE),
    "one that is paused can be moved only live": (HERE, "PAUSED", "", MIGRATE, Step.LIVE_MIGRATE),
    "one that is suspended cannot be moved": (HERE, "SUSPENDED", "", MIGRATE, Step.IMMOVABLE),
    "nor one in rescue": (HERE, "RESCUE", "", LIVE, Step.IMMOVABLE),
    "nor one that was in error before": (HERE, "ERROR", "", MIGRATE, Step.IMMOVABLE),
    "its owner's work is waited for": (HERE, "ACTIVE", "rebooting", MIGRATE, Step.WAIT),
    "one that is being built is waited for": (HERE, "BUILD", "", MIGRATE, Step.WAIT),
    "its owner's resize is his to confirm": (HERE, "VERIFY_RESIZE", "", MIGRATE, Step.UNMOVED),
    "one that is elsewhere has moved": (AWAY, "ACTIVE", "", MIGRATE, Step.MOVED),
    "a migration from before a restart goes on": (HERE, "MIGRATING", "migrating", LIVE, Step.WAIT),
    "and is confirmed": (AWAY, "VERIFY_RESIZE", "", MIGRATE, Step.CONFIRM),
    "one that is stored away has left": ("", "SHELVED_OFFLOADED", "", MIGRATE, Step.MOVED),
    "one that is being deleted is waited for": (HERE, "ACTIVE", "deleting", MIGRATE, Step.WAIT),
    "a deleted one is gone": (HERE, "DELETED", "", MIGRATE, Step.GONE),
}

ASKED = {
    "what stays where it was has not moved": (HERE, "ACTIVE", "", MIGRATE, Step.UNMOVED),
    "also if it is off": (HERE, "SHUTOFF", "", MIGRATE, Step.UNMOVED),
    "what is under way is waited for": (HERE, "RESIZE", "resize_migrating", MIGRATE, Step.WAIT),
    "until it has arrived": (AWAY, "RESIZE", "resize_finish", MIGRATE, Step.WAIT),
    "and is confirmed": (AWAY, "VERIFY_RESIZE", "", MIGRATE, Step.CONFIRM),
    "also if Nova chose the same host": (HERE, "VERIFY_RESIZE", "", MIGRATE, Step.CONFIRM),
    "which takes a while": (AWAY, "VERIFY_RESIZE", "deleting", MIGRATE, Step.WAIT),
    "what is elsewhere has moved": (AWAY, "ACTIVE", "", MIGRATE, Step.MOVED),
    "in whatever state it was": (AWAY, "SHUTOFF", "", MIGRATE, Step.MOVED),
    "what it left in error is started again": (HERE, "ERROR", "", MIGRATE, Step.RECOVER),
    "wherever it is": (AWAY, "ERROR", "", LIVE, Step.RECOVER),
    "but while it has the task, Nova refuses that": (
        HERE,
        "ERROR",
        "resize_migrating",
        MIGRATE,
        Step.STUCK,
    ),
    "a reboot that we asked for is waited for": (
        HERE,
        "ERROR",
        "rebooting_hard",
        MIGRATE,
        Step.WAIT,
    ),
    "the owner may delete it": (AWAY, "SOFT_DELETED", "", MIGRATE, Step.GONE),
}


@pytest.mark.parametrize("name", UNASKED)
def test_before_nova_is_asked(name: str) -> None:
    host, status, task, action, step = UNASKED[name]
    assert next_step(look(host, status, task), HERE, action, asked=False) is step


@pytest.mark.parametrize("name", ASKED)
def test_after_nova_was_asked(name: str) -> None:
    host, status, task, action, step = ASKED[name]
    assert next_step(look(host, status, task), HERE, action, asked=True) is step


def test_what_an_earlier_attempt_left_in_error_is_mended_as_well() -> None:
    left = look(HERE, "ERROR")
    stuck = look(HERE, "ERROR", "resize_prep")

    assert next_step(left, HERE, MIGRATE, asked=False, ours=True) is Step.RECOVER
    assert next_step(stuck, HERE, MIGRATE, asked=False, ours=True) is Step.STUCK
    assert next_step(stuck, HERE, MIGRATE, asked=False) is Step.WAIT


def test_an_instance_that_is_at_rest_after_an_earlier_attempt_is_moved() -> None:
    assert next_step(look(HERE, "ACTIVE"), HERE, MIGRATE, asked=False, ours=True) is Step.MIGRATE


def test_attempts_are_numbered_from_one() -> None:
    assert earlier_keys("s/compute1/move/i#3") == ["s/compute1/move/i#1", "s/compute1/move/i#2"]
    assert earlier_keys("s/compute1/move/i#1") == []


@pytest.mark.parametrize("asked", [True, False])
def test_an_instance_that_nova_does_not_know_is_gone(asked: bool) -> None:
    assert next_step(None, HERE, MIGRATE, asked) is Step.GONE


@pytest.mark.parametrize("action", [MIGRATE, LIVE])
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("host", [HERE, AWAY, ""])
@pytest.mark.parametrize("task", ["", "migrating", "something new"])
def test_nothing_is_ever_asked_of_nova_twice(
    action: Action, asked: bool, host: str, task: str
) -> None:
    for status in ("ACTIVE", "SHUTOFF", "PAUSED", "ERROR", "RESIZE", "SOMETHING_NEW"):
        step = next_step(look(host, status, task), HERE, action, asked)
        if asked or task or host != HERE:
            assert step not in (Step.MIGRATE, Step.LIVE_MIGRATE)
