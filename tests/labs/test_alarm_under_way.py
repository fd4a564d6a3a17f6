# SPDX-License-Identifier: Apache-2.0
"""What becomes of a notification that Aodh's notifier was just posting when it was killed."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import pytest

from doctor_maintenance.admin_tool.notifier import BusDriver
from doctor_maintenance.cloud import call, call_json, connect_by
from doctor_maintenance.cloud_services import ALARMING, Services
from doctor_maintenance.protocol import EventType
from lab.layout import Lab
from labs.outages import kill, settings_of, start
from labs.receiver import Receiver

pytestmark = [pytest.mark.slow, pytest.mark.outage]

NOTIFIER = "aodh-notifier"
POSTED_S = 30.0


@contextlib.contextmanager
def alarm(lab: Lab, url: str) -> Iterator[str]:
    """Have an alarm on hosts meanwhile; gives the project that it is of."""
    cloud = connect_by(settings_of(lab).cloud)
    alarming = Services(cloud)[ALARMING]
    body = {
        "name": "under way",
        "type": "event",
        "event_rule": {"event_type": EventType.HOST.value},
        "repeat_actions": True,
        "alarm_actions": [url],
    }
    made = call_json("make an alarm", lambda: alarming.post("/v2/alarms", json=body))
    try:
        yield str(cloud.session.get_project_id())
    finally:
        call("remove it", lambda: alarming.delete(f"/v2/alarms/{made['alarm_id']}"))


def publish(lab: Lab, project_id: str) -> str:
    """Publish a notification of a host, and return its ID."""
    message_id = str(uuid.uuid4())
    message = {
        "message_id": message_id,
        "publisher_id": "tests",
        "event_type": EventType.HOST.value,
        "priority": "INFO",
        "timestamp": "2026-11-25 00:00:00.000000",
        "payload": {
            "session_id": str(uuid.uuid4()),
            "project_id": project_id,
            "host": lab.hosts[0],
            "state": "MAINTENANCE_OVER",
            "service": "maintenance",
        },
    }
    BusDriver(settings_of(lab).admin_tool.transport_url).notify({}, message, "info", 0)
    return message_id


def test_a_notification_that_was_under_way_when_the_notifier_was_killed_comes_again(
    broken: Lab,
) -> None:
    with Receiver().serving() as receiver, alarm(broken, receiver.url) as project_id:
        message_id = publish(broken, project_id)
        assert receiver.posted(1, POSTED_S)

        kill(broken, NOTIFIER)
        receiver.answer()
        start(broken, NOTIFIER)

        assert receiver.posted(2, POSTED_S)
        assert receiver.message_ids == [message_id, message_id]
