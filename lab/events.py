# SPDX-License-Identifier: Apache-2.0
"""Ceilometer's ``event_definitions.yaml`` for the events of a maintenance, made from the protocol's own tables.

A definition that somebody wrote by hand would forget a trait one day, and Aodh's alarms would miss it without a word.
"""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from doctor_maintenance.protocol import EventType
from doctor_maintenance.protocol.traits import HOST_TRAITS, PROJECT_TRAITS, TraitType

_TYPES = {TraitType.INT: "int", TraitType.FLOAT: "float", TraitType.DATETIME: "datetime"}

_INSTANCE_TRAITS = {
    "instance_id": TraitType.TEXT,
    "host": TraitType.TEXT,
    "state": TraitType.TEXT,
    "old_state": TraitType.TEXT,
    "display_name": TraitType.TEXT,
    "memory_mb": TraitType.INT,
    "vcpus": TraitType.INT,
}


def definitions() -> str:
    """Return the text of the file."""
    events = {
        EventType.PROJECT.value: PROJECT_TRAITS,
        EventType.HOST.value: HOST_TRAITS,
        "compute.instance.update": _INSTANCE_TRAITS,
    }
    listed = [{"event_type": name, "traits": _traits(kinds)} for name, kinds in events.items()]
    return yaml.safe_dump(listed, sort_keys=False)


def _traits(kinds: Mapping[str, TraitType]) -> dict[str, dict[str, str]]:
    return {
        name: {"fields": f"payload.{name}"} | ({"type": _TYPES[kind]} if kind in _TYPES else {})
        for name, kind in kinds.items()
    }
