# SPDX-License-Identifier: Apache-2.0
"""Compares two transcripts field by field: names, types, values, status, and the headers that matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MISSING = "(not there)"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one answer that differs.

    Attributes:
        question: what was asked.
        where: the field.
        recorded: what the real cloud answered.
        ours: what the simulator answers.
    """

    question: str
    where: str
    recorded: Any
    ours: Any

    @property
    def field(self) -> str:
        """The field and its two values, whatever was asked."""
        return f"{self.where}: recorded {self.recorded!r:.300}, ours {self.ours!r:.300}"

    def __str__(self) -> str:
        return f"{self.question}: {self.field}"


@dataclass(slots=True)
class Tally:
    """How much of what was recorded agrees.

    Attributes:
        answers: how many were compared.
        fields: how many fields they have, on either side.
        differences: those that differ.
    """

    answers: int = 0
    fields: int = 0
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)


def compare(recorded: list[dict[str, Any]], ours: list[dict[str, Any]]) -> Tally:
    """Compare what two clouds answered in one test."""
    tally = Tally()
    for number in range(max(len(recorded), len(ours))):
        theirs = recorded[number] if number < len(recorded) else {}
        mine = ours[number] if number < len(ours) else {}
        question = _question(theirs or mine)
        found = list(_differences(question, theirs, mine))
        tally.answers += 1
        tally.fields += len(_leaves(theirs).keys() | _leaves(mine).keys())
        tally.differing += bool(found)
        tally.differences += found
    return tally


def _question(entry: dict[str, Any]) -> str:
    asked = entry["asked"]
    version = f" at {asked['version']}" if "version" in asked else ""
    return f"{asked['as']}: {asked['method']} {asked['service']} {asked['path']}{version}"


def _differences(
    question: str, theirs: dict[str, Any], mine: dict[str, Any]
) -> Iterator[Difference]:
    one, other = _leaves(theirs), _leaves(mine)
    for where in sorted(one.keys() | other.keys()):
        recorded, ours = one.get(where, MISSING), other.get(where, MISSING)
        if recorded != ours or type(recorded) is not type(ours):
            yield Difference(question, where, recorded, ours)


def _leaves(value: Any, where: str = "") -> dict[str, Any]:
    """Return every field by its path; an empty object or list is a field too."""
    if isinstance(value, dict) and value:
        found: dict[str, Any] = {}
        for name, inner in value.items():
            found.update(_leaves(inner, f"{where}.{name}" if where else name))
        return found
    if isinstance(value, list) and value:
        found = {}
        for number, inner in enumerate(value):
            found.update(_leaves(inner, f"{where}[{number}]"))
        return found
    return {where: value}
