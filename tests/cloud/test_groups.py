# SPDX-License-Identifier: Apache-2.0
"""Server groups, and what the scheduler makes of anti-affinity."""

from __future__ import annotations

import pytest

from .asking import Voice
from .tenants import MOVE_S, NEW, Stay
from .test_live_migration import live, migrations, move, watch_until_recorded


def group(stay: Stay, voice: Voice, policy: str = "anti-affinity") -> str:
    body = {"server_group": {"name": stay.name(), "policy": policy}}
    made = voice.ask("POST", "compute", "/v2.1/os-server-groups", body, version=NEW)
    assert made.status == 200, made
    group_id = str(made.body["server_group"]["id"])
    stay.keep(voice, "compute", f"/v2.1/os-server-groups/{group_id}")
    return group_id


def test_policy_of_a_group_was_a_list_below_2_64(stay: Stay, ours: Voice) -> None:
    group_id = group(stay, ours)
    path = f"/v2.1/os-server-groups/{group_id}"

    new = ours.ask("GET", "compute", path, version="2.64").body["server_group"]
    old = ours.ask("GET", "compute", path, version="2.63").body["server_group"]

    assert (new["policy"], new["rules"]) == ("anti-affinity", {})
    assert (old["policies"], old["metadata"]) == (["anti-affinity"], {})
    assert "policy" not in old


def test_group_belongs_to_its_project_and_an_operator_can_list_all(
    stay: Stay, ours: Voice, theirs: Voice, admin: Voice
) -> None:
    group_id = group(stay, ours)
    path = f"/v2.1/os-server-groups/{group_id}"

    foreign = theirs.ask("GET", "compute", path, version=NEW)
    listed = theirs.ask("GET", "compute", "/v2.1/os-server-groups", version=NEW)
    every = admin.look("GET", "compute", "/v2.1/os-server-groups?all_projects=True", version=NEW)

    assert foreign.status == 404
    assert listed.body["server_groups"] == []
    assert group_id in [item["id"] for item in every.body["server_groups"]]


def test_group_is_deleted_once_and_an_unknown_one_cannot_be_booted_into(
    stay: Stay, ours: Voice
) -> None:
    group_id = group(stay, ours)
    path = f"/v2.1/os-server-groups/{group_id}"

    deleted = ours.ask("DELETE", "compute", path, version=NEW)
    again = ours.ask("DELETE", "compute", path, version=NEW)
    body = {"server": stay.server_body(), "os:scheduler_hints": {"group": group_id}}
    booted = ours.ask("POST", "compute", "/v2.1/servers", body, version=NEW)

    assert (deleted.status, again.status) == (204, 404)
    assert booted.status == 400


@pytest.mark.parametrize(
    "policy", ["nonsense", ["anti-affinity"], None], ids=["unknown", "list", "none"]
)
def test_group_of_a_policy_that_is_none_is_refused_with_400(
    stay: Stay, ours: Voice, policy: object
) -> None:
    body = {"server_group": {"name": stay.name(), "policy": policy}}

    assert ours.ask("POST", "compute", "/v2.1/os-server-groups", body, version=NEW).status == 400


def test_members_of_an_anti_affinity_group_are_on_different_hosts_and_in_the_group(
    stay: Stay, ours: Voice
) -> None:
    group_id = group(stay, ours)

    pair = [stay.boot(group_id), stay.boot(group_id)]
    shown = ours.look("GET", "compute", f"/v2.1/os-server-groups/{group_id}", version=NEW)

    assert stay.host_of(pair[0]) != stay.host_of(pair[1])
    assert sorted(shown.body["server_group"]["members"]) == sorted(pair)


@pytest.mark.operator
def test_live_migration_onto_the_host_of_the_other_member_is_not_done(
    stay: Stay, admin: Voice, ours: Voice
) -> None:
    group_id = group(stay, ours)
    one, other = stay.boot(group_id), stay.boot(group_id)
    there = stay.host_of(other)
    here = stay.host_of(one)
    stay.only(here, there)

    move(admin, one, live())
    looks = watch_until_recorded(stay, one, "completed", "error")

    assert looks[-1][1] == "error"
    assert stay.host_of(one) == here


def test_host_that_the_other_member_has_left_is_free_at_the_latest_after_two_minutes(
    stay: Stay, admin: Voice, ours: Voice
) -> None:
    """The scheduler learns of a departure only from the computes' sync, every 120 s: until then it refuses the host."""
    if len(stay.hosts) < 3:
        pytest.skip("the first member needs a third host to leave for")
    group_id = group(stay, ours)
    one, other = stay.boot(group_id), stay.boot(group_id)
    left = stay.host_of(one)
    third = next(host for host in stay.hosts if host not in (left, stay.host_of(other)))
    admin.look("POST", "compute", f"/v2.1/servers/{one}/action", live(third), version=NEW)
    watch_until_recorded(stay, one, "completed", "error")
    ends = []

    def attempt() -> str:
        known = len(migrations(admin, other))
        asked = admin.look(
            "POST", "compute", f"/v2.1/servers/{other}/action", live(left), version=NEW
        )
        assert asked.status == 202, asked
        stay.watch(
            lambda: [item["status"] for item in migrations(admin, other)],
            lambda seen: len(seen) > known and seen[0] in ("completed", "error"),
            MOVE_S,
            "the attempt",
        )
        stay.settled(other)
        return str(migrations(admin, other)[0]["status"])

    begun = stay.place.clock.now()
    while not ends or (ends[-1] == "error" and stay.place.clock.now() < begun + 130.0):
        ends.append(attempt())
        if ends[-1] == "error":
            stay.wait(2.0)

    assert set(ends[:-1]) <= {"error"}
    assert ends[-1] == "completed"
    assert stay.host_of(other) == left
