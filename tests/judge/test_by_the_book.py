# SPDX-License-Identifier: Apache-2.0
"""What goes by the book passes, whatever the book allows."""

from __future__ import annotations

import pytest

from doctor_maintenance.judge import Outcome, Trace, Verdict, judge

from .scenes import SCENES


@pytest.mark.parametrize("name", sorted(SCENES))
def test_maintenance_by_the_book_breaks_no_clause(name: str) -> None:
    verdict = judge(Trace.from_mappings(SCENES[name]()))

    assert [(check.check_id, check.evidence[0].message) for check in verdict.failed] == []
    assert verdict.passed


@pytest.mark.parametrize("name", sorted(set(SCENES) - {"reboot_unseen"}))
def test_what_exact_witnesses_saw_leaves_nothing_unproven(name: str) -> None:
    records = SCENES[name]()
    records[0]["exact"] = True

    verdict = judge(Trace.from_mappings(records))

    assert _unproven(verdict) == set()
    assert verdict.passed


def test_a_reboot_that_only_boot_ids_show_passes_and_is_told_as_not_proven() -> None:
    records = SCENES["reboot_unseen"]()
    records[0]["exact"] = True

    verdict = judge(Trace.from_mappings(records))

    assert _unproven(verdict) == {"order.told_before_work", "order.work_before_enable"}
    assert verdict.passed


def test_every_clause_has_something_to_judge_in_some_scene() -> None:
    judged: set[str] = set()
    known: set[str] = set()
    for scene in SCENES.values():
        for check in judge(Trace.from_mappings(scene())).checks:
            known.add(check.check_id)
            if check.outcome is Outcome.PASSED:
                judged.add(check.check_id)

    assert known - judged == set()


def _unproven(verdict: Verdict) -> set[str]:
    return {
        check.check_id
        for check in verdict.checks
        if any(not item.proven for item in check.evidence)
    }
