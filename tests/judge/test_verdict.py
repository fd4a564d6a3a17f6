# SPDX-License-Identifier: Apache-2.0
"""A verdict keeps apart what passed, what failed, and what nobody could judge."""

from __future__ import annotations

import json

import pytest

from doctor_maintenance.judge import Expected, Outcome, Trace, TraceError, judge

from .bad_actors import APP_1, P1, told
from .scenes import SCENES
from .tape import Tape


def trace(name: str = "two_projects") -> Trace:
    return Trace.from_mappings(SCENES[name]())


def test_a_clause_with_nothing_to_judge_is_not_applicable() -> None:
    check = judge(trace("full")).check("hosts.rebooted")

    assert (check.outcome, check.judged) == (Outcome.NOT_APPLICABLE, 0)


def test_a_required_clause_with_nothing_to_judge_fails_the_run() -> None:
    verdict = judge(trace(), Expected(require=("hosts.rebooted", "service.no_gap")))

    assert [check.check_id for check in verdict.failed] == ["expected.clauses"]
    assert "hosts.rebooted" in verdict.failed[0].evidence[0].message
    assert "service.no_gap" not in verdict.failed[0].evidence[0].message


def test_a_session_that_ends_otherwise_than_expected_fails_the_run() -> None:
    verdict = judge(trace(), Expected(session="MAINTENANCE_CANCELED"))

    assert [check.check_id for check in verdict.failed] == ["expected.session"]
    assert "found MAINTENANCE_OVER" in verdict.failed[0].evidence[0].message


def test_a_host_that_ends_otherwise_than_expected_fails_the_run() -> None:
    verdict = judge(trace("canceled"), Expected(hosts={"compute-2": "MAINTENANCE_OVER"}))

    assert [check.check_id for check in verdict.failed] == ["expected.hosts"]
    assert verdict.failed[0].evidence[0].message == (
        "compute-2: expected MAINTENANCE_OVER, found MAINTENANCE_CANCELED"
    )


def test_a_session_that_nobody_saw_is_no_success() -> None:
    tape = Tape(SCENES["full"]())
    tape.drop(*tape.all("session"))

    verdict = judge(Trace.from_mappings(tape.records))

    assert {"expected.session", "expected.hosts"} <= {check.check_id for check in verdict.failed}


def test_a_waived_clause_says_why_and_does_not_fail_the_run() -> None:
    tape = Tape(SCENES["two_projects"]())
    tape.drop(told(tape, "PLANNED_MAINTENANCE"))

    verdict = judge(
        Trace.from_mappings(tape.records), Expected(waive={"told.arrives": "the alarm is lost"})
    )

    check = verdict.check("told.arrives")
    assert check.outcome is Outcome.WAIVED
    assert check.note == "waived by the scenario: the alarm is lost"
    assert check.evidence
    assert verdict.passed


def test_a_waiver_that_was_not_needed_changes_nothing() -> None:
    verdict = judge(trace(), Expected(waive={"told.arrives": "the alarm is lost"}))

    assert verdict.check("told.arrives").outcome is Outcome.PASSED


def test_a_run_in_which_nothing_was_judged_has_not_passed() -> None:
    scenario = {"at": 0, "source": "runner", "kind": "scenario"}
    nothing = {**scenario, "name": "nothing", "type": "full", "hosts": []}

    verdict = judge(Trace.from_mappings([nothing]))

    assert {check.outcome for check in verdict.checks} == {Outcome.NOT_APPLICABLE}
    assert not verdict.passed


def test_a_run_that_broke_off_has_not_passed() -> None:
    verdict = judge(trace()).with_error("run", "the run comes to its end", "Nova did not answer")

    assert [(check.check_id, check.outcome) for check in verdict.failed] == [("run", Outcome.ERROR)]
    assert not verdict.passed


def test_a_trace_without_a_scenario_is_refused() -> None:
    with pytest.raises(TraceError, match="no record of kind 'scenario'"):
        judge(Trace.from_mappings(SCENES["full"]()[1:]))


def look_seldom(tape: Tape, *hosts: str) -> None:
    """Let nobody know whether a project was told before or after nova-compute was disabled."""
    for host in hosts:
        disabled = tape.one("service", host=host, status="disabled")
        disabled.update(at=disabled["at"] + 0.2, not_before=disabled["at"])


def test_a_clause_that_is_proven_for_some_hosts_only_passes_and_tells_the_rest() -> None:
    tape = Tape(SCENES["full"]())
    look_seldom(tape, "compute-1")

    check = judge(Trace.from_mappings(tape.records)).check("order.disable_before_planned")

    assert check.outcome is Outcome.PASSED
    assert [item.proven for item in check.evidence] == [False]
    assert "not proven" in check.evidence[0].message


def test_a_clause_that_is_proven_nowhere_is_not_passed_and_does_not_fail_the_run() -> None:
    tape = Tape(SCENES["full"]())
    look_seldom(tape, "compute-1", "compute-2", "compute-3")

    verdict = judge(Trace.from_mappings(tape.records))

    assert verdict.check("order.disable_before_planned").outcome is Outcome.NOT_PROVEN
    assert verdict.passed


def test_a_required_clause_that_is_proven_nowhere_fails_the_run() -> None:
    tape = Tape(SCENES["full"]())
    look_seldom(tape, "compute-1", "compute-2", "compute-3")
    required = Expected(require=("order.disable_before_planned", "order.no_such_clause"))

    verdict = judge(Trace.from_mappings(tape.records), required)

    assert verdict.check("expected.clauses").evidence[0].message == (
        "expected these to be judged: order.disable_before_planned (not proven),"
        " order.no_such_clause (unknown clause)"
    )


def test_the_admin_tool_is_no_witness_of_its_own_work() -> None:
    tape = Tape(SCENES["full"]())
    for record in tape.all("ssh", check="maintenance") + tape.all("ssh", check="test"):
        record["source"] = "admin_tool"

    verdict = judge(Trace.from_mappings(tape.records))

    assert verdict.check("hosts.worked").outcome is Outcome.NOT_APPLICABLE
    assert verdict.check("hosts.tested").outcome is Outcome.NOT_APPLICABLE


def test_the_list_of_instances_is_known_from_what_the_project_read() -> None:
    tape = Tape(SCENES["full"]())
    planned = told(tape, "PLANNED_MAINTENANCE")
    for seen in tape.all("notification", state="PLANNED_MAINTENANCE"):
        del seen["instances"]
    view = {"session_id": planned["session_id"], "instance_ids": [P1.instance_id(0), "another"]}
    tape.add_after(tape.one("readable"), text=json.dumps(view), where="instance_ids")

    check = judge(Trace.from_mappings(tape.records)).check("told.lists_instances")

    assert check.outcome is Outcome.FAILED
    assert "not affected another" in check.evidence[0].message


def test_a_list_that_is_read_again_for_an_earlier_message_is_not_taken_for_the_later_ones() -> None:
    tape = Tape(SCENES["reboot"]())
    for seen in tape.all("notification", state="PLANNED_MAINTENANCE"):
        del seen["instances"]
    second = tape.one("notification", 1, source=APP_1, state="PLANNED_MAINTENANCE")
    stale = {"session_id": second["session_id"], "state": "MAINTENANCE_OVER", "instance_ids": []}
    readable = tape.one("readable")
    tape.add_after(readable, second["at"] + 0.001 - readable["at"], text=json.dumps(stale))

    assert judge(Trace.from_mappings(tape.records)).passed


@pytest.mark.parametrize("text", ['{"instance_ids"', '["instance_ids"]', '{"instance_ids": 5}'])
def test_what_is_no_list_of_instances_is_not_taken_for_one(text: str) -> None:
    tape = Tape(SCENES["full"]())
    for seen in tape.all("notification", state="PLANNED_MAINTENANCE"):
        del seen["instances"]
    tape.add_after(tape.one("readable"), text=text)

    verdict = judge(Trace.from_mappings(tape.records))

    assert verdict.check("told.lists_instances").outcome is Outcome.NOT_APPLICABLE


def test_what_exact_witnesses_do_not_prove_fails() -> None:
    tape = Tape(SCENES["full"]())
    tape.one("scenario")["exact"] = True
    disabled = tape.one("service", host="compute-1", status="disabled")
    disabled.update(at=told(tape, "PLANNED_MAINTENANCE")["at"] + 1, not_before=disabled["at"])

    check = judge(Trace.from_mappings(tape.records)).check("order.disable_before_planned")

    assert check.outcome is Outcome.FAILED


def test_exact_witnesses_prove_the_order_of_what_happened_at_the_same_time() -> None:
    tape = Tape(SCENES["full"]())
    tape.one("scenario")["exact"] = True
    disabled = tape.one("service", host="compute-1", status="disabled")
    on_bus = tape.one("notification", source="bus")
    tape.records.remove(disabled)
    tape.records.insert(tape.records.index(on_bus) + 1, disabled)
    disabled["at"] = on_bus["at"]

    verdict = judge(Trace.from_mappings(tape.records))

    assert [check.check_id for check in verdict.failed] == ["order.disable_before_planned"]


def test_a_stamp_later_than_the_arrival_is_not_believed() -> None:
    tape = Tape(SCENES["without_bus"]())
    planned = told(tape, "PLANNED_MAINTENANCE")
    disabled = tape.one("service", host="compute-1", status="disabled")
    disabled["at"] = planned["at"] + 0.01
    planned["generated"] = planned["at"] + 0.02

    verdict = judge(Trace.from_mappings(tape.records))

    assert "order.disable_before_planned" in {check.check_id for check in verdict.failed}


def test_evidence_is_bounded_and_the_rest_is_counted() -> None:
    tape = Tape(SCENES["full"]())
    readable = tape.one("readable")
    for _ in range(50):
        tape.add_after(readable, text="compute-1")

    check = judge(Trace.from_mappings(tape.records)).check("privacy.no_host")

    assert len(check.evidence) == 20
    assert check.note == "30 more findings are left out"


def test_an_instance_whose_owner_recreated_it_is_not_lost_though_nobody_saw_who_deleted_it() -> (
    None
):
    tape = Tape(SCENES["two_projects"]())
    for record in tape.all("instance"):
        record.pop("by_owner", None)

    assert judge(Trace.from_mappings(tape.records)).check("lost.no_instance").outcome is (
        Outcome.PASSED
    )


def test_a_project_without_an_alarm_need_not_be_told() -> None:
    tape = Tape(SCENES["full"]())
    tape.one("scenario")["projects"][P1.project_id]["subscribed"] = False
    project = [item for item in tape.all("notification") if item["project_id"] == P1.project_id]
    tape.drop(*project, *tape.all("reply"))

    verdict = judge(Trace.from_mappings(tape.records), Expected())

    assert verdict.failed == ()
