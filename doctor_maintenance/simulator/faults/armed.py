# SPDX-License-Identifier: Apache-2.0
"""The faults that are armed: criteria, a behaviour, and how often it happened."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from doctor_maintenance.exceptions import InvalidRequestError, NotFoundError
from doctor_maintenance.simulator.faults.kind import FaultKind, Where
from doctor_maintenance.simulator.faults.registry import FAULT_KINDS

IN_A_CLOUD = frozenset({Where.CLOUD, Where.PROJECT})
"""Whose faults a cloud carries out by itself."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a point is told to do.

    Attributes:
        name: the name of the fault.
        parameters: its parameters, complete with defaults.
    """

    name: str
    parameters: Mapping[str, Any]


@dataclass(slots=True)
class Fault:
    """A fault that is armed.

    Attributes:
        fault_id: its number.
        kind: what it is.
        criteria: facts that must all be as given; a value ``prefix*`` matches a beginning.
        behaviour: what it does.
        times: how often it still happens; None: always.
        happened: how often it has happened.
    """

    fault_id: int
    kind: FaultKind
    criteria: Mapping[str, str]
    behaviour: Behaviour
    times: int | None = None
    happened: int = 0

    def matches(self, point: str, facts: Mapping[str, object]) -> bool:
        """Return whether this fault happens at this point and in this case."""
        if self.times == 0 or self.kind.point != point:
            return False
        return all(_fits(wanted, facts.get(name)) for name, wanted in self.criteria.items())

    def as_dict(self) -> dict[str, Any]:
        """Return the fault as the control API shows it."""
        return {
            "id": self.fault_id,
            "name": self.kind.name,
            "criteria": dict(self.criteria),
            "parameters": dict(self.behaviour.parameters),
            "times": self.times,
            "happened": self.happened,
        }


def _fits(wanted: str, found: object) -> bool:
    values = [str(value) for value in found] if isinstance(found, (tuple, list)) else [str(found)]
    if wanted.endswith("*"):
        return any(value.startswith(wanted[:-1]) for value in values)
    return wanted in values


@dataclass(slots=True)
class Faults:
    """The faults that are armed, in order; the first that fits happens.

    Attributes:
        staged: whose faults can be armed here. A cloud alone has no app manager that could do wrong.
        happened: how often a fault of each name has happened, also of those that are disarmed by now.
    """

    staged: frozenset[Where] = IN_A_CLOUD
    happened: Counter[str] = field(default_factory=Counter)
    _armed: dict[int, Fault] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def add(
        self,
        name: str,
        criteria: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        times: int | None = None,
    ) -> Fault:
        """Arm a fault.

        Args:
            name: a name in :data:`FAULT_KINDS`.
            criteria: facts that must be so; an instance may be given by its name or ID.
            parameters: what differs from the kind's defaults.
            times: how often it happens; None: always, or once if that is the kind's way.

        Raises:
            InvalidRequestError: there is no such fault, criterion or parameter.
        """
        kind = FAULT_KINDS.get(name)
        if kind is None:
            here = sorted(each.name for each in FAULT_KINDS.values() if each.where in self.staged)
            raise InvalidRequestError(f"there is no fault {name!r}; there are: {', '.join(here)}")
        if kind.where not in self.staged:
            raise InvalidRequestError(
                f"the fault {name} is the {kind.where.value}'s, and none is simulated here; "
                "put it into a scenario that is played in virtual time"
            )
        _check_known("criterion", criteria, kind.criteria, name)
        _check_known("parameter", parameters, tuple(kind.parameters), name)
        if times is not None and times < 1:
            raise InvalidRequestError(f"a fault happens at least once; times is {times}")
        behaviour = Behaviour(name, {**kind.parameters, **(parameters or {})})
        often = 1 if times is None and kind.once else times
        fault = Fault(next(self._numbers), kind, dict(criteria or {}), behaviour, often)
        self._armed[fault.fault_id] = fault
        return fault

    def remove(self, fault_id: int) -> None:
        """Disarm a fault.

        Raises:
            NotFoundError: there is none with this number.
        """
        if self._armed.pop(fault_id, None) is None:
            raise NotFoundError(f"no fault {fault_id} is armed; list them with GET /control/faults")

    def clear(self) -> None:
        """Disarm all faults."""
        self._armed.clear()

    def armed(self) -> list[Fault]:
        """Return the armed faults in order."""
        return list(self._armed.values())

    def decide(self, point: str, **facts: object) -> Behaviour | None:
        """Return what happens at a point, or None for nothing unusual.

        Args:
            point: where, for example ``compute.migrate``.
            facts: the case; a tuple or list fits if any of its values does.
        """
        for fault in self._armed.values():
            if fault.matches(point, facts):
                self._count(fault)
                return fault.behaviour
        return None

    def decide_all(self, point: str, names: Container[str], **facts: object) -> list[Fault]:
        """Return all faults of these names that happen at a point, in order."""
        fitting = [
            fault
            for fault in self._armed.values()
            if fault.kind.name in names and fault.matches(point, facts)
        ]
        for fault in fitting:
            self._count(fault)
        return fitting

    def _count(self, fault: Fault) -> None:
        fault.happened += 1
        self.happened[fault.kind.name] += 1
        if fault.times is not None:
            fault.times -= 1


def _check_known(
    what: str, given: Mapping[str, Any] | None, known: tuple[str, ...], fault: str
) -> None:
    for name in given or {}:
        if name not in known:
            choice = ", ".join(known) or "none"
            raise InvalidRequestError(f"fault {fault} has no {what} {name!r}; it has: {choice}")
