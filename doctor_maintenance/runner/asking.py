# SPDX-License-Identifier: Apache-2.0
"""Faults that somebody asks for on a command line, put into a scenario for a run in real time.

In real time the embedded cloud carries out its own faults. An app manager is a process that cannot be told from
outside what to do wrong, but some of it is what it is configured to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from doctor_maintenance.exceptions import PreconditionError, UsageError
from doctor_maintenance.scenario import Application, Fault, Scenario
from doctor_maintenance.simulator.faults import FAULT_KINDS, IN_A_CLOUD, parse_fault

_CONFIGURED: dict[str, dict[str, Any]] = {
    "app_manager_lies": {"strategy": "none"},
    "app_manager_refuses": {"refuses": True},
    "app_manager_never_replies": {"silent": True},
}
"""What an application is like whose app manager does so in every case."""


def with_faults(scenario: Scenario, words: Sequence[str]) -> Scenario:
    """Return the scenario with the faults that are asked for.

    Args:
        scenario: what is played.
        words: the faults as a command line says them.

    Raises:
        UsageError: there is no such fault, key or application.
        PreconditionError: it cannot be carried out in real time.
    """
    for text in words:
        asked = parse_fault(text)
        fault = Fault(asked.name, asked.criteria, asked.parameters, asked.times)
        scenario = replace(scenario, faults=(*scenario.faults, fault))
    return in_real_time(scenario)


def on_a_real_cloud(
    scenarios: Sequence[Scenario], *, every: bool
) -> tuple[list[Scenario], list[Scenario]]:
    """Return the scenarios that a real cloud can play, and those that it cannot: it fails when it likes.

    Args:
        scenarios: what is to be played, as it is played in real time.
        every: whether they were not asked for by name, so that some may be left out.

    Raises:
        PreconditionError: one that was asked for needs a fault that only the embedded cloud has.
    """
    fit = [scenario for scenario in scenarios if not scenario.faults]
    left_out = [scenario for scenario in scenarios if scenario.faults]
    if left_out and not every:
        named = "; ".join(
            f"{scenario.name} needs {', '.join(fault.name for fault in scenario.faults)}"
            for scenario in left_out
        )
        raise PreconditionError(
            f"a real cloud has no faults that can be armed: {named}; run it without --cloud"
        )
    return fit, left_out


def in_real_time(scenario: Scenario) -> Scenario:
    """Return the scenario as it is played in real time: what the cloud cannot do is configured.

    Raises:
        UsageError: a fault names an application that does not exist.
        PreconditionError: a fault cannot be carried out in real time.
    """
    applications = list(scenario.applications)
    left = []
    for fault in scenario.faults:
        kind = FAULT_KINDS.get(fault.name)
        if kind is None or kind.where in IN_A_CLOUD:
            left.append(fault)
        elif fault.name in _CONFIGURED and fault.times is None:
            applications = _configured(applications, fault)
        else:
            able = ", ".join(_CONFIGURED)
            raise PreconditionError(
                f"the fault {fault.name} is carried out in virtual time only (scenarios in tests); in real time "
                f"there are those of the cloud and of owners, and, without times: {able}"
            )
    return replace(scenario, faults=tuple(left), applications=tuple(applications))


def _configured(applications: list[Application], fault: Fault) -> list[Application]:
    wanted = fault.criteria.get("application")
    names = [item.name for item in applications]
    if wanted not in (None, *names) or "project" in fault.criteria:
        raise UsageError(
            f"fault {fault.name}: expected application=NAME of the scenario's {', '.join(names)}, or none"
        )
    return [
        replace(item, **_CONFIGURED[fault.name]) if wanted in (None, item.name) else item
        for item in applications
    ]
