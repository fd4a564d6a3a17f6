# SPDX-License-Identifier: Apache-2.0
"""Every mutant is caught by the clause that its row in the table names."""

from __future__ import annotations

import pytest

from doctor_maintenance.explorer.mutants import MUTANTS, Mutant
from doctor_maintenance.explorer.run import verdict_of
from doctor_maintenance.explorer.tamper import Tamper
from doctor_maintenance.explorer.world import World
from doctor_maintenance.judge import CONTRACT


def failed_clauses(mutant: Mutant, tamper: Tamper) -> set[str]:
    world = World(mutant.case, tamper)
    world.run()
    return {check.check_id for check in verdict_of(world).failed}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_is_caught_by_its_clause(mutant: Mutant) -> None:
    assert mutant.clause in failed_clauses(mutant, mutant.tamper())


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_without_the_mutation_nothing_fails(mutant: Mutant) -> None:
    assert failed_clauses(mutant, Tamper()) == set()


def test_there_are_at_least_thirty_mutants() -> None:
    assert len(MUTANTS) >= 30


def test_the_mistakes_of_the_doctor_sample_are_among_them() -> None:
    seen = " ".join(mutant.seen for mutant in MUTANTS.values())

    for weakness in ("W-03", "W-10", "W-11", "W-12", "W-13", "W-14", "W-15", "W-31", "W-44"):
        assert weakness in seen


def test_every_area_of_the_contract_catches_a_mutant() -> None:
    caught = {mutant.clause.partition(".")[0] for mutant in MUTANTS.values()}

    assert caught == {clause.partition(".")[0] for clause in CONTRACT}


def test_every_mutant_says_what_it_does_wrong() -> None:
    assert all(mutant.what.endswith(".") for mutant in MUTANTS.values())
