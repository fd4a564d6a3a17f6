# SPDX-License-Identifier: Apache-2.0
"""The registry of faults: each is told, tested, and armed the same way wherever it is asked for."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.exceptions import InvalidRequestError, UsageError
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.control import Control
from doctor_maintenance.simulator.faults import FAULT_KINDS, FaultWords, Where, parse_fault

HERE = Path(__file__).parent


def faults_played() -> set[str]:
    """The faults that the tests beside this one play; ``playing`` fails a test whose fault never happens."""
    found = set()
    for file in HERE.glob("test_*_faults.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found & set(FAULT_KINDS)


def test_every_fault_has_a_test_that_plays_it() -> None:
    assert set(FAULT_KINDS) - faults_played() == set()


@pytest.mark.parametrize("kind", FAULT_KINDS.values(), ids=lambda kind: kind.name)
def test_every_fault_says_what_it_does_and_what_must_come_of_it(kind: object) -> None:
    for text in (kind.doc, kind.outcome):  # type: ignore[attr-defined]
        assert text[0].isupper()
        assert text.endswith(".")


@pytest.mark.parametrize("kind", FAULT_KINDS.values(), ids=lambda kind: kind.name)
def test_every_fault_of_the_cloud_can_be_armed_over_the_control_api(kind: object) -> None:
    name, where = kind.name, kind.where  # type: ignore[attr-defined]
    control = Control(SimCloud(VirtualClock(), random.Random(1)))

    if where in (Where.CLOUD, Where.PROJECT):
        assert control.arm({"name": name}).kind.name == name
    else:
        with pytest.raises(InvalidRequestError, match=f"is the {where.value}'s"):
            control.arm({"name": name})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alarm_lost", FaultWords("alarm_lost")),
        (
            "api_too_busy:service=compute,retry_after_s=3,times=2",
            FaultWords("api_too_busy", {"service": "compute"}, {"retry_after_s": 3}, 2),
        ),
        (
            "floating_ip_late:address={address},delay_s=1.5",
            FaultWords("floating_ip_late", {"address": "{address}"}, {"delay_s": 1.5}),
        ),
        ("api_error:retry_after_s=7", FaultWords("api_error", {}, {"retry_after_s": 7.0})),
        ("command_fails:output=no=space", FaultWords("command_fails", {}, {"output": "no=space"})),
    ],
)
def test_a_fault_can_be_said_in_a_word(text: str, expected: FaultWords) -> None:
    assert parse_fault(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sabotage", "there is no fault 'sabotage'; there are: alarm_lost"),
        ("alarm_lost:colour=red", "there is no key 'colour'; there are: event_type"),
        ("alarm_late:delay_s=soon", "delay_s: expected a number; found 'soon'"),
        ("alarm_late:delay_s", "expected KEY=VALUE; found 'delay_s'"),
        ("alarm_lost:times=0", "times: expected a number from 1 on; found '0'"),
    ],
)
def test_a_word_that_is_no_fault_is_refused_with_the_choice(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_fault(text)
    assert reason in str(refused.value)


def test_what_happens_by_itself_happens_once_unless_told_otherwise() -> None:
    cloud = SimCloud(VirtualClock(), random.Random(1))
    cloud.faults.staged = frozenset(Where)

    assert cloud.faults.add("clock_jumps").times == 1
    assert cloud.faults.add("clock_jumps", times=3).times == 3
    assert cloud.faults.add("alarm_lost").times is None
