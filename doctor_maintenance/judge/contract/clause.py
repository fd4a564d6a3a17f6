# SPDX-License-Identifier: Apache-2.0
"""What a clause is: a rule with a name, a function that looks for it in a story, and what it finds.

A clause yields a finding for each thing that it could judge, also where the rule held: a clause that
found nothing to judge is *not applicable*, and nobody can mistake that for *passed*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from doctor_maintenance.judge.moment import Moment, Result, in_order
from doctor_maintenance.judge.records import Record
from doctor_maintenance.judge.story import Story


class Finding(NamedTuple):
    """One thing that was judged.

    Attributes:
        result: whether the rule held, was broken, or cannot be told.
        message: what was expected and what was found; empty where it held.
        records: the evidence.
        decidable: False if such witnesses can never tell more, however exact the others are.
    """

    result: Result
    message: str = ""
    records: tuple[Record, ...] = ()
    decidable: bool = True


HELD = Finding(Result.HELD)
"""The rule held for one thing; this is the only such finding."""

Findings = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule of the contract.

    Attributes:
        clause_id: its name, ``area.rule``.
        title: the rule in a sentence.
        step: the guideline's step or steps that it is about, or the design's section.
        judge: the function that judges it.
    """

    clause_id: str
    title: str
    step: str
    judge: Callable[[Story], Findings]


REGISTRY: dict[str, Clause] = {}
"""All clauses by name, in the order in which they were written down."""


def clause(
    clause_id: str, title: str, step: str
) -> Callable[[Callable[[Story], Findings]], Callable[[Story], Findings]]:
    """Enter a function into the contract.

    Args:
        clause_id: its name, ``area.rule``; unique.
        title: the rule in a sentence.
        step: the guideline's step or steps that it is about, or the design's section.
    """

    def enter(function: Callable[[Story], Findings]) -> Callable[[Story], Findings]:
        if clause_id in REGISTRY:
            raise ValueError(f"two clauses are called {clause_id}; give each a name of its own")
        REGISTRY[clause_id] = Clause(clause_id, title, step, function)
        return function

    return enter


def broken(message: str, *records: Record) -> Finding:
    """Return the finding that the rule was broken."""
    return Finding(Result.BROKEN, message, records)


def unproven(message: str, *records: Record) -> Finding:
    """Return the finding that the rule may have been broken."""
    return Finding(Result.OPEN, message, records)


def order(
    story: Story,
    what: str,
    first: Moment,
    then: Moment,
    records: Iterable[Record] = (),
    decidable: bool = True,
) -> Finding:
    """Judge an order.

    Args:
        story: for the times in the message.
        what: the order that is expected, in words.
        first: when the first thing happened.
        then: when the second thing happened.
        records: the evidence.
        decidable: False if such witnesses can never tell more, however exact the others are.
    """
    result = in_order(first, then)
    if result is Result.HELD:
        return HELD
    found = "the first was" if result is Result.BROKEN else "not proven: the first was"
    return Finding(
        result,
        f"expected {what}; {found} {story.when(first)}, the second {story.when(then)}",
        tuple(records),
        decidable,
    )
