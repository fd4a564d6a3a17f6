# SPDX-License-Identifier: Apache-2.0
"""Two admin tools on one journal: one drives a session, both answer for it, and no outage loses it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests

from doctor_maintenance.admin_tool.assembly import AdminTool, ToolRules, assemble, embedded_bus
from doctor_maintenance.admin_tool.database import Database
from doctor_maintenance.admin_tool.host_side import HostSideRules
from doctor_maintenance.admin_tool.http_driver import HttpDriver, HttpTransport
from doctor_maintenance.admin_tool.journal import JournalError
from doctor_maintenance.admin_tool.journal_sql import SqlJournal
from doctor_maintenance.clock import TimerHandle, VirtualClock
from doctor_maintenance.planning import SessionRules
from doctor_maintenance.planning.events import Event
from doctor_maintenance.simulator.mount import mount
from doctor_maintenance.simulator.sim_remote import SimRemote
from doctor_maintenance.workers import InlineWorkers

LEASE_S = 4.0
FRONT = "http://tool.sim"
"""Where operators and projects find whichever tool answers."""


class Process:
    """The clock of a process that can be killed, or stopped for a while."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.dead = False
        self.stopped = False
        self._waiting: list[Callable[[], None]] = []

    def now(self) -> float:
        return self._clock.now()

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        def live() -> None:
            if self.stopped:
                self._waiting.append(callback)
            elif not self.dead:
                callback()

        return self._clock.call_at(when, live)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        return self.call_at(self.now() + delay_s, callback)

    def cancel(self, handle: TimerHandle) -> None:
        self._clock.cancel(handle)

    def call(self, function: Callable[[], Any]) -> Any:
        return function()

    def go_on(self) -> None:
        self.stopped = False
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            self._clock.call_later(0.0, callback)


class FailingJournal(SqlJournal):
    """A journal whose database can fail, before or after it has stored what it was given."""

    fails = False
    fails_after = False

    def append(self, session_id: str, at: float, event: Event) -> None:
        self._maybe_fail()
        super().append(session_id, at, event)
        if self.fails_after:
            self.fails_after = False
            raise JournalError("journal: the connection was lost")

    def beat(self) -> None:
        self._maybe_fail()
        super().beat()

    def _maybe_fail(self) -> None:
        if self.fails:
            raise JournalError("journal: the database fails")


class Tool:
    """An admin tool on the shared journal."""

    def __init__(self, world: Any, database_url: str, name: str) -> None:
        self.world = world
        self.url = f"http://{name}.sim"
        self.process = Process(world.clock)
        self.database = Database(database_url)
        self.journal = FailingJournal(self.database, name, self.url)
        self.tool: AdminTool = assemble(
            clock=self.process,
            workers=InlineWorkers(self.process),
            connection=world.connection,
            driver=HttpDriver(
                None,
                ["notifications"],
                HttpTransport(embedded_bus(world.connection), world.connection.session),
            ),
            remote=SimRemote(world.cloud),
            rules=ToolRules(
                session=SessionRules(
                    admin_project_id=world.admin_project, base_url=FRONT, **world.session_rules
                ),
                host_side=HostSideRules(**world.host_rules),
                poll_s=0.1,
                migration_timeout_s=20.0,
                lease_s=LEASE_S,
            ),
            journal=self.journal,
            http=world.http,
        )
        mount(world.http, self.url, self._serve)
        self.tool.engine.recover()

    def _serve(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if self.process.dead or self.process.stopped:
            raise requests.ConnectionError("connection refused")
        return self.tool.app(environ, start)

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        token = self.world.connection.session.get_token()
        answer: requests.Response = self.world.http.request(
            method, self.url + path, json=body, headers={"X-Auth-Token": token}, timeout=5
        )
        return answer

    def begin(self, *hosts: str) -> requests.Response:
        return self.ask("POST", "/v1/maintenance", {"type": "full", "hosts": list(hosts)})

    def state(self, session_id: str) -> str:
        return str(self.ask("GET", f"/v1/maintenance/{session_id}").json()["state"])

    def drives(self) -> bool:
        return any(not known.over for known in self.tool.engine._sessions.driven())


@pytest.fixture
def pair(world: Any, database_url: str) -> Iterator[tuple[Any, Tool, Tool]]:
    """Return a world, and two tools; operators and projects find the first one."""
    tools = [Tool(world, database_url, name) for name in ("one", "other")]
    at_front(world, tools[0])
    yield world, *tools
    for tool in tools:
        tool.database.close()


def at_front(world: Any, tool: Tool) -> None:
    mount(world.http, FRONT, tool._serve)


def run_until(world: Any, condition: Callable[[], bool], within_s: float = 300.0) -> None:
    assert world.clock.run_until(condition, world.clock.now() + within_s)


def finished(world: Any, tool: Tool, session_id: str) -> str:
    run_until(world, lambda: tool.tool.engine.find(session_id).state.final)
    world.clock.advance(1.0)
    return tool.state(session_id)


def test_both_tools_show_a_session_that_one_of_them_drives(pair: tuple[Any, Tool, Tool]) -> None:
    world, one, other = pair
    blue = world.project("blue", lambda notification, ids: None)
    world.boot("a", "blue", "compute1")
    session_id = one.begin("compute1").json()["session_id"]
    world.clock.advance(2.0)
    path = f"/v1/maintenance/{session_id}"

    assert other.ask("GET", path).json() == one.ask("GET", path).json()
    assert other.ask("GET", "/v1/maintenance").json() == one.ask("GET", "/v1/maintenance").json()
    timeline = f"{path}?timeline=true"
    assert len(one.ask("GET", timeline).json()["timeline"]) > 3
    assert other.ask("GET", timeline).json() == one.ask("GET", timeline).json()
    views = [
        world.http.get(
            f"{tool.url}{path}/{blue.project_id}", headers={"X-Auth-Token": blue.token}, timeout=5
        )
        for tool in (one, other)
    ]
    assert views[0].status_code == 200
    assert views[0].json() == views[1].json()
    assert other.drives() is False


def test_a_reply_to_the_tool_that_does_not_drive_reaches_the_one_that_does(
    pair: tuple[Any, Tool, Tool],
) -> None:
    world, one, other = pair
    blue = world.project("blue")
    instance = world.boot("a", "blue", "compute1")
    session_id = one.begin("compute1").json()["session_id"]
    at_front(world, other)

    assert finished(world, other, session_id) == "MAINTENANCE_OVER"
    assert [answer.status_code for answer in blue.answers] == [200]
    assert world.host_of(instance) != "compute1"
    assert one.tool.engine.find(session_id).state.final


def test_what_is_wrong_with_a_reply_is_said_in_the_same_words_by_both(
    pair: tuple[Any, Tool, Tool],
) -> None:
    world, one, other = pair
    blue = world.project("blue", lambda notification, ids: None)
    green = world.project("green")
    world.boot("a", "blue", "compute1")
    session_id = one.begin("compute1").json()["session_id"]
    world.clock.advance(1.0)

    def put(tool: Tool, project: Any, session: str, actions: Any) -> tuple[int, str]:
        url = f"{tool.url}/v1/maintenance/{session}/{project.project_id}/1"
        body = {
            "session_id": session,
            "state": "ACK_PLANNED_MAINTENANCE",
            "instance_actions": actions,
        }
        answer = project.put(url, body)
        return answer.status_code, answer.text

    assert put(other, blue, session_id, {"not-mine": "MIGRATE"})[0] == 400
    assert put(other, blue, session_id, {"x": "MIGRATE"}) == put(
        one, blue, session_id, {"x": "MIGRATE"}
    )
    assert put(other, green, session_id, {}) == put(other, green, "unknown", {})
    assert put(other, green, session_id, {})[0] == 404


def test_an_operator_may_ask_either_tool(pair: tuple[Any, Tool, Tool]) -> None:
    world, one, other = pair
    world.project("blue", lambda notification, ids: None)
    world.boot("a", "blue", "compute1")
    session_id = one.begin("compute1").json()["session_id"]
    world.clock.advance(1.0)
    path = f"/v1/maintenance/{session_id}"

    assert other.ask("DELETE", path).status_code == 409
    assert other.ask("POST", f"{path}/action", {"cancel": None}).status_code == 202
    assert finished(world, other, session_id) == "MAINTENANCE_CANCELED"
    assert world.service("compute1") == (False, None)
    assert other.ask("DELETE", path).status_code == 204
    assert one.ask("GET", path).status_code == 404
    assert one.ask("GET", "/v1/maintenance").json() == {"sessions": []}


def test_a_host_is_in_one_session_whichever_tool_was_asked(pair: tuple[Any, Tool, Tool]) -> None:
    world, one, other = pair
    world.project("blue", lambda notification, ids: None)
    world.boot("a", "blue", "compute1")
    assert one.begin("compute1").status_code == 201

    assert other.begin("compute1").status_code == 409
    assert other.begin("compute2").status_code == 201


def test_the_other_tool_goes_on_when_a_lease_has_run_out(pair: tuple[Any, Tool, Tool]) -> None:
    world, one, other = pair
    world.project("blue")
    instance = world.boot("a", "blue", "compute1")
    session_id = one.begin("compute1").json()["session_id"]
    run_until(world, lambda: bool(world.cloud.compute.migrations))
    killed_at = world.clock.now()
    one.process.dead = True
    at_front(world, other)

    run_until(world, other.drives)
    assert LEASE_S <= world.clock.now() - killed_at <= 2 * LEASE_S
    assert finished(world, other, session_id) == "MAINTENANCE_OVER"
    assert len(world.cloud.compute.migrations) == 1
    assert world.host_of(instance) != "compute1"
    assert world.service("compute1") == (False, None)


def test_a_tool_that_lives_keeps_its_sessions_for_ever(pair: tuple[Any, Tool, Tool]) -> None:
    world, one, other = pair
    answer = one.ask(
        "POST",
        "/v1/maintenance",
        {"type": "full", "hosts": ["compute1"], "maintenance_at": "2100-01-01 12:00:00"},
    )
    world.clock.advance(100 * LEASE_S)

    assert one.state(answer.json()["session_id"]) == "SCHEDULED"
    assert (one.drives(), other.drives()) == (True, False)


def test_a_tool_that_wakes_up_too_late_does_nothing_more(pair: tuple[Any, Tool, Tool]) -> None:
    world, one, other = pair
    blue = world.project("blue")
    world.boot("a", "blue", "compute1")
    session_id = one.begin("compute1").json()["session_id"]
    run_until(world, lambda: bool(blue.answers))
    one.process.stopped = True
    at_front(world, other)
    run_until(world, other.drives)

    one.process.go_on()
    assert finished(world, other, session_id) == "MAINTENANCE_OVER"

    assert one.drives() is False
    assert one.state(session_id) == "MAINTENANCE_OVER"
    assert len(world.cloud.compute.migrations) == 1
    assert blue.states == ["PLANNED_MAINTENANCE"]
    assert sorted(set(world.inspector)) == [
        ("compute1", "IN_MAINTENANCE"),
        ("compute1", "MAINTENANCE_OVER"),
    ]


def test_a_reply_for_a_tool_that_does_not_answer_is_refused_for_now(
    pair: tuple[Any, Tool, Tool],
) -> None:
    world, one, other = pair
    blue = world.project("blue")
    world.boot("a", "blue", "compute1")
    session_id = one.begin("compute1").json()["session_id"]
    run_until(world, lambda: bool(blue.heard))
    one.process.dead = True
    at_front(world, other)

    run_until(world, lambda: bool(blue.answers))
    assert [answer.status_code for answer in blue.answers] == [503]
    run_until(world, other.drives)
    blue._reply(blue.heard[0])
    assert blue.answers[-1].status_code == 200
    assert finished(world, other, session_id) == "MAINTENANCE_OVER"


def test_a_request_is_carried_on_once(pair: tuple[Any, Tool, Tool]) -> None:
    world, one, other = pair
    world.project("blue", lambda notification, ids: None)
    world.boot("a", "blue", "compute1")
    session_id = one.begin("compute1").json()["session_id"]
    one.journal.url = other.url
    with one.database.writing("point a lease at the wrong tool") as connection:
        connection.exec_driver_sql(f"UPDATE tools SET url = '{other.url}'")

    answer = other.ask("POST", f"/v1/maintenance/{session_id}/action", {"cancel": None})

    assert answer.status_code == 503


def test_a_tool_that_ends_hands_its_sessions_over(pair: tuple[Any, Tool, Tool]) -> None:
    world, one, other = pair
    world.project("blue", lambda notification, ids: None)
    instance = world.boot("a", "blue", "compute1")
    session_id = one.begin("compute1").json()["session_id"]
    world.clock.advance(LEASE_S / 2)
    ended: list[bool] = []
    one.tool.engine.close(30.0, lambda: ended.append(True))
    at_front(world, other)

    assert ended == [True]
    run_until(world, other.drives, LEASE_S / 2)
    assert finished(world, other, session_id) == "MAINTENANCE_OVER"
    assert world.host_of(instance) != "compute1"


def test_the_last_tool_that_ends_puts_everything_back(pair: tuple[Any, Tool, Tool]) -> None:
    world, one, other = pair
    world.project("blue", lambda notification, ids: None)
    world.boot("a", "blue", "compute1")
    other.tool.engine.close(30.0, lambda: None)
    session_id = one.begin("compute1").json()["session_id"]
    world.clock.advance(LEASE_S)
    ended: list[bool] = []
    one.tool.engine.close(30.0, lambda: ended.append(True))

    run_until(world, lambda: bool(ended), 30.0)
    assert one.state(session_id) == "MAINTENANCE_CANCELED"
    assert world.service("compute1") == (False, None)


@pytest.mark.parametrize("stored", [False, True], ids=["nothing stored", "stored all the same"])
def test_a_session_goes_on_when_the_database_is_back(
    pair: tuple[Any, Tool, Tool], stored: bool
) -> None:
    world, one, _ = pair
    blue = world.project("blue")
    instance = world.boot("a", "blue", "compute1")
    session_id = one.begin("compute1").json()["session_id"]
    run_until(world, lambda: bool(blue.heard))
    one.journal.fails, one.journal.fails_after = not stored, stored
    run_until(world, lambda: not one.drives())
    one.journal.fails = False

    run_until(world, one.drives, LEASE_S)
    if blue.answers[-1].status_code != 200:
        blue._reply(blue.heard[0])
    assert finished(world, one, session_id) == "MAINTENANCE_OVER"
    assert world.host_of(instance) != "compute1"
    assert len(world.cloud.compute.migrations) == 1


def test_what_could_not_be_stored_is_not_acted_on(pair: tuple[Any, Tool, Tool]) -> None:
    world, one, _ = pair
    blue = world.project("blue")
    instance = world.boot("a", "blue", "compute1")
    one.begin("compute1")
    run_until(world, lambda: bool(blue.heard))
    one.journal.fails = True

    run_until(world, lambda: bool(blue.answers))
    world.clock.advance(LEASE_S)

    assert blue.answers[0].status_code == 503
    assert world.cloud.compute.migrations == {}
    assert world.host_of(instance) == "compute1"
    one.process.dead = True


def test_a_tool_that_cannot_show_that_it_lives_lets_go_before_it_is_taken_for_dead(
    pair: tuple[Any, Tool, Tool],
) -> None:
    world, one, other = pair
    world.project("blue", lambda notification, ids: None)
    world.boot("a", "blue", "compute1")
    one.begin("compute1")
    world.clock.advance(1.0)
    one.journal.fails = True
    failed_at = world.clock.now()

    run_until(world, lambda: not one.drives())
    assert world.clock.now() - failed_at < LEASE_S
    assert other.drives() is False
    run_until(world, other.drives)


def test_a_session_of_another_cloud_is_left_alone(world: Any, database_url: str) -> None:
    first = Tool(world, database_url, "one")
    first.begin("compute1")
    first.process.dead = True
    with first.database.writing("pretend") as connection:
        connection.exec_driver_sql(
            f"UPDATE sessions SET rules = replace(rules, '{world.admin_project}', 'elsewhere')"
        )
    again = Tool(world, database_url, "one")

    assert again.drives() is False
    assert len(again.ask("GET", "/v1/maintenance").json()["sessions"]) == 1
    first.database.close()
    again.database.close()


def test_a_session_that_cannot_be_read_keeps_no_other_from_being_driven(
    world: Any, database_url: str
) -> None:
    first = Tool(world, database_url, "one")
    damaged = first.begin("compute1").json()["session_id"]
    sound = first.begin("compute2").json()["session_id"]
    first.process.dead = True
    with first.database.writing("damage") as connection:
        connection.exec_driver_sql(
            f"UPDATE events SET event = '{{\"event\":\"Teleported\"}}' WHERE session_id = '{damaged}'"
        )
    again = Tool(world, database_url, "one")

    assert finished(world, again, sound) == "MAINTENANCE_OVER"
    assert again.ask("GET", f"/v1/maintenance/{damaged}").status_code == 404
    first.database.close()
    again.database.close()


def test_a_session_that_is_over_can_be_continued_by_whichever_tool_is_asked(
    pair: tuple[Any, Tool, Tool],
) -> None:
    world, one, other = pair
    world.cloud.faults.add("ssh_refused", {"host": "compute1"})
    session_id = one.begin("compute1").json()["session_id"]
    assert finished(world, one, session_id) == "MAINTENANCE_FAILED"
    one.process.dead = True
    world.clock.advance(3 * LEASE_S)
    assert (other.drives(), other.state(session_id)) == (False, "MAINTENANCE_FAILED")

    answer = other.ask("POST", f"/v1/maintenance/{session_id}/action", {"release": None})

    assert answer.status_code == 202, answer.text
    assert finished(world, other, session_id) == "MAINTENANCE_CANCELED"
    assert world.service("compute1") == (False, None)
