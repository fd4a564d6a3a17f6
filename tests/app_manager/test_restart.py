# SPDX-License-Identifier: Apache-2.0
"""The app manager ends, is started again on its state file, and keeps what it promised."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crash_stage import Killed, MortalClock

from app_manager.app_world import ADMIN_TOOL, APP_MANAGER, AppWorld
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.protocol import Action, NotificationState
from doctor_maintenance.simulator.mount import mount
from doctor_maintenance.workers import InlineWorkers
from sample_app_manager import strategies
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.api import create_app
from sample_app_manager.manager import Manager
from sample_app_manager.peer import AdminTool
from sample_app_manager.policy import Rules
from sample_app_manager.seams import Waits
from sample_app_manager.state import Phase
from sample_app_manager.store import FileStore, StoreError

LOOK_S = 2.0


class World(AppWorld):
    """An app manager that can be killed and started again."""

    def __init__(self, folder: Path, action: Action = Action.MIGRATE) -> None:
        super().__init__()
        self.manager.close()
        self.path = folder / "state.sqlite3"
        self.action = action
        self.start()

    def start(self) -> None:
        self.process = MortalClock(self.clock)
        self.store = FileStore(self.path)
        own = ProjectCloud(self.connect(self.app.account.login))
        self.manager = Manager(
            self.process,
            InlineWorkers(self.process),
            own,
            AdminTool(self.http, own.token, 5.0, ADMIN_TOOL),
            project_id=self.app.account.project_id,
            strategy=strategies.find("auto"),
            strategy_name="auto",
            rules=Rules(self.action),
            ask=self.ask,
            waits=Waits(look_s=LOOK_S),
            observe=lambda kind, fields: self.seen.append((kind, fields)),
            store=self.store,
        )
        mount(self.http, APP_MANAGER, create_app(self.manager, self.process))
        self.manager.resume()

    def kill(self) -> None:
        self.process.dead = True
        self.store.close()

    def again(self, *, after_s: float = 1.0) -> None:
        self.kill()
        self.clock.advance(after_s)
        self.start()

    def kill_when(self, condition: Callable[[], bool]) -> None:
        assert self.clock.run_until(condition, self.clock.now() + 60.0)
        self.again()

    def servers(self) -> dict[str, str]:
        found = self.connect(self.app.account.login).compute.get("/servers/detail").json()
        return {item["id"]: item["name"] for item in found["servers"]}

    def told(self, affected: list[str], **changes: Any) -> None:
        """Post an alarm, and do nothing more."""
        self.admin_tool.instance_ids = affected
        assert self.post(self.notification(**changes)).ok

    def view(self, number: int, state: str = "PLANNED_MAINTENANCE", **changes: Any) -> str:
        return json.dumps(
            {
                "session_id": "session-1",
                "project_id": self.app.account.project_id,
                "number": number,
                "session_over": False,
                "state": state,
                "type": "full",
                "instance_ids": [self.app.active],
                "allowed_actions": ["MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"],
                "default_action": "LIVE_MIGRATE",
                "reply_at": "2100-01-01 01:00:00",
                "actions_at": "2100-01-01 01:00:00",
                "reply": None,
                "metadata": {},
                **changes,
            }
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_was_taken_is_replied_to_after_a_restart(world: World) -> None:
    world.told([world.app.standby])

    world.again()
    world.settle()

    assert world.admin_tool.actions() == {world.app.standby: "MIGRATE"}
    assert world.manager.entries[0].phase is Phase.REPLIED


def test_what_was_replied_is_not_replied_again(world: World) -> None:
    world.tell([world.app.standby])

    world.again()
    world.settle()

    assert len(world.admin_tool.replies) == 1
    assert world.post(world.notification()).json() == {"new": False}


def test_a_reply_that_was_decided_is_the_one_that_is_sent(world: World) -> None:
    """The admin tool may have taken it: another one would be refused."""
    world.admin_tool.statuses = [503] * 50
    world.told([world.app.standby])
    world.clock.run_until(lambda: bool(world.admin_tool.replies), world.clock.now() + 10.0)
    first = world.admin_tool.replies[0]
    world.kill()
    world.action = Action.LIVE_MIGRATE
    world.admin_tool.statuses = []

    world.start()
    world.settle()

    assert world.admin_tool.replies[-1] == first
    assert first["instance_actions"] == {world.app.standby: "MIGRATE"}


def test_a_switch_over_is_seen_to_its_end_before_the_reply(world: World) -> None:
    world.silenced_at.add((world.app.address, world.app.standby))
    world.told([world.app.active])
    world.kill_when(lambda: world.cloud.network.holder(world.app.address) == world.app.standby)
    world.clock.advance(1.0)
    assert world.admin_tool.replies == []

    world.silenced_at.clear()
    world.settle()

    assert world.cloud.network.holder(world.app.address) == world.app.standby
    assert world.admin_tool.actions() == {world.app.active: "MIGRATE"}


@pytest.mark.parametrize("moment", ["deleting", "gone", "building", "built"])
def test_what_was_deleted_is_built_again_and_once(moment: str, tmp_path: Path) -> None:
    world = World(tmp_path, Action.OWN_ACTION)
    single = world.app.singles[0]
    name = world.servers()[single]
    before = len(world.servers())
    moments: dict[str, Callable[[], bool]] = {
        "deleting": lambda: bool(world.manager.entries[0].rebuilds),
        "gone": lambda: single not in world.servers(),
        "building": lambda: any(item.new for item in world.manager.entries[0].rebuilds.values()),
        "built": lambda: bool(world.manager.entries[0].recreated),
    }
    world.told([single])
    world.kill_when(moments[moment])
    world.settle()

    found = world.servers()
    assert single not in found
    assert list(found.values()).count(name) == 1
    assert len(found) == before
    assert world.manager.entries[0].recreated.keys() == {single}
    assert world.admin_tool.actions() == {single: "OWN_ACTION"}


def test_an_instance_that_was_begun_and_not_written_down_is_found(tmp_path: Path) -> None:
    world = World(tmp_path, Action.OWN_ACTION)
    single = world.app.singles[0]
    before = len(world.servers())
    save = world.store.save

    def die_when_built(number: int, note: Any) -> None:
        if any(item["new"] for item in note["rebuilds"].values()):
            world.process.dead = True
            raise Killed
        save(number, note)

    world.store.save = die_when_built  # type: ignore[method-assign]
    world.told([single])
    world.clock.run_until(lambda: world.process.dead, world.clock.now() + 60.0)
    world.again()
    world.settle()

    assert len(world.servers()) == before
    assert world.manager.entries[0].recreated.keys() == {single}


def test_an_end_in_good_order_is_no_failure(world: World) -> None:
    world.told([world.app.active])
    world.manager.close()

    world.again()
    world.settle()

    assert world.manager.entries[0].phase is Phase.REPLIED


def test_one_of_a_pair_is_on_its_way_after_a_restart_as_well(world: World) -> None:
    world.tell([world.app.standby])

    world.again()
    world.tell([world.app.active], session_id="session-2", message_id="message-2")

    assert world.admin_tool.replies[-1]["state"] == "NACK_PLANNED_MAINTENANCE"
    assert world.answering(world.app.address) == world.app.active


def test_an_instance_that_left_and_came_back_is_not_leaving_after_a_restart(world: World) -> None:
    pair = world.app.active, world.app.standby
    world.tell([pair[1]], number=1)
    home = world.host_of(pair[1])
    for number, host in ((2, None), (3, home)):
        world.admin.compute.live_migrate_server(pair[1], host=host, block_migration="auto")
        world.clock.advance(5)
        if number == 2:
            world.tell([pair[1]], number=2, message_id="message-2")  # it is seen elsewhere

    world.again()
    world.tell([pair[0]], number=3, message_id="message-3")
    assert world.admin_tool.replies[-1]["state"] == "ACK_PLANNED_MAINTENANCE"


# Alarms that never came.


def test_an_announcement_whose_alarm_was_lost_is_found_by_asking(world: World) -> None:
    world.tell([world.app.standby])
    world.admin_tool.list_body = world.view(2)

    world.clock.advance(2 * LOOK_S)
    world.settle()

    assert [item["state"] for item in world.admin_tool.replies] == [
        "ACK_PLANNED_MAINTENANCE",
        "NACK_PLANNED_MAINTENANCE",  # as its standby is on its way elsewhere
    ]


def test_what_was_missed_while_it_was_down_is_asked_for_at_once(world: World) -> None:
    world.tell([world.app.standby])
    world.admin_tool.list_body = world.view(1, "MAINTENANCE_OVER", session_over=True)

    world.again()
    world.clock.advance(0.5)

    states = [entry.notification.state for entry in world.manager.entries]
    assert states == [NotificationState.PLANNED_MAINTENANCE, NotificationState.MAINTENANCE_OVER]


def test_a_session_that_is_over_is_asked_about_no_more(world: World) -> None:
    world.tell([world.app.standby])
    world.admin_tool.list_body = world.view(1, "MAINTENANCE_OVER", session_over=True)
    world.clock.advance(2 * LOOK_S)
    asked = len(world.admin_tool.requests)

    world.clock.advance(50 * LOOK_S)

    assert len(world.admin_tool.requests) == asked


def test_an_alarm_that_comes_late_after_all_is_nothing_new(world: World) -> None:
    world.tell([world.app.standby])
    world.admin_tool.list_body = world.view(2)
    world.clock.advance(2 * LOOK_S)
    world.settle()

    answer = world.post(world.notification(number=2), message_id="message-2")

    assert answer.json() == {"new": False}
    assert len(world.admin_tool.replies) == 2


def test_an_announcement_that_was_answered_is_left_alone(world: World) -> None:
    world.tell([world.app.standby])
    world.admin_tool.list_body = world.view(2, reply={"state": "ACK_PLANNED_MAINTENANCE"})

    world.clock.advance(3 * LOOK_S)

    assert len(world.admin_tool.replies) == 1


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        "not JSON",
        '{"number": 0}',
        '{"number": 1e9}',
        '{"number": 2, "session_id": "session-2", "state": "MAINTENANCE_OVER"}',
    ],
)
def test_a_view_that_says_nothing_is_not_asked_for_again(world: World, body: str) -> None:
    world.tell([world.app.standby])
    world.admin_tool.list_body = body
    world.clock.advance(2 * LOOK_S)
    asked = len(world.admin_tool.requests)

    world.clock.advance(20 * LOOK_S)

    assert len(world.admin_tool.requests) == asked
    assert len(world.manager.entries) == 1


def test_an_admin_tool_that_is_down_is_asked_again(world: World) -> None:
    world.tell([world.app.standby])
    world.admin_tool.list_statuses = [503] * 3
    world.admin_tool.list_body = world.view(2)

    world.clock.advance(6 * LOOK_S)
    world.settle()

    assert len(world.admin_tool.replies) == 2


def test_an_admin_tool_that_knows_of_no_such_session_is_not_asked_again(world: World) -> None:
    world.tell([world.app.standby])
    world.admin_tool.list_statuses = [404] * 100
    world.clock.advance(20 * LOOK_S)

    assert len(world.admin_tool.list_statuses) == 99


# The state file.


def test_an_alarm_that_cannot_be_written_down_is_not_taken(world: World) -> None:
    def full(number: int, note: Any) -> None:
        raise StoreError("the disk is full")

    save, world.store.save = world.store.save, full  # type: ignore[method-assign]
    assert world.post(world.notification()).status_code == 503
    assert world.manager.entries == ()

    world.store.save = save  # type: ignore[method-assign]
    assert world.post(world.notification()).json() == {"new": True}


def test_notes_come_back_in_their_order(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "deep" / "state.sqlite3")
    for number in (3, 1, 2):
        store.save(number, {"n": number})
    store.save(1, {"n": "again"})
    store.forget(2)
    store.forget(99)
    store.close()

    store = FileStore(tmp_path / "deep" / "state.sqlite3")
    assert store.load() == [(1, {"n": "again"}), (3, {"n": 3})]
    store.close()
    assert (tmp_path / "deep" / "state.sqlite3").stat().st_mode & 0o777 == 0o600


def test_a_second_app_manager_on_the_file_is_refused(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "state.sqlite3")

    with pytest.raises(PreconditionError, match="another app manager"):
        FileStore(tmp_path / "state.sqlite3")
    store.close()
    FileStore(tmp_path / "state.sqlite3").close()


def test_a_file_of_another_release_is_refused(tmp_path: Path) -> None:
    FileStore(tmp_path / "state.sqlite3").close()
    with sqlite3.connect(tmp_path / "state.sqlite3") as file:
        file.execute("PRAGMA user_version = 99")
    file.close()

    with pytest.raises(PreconditionError, match="another release"):
        FileStore(tmp_path / "state.sqlite3")


def test_a_file_that_is_no_state_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    path.write_text("something else" * 1000)

    with pytest.raises(PreconditionError):
        FileStore(path)


def test_a_note_that_cannot_be_read_is_left_alone_and_the_others_count(world: World) -> None:
    world.tell([world.app.standby])
    world.store.save(7, {"notification": {}})

    world.again()

    assert [entry.number for entry in world.manager.entries] == [1]
    assert [number for number, _ in world.store.load()] == [1, 7]
