# SPDX-License-Identifier: Apache-2.0
"""Whoever asks for a session that is not his learns nothing: not by status, header, body, nor by the work it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import requests

from security.tool_world import ToolWorld

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ACK: Mapping[str, Any] = {"state": "ACK_PLANNED_MAINTENANCE", "instance_actions": {}}


@pytest.fixture(scope="module")
def world() -> ToolWorld:
    """A world in which blue was told of a session, and red is not concerned."""
    world = ToolWorld()
    world.session_id = world.begin()  # type: ignore[attr-defined]
    return world


def whole(answer: requests.Response) -> tuple[int, dict[str, str], bytes]:
    return answer.status_code, dict(answer.headers), answer.content


def asked(world: ToolWorld, *request: Any, token: str) -> tuple[Any, list[str]]:
    """Return the whole answer, and the requests to the cloud that it took."""
    world.ask("GET", f"/v1/maintenance/{UNKNOWN}/x/1", token=token)  # so that the token is known
    before = len(world.requests)
    answer = world.ask(*request, token=token)
    return whole(answer), [each for each in world.requests[before:] if "cloud.sim" in each]


def bodies(session_id: str) -> list[Any]:
    good = {"session_id": session_id, **ACK}
    return [
        good,
        {**good, "session_id": UNKNOWN},
        {**good, "state": "NACK_PLANNED_MAINTENANCE"},
        {**good, "state": "ACK_IN_MAINTENANCE"},
        {**good, "instance_actions": {UNKNOWN: "MIGRATE"}},
        {},
        None,
    ]


@pytest.mark.parametrize("who", ["red", "admin"])
@pytest.mark.parametrize("number", ["", "/1", "/2", "/0"])
def test_reading_a_foreign_session_is_answered_as_an_unknown_one(
    world: Any, who: str, number: str
) -> None:
    token, blue = world.token(who), world.projects["blue"]
    own = world.cloud.identity.admin_project.id if who == "admin" else world.projects[who]

    answers = [
        asked(world, "GET", f"/v1/maintenance/{session_id}/{project}{number}", token=token)
        for session_id in (world.session_id, UNKNOWN)
        for project in (blue, own, "nobody")
    ]

    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0][0] == 404
    assert answers[0][1] == []


@pytest.mark.parametrize("number", ["/1", "/2", "/0"])
@pytest.mark.parametrize("place", range(len(bodies(""))))
def test_answering_a_foreign_session_is_answered_as_an_unknown_one(
    world: Any, number: str, place: int
) -> None:
    token = world.token("red")

    for project in (world.projects["blue"], world.projects["red"]):
        there, nowhere = (
            asked(
                world,
                "PUT",
                f"/v1/maintenance/{session_id}/{project}{number}",
                bodies(session_id)[place],
                token=token,
            )
            for session_id in (world.session_id, UNKNOWN)
        )
        assert there == nowhere
        assert there[1] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/maintenance/{}"),
        ("DELETE", "/v1/maintenance/{}"),
        ("POST", "/v1/maintenance/{}/action"),
    ],
)
def test_what_operators_ask_tells_a_project_nothing(world: Any, method: str, path: str) -> None:
    there, nowhere = (
        asked(world, method, path.format(session_id), {"cancel": None}, token=world.token("blue"))
        for session_id in (world.session_id, UNKNOWN)
    )

    assert there == nowhere
    assert there[0][0] == 403


def test_a_reader_sees_the_view_and_is_told_nothing_of_sessions_when_it_answers(world: Any) -> None:
    token, blue = world.token("blue", "reader"), world.projects["blue"]
    path = f"/v1/maintenance/{world.session_id}/{blue}/1"

    assert world.ask("GET", path, token=token).status_code == 200
    there = asked(world, "PUT", path, bodies(world.session_id)[0], token=token)
    nowhere = asked(
        world, "PUT", f"/v1/maintenance/{UNKNOWN}/{blue}/1", bodies(UNKNOWN)[0], token=token
    )

    assert there == nowhere
    assert there[0][0] == 403


def test_no_session_is_begun_on_hosts_by_a_project(world: Any) -> None:
    answer = world.ask(
        "POST", "/v1/maintenance", {"hosts": ["compute3"]}, token=world.token("blue")
    )

    assert answer.status_code == 403
    assert "compute" not in answer.text
