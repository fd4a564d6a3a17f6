# SPDX-License-Identifier: Apache-2.0
"""The notification bus: what a message broker, ceilometer and Aodh's listener are together.

The embedded cloud needs no broker. The ``http`` notification driver posts oslo.messaging's own envelope
to the bus, and from there on it goes the way it goes on a real cloud: event definitions, traits, alarms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from doctor_maintenance.exceptions import InvalidRequestError, RemoteProtocolError
from doctor_maintenance.protocol import times
from doctor_maintenance.simulator.alarms import Alarms
from doctor_maintenance.simulator.event_definitions import Event, to_event
from doctor_maintenance.simulator.events import Emit

_TEXTS = ("event_type", "message_id", "publisher_id", "timestamp")
_TIMES = ("actions_at", "reply_at")


class Bus:
    """The bus of a cloud.

    Args:
        alarms: what events are evaluated by.
        emit: told of every notification.
    """

    def __init__(self, alarms: Alarms, emit: Emit) -> None:
        self._alarms = alarms
        self._emit = emit
        self.count = 0

    def publish(self, envelope: object) -> Event:
        """Take a notification, and return the event that becomes of it.

        Args:
            envelope: ``priority, event_type, timestamp, publisher_id, message_id, payload``.

        Raises:
            InvalidRequestError: it is not such an envelope.
        """
        checked = _check(envelope)
        try:
            event = to_event(checked)
        except RemoteProtocolError as error:
            raise InvalidRequestError(str(error)) from error
        self.count += 1
        self._emit("notification", _fields(checked, event))
        self._alarms.evaluate(event)
        return event


def _check(envelope: object) -> Mapping[str, Any]:
    if not isinstance(envelope, Mapping):
        raise InvalidRequestError(f"expected a notification as an object; found {envelope!r:.80}")
    for name in _TEXTS:
        if not isinstance(envelope.get(name), str) or not envelope[name]:
            raise InvalidRequestError(f"{name}: expected a text; found {envelope.get(name)!r:.80}")
    if not isinstance(envelope.get("payload"), Mapping):
        raise InvalidRequestError(
            f"payload: expected an object; found {envelope.get('payload')!r:.80}"
        )
    return envelope


def _fields(envelope: Mapping[str, Any], event: Event) -> dict[str, Any]:
    """Return a notification in the words of the trace: times as seconds since the epoch."""
    fields: dict[str, Any] = {**envelope["payload"]}
    for name in _TIMES:
        if fields.get(name) is not None:
            try:
                fields[name] = times.from_wire(fields[name], name)
            except RemoteProtocolError:
                continue
    return {
        **fields,
        "event_type": event.event_type,
        "message_id": event.message_id,
        "generated": event.generated,
        "publisher_id": envelope["publisher_id"],
    }
