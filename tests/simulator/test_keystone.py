# SPDX-License-Identifier: Apache-2.0
"""Tokens, roles and the catalog, where the recorded answers say nothing."""

from __future__ import annotations

from doctor_maintenance.simulator.identity import TOKEN_LIFE_S

from .sim import BASE, Sim


def test_token_is_refused_when_its_life_is_over() -> None:
    sim = Sim()
    assert sim.ask("GET", "/network/v2.0/networks").status_code == 200

    sim.clock.advance(TOKEN_LIFE_S)

    assert sim.ask("GET", "/network/v2.0/networks").status_code == 401


def test_token_got_by_token_does_not_live_longer() -> None:
    sim = Sim()
    first = sim.login("demo")
    sim.clock.advance(100.0)
    body = {
        "auth": {
            "identity": {
                "methods": ["token"],
                "token": {"id": first.headers["X-Subject-Token"]},
            },
            "scope": {"project": {"id": sim.project("demo")}},
        }
    }

    second = sim.http.post(f"{BASE}/identity/v3/auth/tokens", json=body)

    assert second.json()["token"]["expires_at"] == first.json()["token"]["expires_at"]


def test_disabled_user_loses_the_tokens_it_has() -> None:
    sim = Sim()
    demo = sim.cloud.identity.find_user("demo")
    assert demo is not None
    assert sim.ask("GET", "/image/v2/images").status_code == 200

    answer = sim.ask(
        "PATCH", f"/identity/v3/users/{demo.id}", {"user": {"enabled": False}}, user="admin"
    )

    assert answer.status_code == 200
    assert sim.ask("GET", "/image/v2/images").status_code == 401
    assert sim.login("demo").status_code == 401


def test_catalog_leads_back_to_the_address_that_the_caller_used() -> None:
    sim = Sim()
    catalog = sim.login("demo").json()["token"]["catalog"]

    urls = {
        service["type"]: endpoint["url"]
        for service in catalog
        for endpoint in service["endpoints"]
        if endpoint["interface"] == "public"
    }

    assert urls["identity"] == f"{BASE}/identity/v3"
    assert urls["network"] == f"{BASE}/network"
    assert urls["alarming"] == f"{BASE}/alarming"
    assert urls["compute"] == f"{BASE}/compute/v2.1"
    assert "simulator-control" not in urls


def test_reader_sees_and_cannot_change() -> None:
    sim = Sim()
    identity = sim.cloud.identity
    viewer = identity.create_user("viewer", "viewer")
    identity.grant(sim.project("demo"), viewer.id, identity.role_named("reader").id)
    token = sim.login("viewer", project="demo").headers["X-Subject-Token"]
    headers = {"X-Auth-Token": token}

    seen = sim.http.get(f"{BASE}/network/v2.0/networks", headers=headers)
    made = sim.http.post(
        f"{BASE}/network/v2.0/networks", json={"network": {"name": "x"}}, headers=headers
    )
    alarm = {"name": "a", "type": "event", "event_rule": {}}
    alarmed = sim.http.post(f"{BASE}/alarming/v2/alarms", json=alarm, headers=headers)

    assert seen.status_code == 200
    assert (made.status_code, alarmed.status_code) == (403, 403)
    assert made.json()["NeutronError"]["message"] == "rule:create_network is disallowed by policy"


def test_same_seed_gives_the_same_tokens_and_another_source_others() -> None:
    first, second, third = Sim(), Sim(), Sim()
    third.cloud.identity.token_rng.seed(99)

    assert first.token("demo") == second.token("demo")
    assert third.token("demo") != first.token("demo")


def test_wrong_password_and_unknown_user_are_told_apart_by_nobody() -> None:
    sim = Sim()

    wrong, unknown = sim.login("demo", password="no"), sim.login("nobody", project="demo")

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


def test_deleted_project_takes_its_tokens_along() -> None:
    sim = Sim()
    identity = sim.cloud.identity
    project = identity.create_project("brief")
    demo = identity.find_user("demo")
    assert demo is not None
    identity.grant(project.id, demo.id, identity.role_named("member").id)
    token = sim.login("demo", project="brief").headers["X-Subject-Token"]

    identity.delete_project(project.id)

    headers = {"X-Auth-Token": token}
    assert sim.http.get(f"{BASE}/network/v2.0/networks", headers=headers).status_code == 401
