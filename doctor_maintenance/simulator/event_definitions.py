# SPDX-License-Identifier: Apache-2.0
"""From a notification on the bus to an event with traits, as ceilometer 27 does with Doctor's event definitions.

Ceilometer's own traits come first, then those of the definition in its order; a definition may give one of
ceilometer's a value of its own. Whatever no definition names is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from doctor_maintenance.exceptions import RemoteProtocolError
from doctor_maintenance.protocol import EventType, times, traits
from doctor_maintenance.protocol.traits import Trait, TraitType

LOG = logging.getLogger(__name__)

INSTANCE_UPDATE = "compute.instance.update"

_OWN = ("service", "request_id", "project_id", "user_id", "tenant_id")
"""Ceilometer's own traits."""

DEFINITIONS: Mapping[str, Mapping[str, TraitType]] = {
    EventType.PROJECT.value: traits.PROJECT_TRAITS,
    EventType.HOST.value: traits.HOST_TRAITS,
    INSTANCE_UPDATE: {
        "instance_id": TraitType.TEXT,
        "host": TraitType.TEXT,
        "state": TraitType.TEXT,
        "old_state": TraitType.TEXT,
        "display_name": TraitType.TEXT,
        "memory_mb": TraitType.INT,
        "vcpus": TraitType.INT,
    },
}
"""The traits of each event type, by name; other event types have ceilometer's own only."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event as Aodh gets it.

    Attributes:
        message_id: the notification's.
        event_type: the notification's.
        generated: when it was published, seconds since the epoch.
        traits: ``[name, type, value]`` in order.
    """

    message_id: str
    event_type: str
    generated: float
    traits: list[Trait]

    @property
    def project_id(self) -> str:
        """The project whose alarms it can reach; empty if it is nobody's."""
        values = self.values
        return str(values.get("project_id") or values.get("tenant_id") or "")

    @property
    def values(self) -> dict[str, Any]:
        """The traits' values by name."""
        return {str(name): value for name, _, value in self.traits}


def to_event(envelope: Mapping[str, Any]) -> Event:
    """Turn a notification into an event.

    Args:
        envelope: what oslo.messaging publishes.

    Raises:
        RemoteProtocolError: its timestamp is not one.
    """
    payload: Mapping[str, Any] = envelope["payload"]
    definition = DEFINITIONS.get(envelope["event_type"], {})
    values = {
        "service": envelope.get("publisher_id"),
        "project_id": payload.get("tenant_id"),
        "user_id": payload.get("user_id"),
        "tenant_id": payload.get("tenant_id"),
        **{name: payload[name] for name in definition if payload.get(name) is not None},
    }
    kinds = {**dict.fromkeys(_OWN, TraitType.TEXT), **definition}
    found: list[Trait] = []
    for name, kind in kinds.items():
        try:
            found += traits.encode(values, {name: kind})
        except (RemoteProtocolError, ValueError) as error:
            LOG.warning("%s: trait %s is left out: %s", envelope["event_type"], name, error)
    return Event(
        message_id=envelope["message_id"],
        event_type=envelope["event_type"],
        generated=times.from_wire(envelope["timestamp"], "timestamp"),
        traits=found,
    )
