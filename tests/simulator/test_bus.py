# SPDX-License-Identifier: Apache-2.0
"""The bus: who may publish, what an envelope must have, and that every notification is told of."""

from __future__ import annotations

from typing import Any

import pytest

from .sim import BASE, Sim

ENVELOPE: dict[str, Any] = {
    "priority": "INFO",
    "event_type": "maintenance.host",
    "timestamp": "2020-01-01 00:00:00.5",
    "publisher_id": "admin_tool",
    "message_id": "m",
    "payload": {"project_id": "p", "host": "compute1", "state": "IN_MAINTENANCE"},
}


def test_only_the_clouds_own_services_publish() -> None:
    sim = Sim()

    as_demo = sim.ask("POST", "/bus/notifications", ENVELOPE, user="demo")
    as_nobody = sim.http.post(f"{BASE}/bus/notifications", json=ENVELOPE)

    assert (as_demo.status_code, as_nobody.status_code) == (403, 401)
    assert sim.cloud.bus.count == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"event_type": 5}, "event_type"),
        ({"message_id": ""}, "message_id"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"payload": [1]}, "payload"),
    ],
)
def test_malformed_envelope_is_refused_with_the_field(change: dict[str, Any], named: str) -> None:
    sim = Sim()

    refused = sim.ask("POST", "/bus/notifications", {**ENVELOPE, **change}, user="admin")

    assert refused.status_code == 400
    assert named in refused.json()["error"]["message"]
    assert sim.cloud.bus.count == 0


def test_notification_is_told_in_the_words_of_the_trace() -> None:
    sim = Sim()
    payload = {
        "project_id": "p",
        "state": "PLANNED_MAINTENANCE",
        "actions_at": "2020-01-01 00:00:10",
    }
    envelope = {**ENVELOPE, "event_type": "maintenance.scheduled", "payload": payload}

    assert sim.ask("POST", "/bus/notifications", envelope, user="admin").status_code == 202

    (told,) = [event for event in sim.events if event.kind == "notification"]
    assert told.fields["generated"] == 1_577_836_800.5
    assert told.fields["actions_at"] == 1_577_836_810.0
    assert told.fields["event_type"] == "maintenance.scheduled"
    assert told.fields["state"] == "PLANNED_MAINTENANCE"


def test_trait_that_is_no_time_is_left_out_and_the_rest_goes_on() -> None:
    sim = Sim()
    payload = {"project_id": "p", "state": "PLANNED_MAINTENANCE", "actions_at": "soon"}

    event = sim.cloud.bus.publish(
        {**ENVELOPE, "event_type": "maintenance.scheduled", "payload": payload}
    )

    assert "actions_at" not in event.values
    assert event.values["state"] == "PLANNED_MAINTENANCE"
