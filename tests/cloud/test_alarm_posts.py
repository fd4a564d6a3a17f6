# SPDX-License-Identifier: Apache-2.0
"""From a notification on the bus, through event definitions and alarms, to the POST that an app manager gets."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from doctor_maintenance import flow
from doctor_maintenance.admin_tool.notifier import Notifier
from doctor_maintenance.protocol import EventType

from .asking import Voice
from .mailbox import Letter
from .places import Place
from .tenants import House, Stay

HEARD_S = 20.0
"""Within this an alarm that knows its event has posted it; it was seen to take 9 to 69 ms."""
DEAF_S = 75.0
"""A new alarm may be unknown to the listener for the life of its cache: 60 s unless the cloud says otherwise."""
QUIET_S = 3.0
"""What has not come after this will not come."""

TEXT, INT, DATETIME = 1, 2, 4


class Line:
    """An alarm of ours with a letter box, and the way to publish what it is about.

    Args:
        stay: the test's.
        event_type: what the alarm is on.
        fields: further ones of the alarm.
    """

    def __init__(
        self, stay: Stay, voice: Voice, event_type: str = EventType.PROJECT.value, **fields: Any
    ) -> None:
        self.place: Place = stay.place
        self.project_id = stay.house.ours.project_id
        self.box = uuid.uuid4().hex
        rule = fields.pop("event_rule", {"event_type": event_type, "query": []})
        body = {
            "name": stay.name(),
            "type": "event",
            "enabled": True,
            "repeat_actions": True,
            "event_rule": rule,
            "alarm_actions": [f"{self.place.mailbox.url}/{self.box}"],
            **fields,
        }
        made = voice.look("POST", "alarming", "/v2/alarms", body)
        assert made.status == 201, made
        self.alarm_id = made.body["alarm_id"]
        stay.keep(voice, "alarming", f"/v2/alarms/{self.alarm_id}")
        self._notifier = Notifier(self.place.clock, self.place.workers, self.place.driver())
        self._event_type = event_type

    def letters(self) -> list[Letter]:
        return self.place.mailbox.letters(self.box)

    def publish(self, payload: dict[str, Any], event_type: str | None = None) -> None:
        """Publish and go on at once."""

        def begin(done: Any) -> None:
            self._notifier.publish(uuid.uuid4().hex, event_type or self._event_type, payload, done)

        self.place.run(flow.callback(begin), 60.0)

    def tell(self, **payload: Any) -> Letter:
        """Publish for our project, and return what was posted; again while the alarm is still unknown."""
        whole = {"project_id": self.project_id, "session_id": "s", **payload}
        before = len(self.letters())

        def story() -> flow.Flow[None]:
            deadline = self.place.clock.now() + DEAF_S
            while True:
                yield from flow.callback(
                    lambda done: self._notifier.publish(
                        uuid.uuid4().hex, self._event_type, whole, done
                    )
                )
                try:
                    yield from flow.poll(
                        self.place.clock,
                        lambda: len(self.letters()),
                        until=lambda found: found > before,
                        every_s=self.place.look_s,
                        within_s=HEARD_S,
                        what="a POST",
                    )
                    return
                except flow.FlowTimeout:
                    if self.place.clock.now() > deadline:
                        raise

        self.place.run(story(), DEAF_S + 2 * HEARD_S)
        return self.letters()[-1]


def traits(letter: Letter) -> dict[str, tuple[int, Any]]:
    """Return a post's traits by name: type and value."""
    found = letter.body["reason_data"]["event"]["traits"]
    return {name: (kind, value) for name, kind, value in found}


@pytest.fixture
def line(stay: Stay, ours: Voice) -> Line:
    return Line(stay, ours)


def test_event_is_posted_with_its_reason_and_its_traits(
    house: House, line: Line, talk: Any
) -> None:
    letter = line.tell(state="IN_MAINTENANCE", type="full")

    talk.note(
        {"as": "aodh", "method": "POST", "service": "alarm URL", "path": ""},
        200,
        letter.headers,
        letter.body,
    )
    body = letter.body
    assert set(body) == {
        "alarm_name",
        "alarm_id",
        "severity",
        "previous",
        "current",
        "reason",
        "reason_data",
    }
    assert body["alarm_id"] == line.alarm_id
    assert (body["previous"], body["current"]) == ("insufficient data", "alarm")
    event = body["reason_data"]["event"]
    assert body["reason"] == (
        f"Event <id={event['message_id']},event_type=maintenance.scheduled> hits the query <query=[]>."
    )
    assert event["event_type"] == "maintenance.scheduled"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", event["generated"])
    assert letter.headers["Content-Type"] == "application/json"


def test_ceilometers_own_traits_come_first_and_then_those_of_the_definition_in_its_order(
    line: Line,
) -> None:
    letter = line.tell(reply_url="u", state="s", type="full", instance_ids="i", allowed_actions="a")

    names = [name for name, _, _ in letter.body["reason_data"]["event"]["traits"]]

    assert names[:2] == ["service", "project_id"]
    assert [name for name in names if name in ("session_id", "state", "type", "instance_ids")] == [
        "session_id",
        "state",
        "type",
        "instance_ids",
    ]
    assert names[-1] == "reply_url"


def test_text_is_cut_at_255_characters_without_a_word(line: Line) -> None:
    letter = line.tell(instance_ids="x" * 300, reply_url="ä" * 300)

    assert traits(letter)["instance_ids"] == (TEXT, "x" * 255)
    assert traits(letter)["reply_url"] == (TEXT, "ä" * 255)


def test_lists_and_objects_and_truths_arrive_as_python_writes_them(line: Line) -> None:
    letter = line.tell(
        allowed_actions=["MIGRATE", "LEAVE"], metadata={"a": [1, True]}, state=True, instance_ids=[]
    )

    found = traits(letter)
    assert found["allowed_actions"] == (TEXT, "['MIGRATE', 'LEAVE']")
    assert found["metadata"] == (TEXT, "{'a': [1, True]}")
    assert found["state"] == (TEXT, "True")
    assert found["instance_ids"] == (TEXT, "[]")


def test_none_is_left_out_and_empty_text_is_kept(line: Line) -> None:
    found = traits(line.tell(state=None, type="", metadata={}))

    assert "state" not in found
    assert found["type"] == (TEXT, "")
    assert found["metadata"] == (TEXT, "{}")


def test_times_arrive_in_utc_without_a_zone(line: Line) -> None:
    found = traits(
        line.tell(actions_at="2026-11-22 20:00:00", reply_at="2026-11-22T21:30:00+00:00")
    )

    assert found["actions_at"] == (DATETIME, "2026-11-22T20:00:00")
    assert found["reply_at"] == (DATETIME, "2026-11-22T21:30:00")


def test_what_the_definition_does_not_name_is_lost(line: Line) -> None:
    assert "colour" not in traits(line.tell(colour="blue"))


def test_every_event_is_posted_and_the_first_alone_comes_from_insufficient_data(
    line: Line,
) -> None:
    posts = [line.tell(session_id=str(number)) for number in range(3)]

    assert [post.body["previous"] for post in posts] == ["insufficient data", "alarm", "alarm"]
    assert [traits(post)["session_id"][1] for post in posts] == ["0", "1", "2"]


def test_alarm_that_does_not_repeat_posts_once(stay: Stay, ours: Voice) -> None:
    line = Line(stay, ours, repeat_actions=False)
    line.tell(session_id="1")

    line.publish({"project_id": line.project_id, "session_id": "2"})
    stay.wait(QUIET_S)

    assert len(line.letters()) == 1


def test_event_of_another_project_reaches_no_alarm_of_ours(
    stay: Stay, house: House, line: Line
) -> None:
    line.tell(session_id="ours")

    line.publish({"project_id": house.theirs.project_id, "session_id": "theirs"})
    stay.wait(QUIET_S)

    assert len(line.letters()) == 1


def test_alarm_hears_only_what_its_query_and_event_type_say(stay: Stay, ours: Voice) -> None:
    query = [{"field": "traits.state", "op": "eq", "type": "string", "value": "IN_MAINTENANCE"}]
    rule = {"event_type": EventType.PROJECT.value, "query": query}
    line = Line(stay, ours, event_rule=rule)
    line.tell(state="IN_MAINTENANCE")

    for state in ("PLANNED_MAINTENANCE", "in_maintenance"):
        line.publish({"project_id": line.project_id, "session_id": "s", "state": state})
    line.publish(
        {"project_id": line.project_id, "state": "IN_MAINTENANCE"}, event_type=EventType.HOST.value
    )
    stay.wait(QUIET_S)

    assert len(line.letters()) == 1


def test_disabled_and_deleted_alarms_are_silent(stay: Stay, ours: Voice) -> None:
    line = Line(stay, ours)
    line.tell(session_id="1")
    path = f"/v2/alarms/{line.alarm_id}"
    alarm = ours.look("GET", "alarming", path).body

    ours.look("PUT", "alarming", path, {**alarm, "enabled": False})
    line.publish({"project_id": line.project_id, "session_id": "2"})
    stay.wait(QUIET_S)

    assert len(line.letters()) == 1


def test_host_events_reach_the_operators_alarm(stay: Stay, admin: Voice) -> None:
    line = Line(stay, admin, EventType.HOST.value)
    line.project_id = str(stay.place.admin.session.get_project_id())

    found = traits(line.tell(host="compute1", state="IN_MAINTENANCE"))

    assert found["host"] == (TEXT, "compute1")
    assert found["project_id"] == (TEXT, line.project_id)


def test_alarm_is_in_state_alarm_after_it_has_posted(ours: Voice, line: Line) -> None:
    line.tell(session_id="1")

    shown = ours.ask("GET", "alarming", f"/v2/alarms/{line.alarm_id}").body
    history = ours.ask("GET", "alarming", f"/v2/alarms/{line.alarm_id}/history").body

    assert shown["state"] == "alarm"
    assert [item["type"] for item in history] == ["state transition", "creation"]


def test_notification_of_a_hundred_instances_in_a_list_is_why_instance_ids_is_a_url(
    line: Line,
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(100)]

    (_, arrived) = traits(line.tell(instance_ids=ids))["instance_ids"]

    assert len(arrived) == 255
    assert arrived == str(ids)[:255]
