# SPDX-License-Identifier: Apache-2.0
"""Keystone: tokens, and what a run's accounts need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from .asking import Voice
from .tenants import House, Stay


def password(login: Mapping[str, str], **other: Any) -> dict[str, Any]:
    """Return what asks for a token."""
    user = {
        "name": login["username"],
        "domain": {"id": login["user_domain_id"]},
        "password": login["password"],
    }
    scope = {"project": {"id": login["project_id"]}}
    identity = {"methods": ["password"], "password": {"user": {**user, **other}}}
    return {"auth": {"identity": identity, "scope": scope}}


@pytest.fixture
def login(house: House) -> Mapping[str, str]:
    return house.ours.login


def test_token_is_in_a_header_and_tells_project_roles_and_catalog(
    house: House, nobody: Voice, login: Mapping[str, str]
) -> None:
    answer = nobody.look("POST", "identity", "/v3/auth/tokens", password(login))

    assert answer.status == 201
    assert answer.headers["X-Subject-Token"]
    token = answer.body["token"]
    assert token["project"]["id"] == house.ours.project_id
    assert {role["name"] for role in token["roles"]} == {"member", "reader"}
    assert {item["type"] for item in token["catalog"]} >= {
        "compute",
        "network",
        "image",
        "identity",
    }
    assert token["expires_at"].endswith("Z")


def test_wrong_password_is_answered_with_401(nobody: Voice, login: Mapping[str, str]) -> None:
    body = password(login, password="wrong")

    refused = nobody.look("POST", "identity", "/v3/auth/tokens", body)

    assert refused.status == 401
    assert refused.body["error"] == {
        "code": 401,
        "message": "The request you have made requires authentication.",
        "title": "Unauthorized",
    }


def test_token_for_a_project_in_which_one_has_no_role_is_refused_with_401(
    house: House, nobody: Voice, login: Mapping[str, str]
) -> None:
    body = password({**login, "project_id": house.theirs.project_id})

    assert nobody.look("POST", "identity", "/v3/auth/tokens", body).status == 401


def test_token_is_validated_by_its_owner_and_by_operators_and_by_nobody_else(
    ours: Voice, theirs: Voice, admin: Voice
) -> None:
    subject = {"X-Subject-Token": str(ours.token)}

    own = ours.look("GET", "identity", "/v3/auth/tokens", headers=subject)
    operators = admin.look("GET", "identity", "/v3/auth/tokens", headers=subject)
    foreign = theirs.ask("GET", "identity", "/v3/auth/tokens", headers=subject)

    assert (own.status, operators.status, foreign.status) == (200, 200, 403)
    assert operators.body["token"]["user"]["id"] == own.body["token"]["user"]["id"]


def test_subject_that_is_no_token_is_404_and_a_bad_token_of_ones_own_is_401(
    admin: Voice, nobody: Voice
) -> None:
    subject = {"X-Subject-Token": "nonsense"}

    unknown = admin.ask("GET", "identity", "/v3/auth/tokens", headers=subject)
    bad = nobody.ask(
        "GET", "identity", "/v3/auth/tokens", headers={**subject, "X-Auth-Token": "nonsense"}
    )

    assert (unknown.status, bad.status) == (404, 401)


def test_revoked_token_opens_nothing(nobody: Voice, admin: Voice, login: Mapping[str, str]) -> None:
    token = nobody.look("POST", "identity", "/v3/auth/tokens", password(login)).headers[
        "X-Subject-Token"
    ]
    own = {"X-Auth-Token": token, "X-Subject-Token": token}

    revoked = nobody.ask("DELETE", "identity", "/v3/auth/tokens", headers=own)
    after = nobody.ask("GET", "identity", "/v3/projects", headers={"X-Auth-Token": token})
    validated = admin.ask("GET", "identity", "/v3/auth/tokens", headers={"X-Subject-Token": token})

    assert (revoked.status, after.status, validated.status) == (204, 401, 404)


def test_path_that_is_none_is_answered_with_404_in_html(nobody: Voice, ours: Voice) -> None:
    for voice in (nobody, ours):
        answer = voice.ask("GET", "identity", "/v3/nonsense")
        assert answer.status == 404
        assert answer.body.startswith("<!doctype html>")


def test_versions_are_told_without_a_token(nobody: Voice) -> None:
    root = nobody.ask("GET", "identity", "/")
    version = nobody.ask("GET", "identity", "/v3")

    assert (root.status, version.status) == (300, 200)
    assert version.body["version"]["id"].startswith("v3.")


def test_project_and_user_are_made_given_a_role_and_deleted_by_an_operator(
    stay: Stay, admin: Voice, nobody: Voice, house: House
) -> None:
    name = stay.name()
    domain_id = house.ground.domain_id

    made = admin.ask(
        "POST", "identity", "/v3/projects", {"project": {"name": name, "domain_id": domain_id}}
    )
    project = made.body["project"]
    stay.keep(admin, "identity", f"/v3/projects/{project['id']}")
    user_body = {"user": {"name": name, "domain_id": domain_id, "password": "of-a-test"}}
    user = admin.ask("POST", "identity", "/v3/users", user_body).body["user"]
    stay.keep(admin, "identity", f"/v3/users/{user['id']}")
    again = admin.ask(
        "POST", "identity", "/v3/projects", {"project": {"name": name, "domain_id": domain_id}}
    )
    login = {
        "username": name,
        "user_domain_id": domain_id,
        "password": "of-a-test",
        "project_id": project["id"],
    }
    without_role = nobody.look("POST", "identity", "/v3/auth/tokens", password(login))
    role = f"/v3/projects/{project['id']}/users/{user['id']}/roles/{house.ground.member_role_id}"
    granted = admin.ask("PUT", "identity", role)
    with_role = nobody.look("POST", "identity", "/v3/auth/tokens", password(login))
    deleted = admin.ask("DELETE", "identity", f"/v3/users/{user['id']}")
    of_the_deleted = nobody.look("POST", "identity", "/v3/auth/tokens", password(login))

    assert (made.status, again.status, granted.status, deleted.status) == (201, 409, 204, 204)
    assert (without_role.status, with_role.status, of_the_deleted.status) == (401, 201, 401)


def test_accounts_are_not_for_members(ours: Voice, stay: Stay, house: House) -> None:
    answers = [
        ours.ask("POST", "identity", "/v3/projects", {"project": {"name": stay.name()}}),
        ours.ask("GET", "identity", "/v3/projects"),
        ours.ask("GET", "identity", "/v3/users"),
        ours.ask("GET", "identity", f"/v3/projects/{house.theirs.project_id}"),
        ours.ask("DELETE", "identity", f"/v3/projects/{house.ours.project_id}"),
    ]

    assert [answer.status for answer in answers] == [403] * 5


def test_member_sees_its_own_project(ours: Voice, house: House) -> None:
    own = ours.ask("GET", "identity", f"/v3/projects/{house.ours.project_id}")
    mine = ours.ask("GET", "identity", "/v3/auth/projects")

    assert own.body["project"]["id"] == house.ours.project_id
    assert [item["id"] for item in mine.body["projects"]] == [house.ours.project_id]


def test_what_is_not_there_is_answered_with_404(admin: Voice) -> None:
    for kind in ("projects", "users", "roles"):
        assert admin.ask("GET", "identity", f"/v3/{kind}/nonsense").status == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"auth": {}}, {"auth": {"identity": {"methods": ["magic"]}}}],
    ids=["empty", "no-identity", "no-such-method"],
)
def test_login_that_is_none_is_refused(nobody: Voice, body: dict[str, Any]) -> None:
    assert nobody.ask("POST", "identity", "/v3/auth/tokens", body).status in (400, 401)
