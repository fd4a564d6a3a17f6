# SPDX-License-Identifier: Apache-2.0
"""nova-compute as operators see it: the services that are disabled for a maintenance, and the hypervisors."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from .asking import Voice
from .tenants import NEW, Stay

UNKNOWN = "00000000-0000-4000-8000-000000000000"
LAST_BY_HOST = "2.52"
"""The last microversion that knows services by host and binary; from 2.53 on they have IDs."""


@pytest.fixture
def host(stay: Stay) -> Iterator[str]:
    """A host that is left enabled and not forced down."""
    chosen = stay.hosts[-1]
    path = f"/v2.1/os-services/{stay.service(chosen)['id']}"
    yield chosen
    body = {"status": "enabled", "forced_down": False}
    assert stay.admin.look("PUT", "compute", path, body, version=NEW).status == 200


def services(voice: Voice, host: str, version: str = NEW) -> list[dict[str, object]]:
    path = f"/v2.1/os-services?binary=nova-compute&host={host}"
    found: list[dict[str, object]] = voice.ask("GET", "compute", path, version=version).body[
        "services"
    ]
    return found


def test_services_of_a_host_are_listed_with_an_id_from_2_53_on_and_a_number_before(
    stay: Stay, admin: Voice
) -> None:
    (new,) = services(admin, stay.hosts[0])
    (old,) = services(admin, stay.hosts[0], LAST_BY_HOST)

    assert (new["status"], new["state"], new["forced_down"]) == ("enabled", "up", False)
    assert isinstance(new["id"], str)
    assert isinstance(old["id"], int)


def test_services_are_not_for_members(stay: Stay, ours: Voice) -> None:
    listed = ours.ask("GET", "compute", "/v2.1/os-services", version=NEW)
    changed = ours.ask(
        "PUT", "compute", f"/v2.1/os-services/{UNKNOWN}", {"status": "disabled"}, version=NEW
    )

    assert (listed.status, changed.status) == (403, 403)


@pytest.mark.operator
def test_service_is_disabled_with_a_reason_and_enabled_without(
    stay: Stay, admin: Voice, host: str
) -> None:
    path = f"/v2.1/os-services/{stay.service(host)['id']}"
    off = {"status": "disabled", "disabled_reason": "maintenance of a test"}

    disabled = admin.ask("PUT", "compute", path, off, version=NEW)
    again = admin.ask("PUT", "compute", path, off, version=NEW)
    (listed,) = services(admin, host)
    enabled = admin.ask("PUT", "compute", path, {"status": "enabled"}, version=NEW)
    (after,) = services(admin, host)

    assert (disabled.status, again.status, enabled.status) == (200, 200, 200)
    assert disabled.body["service"]["status"] == "disabled"
    assert disabled.body["service"]["disabled_reason"] == "maintenance of a test"
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", disabled.body["service"]["updated_at"]
    )
    assert (listed["status"], listed["disabled_reason"]) == ("disabled", "maintenance of a test")
    assert (after["status"], after["disabled_reason"]) == ("enabled", None)


@pytest.mark.operator
def test_enabling_with_a_reason_and_other_nonsense_is_refused_with_400(
    stay: Stay, admin: Voice, host: str
) -> None:
    path = f"/v2.1/os-services/{stay.service(host)['id']}"

    for body in (
        {"status": "enabled", "disabled_reason": "why"},
        {"disabled_reason": "why"},
        {"status": "off"},
        {"forced_down": "perhaps"},
        {},
    ):
        assert admin.ask("PUT", "compute", path, body, version=NEW).status == 400, body


def test_service_that_is_not_there_is_answered_with_404(admin: Voice) -> None:
    answer = admin.ask(
        "PUT", "compute", f"/v2.1/os-services/{UNKNOWN}", {"status": "disabled"}, version=NEW
    )

    assert answer.status == 404


@pytest.mark.operator
def test_service_that_is_forced_down_is_down_at_once(stay: Stay, admin: Voice, host: str) -> None:
    path = f"/v2.1/os-services/{stay.service(host)['id']}"

    down = admin.ask("PUT", "compute", path, {"forced_down": True}, version=NEW)
    (listed,) = services(admin, host)
    up = admin.ask("PUT", "compute", path, {"forced_down": False}, version=NEW)

    assert (down.status, up.status) == (200, 200)
    assert (listed["state"], listed["forced_down"]) == ("down", True)


@pytest.mark.operator
def test_old_calls_by_host_answer_only_what_they_changed_and_are_refused_from_2_53_on(
    stay: Stay, admin: Voice, host: str
) -> None:
    body = {"host": host, "binary": "nova-compute"}

    def put(what: str, version: str, **more: object) -> dict[str, object]:
        answer = admin.ask(
            "PUT", "compute", f"/v2.1/os-services/{what}", {**body, **more}, version=version
        )
        return {"status": answer.status, **(answer.body.get("service") or {})}

    assert put("disable", LAST_BY_HOST) == {"status": "disabled", **body}
    assert put("enable", LAST_BY_HOST) == {"status": "enabled", **body}
    assert put("disable-log-reason", LAST_BY_HOST, disabled_reason="why") == {
        "status": "disabled",
        "disabled_reason": "why",
        **body,
    }
    assert put("force-down", LAST_BY_HOST, forced_down=True) == {
        "status": 200,
        "forced_down": True,
        **body,
    }
    assert put("enable", "2.53")["status"] == 400


def test_hypervisor_has_no_figures_from_2_88_on_and_has_an_uptime(stay: Stay, admin: Voice) -> None:
    path = f"/v2.1/os-hypervisors/detail?hypervisor_hostname_pattern={stay.hosts[0]}"

    (new,) = admin.ask("GET", "compute", path, version="2.88").body["hypervisors"]
    (old,) = admin.ask("GET", "compute", path, version=NEW).body["hypervisors"]

    assert (new["hypervisor_hostname"], new["service"]["host"]) == (stay.hosts[0], stay.hosts[0])
    assert (new["state"], new["status"]) == ("up", "enabled")
    assert {"vcpus", "memory_mb", "local_gb", "running_vms"} & new.keys() == set()
    assert "uptime" in new
    assert old["vcpus"] > 0
    assert old["host_ip"] == new["host_ip"]


def test_pattern_that_no_hypervisor_has_is_answered_with_404(admin: Voice) -> None:
    path = "/v2.1/os-hypervisors?hypervisor_hostname_pattern=nowhere"

    assert admin.ask("GET", "compute", path, version=NEW).status == 404


def test_hypervisors_are_not_for_members(ours: Voice) -> None:
    assert ours.ask("GET", "compute", "/v2.1/os-hypervisors", version=NEW).status == 403
    assert ours.ask("GET", "compute", "/v2.1/os-migrations", version=NEW).status == 403


@pytest.mark.operator
def test_disabled_host_gets_no_instance(stay: Stay) -> None:
    chosen = stay.hosts[0]

    stay.only(chosen)
    server_id = stay.boot()

    assert stay.host_of(server_id) == chosen
