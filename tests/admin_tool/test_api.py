# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

GONE = {"error": {"code": 404, "message": "no such maintenance session"}}


def reason(answer: Any) -> str:
    assert answer.headers["Content-Type"] == "application/json"
    return str(answer.json()["error"]["message"])


def prepare(world: Any) -> Any:
    """Let project blue be told of a session, and not reply; red is on another host."""
    world.project("blue", lambda notification, ids: None)
    world.project("red", lambda notification, ids: None)
    world.blue = [world.boot("a", "blue", "compute1"), world.boot("b", "blue", "compute1")]
    world.red = [world.boot("c", "red", "compute2")]
    world.session_id = world.begin(hosts=["compute1", "compute2"])
    world.clock.advance(1.0)
    notification = world.managers["blue"].heard[0]
    world.reply_url = notification.reply_url
    world.path = world.reply_url.removeprefix("http://tool.sim")
    return world


@pytest.fixture
def asked(world: Any) -> Any:
    return prepare(world)


@pytest.fixture(scope="module")
def still(shared_world: Any) -> Iterator[Any]:
    """The same for tests that only ask: what they ask for must change nothing."""
    world = prepare(shared_world)
    before = world.show(world.session_id)
    yield world
    assert world.show(world.session_id) == before
    assert len(world.tool.engine.sessions()) == 1


def reply(world: Any, actions: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    wanted = dict.fromkeys(world.blue, "MIGRATE") if actions is None else actions
    return {
        "session_id": world.session_id,
        "state": "ACK_PLANNED_MAINTENANCE",
        "instance_actions": wanted,
        **changes,
    }


# Operators.


def test_a_session_is_created_shown_listed_and_deleted(world: Any) -> None:
    answer = world.admin("POST", "/v1/maintenance", {"hosts": ["compute1"], "type": "full"})

    body = answer.json()
    location = answer.headers["Location"]
    assert answer.status_code == 201
    assert location == f"/v1/maintenance/{body['session_id']}"
    assert body["state"] == "SCHEDULED"
    assert body["type"] == "full"
    assert [host["host"] for host in body["hosts"]] == ["compute1"]
    listed = world.admin("GET", "/v1/maintenance").json()["sessions"]
    assert [item["session_id"] for item in listed] == [body["session_id"]]

    assert world.finish(body["session_id"])["state"] == "MAINTENANCE_OVER"
    assert world.admin("DELETE", location).status_code == 204
    assert world.admin("GET", location).status_code == 404
    assert world.admin("DELETE", location).status_code == 404


def test_the_operator_sees_hosts_projects_replies_and_what_happened(asked: Any) -> None:
    asked.managers["blue"].put(asked.reply_url, reply(asked))

    view = asked.show(asked.session_id)

    host = view["hosts"][0]
    assert host["host"] == "compute1"
    assert host["projects"][0]["instance_ids"] == sorted(asked.blue)
    assert host["projects"][0]["reply"]["state"] == "ACK_PLANNED_MAINTENANCE"
    assert [item["event"] for item in view["timeline"]][:2] == ["Opened", "TimerFired"]
    assert all(item["at"].startswith("2100-01-01T") for item in view["timeline"])


def test_a_running_session_cannot_be_deleted(asked: Any) -> None:
    answer = asked.admin("DELETE", f"/v1/maintenance/{asked.session_id}")

    assert answer.status_code == 409
    assert "cancel it before it is deleted" in reason(answer)


def test_a_session_that_names_a_failed_host_cannot_be_deleted(world: Any) -> None:
    world.cloud.faults.add("command_fails", {"command": "true"})
    session_id = world.begin(hosts=["compute1"])
    world.finish(session_id)

    answer = world.admin("DELETE", f"/v1/maintenance/{session_id}")

    assert answer.status_code == 409
    assert "leaves compute1 in maintenance" in reason(answer)


def test_a_host_can_be_in_one_session_only(asked: Any) -> None:
    answer = asked.admin("POST", "/v1/maintenance", {"hosts": ["compute2"], "type": "full"})

    assert answer.status_code == 409
    assert asked.session_id in reason(answer)


def test_a_host_that_failed_stays_with_its_session(world: Any) -> None:
    world.cloud.faults.add("command_fails", {"command": "true"})
    world.finish(world.begin(hosts=["compute1"]))

    answer = world.admin("POST", "/v1/maintenance", {"hosts": ["compute1"], "type": "full"})

    assert answer.status_code == 409


def test_an_unknown_host_is_refused_and_nothing_is_done(still: Any) -> None:
    body = {"hosts": ["compute3", "compute9"], "type": "full"}

    answer = still.admin("POST", "/v1/maintenance", body)

    assert answer.status_code == 400
    assert reason(answer) == (
        "hosts: compute9 has no nova-compute; there are compute1, compute2, compute3"
    )
    assert len(still.admin("GET", "/v1/maintenance").json()["sessions"]) == 1


def test_an_instance_that_is_not_on_the_host_is_no_part_of_it(world: Any) -> None:
    world.project("blue")
    elsewhere = world.boot("a", "blue", "compute2")
    body = {"hosts": ["compute1"], "type": "full", "instances": {"compute1": [elsewhere]}}

    answer = world.admin("POST", "/v1/maintenance", body)

    assert answer.status_code == 400
    assert f"{elsewhere} is not on the host" in reason(answer)


def test_a_cloud_that_cannot_be_asked_is_told_as_that(world: Any) -> None:
    world.admin("GET", "/v1/maintenance")
    world.cloud.faults.add("api_error", {"service": "compute"})

    answer = world.admin("POST", "/v1/maintenance", {"hosts": ["compute1"], "type": "full"})

    assert answer.status_code == 503
    assert "the cloud cannot be asked" in reason(answer)


def test_too_many_sessions_are_refused(world: Any) -> None:
    world.tool.engine._max_sessions = 1
    world.begin(hosts=["compute1"], maintenance_at="2100-02-01 00:00:00")

    answer = world.admin("POST", "/v1/maintenance", {"hosts": ["compute2"], "type": "full"})

    assert answer.status_code == 429


def test_only_a_session_that_runs_can_be_canceled(world: Any) -> None:
    session_id = world.begin(hosts=["compute1"])
    world.finish(session_id)

    answer = world.admin("POST", f"/v1/maintenance/{session_id}/action", {"cancel": None})

    assert answer.status_code == 409
    assert "only a running one can be canceled" in reason(answer)


def test_a_host_that_has_not_failed_cannot_be_released(asked: Any) -> None:
    action = {"release": {"host": "compute1"}}

    answer = asked.admin("POST", f"/v1/maintenance/{asked.session_id}/action", action)

    assert answer.status_code == 409
    assert "compute1 has not failed" in reason(answer)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/maintenance"),
        ("GET", "/v1/maintenance"),
        ("GET", "/v1/maintenance/{session}"),
        ("GET", "/v1/maintenance/unknown"),
        ("DELETE", "/v1/maintenance/{session}"),
        ("POST", "/v1/maintenance/{session}/action"),
    ],
)
def test_what_operators_do_is_forbidden_to_a_project(still: Any, method: str, path: str) -> None:
    token = still.managers["blue"].token

    answer = still.send(method, path.format(session=still.session_id), {}, token)

    assert answer.status_code == 403
    assert still.tool.engine.find(still.session_id).state == "PLANNED_MAINTENANCE"


# Projects.


def test_a_project_sees_its_own_instances_and_no_host(still: Any) -> None:
    view = still.managers["blue"].get(still.reply_url)

    assert view.status_code == 200
    assert view.json()["instance_ids"] == sorted(still.blue)
    assert view.json()["state"] == "PLANNED_MAINTENANCE"
    for word in ("compute", still.managers["red"].project_id, *still.red):
        assert word not in view.text


def test_the_latest_announcement_is_found_without_its_number(still: Any) -> None:
    blue = still.managers["blue"]

    latest = blue.get(f"http://tool.sim/v1/maintenance/{still.session_id}/{blue.project_id}")

    assert latest.json() == blue.get(still.reply_url).json()


def test_a_reply_is_taken_and_the_same_one_again_has_no_effect(asked: Any) -> None:
    blue = asked.managers["blue"]
    first = blue.put(asked.reply_url, reply(asked))
    again = blue.put(asked.reply_url, reply(asked))

    assert first.status_code == again.status_code == 200
    assert first.json()["state"] == "ACK_PLANNED_MAINTENANCE"
    assert first.json() == again.json()
    events = [item["event"] for item in asked.show(asked.session_id)["timeline"]]
    assert events.count("ReplyReceived") == 1


def test_another_reply_after_one_was_taken_is_a_conflict(asked: Any) -> None:
    blue = asked.managers["blue"]
    blue.put(asked.reply_url, reply(asked))

    answer = blue.put(asked.reply_url, reply(asked, state="NACK_PLANNED_MAINTENANCE"))

    assert answer.status_code == 409
    assert "another reply was accepted before" in reason(answer)


def test_a_late_reply_is_a_conflict(asked: Any) -> None:
    asked.clock.advance(60.0)

    answer = asked.managers["blue"].put(asked.reply_url, reply(asked))

    assert answer.status_code == 409
    assert "late" in reason(answer)


def test_leave_is_refused_for_full_maintenance(still: Any) -> None:
    actions = dict.fromkeys(still.blue, "LEAVE")

    answer = still.managers["blue"].put(still.reply_url, reply(still, actions))

    assert answer.status_code == 400
    assert "LEAVE is not allowed for full maintenance" in reason(answer)


@pytest.mark.parametrize("which", ["foreign", "unknown"])
def test_foreign_and_unknown_instances_are_refused_alike(still: Any, which: str) -> None:
    other = still.red[0] if which == "foreign" else "00000000-0000-4000-8000-000000000000"

    answer = still.managers["blue"].put(still.reply_url, reply(still, {other: "MIGRATE"}))

    assert answer.status_code == 400
    assert reason(answer).startswith("instance_actions: expected the ")
    assert reason(answer).endswith("and no others; found 1 more")
    assert other not in answer.text


BAD_REPLIES: dict[str, tuple[Any, str]] = {
    "a list": ([], "body: expected a JSON object"),
    "a text": ("ACK", "body: expected a JSON object"),
    "no session": ({"state": "ACK_PLANNED_MAINTENANCE"}, "session_id: expected a text"),
    "no state": ({"session_id": "s"}, "state: expected a text"),
    "half a state": ({"session_id": "s", "state": "ACK"}, "state (after ACK_ or NACK_)"),
    "a verdict of its own": (
        {"session_id": "s", "state": "PERHAPS_PLANNED_MAINTENANCE"},
        "state (before the first underscore): expected one of ACK, NACK",
    ),
    "actions in a list": (
        {"session_id": "s", "state": "ACK_PLANNED_MAINTENANCE", "instance_actions": []},
        "instance_actions: expected an object",
    ),
    "an action of its own": (
        {"session_id": "s", "state": "ACK_PLANNED_MAINTENANCE", "instance_actions": {"i": "FLY"}},
        "instance_actions[i]: expected one of MIGRATE",
    ),
}


@pytest.mark.parametrize("name", BAD_REPLIES)
def test_a_malformed_reply_is_refused_by_the_field(still: Any, name: str) -> None:
    body, message = BAD_REPLIES[name]

    answer = still.managers["blue"].put(still.reply_url, body)

    assert answer.status_code == 400
    assert reason(answer).startswith(message)


@pytest.mark.parametrize("who", ["red", "admin"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_another_project_finds_nothing_whether_it_is_there_or_not(
    still: Any, who: str, method: str
) -> None:
    token = still.managers["red"].token if who == "red" else still.connection.session.get_token()
    unknown = "/v1/maintenance/00000000-0000-4000-8000-000000000000/x/1"

    there = still.send(method, still.path, reply(still), token)
    nowhere = still.send(method, unknown, reply(still), token)

    assert there.status_code == nowhere.status_code == 404
    assert there.json() == nowhere.json() == GONE


@pytest.mark.parametrize("session", ["{session}", "00000000-0000-4000-8000-000000000000"])
@pytest.mark.parametrize("number", ["", "/0", "/2", "/99999999999999999999"])
def test_a_project_that_was_not_told_finds_nothing(still: Any, session: str, number: str) -> None:
    red = still.managers["red"]
    path = f"/v1/maintenance/{session.format(session=still.session_id)}/{red.project_id}{number}"

    assert still.send("GET", path, None, red.token).json() == GONE


def test_the_reply_of_another_session_finds_nothing(still: Any) -> None:
    answer = still.managers["blue"].put(still.reply_url, reply(still, session_id="another"))

    assert answer.status_code == 404
    assert answer.json() == GONE


def test_nothing_that_a_project_reads_names_a_host_or_another_project(asked: Any) -> None:
    blue = asked.managers["blue"]
    blue.get(asked.reply_url)
    blue.put(asked.reply_url, reply(asked, {asked.red[0]: "MIGRATE"}))
    blue.put(asked.reply_url, reply(asked))
    asked.clock.advance(60.0)
    blue.get(asked.reply_url)
    blue.put(asked.reply_url, reply(asked, state="NACK_PLANNED_MAINTENANCE"))

    read = [fields for kind, fields in asked.observed if kind == "readable"]
    of_blue = [fields for fields in read if fields["project_id"] == blue.project_id]
    assert len(of_blue) >= 5
    assert not [fields for fields in of_blue if "compute" in fields["text"]]
    assert not [fields for fields in of_blue if asked.managers["red"].project_id in fields["text"]]


# Who asks, and how.


@pytest.mark.parametrize("token", [None, "", "rubbish", "x" * 9000, "\N{SNOWMAN}".encode()])
def test_without_a_good_token_nothing_is_answered(still: Any, token: Any) -> None:
    for method, path in (("GET", "/v1/maintenance"), ("PUT", still.path)):
        answer = still.send(method, path, {}, token)

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Keystone"
        assert "token" in reason(answer)


def test_a_token_that_has_expired_is_not_believed_any_more(asked: Any) -> None:
    blue = asked.managers["blue"]
    assert blue.get(asked.reply_url).status_code == 200

    asked.clock.advance(24 * 3600.0)

    assert blue.get(asked.reply_url).status_code == 401


def test_a_token_is_asked_about_once_in_a_while(asked: Any) -> None:
    blue = asked.managers["blue"]
    asked.finish(asked.session_id)
    blue.get(asked.reply_url)
    asked.cloud.faults.add("api_error", {"service": "identity"})

    assert blue.get(asked.reply_url).status_code == 200
    asked.clock.advance(301.0)
    answer = blue.get(asked.reply_url)

    assert answer.status_code == 503
    assert "cannot be validated at present" in reason(answer)


def post(world: Any, data: bytes | str, content_type: str | None) -> Any:
    headers = {"X-Auth-Token": world.connection.session.get_token()}
    if content_type:
        headers["Content-Type"] = content_type
    return world.http.post("http://tool.sim/v1/maintenance", data=data, headers=headers, timeout=5)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_body_that_is_not_said_to_be_json_is_refused(still: Any, kind: str | None) -> None:
    answer = post(still, b"{}", kind)

    assert answer.status_code == 415
    assert "expected application/json" in reason(answer)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff\xfe", b"nonsense", b'{"hosts": NaN}', b"[" * 200_000]
)
def test_a_body_that_is_no_json_is_refused(still: Any, data: bytes) -> None:
    answer = post(still, data, "application/json")

    assert answer.status_code == 400
    assert reason(answer).startswith("body: expected")


def test_a_body_that_is_too_long_is_refused(still: Any) -> None:
    answer = post(still, json.dumps({"hosts": ["x" * 300_000]}), "application/json")

    assert answer.status_code == 413
    reason(answer)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/maintenance", 404),
        ("PUT", "/v1/maintenance", 405),
        ("PATCH", "/v1/maintenance/x", 405),
        ("POST", "/v1/maintenance/x/y/1", 405),
        ("PUT", "/v1/maintenance/x/y", 405),
        ("GET", "/v1/maintenance/x/y/-1", 404),
        ("GET", "/v1/maintenance/x/y/one", 404),
    ],
)
def test_other_paths_and_methods_are_answered_in_json(
    still: Any, method: str, path: str, status: int
) -> None:
    answer = still.admin(method, path)

    assert answer.status_code == status
    reason(answer)


def test_a_defect_of_ours_is_told_as_one_in_json(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.tool.engine, "sessions", lambda: 1 / 0)

    answer = world.admin("GET", "/v1/maintenance")

    assert answer.status_code == 500
    assert "ZeroDivision" not in reason(answer)
