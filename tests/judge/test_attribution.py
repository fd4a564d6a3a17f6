# SPDX-License-Identifier: Apache-2.0
"""A gap in a service is told with its interval and the step that caused it."""

from __future__ import annotations

import pytest

from doctor_maintenance.judge import Trace, judge

from .bad_actors import P1, enabled, never_stopped, told
from .scenes import SCENES
from .stage import Entry
from .tape import Tape


def gap_message(tape: Tape, begin: float, end: float) -> str:
    gap = {"lower_s": end - begin - 0.02, "upper_s": end - begin, "from": begin, "to": end}
    tape.one("probe").update(lost=10, gaps=[gap], longest_gap=gap)
    verdict = judge(Trace.from_mappings(tape.records))
    return verdict.check("service.no_gap").evidence[0].message


def without_switch_over(name: str) -> Tape:
    """An app manager that replies without switching over."""
    tape = Tape(SCENES[name]())
    tape.drop(*tape.all("switch_over"), *tape.all("address")[1:])
    return tape


def test_a_gap_during_a_migration_is_step_6() -> None:
    tape = without_switch_over("full")
    migration = tape.all("migration", migration_id="migration-1")

    message = gap_message(tape, migration[0]["at"] + 0.01, migration[-1]["at"] - 0.01)

    assert "step 6 on compute-1: the live-migration of instance" in message
    assert P1.instance_id(0) in message
    assert "had not switched over (step 4)" in message


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("done", "said that it had switched over (strategy none), and the address had not moved"),
        ("failed", "(strategy none) had not come to its end: failed"),
    ],
)
def test_a_switch_over_that_moved_nothing_is_told_as_what_it_was(phase: str, said: str) -> None:
    tape = Tape(SCENES["full"]())
    tape.drop(*tape.all("address")[1:])
    tape.drop(*tape.all("switch_over")[2:])
    for record in tape.all("switch_over"):
        record["strategy"] = "none"
    tape.one("switch_over", place=1)["phase"] = phase
    migration = tape.all("migration", migration_id="migration-1")

    message = gap_message(tape, migration[0]["at"] + 0.01, migration[-1]["at"] - 0.01)

    assert said in message


def test_the_interval_of_a_gap_is_told() -> None:
    tape = without_switch_over("full")
    start = tape.records[0]["at"]

    message = gap_message(tape, start + 2.0, start + 2.5)

    assert "silent for at least 0.480 s and at most 0.500 s, from +2.000 s to +2.500 s" in message


def test_a_gap_during_a_reboot_of_the_active_instances_host_is_between_steps_7_and_10() -> None:
    tape = without_switch_over("reboot")
    down = tape.one("host", powered=False)

    message = gap_message(tape, down["at"], down["at"] + 5)

    assert "between steps 7 and 10 on compute-1" in message


def test_a_gap_during_a_switch_over_is_step_4() -> None:
    tape = Tape(SCENES["full"]())
    start, done = tape.one("switch_over"), tape.one("switch_over", place=1)

    message = gap_message(tape, start["at"], done["at"])

    assert "step 4: the switch-over from" in message
    assert "(floating_ip)" in message


def test_a_gap_of_a_stopped_instance_names_its_status() -> None:
    tape = Tape(SCENES["full"]())
    active = tape.all("instance", instance_id=P1.instance_id(1))[0]
    down = enabled(tape, "compute-1")["at"] + 0.01
    tape.add_after(active, down - active["at"], status="SHUTOFF")
    tape.add_after(active, down + 0.02 - active["at"], status="ACTIVE")

    assert "was SHUTOFF" in gap_message(tape, down, down + 0.02)


def test_a_gap_that_nothing_explains_names_the_last_step() -> None:
    tape = Tape(SCENES["full"]())
    over: Entry = told(tape, "MAINTENANCE_OVER", host="compute-1")

    message = gap_message(tape, over["at"] + 0.001, over["at"] + 0.002)

    assert "after step 11 on compute-1; nothing that was seen explains it" in message


def test_a_gap_before_everything_is_told_as_that() -> None:
    tape = Tape(SCENES["full"]())
    start = tape.records[0]["at"]

    assert "before step 1 of any host" in gap_message(tape, start, start + 0.1)


def test_a_gap_without_an_end_fails() -> None:
    tape = Tape(SCENES["full"]())
    begin = tape.records[-1]["at"] - 1
    gap = {"lower_s": 1.0, "upper_s": None, "from": begin, "to": None}
    tape.one("probe").update(lost=100, gaps=[gap])

    check = judge(Trace.from_mappings(tape.records)).check("service.no_gap")

    assert "at most an unknown time" in check.evidence[0].message


def test_a_gap_within_what_the_scenario_allows_passes() -> None:
    tape = Tape(SCENES["full"]())
    tape.one("scenario")["allowed_gap_s"] = 2.0
    gap = {
        "lower_s": 1.2,
        "upper_s": 1.3,
        "from": tape.records[5]["at"],
        "to": tape.records[9]["at"],
    }
    tape.one("probe").update(lost=120, gaps=[gap])

    assert judge(Trace.from_mappings(tape.records)).passed


def test_a_gap_that_may_be_longer_than_allowed_is_not_proven() -> None:
    tape = Tape(SCENES["full"]())
    tape.one("scenario")["allowed_gap_s"] = 1.25
    gap = {
        "lower_s": 1.2,
        "upper_s": 1.3,
        "from": tape.records[5]["at"],
        "to": tape.records[9]["at"],
    }
    tape.one("probe").update(lost=120, gaps=[gap])

    check = judge(Trace.from_mappings(tape.records)).check("service.no_gap")

    assert [item.proven for item in check.evidence] == [False]


def test_any_lost_probe_breaks_zero_downtime() -> None:
    tape = without_switch_over("reboot")
    never_stopped(tape, P1.instance_id(0))
    gap = {
        "lower_s": 0.0,
        "upper_s": 0.02,
        "from": tape.records[5]["at"],
        "to": tape.records[9]["at"],
    }
    tape.one("probe").update(lost=1, gaps=[gap])

    verdict = judge(Trace.from_mappings(tape.records))

    assert "service.no_gap" in {check.check_id for check in verdict.failed}
