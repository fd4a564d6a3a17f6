# SPDX-License-Identifier: Apache-2.0
"""What a mutant is: a world with one thing wrong on purpose, and the clause that must catch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from doctor_maintenance.explorer.case import Case
from doctor_maintenance.explorer.tamper import Tamper


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to be wrong.

    Attributes:
        name: what it is called.
        who: who does it: ``admin tool``, ``app manager`` or ``inspector``.
        what: what it does wrong, in a sentence.
        clause: the clause of the contract that catches it.
        case: where it shows.
        tamper: makes it.
        seen: where such a mistake was really made; empty if nobody is known to have made it.
    """

    name: str
    who: str
    what: str
    clause: str
    case: Case
    tamper: type[Tamper]
    seen: str = ""


MUTANTS: dict[str, Mutant] = {}
"""Every mutant by name."""


def mutant(
    clause: str, case: Case, who: str = "admin tool", seen: str = ""
) -> Callable[[type[Tamper]], type[Tamper]]:
    """Enter a tamper; its name and its docstring say what it does.

    Args:
        clause: the clause that must catch it.
        case: where it shows.
        who: who does it.
        seen: where such a mistake was really made.
    """

    def enter(tamper: type[Tamper]) -> type[Tamper]:
        words = "".join(f"_{char.lower()}" if char.isupper() else char for char in tamper.__name__)
        name = words.lstrip("_")
        what = (tamper.__doc__ or "").strip().split("\n")[0]
        MUTANTS[name] = Mutant(name, who, what, clause, case, tamper, seen)
        return tamper

    return enter
