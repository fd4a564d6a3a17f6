# SPDX-License-Identifier: Apache-2.0
"""What holds of every plan, whatever the application looks like and whatever is affected."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from doctor_maintenance.protocol import (
    Action,
    MaintenanceType,
    NotificationState,
    ProjectNotification,
    Verdict,
)
from sample_app_manager.policy import Instance, Rules, Service, View, decide

NAMES = [f"instance-{number}" for number in range(6)]
STATUSES = ["ACTIVE", "SHUTOFF", "ERROR", "MIGRATING"]
ACTIONS = list(Action)


@st.composite
def views(draw: st.DrawFn) -> View:
    instances = {
        name: Instance(
            name,
            name,
            draw(st.sampled_from(STATUSES)),
            draw(st.sampled_from(["", "here", "there", "elsewhere"])),
            draw(st.booleans()),
        )
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True))
    }
    members = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    active = draw(st.sampled_from([None, *members]))
    services = (Service("192.0.2.10", tuple(members), active),) if members else ()
    return View(instances, services)


@st.composite
def notifications(draw: st.DrawFn) -> ProjectNotification:
    kind = draw(st.sampled_from(list(MaintenanceType)))
    allowed = draw(st.lists(st.sampled_from(ACTIONS), unique=True))
    if kind is MaintenanceType.FULL:
        allowed = [action for action in allowed if action is not Action.LEAVE]
    return ProjectNotification(
        session_id="session-1",
        project_id="project-a",
        state=draw(st.sampled_from(list(NotificationState))),
        type=kind,
        instance_ids="http://admin.example/1",
        allowed_actions=tuple(allowed),
    )


RULES = st.builds(
    Rules,
    action=st.sampled_from(ACTIONS),
    single_action=st.sampled_from([None, *ACTIONS]),
    refuse=st.booleans(),
    silent=st.booleans(),
)
AFFECTED = st.lists(st.sampled_from([*NAMES, "foreign"]), unique=True)


@given(notifications(), AFFECTED, views(), RULES)
def test_a_plan_asks_only_for_what_is_allowed_and_only_for_its_own_affected_instances(
    notification: ProjectNotification, affected: list[str], view: View, rules: Rules
) -> None:
    plan = decide(notification, affected, view, rules)
    if plan.reply is None or plan.reply.verdict is Verdict.NACK:
        assert not plan.switch_overs
        assert not plan.recreate
        return
    assert set(plan.reply.instance_actions) == set(affected) & set(view.instances)
    assert set(plan.reply.instance_actions.values()) <= set(notification.allowed_actions)


@given(notifications(), AFFECTED, views(), RULES)
def test_after_a_plan_the_service_is_served_by_somebody_who_stays_or_moves_while_running(
    notification: ProjectNotification, affected: list[str], view: View, rules: Rules
) -> None:
    plan = decide(notification, affected, view, rules)
    if plan.reply is None or plan.reply.verdict is Verdict.NACK:
        return
    took_over = {what.from_instance: what.to_instance for what in plan.switch_overs}
    for service in view.services:
        serving = took_over.get(service.active or "", service.active)
        if serving is not None and serving in plan.reply.instance_actions:
            assert plan.reply.instance_actions[serving] is Action.LIVE_MIGRATE
            assert serving not in plan.recreate


@given(notifications(), AFFECTED, views(), RULES)
def test_whoever_takes_over_runs_and_is_not_affected(
    notification: ProjectNotification, affected: list[str], view: View, rules: Rules
) -> None:
    for what in decide(notification, affected, view, rules).switch_overs:
        standby = view.instances[what.to_instance]
        assert standby.status == "ACTIVE"
        assert not standby.leaving
        assert what.to_instance not in affected


@given(AFFECTED, views(), RULES)
def test_the_same_facts_give_the_same_plan_in_whatever_order(
    affected: list[str], view: View, rules: Rules
) -> None:
    notification = ProjectNotification(
        session_id="session-1",
        project_id="project-a",
        state=NotificationState.PLANNED_MAINTENANCE,
        type=MaintenanceType.REBOOT,
        instance_ids="http://admin.example/1",
        allowed_actions=tuple(ACTIONS),
    )
    turned = View(dict(reversed(list(view.instances.items()))), view.services)
    first = decide(notification, affected, view, rules)
    assert decide(notification, affected[::-1], turned, rules) == first
