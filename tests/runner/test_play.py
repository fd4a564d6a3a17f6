# SPDX-License-Identifier: Apache-2.0
"""What a play decides for itself: which cloud is fit, which hosts are maintained, who has heard all."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from doctor_maintenance.exceptions import PreconditionError, UsageError
from doctor_maintenance.leading import Reach
from doctor_maintenance.runner.play import (
    affected_part,
    choose_hosts,
    fit_hosts,
    guests_must,
    heard,
    settled,
)
from doctor_maintenance.runner.stage import ComputeHost, Placed, Stage
from doctor_maintenance.runner.watch import Look, changes
from doctor_maintenance.scenario import Scenario, find_scenarios, load_scenarios

APP = Placed("app", "p1", "192.0.2.1", active="a", standby="b", singles=("c",))
WHERE = {"a": "h2", "b": "h1", "c": "h3"}


def hosts(*states: str) -> list[ComputeHost]:
    return [
        ComputeHost(f"h{number}", enabled="d" not in state, up="x" not in state)
        for number, state in enumerate(states, 1)
    ]


def test_hosts_that_are_enabled_and_up_are_fit() -> None:
    assert fit_hosts(hosts("", "", "", "d", "x")) == ["h1", "h2", "h3"]


def test_fewer_than_three_fit_hosts_are_refused_with_each_ones_condition() -> None:
    with pytest.raises(PreconditionError) as caught:
        fit_hosts(hosts("", "d", "x"))

    assert "at least 3" in str(caught.value)
    assert "h2 (disabled, up), h3 (enabled, down)" in str(caught.value)


def test_all_hosts_are_maintained_unless_the_scenario_says_how_many() -> None:
    every = Scenario(summary="", max_hosts=None)

    assert choose_hosts(every, ["h3", "h1", "h2"], WHERE, [APP]) == ["h1", "h2", "h3"]


def test_the_active_sides_host_is_chosen_first_so_that_there_is_something_to_switch() -> None:
    one = Scenario(summary="", max_hosts=1)

    assert choose_hosts(one, ["h1", "h2", "h3"], WHERE, [APP]) == ["h2"]


def test_a_part_of_a_host_is_the_first_applications_pair() -> None:
    part = Scenario(summary="", part=True)

    assert affected_part(part, ["h2"], WHERE, [APP]) == {"h2": ["a"]}
    assert affected_part(replace(part, part=False), ["h2"], WHERE, [APP]) is None


def test_service_that_answers_nobody_is_told_with_what_its_way_asks_of_guests() -> None:
    hint = guests_must([replace(APP, reach=Reach.ROUTE)])

    assert "192.0.2.1 of app leads by route" in hint
    assert "run their user data" in hint
    assert "--strategy floating_ip" in hint
    assert "user data" not in guests_must([APP])


def instance(instance_id: str, status: str) -> dict[str, Any]:
    return {"kind": "instance", "instance_id": instance_id, "status": status}


def test_run_is_not_over_while_an_instance_is_being_built_anew() -> None:
    before = [instance("a", "ACTIVE"), instance("a", "DELETED"), instance("b", "BUILD")]

    assert not settled(stage_that_saw(*before))
    assert settled(stage_that_saw(*before, instance("b", "ACTIVE")))


@pytest.mark.parametrize("status", ["ACTIVE", "ERROR", "SHUTOFF", "DELETED"])
def test_instance_that_rests_in_whatever_state_is_not_waited_for(status: str) -> None:
    assert settled(stage_that_saw(instance("a", status)))


def stage_that_saw(*records: dict[str, Any]) -> Stage:
    return cast(Stage, SimpleNamespace(recorder=SimpleNamespace(records=list(records))))


def notification(state: str, project: str, host: str | None = None) -> dict[str, Any]:
    return {
        "kind": "notification",
        "session_id": "s",
        "project_id": project,
        "host": host,
        "state": state,
    }


def view(project_state: str, subscribed: bool = True) -> dict[str, Any]:
    project = {"project_id": "p1", "state": project_state, "subscribed": subscribed}
    return {
        "session_id": "s",
        "hosts": [{"host": "h1", "state": "MAINTENANCE_OVER", "projects": [project]}],
    }


def test_everybody_has_heard_when_the_last_word_to_each_was_seen() -> None:
    over = notification("MAINTENANCE_OVER", "admin", "h1")
    told = notification("MAINTENANCE_OVER", "p1")

    assert not heard(stage_that_saw(told), view("MAINTENANCE_OVER"))
    assert not heard(stage_that_saw(over), view("MAINTENANCE_OVER"))
    assert heard(stage_that_saw(over, told), view("MAINTENANCE_OVER"))


def test_a_project_without_an_alarm_is_not_waited_for() -> None:
    over = notification("MAINTENANCE_OVER", "admin", "h1")

    assert heard(stage_that_saw(over), view("MAINTENANCE_OVER", subscribed=False))


def test_what_differs_between_two_looks_happened_between_them() -> None:
    first = Look(10.0, 11.0, {("service", "h1"): {"host": "h1", "status": "enabled"}})
    second = Look(20.0, 21.0, {("service", "h1"): {"host": "h1", "status": "disabled"}})

    assert changes(first, second) == [
        {"at": 21.0, "not_before": 10.0, "kind": "service", "host": "h1", "status": "disabled"}
    ]
    assert changes(second, second) == []


def test_an_instance_that_is_not_there_any_more_was_deleted() -> None:
    instance = {"instance_id": "i", "name": "n", "project_id": "p", "status": "ACTIVE"}
    first = Look(10.0, 11.0, {("instance", "i"): instance})

    (record,) = changes(first, Look(20.0, 21.0))

    assert record["status"] == "DELETED"
    assert record["host"] is None


def test_an_unknown_scenario_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UsageError, match="unknown scenario lunch; there are: canceled, fault_"):
        find_scenarios(("full_maintenance", "lunch"))


def test_every_scenario_has_a_name_and_says_what_it_shows() -> None:
    for name, scenario in load_scenarios().items():
        assert scenario.name == name
        assert scenario.summary
