# SPDX-License-Identifier: Apache-2.0
"""The explorer itself: what a seed gives, what a case is, and that the same case gives the same trace."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.explorer import Limits, World, draw, from_data, run, shrink, to_data
from doctor_maintenance.explorer.case import Case, Manner, Trouble, TroublePlan
from doctor_maintenance.explorer.expectation import MISSED_GAP, defects
from doctor_maintenance.explorer.farm import Tally, chunks, explore, explore_some
from doctor_maintenance.explorer.mutants import MUTANTS, cases
from doctor_maintenance.explorer.report import summary
from doctor_maintenance.explorer.run import ERROR, make_trace, verdict_of
from doctor_maintenance.explorer.shrink import smaller
from doctor_maintenance.explorer.tamper import Tamper
from doctor_maintenance.protocol import MaintenanceType


def trace_lines(case: Case) -> list[str]:
    world = World(case)
    world.run()
    return list(make_trace(world).to_lines())


@pytest.mark.parametrize("seed", range(30))
def test_a_case_is_the_same_after_it_was_written_and_read(seed: int) -> None:
    case = draw(seed, Limits(hosts=5, instances=12))

    assert from_data(json.loads(json.dumps(to_data(case)))) == case


@pytest.mark.parametrize("seed", range(10))
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    assert trace_lines(draw(seed)) == trace_lines(draw(seed))


def test_other_seeds_give_other_traces() -> None:
    assert len({"".join(trace_lines(draw(seed))) for seed in range(20)}) == 20


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "case: expected an object"),
        ({"sed": 1}, "'sed' is not known"),
        ({"seed": "1"}, "case.seed: expected"),
        ({"seed": 1}, "missing"),
        ({"hosts": [{"name": "h", "room": 1.5}]}, r"case.hosts\[0\].room"),
        ({"troubles": [{"what": "earthquake"}]}, "earthquake"),
    ],
)
def test_a_file_that_is_no_case_is_refused_with_the_place(data: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_data(data)


def test_seeds_are_drawn_with_everything_that_can_go_wrong() -> None:
    drawn = [draw(seed) for seed in range(600)]

    troubles = Counter(trouble.what for case in drawn for trouble in case.troubles)
    manners = Counter(project.manner for case in drawn for project in case.projects)
    assert set(troubles) == set(Trouble)
    assert set(manners) == set(Manner)


@pytest.mark.parametrize("seed", range(50))
def test_a_case_keeps_to_the_limits(seed: int) -> None:
    case = draw(seed, Limits(hosts=4, projects=2, instances=8))

    assert 3 <= len(case.hosts) <= 4
    assert 1 <= len(case.projects) <= 2
    assert sum(len(project.instances) for project in case.projects) <= 8


def test_no_seed_of_a_few_fails() -> None:
    tally = explore_some(range(1000, 1150), Limits())

    assert tally.failed == {}
    assert tally.cases == 150


def test_larger_clouds_do_not_fail_either() -> None:
    tally = explore_some(range(40), Limits(hosts=8, projects=5, instances=20))

    assert tally.failed == {}


class _Crashes(Tamper):
    def rules(self, rules: object) -> object:  # type: ignore[override]
        raise KeyError("a defect")


def test_an_exception_in_a_world_is_a_defect_and_names_its_place() -> None:
    result = run(cases.ONE_HOST, _Crashes())

    assert "KeyError: 'a defect'" in result.defects[ERROR]


def test_a_lying_app_manager_is_excused_and_its_silence_is_seen() -> None:
    case = cases.manner(Manner.LIES)
    world = World(case)
    world.run()

    failed = verdict_of(world).failed

    assert "service.no_gap" in {check.check_id for check in failed}
    assert defects(world, failed) == {}


def test_a_judge_that_does_not_see_a_silence_is_a_defect() -> None:
    world = World(cases.manner(Manner.LIES))
    world.run()

    assert set(defects(world, [])) == {MISSED_GAP}


def test_an_app_manager_excuses_nothing_but_its_own_service() -> None:
    mutant = MUTANTS["never_enables"]
    case = replace(mutant.case, projects=cases.manner(Manner.LIES).projects)

    assert "lost.no_service" in run(case, mutant.tamper()).defects


def test_a_failing_case_is_made_as_small_as_it_gets() -> None:
    mutant = MUTANTS["names_the_host"]
    big = replace(
        draw(14, Limits(hosts=5, instances=12)), troubles=draw(3).troubles + draw(5).troubles
    )
    assert mutant.clause in run(big, mutant.tamper()).defects

    small = shrink(big, lambda case: mutant.clause in run(case, mutant.tamper()).defects)

    assert sum(len(project.instances) for project in small.projects) <= 2
    assert small.troubles == ()
    assert len(small.session.hosts) == 1


def test_every_smaller_case_has_sessions_of_one_type() -> None:
    """Seed 100354193: a reboot beside full maintenance broke ``message.complete`` as well."""
    several = (case for case in map(draw, range(400)) if case.others)
    rebooting = [case for case in several if case.session.type is MaintenanceType.REBOOT]
    assert rebooting
    for case in rebooting:
        for small in smaller(case):
            assert len({session.type for session in small.sessions}) == 1


def test_shrinking_the_same_case_twice_gives_the_same() -> None:
    mutant = MUTANTS["forgets_over"]
    big = replace(mutant.case, troubles=(TroublePlan(Trouble.ALARM_TWICE, "project-red"),))

    def fails(case: Case) -> bool:
        return mutant.clause in run(case, mutant.tamper()).defects

    assert shrink(big, fails) == shrink(big, fails)


def test_what_workers_found_is_put_together() -> None:
    one, other = Tally(cases=1), Tally(cases=2)
    one.failed["a.b"], one.evidence["a.b"] = [7], "first"
    other.failed["a.b"], other.evidence["a.b"] = [3], "second"

    one.add(other)

    assert (one.cases, one.failed, one.evidence) == (3, {"a.b": [3, 7]}, {"a.b": "first"})
    assert one.failing_seeds() == {3: "a.b"}


def test_workers_find_the_same_as_one_process() -> None:
    alone, together = Tally(), Tally()
    parts = [range(start, start + 5) for start in range(0, 30, 5)]
    for part in explore(parts, Limits(), workers=1):
        alone.add(part)
    for part in explore(parts, Limits(), workers=2):
        together.add(part)

    assert alone.cases == 30
    assert alone == together


def test_seeds_are_handed_out_a_handful_at_a_time() -> None:
    assert list(chunks(50, 120)) == [range(50, 150), range(150, 170)]
    assert next(chunks(7, None)) == range(7, 107)


def test_the_summary_names_what_never_happened() -> None:
    tally = Tally(cases=1)
    tally.happened["tool_dies"] = 1

    text = summary(tally, 1.0)

    assert "60 a minute" in text
    assert "never: " in text
    assert "clauses judged: 0 of" in text
