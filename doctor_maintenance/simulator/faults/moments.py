# SPDX-License-Identifier: Apache-2.0
"""Faults that happen by themselves: at a moment of the maintenance, and not because something was asked for.

A moment is the publishing of a notification, as every step of a maintenance has one. Who can do what a fault
says registers for its name; some seconds after the moment it is told to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from doctor_maintenance.clock import Clock
from doctor_maintenance.simulator.faults.actors import MOMENT
from doctor_maintenance.simulator.faults.armed import Faults

Act = Callable[[Mapping[str, Any]], None]
"""Does what a fault says, on the clock; given its parameters."""


class Moments:
    """Waits for moments.

    Args:
        clock: when it happens.
        faults: what is armed.
    """

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._acts: dict[str, Act] = {}

    def can(self, fault: str, act: Act) -> None:
        """Let ``act`` do what a fault of this name says; what nobody can do does not happen."""
        self._acts[fault] = act

    def published(self, fields: Mapping[str, Any]) -> None:
        """Take note that a notification was published; the fields are the trace's."""
        for fault in self._faults.decide_all(
            MOMENT,
            self._acts,
            state=fields.get("state"),
            host=fields.get("host"),
            project=fields.get("project_id"),
        ):
            self._begin(self._acts[fault.kind.name], fault.behaviour.parameters)

    def _begin(self, act: Act, parameters: Mapping[str, Any]) -> None:
        self._clock.call_later(float(parameters["after_s"]), lambda: act(parameters))
