# SPDX-License-Identifier: Apache-2.0
"""The body that Aodh posts to an alarm URL (checked against aodh 23: ``notifier/rest.py``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from doctor_maintenance.exceptions import RemoteProtocolError
from doctor_maintenance.protocol import times, traits
from doctor_maintenance.protocol.messages import Notification, notification_from_wire


@dataclass(frozen=True, slots=True)
class Alarm:
    """An event alarm that fired.

    Attributes:
        alarm_name: the alarm's name.
        event_type: the type of the event that it fired on.
        message_id: the notification's own identity; the same one posted twice has the same.
        generated: when the notification was published, by the sender's clock; None if not told.
        traits: the event's traits by name.
    """

    alarm_name: str
    event_type: str
    message_id: str
    generated: float | None
    traits: Mapping[str, traits.TraitValue]

    def notification(self) -> Notification:
        """Return the notification that the alarm carries.

        Raises:
            RemoteProtocolError: it is none of ours, malformed or cut.
        """
        return notification_from_wire(self.event_type, self.traits)


def parse_alarm(body: object) -> Alarm:
    """Read the JSON body of an alarm.

    Raises:
        RemoteProtocolError: it is not an event alarm; the message names the field.
    """
    event = _mapping(
        _mapping(_mapping(body, "body"), "body", "reason_data"), "reason_data", "event"
    )
    generated = event.get("generated")
    return Alarm(
        alarm_name=str(_mapping(body, "body").get("alarm_name", "")),
        event_type=_string(event, "event_type"),
        message_id=_string(event, "message_id"),
        generated=None if generated is None else times.from_wire(generated, "generated"),
        traits=traits.decode(event.get("traits")),
    )


def _mapping(value: object, where: str, name: str | None = None) -> Mapping[str, Any]:
    if name is not None and isinstance(value, Mapping):
        value, where = value.get(name), f"{where}.{name}"
    if not isinstance(value, Mapping):
        raise RemoteProtocolError(f"{where}: expected an object; found {value!r:.80}")
    return value


def _string(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise RemoteProtocolError(f"reason_data.event.{name}: expected a text; found {value!r:.80}")
    return value
