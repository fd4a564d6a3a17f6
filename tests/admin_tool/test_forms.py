# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from doctor_maintenance.admin_tool.api.forms import CreateForm, read_action, read_create
from doctor_maintenance.exceptions import InvalidRequestError
from doctor_maintenance.planning import SessionRules
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import Action, MaintenanceType

NOW = 1_577_836_800.5  # half a second after 2020-01-01 00:00:00
RULES = SessionRules(admin_project_id="operators", base_url="http://tool")


def read(**changes: Any) -> CreateForm:
    body = {"hosts": ["compute1"], "type": "full", **changes}
    return read_create({key: item for key, item in body.items() if item != "absent"}, RULES, NOW)


def test_the_least_that_a_session_needs_is_hosts_and_a_type() -> None:
    assert read() == CreateForm(("compute1",), MaintenanceType.FULL, None)


def test_everything_that_can_be_asked_for_is_read() -> None:
    form = read(
        hosts=["compute1", "compute2"],
        type="full",
        maintenance_at="2020-01-01 00:10:00",
        instances={"compute2": ["i1", "i2"]},
        metadata={"why": "kernel"},
        workflow="planned",
        rules={"reply_wait_s": 5, "default_action": "LIVE_MIGRATE", "only_if_agreed": ["blue"]},
    )

    request = form.request("session-1", NOW)
    assert request.maintenance_at == 1_577_836_800 + 600
    assert request.affected == {"compute2": frozenset({"i1", "i2"})}
    assert request.metadata == {"why": "kernel"}
    assert form.rules is not None
    assert form.rules.reply_wait_s == 5.0
    assert form.rules.default_action is Action.LIVE_MIGRATE
    assert form.rules.only_if_agreed == {"blue"}
    assert form.rules.base_url == "http://tool"


def test_a_start_in_this_very_second_is_not_past() -> None:
    assert read(maintenance_at="2020-01-01 00:00:00").maintenance_at == 1_577_836_800


BAD = {
    "no hosts": ({"hosts": []}, "hosts: expected a list of 1 to"),
    "hosts missing": ({"hosts": "absent"}, "hosts: expected a list"),
    "hosts a text": ({"hosts": "compute1"}, "hosts: expected a list"),
    "a host twice": ({"hosts": ["a", "b", "a"]}, "each host once; found twice: a"),
    "a host that is no text": ({"hosts": ["a", 7]}, r"hosts\[1\]: expected a name"),
    "a host with a line break": ({"hosts": ["a\nb"]}, r"hosts\[0\]: expected a name"),
    "an empty host": ({"hosts": [""]}, r"hosts\[0\]: expected a name"),
    "a long host": ({"hosts": ["x" * 256]}, r"hosts\[0\]: expected a name"),
    "no type": ({"type": "absent"}, "type: expected one of full, reboot"),
    "an unknown type": ({"type": "half"}, "type: expected one of full, reboot; found 'half'"),
    "a type that is no text": ({"type": ["full"]}, "type: expected one of"),
    "a start in the past": ({"maintenance_at": "2019-12-31 23:59:59"}, "expected a time to come"),
    "a start too far ahead": (
        {"maintenance_at": "2030-01-01 00:00:00"},
        "within the next 366 days",
    ),
    "a start that is no time": ({"maintenance_at": "soon"}, "maintenance_at: expected a UTC time"),
    "a start that is a number": ({"maintenance_at": 5}, "maintenance_at: expected a UTC time"),
    "an unknown workflow": ({"workflow": "rolling"}, "workflow: expected one of planned"),
    "an unknown field": ({"host": "a"}, "'host' is not known; known are hosts, instances"),
    "a part of another host": ({"instances": {"b": ["i"]}}, "b is not one of the session's hosts"),
    "a part that is no list": ({"instances": {"compute1": "i"}}, r"instances\[compute1\]"),
    "an empty part": (
        {"instances": {"compute1": []}},
        r"instances\[compute1\]: expected a list of 1",
    ),
    "metadata with a number": ({"metadata": {"a": 1}}, r"metadata\[a\]: expected a text"),
    "metadata that is cut": ({"metadata": {"a": "x" * 255}}, "metadata: cut at 255"),
    "an unknown rule": ({"rules": {"base_url": "http://x"}}, "'base_url' is not known"),
    "a rule out of range": (
        {"rules": {"reply_wait_s": 0}},
        "rules.reply_wait_s: expected a number",
    ),
    "a rule that is no number": ({"rules": {"reply_wait_s": "5"}}, "rules.reply_wait_s"),
    "a rule that is true": ({"rules": {"reply_wait_s": True}}, "rules.reply_wait_s"),
    "half an attempt": ({"rules": {"move_attempts": 1.5}}, "expected a whole number"),
    "LEAVE by default": (
        {"rules": {"default_action": "LEAVE"}},
        "expected MIGRATE or LIVE_MIGRATE",
    ),
    "a flag that is none": ({"rules": {"test_host": 1}}, "rules.test_host: expected true or false"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_field_is_refused_by_its_name(name: str) -> None:
    changes, message = BAD[name]
    with pytest.raises(InvalidRequestError, match=message):
        read(**changes)


@pytest.mark.parametrize("body", [None, [], "x", 3])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(InvalidRequestError, match="body: expected a JSON object"):
        read_create(body, RULES, NOW)
    with pytest.raises(InvalidRequestError, match="body: expected a JSON object"):
        read_action(body, [])


def test_actions_are_read() -> None:
    assert read_action({"cancel": None}, []) == saw.OperatorCanceled()
    assert read_action({"continue": {"host": "a"}}, ["a", "b"]) == saw.OperatorContinued("a")
    assert read_action({"release": {"host": "b"}}, ["a", "b"]) == saw.OperatorReleased("b")


def test_the_only_failed_host_need_not_be_named() -> None:
    assert read_action({"continue": None}, ["a"]) == saw.OperatorContinued("a")
    assert read_action({"release": {}}, ["a"]) == saw.OperatorReleased("a")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "expected exactly one of"),
        ({"cancel": None, "release": None}, "expected exactly one of"),
        ({"stop": None}, "'stop' is not known"),
        ({"cancel": "please"}, "cancel: expected null"),
        ({"continue": None}, "continue.host: expected a host, because 0 have failed"),
        ({"continue": {"node": "a"}}, "'node' is not known"),
        ({"release": {"host": 5}}, "release.host: expected a name"),
    ],
)
def test_a_bad_action_is_refused(body: object, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        read_action(body, [])
