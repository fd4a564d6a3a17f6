# SPDX-License-Identifier: Apache-2.0
"""What the sample application wants, decided from data alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doctor_maintenance.protocol import (
    Action,
    MaintenanceType,
    NotificationState,
    ProjectNotification,
    Verdict,
)
from sample_app_manager.policy import Instance, Plan, Rules, Service, SwitchOver, View, decide

FULL = (Action.MIGRATE, Action.LIVE_MIGRATE, Action.OWN_ACTION)
ADDRESS = "192.0.2.10"
PLANNED = ProjectNotification(
    session_id="session-1",
    project_id="project-a",
    state=NotificationState.PLANNED_MAINTENANCE,
    type=MaintenanceType.FULL,
    instance_ids="http://admin.example/v1/maintenance/session-1/project-a/1",
    allowed_actions=FULL,
    reply_at=1_577_836_860.0,
    reply_url="http://admin.example/v1/maintenance/session-1/project-a/1",
)
REBOOT = replace(PLANNED, type=MaintenanceType.REBOOT, allowed_actions=(*FULL, Action.LEAVE))


def view(active: str | None = "act", **statuses: str) -> View:
    instances = {
        name: Instance(name, name, statuses.get(name, "ACTIVE"))
        for name in ("act", "stby", "single-1", "single-2")
    }
    return View(instances, (Service(ADDRESS, ("act", "stby"), active),))


def without_standby() -> View:
    seen = view()
    return View(
        {name: instance for name, instance in seen.instances.items() if name != "stby"},
        seen.services,
    )


def actions(plan: Plan) -> dict[str, Action]:
    assert plan.reply is not None
    assert plan.reply.verdict is Verdict.ACK
    return dict(plan.reply.instance_actions)


def test_an_affected_active_member_is_switched_over_and_then_moved() -> None:
    plan = decide(PLANNED, ["act", "single-1"], view(), Rules(Action.MIGRATE))
    assert plan.switch_overs == (SwitchOver(ADDRESS, "act", "stby"),)
    assert actions(plan) == {"act": Action.MIGRATE, "single-1": Action.MIGRATE}


def test_an_affected_standby_is_moved_without_a_switch_over() -> None:
    plan = decide(PLANNED, ["stby"], view(), Rules(Action.MIGRATE))
    assert plan.switch_overs == ()
    assert actions(plan) == {"stby": Action.MIGRATE}


def test_every_affected_instance_has_an_instruction() -> None:
    plan = decide(PLANNED, ["single-2", "single-1"], view(), Rules())
    assert actions(plan) == {"single-1": Action.LIVE_MIGRATE, "single-2": Action.LIVE_MIGRATE}


@pytest.mark.parametrize("status", ["SHUTOFF", "ERROR", "PAUSED", "SUSPENDED"])
def test_an_active_member_whose_standby_does_not_run_is_not_touched(status: str) -> None:
    plan = decide(PLANNED, ["act"], view(stby=status), Rules(Action.LIVE_MIGRATE))
    assert plan.switch_overs == ()
    assert plan.reply is not None
    assert plan.reply.verdict is Verdict.NACK
    assert f"stby serves {ADDRESS} together with act and is {status}" in plan.reasons[0]


def test_a_standby_that_does_not_run_may_itself_be_moved() -> None:
    plan = decide(PLANNED, ["stby"], view(stby="SHUTOFF"), Rules(Action.MIGRATE))
    assert actions(plan) == {"stby": Action.MIGRATE}


def test_an_active_member_whose_standby_is_gone_is_moved_while_it_runs() -> None:
    plan = decide(PLANNED, ["act"], without_standby(), Rules(Action.MIGRATE))
    assert plan.switch_overs == ()
    assert actions(plan) == {"act": Action.LIVE_MIGRATE}


def test_an_active_member_whose_standby_is_affected_too_is_moved_while_it_runs() -> None:
    plan = decide(PLANNED, ["act", "stby"], view(), Rules(Action.MIGRATE))
    assert plan.switch_overs == ()
    assert actions(plan) == {"act": Action.LIVE_MIGRATE, "stby": Action.MIGRATE}


def test_maintenance_that_would_stop_the_service_is_refused() -> None:
    plan = decide(
        replace(PLANNED, allowed_actions=(Action.MIGRATE,)),
        ["act", "single-1"],
        without_standby(),
        Rules(Action.MIGRATE),
    )
    assert plan.reply is not None
    assert plan.reply.verdict is Verdict.NACK
    assert plan.reply.instance_actions == {}
    assert plan.switch_overs == ()
    assert "the service would stop" in plan.reasons[0]


def test_the_first_of_several_standbys_by_name_takes_over() -> None:
    instances = {name: Instance(name, name) for name in ("act", "stby-2", "stby-1")}
    several = View(instances, (Service(ADDRESS, ("act", "stby-2", "stby-1"), "act"),))
    plan = decide(PLANNED, ["act"], several, Rules())
    assert plan.switch_overs == (SwitchOver(ADDRESS, "act", "stby-1"),)


@pytest.mark.parametrize(
    "change", [{"leaving": True}, {"status": "MIGRATING"}, {"status": "VERIFY_RESIZE"}]
)
@pytest.mark.parametrize(("affected", "other"), [("act", "stby"), ("stby", "act")])
def test_two_of_a_service_are_not_given_to_two_sessions_at_a_time(
    affected: str, other: str, change: dict[str, Any]
) -> None:
    seen = view()
    going = replace(seen.instances[other], **change)
    seen = View({**seen.instances, other: going}, seen.services)

    plan = decide(PLANNED, [affected], seen, Rules(Action.LIVE_MIGRATE))

    assert plan.reply is not None
    assert plan.reply.verdict is Verdict.NACK
    assert plan.switch_overs == ()
    assert "one of them at a time" in plan.reasons[0]


def test_a_standby_on_the_affected_host_itself_is_not_switched_to() -> None:
    seen = view()
    together = {
        name: replace(instance, placement="0a1b" if name in ("act", "stby") else "2c3d")
        for name, instance in seen.instances.items()
    }
    plan = decide(PLANNED, ["act"], View(together, seen.services), Rules(Action.MIGRATE))
    assert plan.switch_overs == ()


def test_a_service_that_nobody_serves_is_not_switched_over() -> None:
    plan = decide(PLANNED, ["act"], view(active=None), Rules(Action.MIGRATE))
    assert plan.switch_overs == ()
    assert actions(plan) == {"act": Action.MIGRATE}


def test_own_action_builds_the_affected_instances_anew() -> None:
    plan = decide(PLANNED, ["act", "single-1"], view(), Rules(Action.OWN_ACTION))
    assert plan.switch_overs == (SwitchOver(ADDRESS, "act", "stby"),)
    assert plan.recreate == ("act", "single-1")
    assert actions(plan) == {"act": Action.OWN_ACTION, "single-1": Action.OWN_ACTION}


def test_an_active_member_without_standby_is_not_built_anew() -> None:
    plan = decide(PLANNED, ["act", "single-1"], without_standby(), Rules(Action.OWN_ACTION))
    assert plan.recreate == ("single-1",)
    assert actions(plan)["act"] is Action.LIVE_MIGRATE


def test_single_instances_may_be_treated_differently() -> None:
    rules = Rules(Action.LIVE_MIGRATE, single_action=Action.OWN_ACTION)
    plan = decide(PLANNED, ["stby", "single-1"], view(), rules)
    assert actions(plan) == {"stby": Action.LIVE_MIGRATE, "single-1": Action.OWN_ACTION}
    assert plan.recreate == ("single-1",)


def test_leave_is_asked_for_where_it_is_allowed() -> None:
    plan = decide(REBOOT, ["act"], view(), Rules(Action.LEAVE))
    assert plan.switch_overs == (SwitchOver(ADDRESS, "act", "stby"),)
    assert actions(plan) == {"act": Action.LEAVE}


def test_leave_is_not_asked_for_in_full_maintenance() -> None:
    plan = decide(PLANNED, ["single-1"], view(), Rules(Action.LEAVE))
    assert actions(plan) == {"single-1": Action.LIVE_MIGRATE}


def test_maintenance_without_any_action_that_we_know_is_refused() -> None:
    plan = decide(replace(PLANNED, allowed_actions=()), ["single-1"], view(), Rules())
    assert plan.reply is not None
    assert plan.reply.verdict is Verdict.NACK


def test_an_instance_that_is_not_ours_is_not_spoken_of() -> None:
    plan = decide(PLANNED, ["single-1", "somebody-else"], view(), Rules())
    assert actions(plan) == {"single-1": Action.LIVE_MIGRATE}
    assert any("somebody-else" in reason for reason in plan.reasons)


def test_a_refusing_application_touches_nothing() -> None:
    plan = decide(PLANNED, ["act"], view(), Rules(Action.OWN_ACTION, refuse=True))
    assert plan.reply is not None
    assert plan.reply.verdict is Verdict.NACK
    assert not plan.switch_overs
    assert not plan.recreate


def test_a_silent_application_does_not_reply() -> None:
    plan = decide(PLANNED, ["act"], view(), Rules(silent=True))
    assert plan.reply is None
    assert plan.switch_overs == ()


@pytest.mark.parametrize(
    "state",
    [
        NotificationState.IN_MAINTENANCE,
        NotificationState.MAINTENANCE_CANCELED,
        NotificationState.MAINTENANCE_OVER,
    ],
)
def test_other_states_are_only_noted(state: NotificationState) -> None:
    plan = decide(replace(PLANNED, state=state), ["act"], view(), Rules())
    assert plan.reply is None
    assert not plan.switch_overs
    assert not plan.recreate


def test_the_reply_carries_the_session_and_the_state() -> None:
    plan = decide(PLANNED, ["single-1"], view(), Rules(Action.MIGRATE))
    assert plan.reply is not None
    assert plan.reply.to_wire() == {
        "session_id": "session-1",
        "state": "ACK_PLANNED_MAINTENANCE",
        "instance_actions": {"single-1": "MIGRATE"},
    }
