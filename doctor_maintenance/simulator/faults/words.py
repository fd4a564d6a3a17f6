# SPDX-License-Identifier: Apache-2.0
"""A fault in one word of a command line: ``NAME`` or ``NAME:key=value,key=value``.

A key is a criterion, a parameter, or ``times``. A value that has a comma cannot be written so; scenarios
and the control API have no such limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.simulator.faults.kind import FaultKind
from doctor_maintenance.simulator.faults.registry import FAULT_KINDS

FORM = "NAME[:KEY=VALUE,…]"
"""How a fault is written."""


@dataclass(frozen=True, slots=True)
class FaultWords:
    """What a text asks for: the arguments of :meth:`~.armed.Faults.add`."""

    name: str
    criteria: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    times: int | None = None


def parse_fault(text: str) -> FaultWords:
    """Read a fault as it is written on a command line.

    Args:
        text: for example ``api_too_busy:service=compute,retry_after_s=7,times=1``.

    Raises:
        UsageError: there is no such fault or key, or a value does not fit.
    """
    name, _, rest = text.partition(":")
    kind = FAULT_KINDS.get(name)
    if kind is None:
        raise UsageError(
            f"--fault: there is no fault {name!r}; there are: {', '.join(FAULT_KINDS)}"
        )
    words = FaultWords(name)
    times: int | None = None
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not equals or not value:
            raise UsageError(f"--fault {name}: expected KEY=VALUE; found {pair!r}")
        if key == "times":
            times = _times(name, value)
        elif key in kind.parameters:
            words.parameters[key] = _value(kind, key, value)
        elif key in kind.criteria:
            words.criteria[key] = value
        else:
            known = ", ".join((*kind.criteria, *kind.parameters, "times"))
            raise UsageError(f"--fault {name}: there is no key {key!r}; there are: {known}")
    return FaultWords(name, words.criteria, words.parameters, times)


def _times(name: str, value: str) -> int:
    if not value.isdigit() or int(value) < 1:
        raise UsageError(f"--fault {name}: times: expected a number from 1 on; found {value!r}")
    return int(value)


def _value(kind: FaultKind, key: str, value: str) -> Any:
    """Return a parameter as its default's type; what may be None is a number."""
    default = kind.parameters[key]
    if isinstance(default, str):
        return value
    try:
        return int(value) if isinstance(default, int) else float(value)
    except ValueError:
        raise UsageError(
            f"--fault {kind.name}: {key}: expected a number; found {value!r}"
        ) from None
