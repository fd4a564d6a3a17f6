# SPDX-License-Identifier: Apache-2.0
"""What is written is what is read; what is malformed dies at the edge with the field's name."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor_maintenance.exceptions import LocalProtocolError, ProtocolError, RemoteProtocolError
from doctor_maintenance.protocol import (
    Action,
    EventType,
    HostNotification,
    MaintenanceType,
    NotificationState,
    ProjectNotification,
    Reply,
    Verdict,
    notification_from_wire,
    parse_alarm,
    traits,
)

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=60)
WHEN = st.integers(0, 4_000_000_000).map(float)

FULL = st.sampled_from([Action.MIGRATE, Action.LIVE_MIGRATE, Action.OWN_ACTION])
project_notifications = st.builds(
    ProjectNotification,
    session_id=TEXT,
    project_id=TEXT,
    state=st.sampled_from(NotificationState),
    type=st.sampled_from(MaintenanceType),
    instance_ids=TEXT,
    allowed_actions=st.lists(FULL, max_size=3).map(tuple),
    default_action=st.none() | FULL,
    actions_at=st.none() | WHEN,
    reply_at=st.none() | WHEN,
    reply_url=st.none() | TEXT,
    metadata=st.dictionaries(
        st.text("abc_[{'\"u", min_size=1, max_size=5), st.text("xyz'[]{}\"", max_size=5), max_size=2
    ),
)
host_notifications = st.builds(
    HostNotification,
    session_id=TEXT,
    project_id=TEXT,
    host=TEXT,
    state=st.sampled_from([NotificationState.IN_MAINTENANCE, NotificationState.MAINTENANCE_OVER]),
    service=TEXT,
)
replies = st.builds(
    Reply,
    session_id=TEXT,
    verdict=st.sampled_from(Verdict),
    state=st.sampled_from(NotificationState),
    instance_actions=st.dictionaries(TEXT, st.sampled_from(Action), max_size=4),
)


@given(project_notifications)
def test_a_project_notification_survives_the_bus(message: ProjectNotification) -> None:
    wire = json.loads(json.dumps(message.to_wire()))

    assert notification_from_wire("maintenance.scheduled", wire) == message


@given(project_notifications)
def test_a_project_notification_survives_aodh(message: ProjectNotification) -> None:
    seen = traits.decode(traits.encode(message.to_wire(), traits.PROJECT_TRAITS))

    assert notification_from_wire(EventType.PROJECT, seen) == message


@given(host_notifications)
def test_a_host_notification_survives_aodh(message: HostNotification) -> None:
    seen = traits.decode(traits.encode(message.to_wire(), traits.HOST_TRAITS))

    assert notification_from_wire(EventType.HOST, seen) == message


@given(replies)
def test_a_reply_survives_json(reply: Reply) -> None:
    assert Reply.from_wire(json.loads(json.dumps(reply.to_wire()))) == reply


def test_a_project_notification_has_the_wire_form_that_the_design_gives() -> None:
    message = ProjectNotification(
        session_id="s",
        project_id="p",
        state=NotificationState.PLANNED_MAINTENANCE,
        type=MaintenanceType.REBOOT,
        instance_ids="http://admin/s/p/1",
        allowed_actions=(Action.MIGRATE, Action.LEAVE),
        default_action=Action.MIGRATE,
        actions_at=1_577_836_800.0,
        reply_at=1_577_836_800.0,
        reply_url="http://admin/s/p/1",
        metadata={"openstack_version": "2026.2"},
    )

    assert message.to_wire() == {
        "session_id": "s",
        "project_id": "p",
        "state": "PLANNED_MAINTENANCE",
        "type": "reboot",
        "instance_ids": "http://admin/s/p/1",
        "allowed_actions": ["MIGRATE", "LEAVE"],
        "default_action": "MIGRATE",
        "actions_at": "2020-01-01 00:00:00",
        "reply_at": "2020-01-01 00:00:00",
        "reply_url": "http://admin/s/p/1",
        "metadata": {"openstack_version": "2026.2"},
    }


def test_leave_cannot_be_offered_for_full_maintenance() -> None:
    with pytest.raises(LocalProtocolError, match="LEAVE is not allowed for full"):
        ProjectNotification(
            "s",
            "p",
            NotificationState.PLANNED_MAINTENANCE,
            MaintenanceType.FULL,
            "url",
            (Action.LEAVE,),
        )


def test_a_host_is_never_told_as_canceled() -> None:
    with pytest.raises(LocalProtocolError, match="IN_MAINTENANCE or MAINTENANCE_OVER"):
        HostNotification("s", "p", "compute-0", NotificationState.MAINTENANCE_CANCELED)


@pytest.mark.parametrize("spelling", ["MAINTENANCE_CANCELLED", "maintenance canceled"])
def test_both_spellings_of_canceled_are_read(spelling: str) -> None:
    wire = {"session_id": "s", "project_id": "p", "state": spelling, "instance_ids": "u"}

    message = ProjectNotification.from_wire(wire)

    assert message.state is NotificationState.MAINTENANCE_CANCELED


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "state"),
        ({"state": "ACK_PLANNED_MAINTENANCE"}, "session_id"),
        ({"state": "MAYBE_PLANNED_MAINTENANCE", "session_id": "s"}, "state"),
        ({"state": "ACK_LUNCH", "session_id": "s"}, "state"),
        (
            {"state": "ACK_PLANNED_MAINTENANCE", "session_id": "s", "instance_actions": []},
            "instance_actions",
        ),
        (
            {"state": "ACK_PLANNED_MAINTENANCE", "session_id": "s", "instance_actions": {"i": "X"}},
            "instance_actions[i]",
        ),
    ],
)
def test_a_malformed_reply_is_refused_with_the_name_of_the_field(body: Any, field: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Reply.from_wire(body)

    assert str(caught.value).startswith(field)


def test_a_text_that_aodh_has_cut_is_refused() -> None:
    wire = {
        "session_id": "s",
        "project_id": "p",
        "state": "PLANNED_MAINTENANCE",
        "instance_ids": "http://" + "x" * 300,
    }
    seen = traits.decode(traits.encode(wire, traits.PROJECT_TRAITS))

    with pytest.raises(RemoteProtocolError, match=r"instance_ids.*lost its end"):
        ProjectNotification.from_wire(seen)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner),
    max_leaves=12,
)
events = st.fixed_dictionaries(
    {},
    optional={
        "event_type": st.sampled_from([*EventType, "compute.instance.update"]) | json_values,
        "message_id": json_values,
        "generated": json_values,
        "traits": json_values
        | st.lists(
            st.tuples(
                st.sampled_from([*traits.PROJECT_TRAITS, "host"]),
                st.integers(1, 4),
                st.text("[]{}()'\"u,: __import__os.abc-0123456789", max_size=300),
            ),
        ),
    },
)


@given(json_values | st.builds(lambda event: {"reason_data": {"event": event}}, events))
def test_whatever_is_posted_is_an_alarm_or_is_refused(body: object) -> None:
    with contextlib.suppress(ProtocolError):
        parse_alarm(body).notification()


@given(json_values)
def test_whatever_is_put_is_a_reply_or_is_refused(body: object) -> None:
    with contextlib.suppress(ProtocolError):
        Reply.from_wire(body)


@pytest.mark.parametrize(
    "text", ["__import__('os').getcwd()", "[print('x')]", "{'a': open('/etc/passwd')}", "(" * 200]
)
def test_a_list_in_a_trait_is_read_and_never_run(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        traits.read_list(text, "allowed_actions")
