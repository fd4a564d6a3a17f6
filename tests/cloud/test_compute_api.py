# SPDX-License-Identifier: Apache-2.0
"""What all of Nova's calls have in common: versions, errors, rights, lists."""

from __future__ import annotations

import pytest

from .asking import Voice
from .tenants import NEW, House, Stay

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def newest(admin: Voice) -> str:
    versions = admin.look("GET", "compute", "/").body["versions"]
    return str(next(item for item in versions if item["id"] == "v2.1")["version"])


def test_version_that_was_used_is_said_in_two_headers_and_is_2_1_by_default(ours: Voice) -> None:
    asked = ours.ask("GET", "compute", "/v2.1/servers", version=NEW)
    default = ours.ask("GET", "compute", "/v2.1/servers")

    assert asked.headers["OpenStack-API-Version"] == f"compute {NEW}"
    assert asked.headers["X-OpenStack-Nova-API-Version"] == NEW
    assert default.headers["OpenStack-API-Version"] == "compute 2.1"
    assert "OpenStack-API-Version" in asked.headers["Vary"]


def test_version_that_is_not_supported_is_answered_with_406_that_names_it(ours: Voice) -> None:
    refused = ours.ask("GET", "compute", "/v2.1/servers", version="2.9999")

    assert refused.status == 406
    assert refused.body["computeFault"]["message"].startswith(
        "Version 2.9999 is not supported by the API. Minimum is 2.1 and maximum is 2."
    )


@pytest.mark.parametrize("version", ["nonsense", "3", "2.1.1"])
def test_version_that_is_none_is_answered_with_400(ours: Voice, version: str) -> None:
    assert ours.ask("GET", "compute", "/v2.1/servers", version=version).status == 400


def test_latest_is_the_newest_version(ours: Voice, admin: Voice) -> None:
    answer = ours.look("GET", "compute", "/v2.1/servers", version="latest")

    assert answer.headers["OpenStack-API-Version"] == f"compute {newest(admin)}"


def test_question_without_a_token_is_answered_with_401_in_keystonemiddlewares_words(
    nobody: Voice,
) -> None:
    refused = nobody.ask("GET", "compute", "/v2.1/servers")

    assert refused.status == 401
    assert refused.body["error"]["code"] == 401
    assert refused.headers["WWW-Authenticate"].startswith("Keystone uri=")


def test_question_with_a_token_that_is_none_is_answered_with_401(nobody: Voice) -> None:
    refused = nobody.ask("GET", "compute", "/v2.1/servers", headers={"X-Auth-Token": "nonsense"})

    assert refused.status == 401


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_another_projects_instance_is_not_found_like_an_unknown_one(
    theirs: Voice, one: str, method: str
) -> None:
    foreign = theirs.ask(method, "compute", f"/v2.1/servers/{one}", version=NEW)
    unknown = theirs.ask(method, "compute", f"/v2.1/servers/{UNKNOWN}", version=NEW)

    assert (foreign.status, unknown.status) == (404, 404)
    assert foreign.reason == f"Instance {one} could not be found."


def test_another_projects_instance_is_refused_with_403_as_long_as_it_has_not_been_scheduled(
    stay: Stay, ours: Voice, theirs: Voice
) -> None:
    """Nova looks among the asking project's instances; one not scheduled yet is among all build requests."""
    body = {"server": stay.server_body()}
    made = ours.look("POST", "compute", "/v2.1/servers", body, version=NEW)
    server_id = stay.keep_server(made)

    foreign = theirs.look("GET", "compute", f"/v2.1/servers/{server_id}", version=NEW)
    was_scheduled = bool(stay.show(server_id).get("OS-EXT-SRV-ATTR:host"))
    stay.settled(server_id)

    assert was_scheduled or foreign.status == 403
    if foreign.status == 403:
        assert foreign.reason == "Policy doesn't allow os_compute_api:servers:show to be performed."


def test_operator_may_look_at_every_projects_instance(admin: Voice, one: str) -> None:
    shown = admin.ask("GET", "compute", f"/v2.1/servers/{one}", version=NEW)

    assert shown.status == 200
    assert shown.body["server"]["OS-EXT-SRV-ATTR:host"]


def test_unknown_question_is_ignored_at_2_1_and_refused_by_the_newest(
    ours: Voice, admin: Voice
) -> None:
    path = "/v2.1/servers?colour=blue"

    assert ours.look("GET", "compute", path).status == 200
    assert ours.look("GET", "compute", path, version=newest(admin)).status == 400


def test_member_cannot_ask_for_all_projects_and_its_questions_by_host_are_ignored(
    ours: Voice, one: str
) -> None:
    every = ours.ask("GET", "compute", "/v2.1/servers?all_tenants=1", version=NEW)
    by_host = ours.ask("GET", "compute", "/v2.1/servers?host=nowhere", version=NEW)

    assert every.status == 403
    assert [item["id"] for item in by_host.body["servers"]] == [one]


def test_lists_come_in_pages_with_a_link_to_the_next(stay: Stay, ours: Voice, one: str) -> None:
    stay.boot()

    first = ours.ask("GET", "compute", "/v2.1/servers?limit=1&sort_key=created_at", version=NEW)
    marker = first.body["servers"][0]["id"]
    second = ours.ask("GET", "compute", f"/v2.1/servers?limit=1&marker={marker}", version=NEW)
    bad = ours.ask("GET", "compute", f"/v2.1/servers?marker={UNKNOWN}", version=NEW)

    assert [link["rel"] for link in first.body["servers_links"]] == ["next"]
    assert len(second.body["servers"]) == 1
    assert second.body["servers"][0]["id"] != marker
    assert bad.status == 400


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", b"[]", b'{"server": 1}'], ids=["empty", "text", "list", "number"]
)
def test_body_that_is_none_is_refused_with_400(ours: Voice, data: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    assert ours.ask("POST", "compute", "/v2.1/servers", data, headers=headers).status == 400


def test_path_that_is_none_is_answered_with_404_in_plain_text(ours: Voice) -> None:
    answer = ours.ask("GET", "compute", "/v2.1/nonsense", version=NEW)

    assert answer.status == 404


def test_versions_are_told_without_a_token(nobody: Voice) -> None:
    root = nobody.look("GET", "compute", "/")
    version = nobody.look("GET", "compute", "/v2.1/")

    assert root.status == 200
    assert {item["id"] for item in root.body["versions"]} >= {"v2.1"}
    assert version.status == 200
    assert version.body["version"]["min_version"] == "2.1"


def test_quotas_of_a_project_are_set_by_operators_and_seen_by_the_project(
    house: House, admin: Voice, ours: Voice, theirs: Voice
) -> None:
    path = f"/v2.1/os-quota-sets/{house.theirs.project_id}"
    before = admin.look("GET", "compute", path, version=NEW).body["quota_set"]["key_pairs"]

    try:
        changed = admin.ask("PUT", "compute", path, {"quota_set": {"key_pairs": 7}}, version=NEW)
        seen = theirs.ask("GET", "compute", path, version=NEW)
        foreign = ours.ask("GET", "compute", path, version=NEW)
        by_member = theirs.ask("PUT", "compute", path, {"quota_set": {"key_pairs": 8}}, version=NEW)
        unknown = admin.ask("PUT", "compute", path, {"quota_set": {"colour": 1}}, version=NEW)
    finally:
        admin.look("PUT", "compute", path, {"quota_set": {"key_pairs": before}}, version=NEW)

    assert changed.status == 200
    assert seen.body["quota_set"]["key_pairs"] == 7
    assert (foreign.status, by_member.status, unknown.status) == (403, 403, 400)


def test_flavors_are_made_by_operators_and_seen_by_all(
    stay: Stay, admin: Voice, ours: Voice
) -> None:
    body = {"flavor": {"name": stay.name(), "vcpus": 1, "ram": 64, "disk": 1}}

    by_member = ours.ask("POST", "compute", "/v2.1/flavors", body, version=NEW)
    made = admin.ask("POST", "compute", "/v2.1/flavors", body, version=NEW)
    path = f"/v2.1/flavors/{made.body['flavor']['id']}"
    stay.keep(admin, "compute", path)
    again = admin.ask("POST", "compute", "/v2.1/flavors", body, version=NEW)
    seen = ours.ask("GET", "compute", path, version=NEW)
    deleted = admin.ask("DELETE", "compute", path, version=NEW)
    gone = ours.ask("GET", "compute", path, version=NEW)

    assert (by_member.status, made.status, again.status) == (403, 200, 409)
    assert seen.body["flavor"]["vcpus"] == 1
    assert (deleted.status, gone.status) == (202, 404)
