# SPDX-License-Identifier: Apache-2.0
"""The judge catches one bad actor for every clause, and only because of that clause."""

from __future__ import annotations

import pytest

from doctor_maintenance.judge import CONTRACT, Expected, Outcome, Trace, judge

from .bad_actors import ACTORS, BadActor
from .scenes import SCENES
from .tape import Tape


def _trace(actor: BadActor) -> Trace:
    tape = Tape(SCENES[actor.scene]())
    actor.spoil(tape)
    return Trace.from_mappings(tape.records)


@pytest.mark.parametrize("actor", ACTORS, ids=lambda actor: actor.name)
def test_a_bad_actor_is_caught_by_its_clause(actor: BadActor) -> None:
    verdict = judge(_trace(actor))

    assert {check.check_id for check in verdict.failed} == {actor.clause} | actor.also
    assert not verdict.passed
    caught = verdict.check(actor.clause)
    assert caught.evidence
    assert all(item.proven and "expected" in item.message for item in caught.evidence)
    assert any(item.records for item in caught.evidence)


@pytest.mark.parametrize("actor", ACTORS, ids=lambda actor: actor.name)
def test_a_bad_actor_gets_away_if_its_clauses_are_silenced(actor: BadActor) -> None:
    silenced = {actor.clause} | actor.also
    rest = {name: clause for name, clause in CONTRACT.items() if name not in silenced}

    verdict = judge(_trace(actor), expected=Expected(), clauses=rest)

    assert verdict.passed


def test_every_clause_has_a_bad_actor() -> None:
    assert {actor.clause for actor in ACTORS} == set(CONTRACT)


@pytest.mark.parametrize("actor", ACTORS, ids=lambda actor: actor.name)
def test_a_scene_is_correct_before_it_is_spoilt(actor: BadActor) -> None:
    verdict = judge(Trace.from_mappings(SCENES[actor.scene]()))

    assert verdict.check(actor.clause).outcome in (Outcome.PASSED, Outcome.NOT_APPLICABLE)
