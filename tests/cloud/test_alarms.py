# SPDX-License-Identifier: Apache-2.0
"""Aodh: alarms on events, and who may make, see and change them."""

from __future__ import annotations

from typing import Any

import pytest

from .asking import Answer, Voice
from .tenants import House, Stay

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ALARMS = "/v2/alarms"


def alarm(stay: Stay, **fields: Any) -> dict[str, Any]:
    return {
        "name": stay.name(),
        "type": "event",
        "enabled": True,
        "severity": "moderate",
        "repeat_actions": True,
        "event_rule": {"event_type": "maintenance.scheduled", "query": []},
        "alarm_actions": ["http://127.0.0.1:9/nobody"],
        **fields,
    }


def create(stay: Stay, voice: Voice, **fields: Any) -> Answer:
    made = voice.ask("POST", "alarming", ALARMS, alarm(stay, **fields))
    if made.status == 201:
        stay.keep(voice, "alarming", f"{ALARMS}/{made.body['alarm_id']}")
    return made


def test_alarm_belongs_to_its_maker_and_has_insufficient_data(
    stay: Stay, house: House, ours: Voice
) -> None:
    made = create(stay, ours)
    shown = ours.ask("GET", "alarming", f"{ALARMS}/{made.body['alarm_id']}")

    assert made.status == 201
    assert made.body["project_id"] == house.ours.project_id
    assert (made.body["state"], made.body["enabled"]) == ("insufficient data", True)
    assert shown.body["event_rule"] == {"event_type": "maintenance.scheduled", "query": []}


def test_alarm_is_changed_by_sending_all_of_it(stay: Stay, ours: Voice) -> None:
    made = create(stay, ours).body
    path = f"{ALARMS}/{made['alarm_id']}"

    whole = ours.ask("PUT", "alarming", path, {**made, "severity": "critical"})
    part = ours.ask("PUT", "alarming", path, {"enabled": False})

    assert (whole.status, whole.body["severity"]) == (200, "critical")
    assert part.status == 400


def test_name_may_be_taken_twice(stay: Stay, ours: Voice) -> None:
    name = stay.name()

    assert create(stay, ours, name=name).status == 201
    assert create(stay, ours, name=name).status == 201


def test_query_needs_a_type_and_an_empty_one_is_a_string(stay: Stay, ours: Voice) -> None:
    item = {"field": "traits.state", "op": "eq", "value": "IN_MAINTENANCE"}

    def with_query(**more: str) -> int:
        rule = {"event_type": "maintenance.scheduled", "query": [{**item, **more}]}
        return create(stay, ours, event_rule=rule).status

    assert with_query() == 400
    assert with_query(type="") == 201
    assert with_query(type="string") == 201
    assert with_query(type="nonsense") == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"severity": "terrible"},
        {"type": "nonsense"},
        {"colour": "blue"},
        {"alarm_actions": ["nonsense://x"]},
        {"event_rule": {"query": [{"field": "f", "op": "like", "value": "v", "type": "string"}]}},
    ],
    ids=["severity", "type", "field", "action", "operator"],
)
def test_alarm_that_is_none_is_refused_with_400(
    stay: Stay, ours: Voice, fields: dict[str, Any]
) -> None:
    assert create(stay, ours, **fields).status == 400


def test_member_makes_no_alarm_for_another_project(stay: Stay, house: House, ours: Voice) -> None:
    refused = create(stay, ours, project_id=house.theirs.project_id)

    assert refused.status == 401
    assert refused.body["error_message"]["faultstring"] == (
        f"Not Authorized to access project {house.theirs.project_id}"
    )


def test_another_projects_alarm_is_not_found_and_operators_see_all(
    stay: Stay, ours: Voice, theirs: Voice, admin: Voice
) -> None:
    path = f"{ALARMS}/{create(stay, ours).body['alarm_id']}"
    every = f"{ALARMS}?q.field=all_projects&q.op=eq&q.value=true"

    foreign = [theirs.ask(method, "alarming", path) for method in ("GET", "DELETE")]
    listed = theirs.ask("GET", "alarming", ALARMS)
    all_for_member = theirs.ask("GET", "alarming", every)
    own = admin.ask("GET", "alarming", path)
    all_for_operator = admin.look("GET", "alarming", every)

    assert [answer.status for answer in foreign] == [404, 404]
    assert listed.body == []
    assert all_for_member.status == 403
    assert own.status == 200
    assert path.rpartition("/")[2] in [item["alarm_id"] for item in all_for_operator.body]


def test_state_of_an_alarm_is_read_and_set(stay: Stay, ours: Voice) -> None:
    path = f"{ALARMS}/{create(stay, ours).body['alarm_id']}/state"

    first = ours.ask("GET", "alarming", path)
    changed = ours.ask("PUT", "alarming", path, "ok")
    refused = ours.ask("PUT", "alarming", path, "happy")

    assert (first.body, changed.body, refused.status) == ("insufficient data", "ok", 400)


def test_history_is_of_one_alarm_and_there_is_none_of_all(stay: Stay, ours: Voice) -> None:
    path = f"{ALARMS}/{create(stay, ours).body['alarm_id']}"

    one = ours.ask("GET", "alarming", f"{path}/history")
    every = ours.ask("GET", "alarming", f"{ALARMS}/history")

    assert [item["type"] for item in one.body] == ["creation"]
    assert every.status == 404


def test_alarm_is_deleted_once(stay: Stay, ours: Voice) -> None:
    path = f"{ALARMS}/{create(stay, ours).body['alarm_id']}"

    assert ours.ask("DELETE", "alarming", path).status == 204
    assert ours.ask("DELETE", "alarming", path).status == 404
    assert ours.ask("GET", "alarming", f"{ALARMS}/{UNKNOWN}").status == 404


def test_looking_at_the_quota_forbids_every_further_alarm_until_an_operator_deletes_it(
    stay: Stay, house: House, theirs: Voice, admin: Voice
) -> None:
    """A bug of aodh 23: ``GET`` stores the limit of -1 that it shows, and then counts against it."""
    path = f"/v2/quotas/{house.theirs.project_id}"
    assert create(stay, theirs).status == 201

    looked = theirs.ask("GET", "alarming", "/v2/quotas")
    refused = create(stay, theirs)
    by_member = theirs.ask("DELETE", "alarming", path)
    deleted = admin.ask("DELETE", "alarming", path)
    allowed = create(stay, theirs)

    assert looked.body["quotas"] == [{"resource": "alarms", "limit": -1}]
    assert (refused.status, by_member.status, deleted.status) == (403, 403, 204)
    assert allowed.status == 201


def test_alarms_need_a_token(nobody: Voice) -> None:
    assert nobody.ask("GET", "alarming", ALARMS).status == 401
