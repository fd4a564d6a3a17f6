# SPDX-License-Identifier: Apache-2.0
"""The app manager beside a simulated cloud, in virtual time."""

from __future__ import annotations

import json

import pytest

from app_manager.app_world import ADMIN_TOOL, AppWorld, ScriptedAdminTool
from doctor_maintenance.deployment import ApplicationSpec
from doctor_maintenance.protocol import Action, MaintenanceType, NotificationState
from doctor_maintenance.simulator.mount import mount
from sample_app_manager.policy import Rules
from sample_app_manager.recreate import RecreateRules
from sample_app_manager.seams import Waits
from sample_app_manager.state import Phase


def test_the_standby_serves_before_the_maintenance_is_agreed_to() -> None:
    world = AppWorld()
    app = world.app
    world.tell([app.active, app.singles[0]])
    assert world.answering(app.address) == app.standby
    assert world.admin_tool.actions() == {app.active: "MIGRATE", app.singles[0]: "MIGRATE"}
    kinds = [kind for kind, _ in world.seen if kind in ("switch_over", "reply")]
    assert kinds == ["switch_over", "switch_over", "reply"]
    assert [fields["phase"] for fields in world.records("switch_over")] == ["start", "done"]


def test_an_affected_standby_is_agreed_to_without_a_switch_over() -> None:
    world = AppWorld()
    world.tell([world.app.standby])
    assert world.answering(world.app.address) == world.app.active
    assert world.records("switch_over") == []
    assert world.admin_tool.actions() == {world.app.standby: "MIGRATE"}


def test_the_alarm_is_answered_before_anything_is_done() -> None:
    world = AppWorld()
    world.admin_tool.instance_ids = [world.app.active]
    answer = world.post(world.notification())
    assert answer.status_code == 200
    assert answer.json() == {"new": True}
    assert world.admin_tool.requests == []
    assert not world.manager.idle


def test_a_repeated_alarm_leads_to_no_second_action() -> None:
    world = AppWorld()
    notification = world.notification()
    world.admin_tool.instance_ids = [world.app.active]
    world.post(notification)
    assert world.post(notification).json() == {"new": False}
    world.settle()
    world.post(notification)
    world.post(notification, message_id="message-2")
    world.settle()
    assert len(world.admin_tool.replies) == 1
    assert len(world.records("switch_over")) == 2
    assert world.manager.entries[0].repeated == 3


def test_the_second_of_a_pair_is_refused_while_the_first_is_on_its_way() -> None:
    world = AppWorld()
    app = world.app
    world.tell([app.active], number=1)
    world.tell([app.standby], number=2, message_id="message-2")

    assert world.admin_tool.replies[1]["state"] == "NACK_PLANNED_MAINTENANCE"
    assert world.answering(app.address) == app.standby


@pytest.mark.parametrize("verdict", ["ACK", "NACK"])
def test_a_reply_without_an_answer_may_have_been_taken_or_been_too_late(verdict: str) -> None:
    world = AppWorld()
    app = world.app
    if verdict == "NACK":
        world.silenced.add(app.standby)  # it cannot take over, so the maintenance is refused
    world.admin_tool.statuses = [503] * 100
    world.tell([app.active], number=1)
    assert {item["state"] for item in world.admin_tool.replies} == {
        f"{verdict}_PLANNED_MAINTENANCE"
    }

    world.admin_tool.statuses.clear()
    world.tell([app.standby], number=2, message_id="message-2")
    assert world.admin_tool.replies[-1]["state"] == "NACK_PLANNED_MAINTENANCE"


def test_a_refusal_that_was_taken_keeps_the_instances_where_they_are() -> None:
    world = AppWorld()
    app = world.app
    world.silenced.add(app.standby)
    world.tell([app.active], number=1)
    world.tell([app.standby], number=2, message_id="message-2")
    assert [item["state"] for item in world.admin_tool.replies] == [
        "NACK_PLANNED_MAINTENANCE",
        "ACK_PLANNED_MAINTENANCE",
    ]


def test_an_instance_that_has_left_its_host_may_take_over_again() -> None:
    world = AppWorld()
    app = world.app
    world.tell([app.active], number=1)
    world.admin.compute.live_migrate_server(app.active, host=None, block_migration="auto")
    world.clock.advance(5)
    world.tell([app.standby], number=2, message_id="message-2")
    assert world.answering(app.address) == app.active
    assert world.admin_tool.replies[1]["instance_actions"] == {app.standby: "MIGRATE"}


def test_a_canceled_maintenance_frees_its_instances_to_take_over() -> None:
    world = AppWorld()
    app = world.app
    world.tell([app.active], number=1)
    world.tell(
        [app.active],
        state=NotificationState.MAINTENANCE_CANCELED,
        number=1,
        message_id="message-2",
    )
    world.tell([app.standby], number=2, message_id="message-3")
    assert world.answering(app.address) == app.active


def test_announcements_are_worked_on_one_after_another() -> None:
    world = AppWorld()
    app = world.app
    world.admin_tool.instance_ids = [app.active]
    world.post(world.notification(number=1), message_id="message-1")
    world.post(world.notification(number=2), message_id="message-2")
    world.settle()
    methods = [method for method, _, _, _ in world.admin_tool.requests]
    assert methods == ["GET", "PUT", "GET", "PUT"]


def test_a_standby_that_does_not_serve_yet_is_not_switched_over_to() -> None:
    world = AppWorld(waits=Waits(switch_over_s=2.0))
    world.silenced.add(world.app.standby)
    world.tell([world.app.active])
    assert [reply["state"] for reply in world.admin_tool.replies] == ["NACK_PLANNED_MAINTENANCE"]
    assert world.records("switch_over") == []
    assert "cannot take over" in world.manager.entries[0].detail


def test_a_standby_that_begins_to_serve_late_is_waited_for() -> None:
    world = AppWorld(waits=Waits(switch_over_s=20.0))
    app = world.app
    serves_at = world.clock.now() + 7.0
    world.silenced.add(app.standby)
    world.clock.call_at(serves_at, lambda: world.silenced.discard(app.standby))
    before: list[str | None] = []
    world.clock.call_at(serves_at - 0.1, lambda: before.append(world.answering(app.address)))
    world.tell([app.active])
    assert before == [app.active]
    assert world.answering(app.address) == app.standby
    assert world.admin_tool.actions() == {app.active: "MIGRATE"}


def test_a_standby_that_does_not_answer_means_switching_back_and_refusing() -> None:
    world = AppWorld(waits=Waits(switch_over_s=2.0))
    app = world.app
    world.silenced_at.add((app.address, app.standby))
    world.tell([app.active])
    assert world.answering(app.address) == app.active
    assert [reply["state"] for reply in world.admin_tool.replies] == ["NACK_PLANNED_MAINTENANCE"]
    phases = [fields["phase"] for fields in world.records("switch_over")]
    assert phases == ["start", "failed", "start", "done"]
    assert "did not take over" in world.manager.entries[0].detail


def test_a_standby_that_does_not_answer_is_given_up_in_time_to_refuse() -> None:
    world = AppWorld(waits=Waits(switch_over_s=300.0))
    world.silenced.add(world.app.standby)
    told_at = world.clock.now()
    world.tell([world.app.active], reply_in_s=10.0)
    assert world.clock.now() < told_at + 10.0
    assert [reply["state"] for reply in world.admin_tool.replies] == ["NACK_PLANNED_MAINTENANCE"]


def test_the_bad_strategy_agrees_without_switching_over() -> None:
    world = AppWorld(strategy="none")
    app = world.app
    world.tell([app.active])
    assert world.answering(app.address) == app.active
    assert world.admin_tool.actions() == {app.active: "MIGRATE"}


def test_own_action_builds_instances_anew_on_another_host() -> None:
    world = AppWorld(Rules(Action.OWN_ACTION))
    app = world.app
    host = world.host_of(app.active)
    single = next(each for each in app.singles if world.host_of(each) == host)
    world.disable(host)
    world.tell([app.active, single])
    assert world.admin_tool.actions() == {app.active: "OWN_ACTION", single: "OWN_ACTION"}
    created = world.manager.entries[0].recreated
    assert set(created) == {app.active, single}
    new = world.get("compute", f"/servers/{created[app.active]}")["server"]
    assert new["name"] == "dm-test1-app-ha-1"
    assert new["status"] == "ACTIVE"
    assert world.host_of(created[app.active]) not in (host, world.host_of(app.standby))
    assert world.answering(app.address) == app.standby
    gone = world.admin.compute.get(f"/servers/{app.active}")
    assert gone.status_code == 404


def test_a_rebuilt_standby_takes_over_later() -> None:
    world = AppWorld(Rules(Action.OWN_ACTION))
    app = world.app
    world.disable(world.host_of(app.active))
    world.tell([app.active])
    rebuilt = world.manager.entries[0].recreated[app.active]
    world.tell([app.standby], number=2, message_id="message-2")
    assert world.answering(app.address) == rebuilt


def test_the_reply_is_in_time_even_if_building_anew_is_not() -> None:
    world = AppWorld(Rules(Action.OWN_ACTION), profile="realistic")
    single = world.app.singles[0]
    replied_at: list[float] = []
    world.admin_tool.instance_ids = [single]
    told_at = world.clock.now()
    world.post(world.notification(reply_in_s=4.0))
    world.clock.run_until(lambda: bool(world.admin_tool.replies), told_at + 60)
    replied_at.append(world.clock.now())
    assert replied_at[0] < told_at + 4.0
    assert not world.manager.idle
    world.settle()
    assert set(world.manager.entries[0].recreated) == {single}


def test_what_waits_for_instances_being_built_is_refused_before_it_is_decided_without_us() -> None:
    world = AppWorld(Rules(Action.OWN_ACTION), profile="realistic")
    app = world.app
    world.admin_tool.instance_ids = [app.standby]
    told_at = world.clock.now()
    world.post(world.notification(reply_in_s=60.0))
    world.post(world.notification(number=2, reply_in_s=4.0), message_id="message-2")
    world.clock.run_until(lambda: bool(world.admin_tool.replies), told_at + 60)

    assert told_at + 2.0 < world.clock.now() < told_at + 4.0
    assert world.admin_tool.replies[0]["state"] == "NACK_PLANNED_MAINTENANCE"
    world.settle()
    assert [reply["state"] for reply in world.admin_tool.replies[1:]] == ["ACK_PLANNED_MAINTENANCE"]
    assert world.answering(app.address) == app.active
    assert set(world.manager.entries[0].recreated) == {app.standby}


def test_what_can_wait_for_instances_being_built_waits() -> None:
    world = AppWorld(Rules(Action.OWN_ACTION), profile="realistic")
    app = world.app
    world.admin_tool.instance_ids = [app.singles[0]]
    world.post(world.notification(reply_in_s=60.0))
    world.post(world.notification(number=2, reply_in_s=60.0), message_id="message-2")
    world.settle()
    states = [reply["state"] for reply in world.admin_tool.replies]
    assert states == ["ACK_PLANNED_MAINTENANCE"] * 2


def test_an_instance_that_cannot_be_built_anew_is_left_to_the_admin_tool() -> None:
    world = AppWorld(Rules(Action.OWN_ACTION))
    single = world.app.singles[0]
    world.cloud.compute.instances[single].image_id = ""
    world.tell([single])
    assert world.admin_tool.actions() == {single: "LIVE_MIGRATE"}
    assert world.manager.entries[0].recreated == {}
    assert world.get("compute", f"/servers/{single}")["server"]["status"] == "ACTIVE"


def test_instances_without_a_place_are_tried_a_bounded_number_of_times() -> None:
    rules = RecreateRules(attempts=2, retry_s=0.1)
    world = AppWorld(Rules(Action.OWN_ACTION), waits=Waits(recreate=rules))
    for number in (1, 2, 3):
        world.disable(f"compute{number}")
    world.tell([world.app.singles[0]])
    assert "ERROR" in world.manager.entries[0].detail
    world.clock.advance(1)
    names = [item["name"] for item in world.get("compute", "/servers", all_tenants="1")["servers"]]
    assert "dm-test1-app-single-1" not in names


def test_leave_is_asked_for_in_a_reboot() -> None:
    world = AppWorld(Rules(Action.LEAVE))
    app = world.app
    allowed = (Action.MIGRATE, Action.LIVE_MIGRATE, Action.OWN_ACTION, Action.LEAVE)
    world.tell([app.active], type=MaintenanceType.REBOOT, allowed_actions=allowed)
    assert world.admin_tool.actions() == {app.active: "LEAVE"}
    assert world.answering(app.address) == app.standby


def test_a_refusing_app_manager_answers_nack_and_touches_nothing() -> None:
    world = AppWorld(Rules(refuse=True))
    world.tell([world.app.active])
    assert [reply["state"] for reply in world.admin_tool.replies] == ["NACK_PLANNED_MAINTENANCE"]
    assert world.records("switch_over") == []


def test_a_silent_app_manager_does_not_answer() -> None:
    world = AppWorld(Rules(silent=True))
    world.tell([world.app.active])
    assert world.admin_tool.replies == []
    assert world.manager.entries[0].phase is Phase.SILENT


@pytest.mark.parametrize(
    "state",
    [
        NotificationState.IN_MAINTENANCE,
        NotificationState.MAINTENANCE_CANCELED,
        NotificationState.MAINTENANCE_OVER,
    ],
)
def test_other_states_are_noted_and_not_replied_to(state: NotificationState) -> None:
    world = AppWorld()
    world.tell([world.app.active], state=state)
    assert world.admin_tool.replies == []
    assert world.manager.entries[0].phase is Phase.NOTED
    assert [fields["state"] for fields in world.records("notification")] == [state.value]


def test_a_reply_is_sent_again_until_it_is_answered_for_good() -> None:
    world = AppWorld()
    world.admin_tool.statuses = [503, 500, 200]
    world.tell([world.app.standby])
    assert len(world.admin_tool.replies) == 3
    assert [fields["status"] for fields in world.records("reply")] == [503, 500, 200]
    assert world.manager.entries[0].phase is Phase.REPLIED


def test_a_refused_reply_is_not_sent_again() -> None:
    world = AppWorld()
    world.admin_tool.statuses = [409]
    world.tell([world.app.standby])
    assert len(world.admin_tool.replies) == 1
    assert world.manager.entries[0].phase is Phase.NOT_ACCEPTED
    assert "409" in world.manager.entries[0].detail


def test_no_reply_is_sent_again_after_its_deadline() -> None:
    world = AppWorld(waits=Waits(reply_retries=100, retry_s=1.0))
    world.admin_tool.statuses = [503] * 100
    told_at = world.clock.now()
    world.tell([world.app.standby], reply_in_s=5.0)
    assert world.clock.now() <= told_at + 6.0
    assert 3 <= len(world.admin_tool.replies) <= 7


def test_an_expired_token_is_renewed_once() -> None:
    world = AppWorld()
    world.admin_tool.list_statuses = [401]
    world.tell([world.app.standby])
    tokens = [token for _, _, token, _ in world.admin_tool.requests]
    assert tokens[0] != tokens[1]
    assert world.admin_tool.actions() == {world.app.standby: "MIGRATE"}


def test_without_the_list_of_instances_the_maintenance_is_refused() -> None:
    world = AppWorld()
    world.admin_tool.list_statuses = [404]
    world.tell([world.app.active])
    assert [reply["state"] for reply in world.admin_tool.replies] == ["NACK_PLANNED_MAINTENANCE"]
    assert world.records("switch_over") == []


def test_the_list_is_asked_for_again_if_the_admin_tool_is_busy() -> None:
    world = AppWorld()
    world.admin_tool.list_statuses = [503, 503]
    world.tell([world.app.standby])
    assert world.admin_tool.actions() == {world.app.standby: "MIGRATE"}


@pytest.mark.parametrize(
    "text", ["no json", "[]", '{"instance_ids": "all"}', '{"instance_ids": [1]}', "x" * 2_000_000]
)
def test_a_list_that_is_none_is_not_believed(text: str) -> None:
    world = AppWorld()
    world.admin_tool.list_body = text
    world.tell([world.app.active])
    assert [reply["state"] for reply in world.admin_tool.replies] == ["NACK_PLANNED_MAINTENANCE"]


def test_the_token_goes_to_nobody_but_the_admin_tool() -> None:
    world = AppWorld()
    stranger = ScriptedAdminTool([world.app.active])
    mount(world.http, "http://stranger.sim", stranger)
    url = "http://stranger.sim/v1/maintenance/session-1/1"
    world.tell([world.app.active], instance_ids=url, reply_url=url)
    assert stranger.requests == []
    assert world.records("switch_over") == []
    assert world.manager.entries[0].phase is not Phase.REPLIED


def test_no_redirect_is_followed() -> None:
    world = AppWorld()
    stranger = ScriptedAdminTool()
    mount(world.http, "http://stranger.sim", stranger)
    world.admin_tool.headers = [("Location", "http://stranger.sim/")]
    world.admin_tool.list_statuses = [302]
    world.tell([world.app.active])
    assert stranger.requests == []


def test_every_text_that_the_project_could_read_is_told() -> None:
    world = AppWorld()
    world.tell([world.app.standby])
    where = [fields["where"] for fields in world.records("readable")]
    assert where == ["alarm", world.records("notification")[0]["instance_ids"]]
    assert json.loads(world.records("readable")[1]["text"]) == {"instance_ids": [world.app.standby]}


def test_what_is_told_of_a_notification_is_what_stood_in_the_alarm() -> None:
    world = AppWorld()
    world.tell([world.app.standby], metadata={"reason": "kernel"})
    record = world.records("notification")[0]
    assert record["message_id"] == "message-1"
    assert record["session_id"] == "session-1"
    assert record["allowed_actions"] == ["MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"]
    assert record["metadata"] == {"reason": "kernel"}
    assert record["reply_url"].startswith(ADMIN_TOOL)
    assert record["generated"] == 4102444800.123456


def test_the_members_of_other_groups_are_not_taken_for_a_service() -> None:
    world = AppWorld(application=ApplicationSpec("app", singles=1, one_on_every_host=True))
    world.tell([world.app.everywhere[0]])
    assert world.admin_tool.actions() == {world.app.everywhere[0]: "MIGRATE"}
    assert world.records("switch_over") == []
