# SPDX-License-Identifier: Apache-2.0
"""What a simulated cloud tells of itself, as records of the trace: every change, at its moment.

The cloud is no party to the conversation, so it may be believed. On a real cloud nobody tells so much,
and the watch looks again and again instead.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from doctor_maintenance.judge import KINDS, entry
from doctor_maintenance.judge.reading import rules_of
from doctor_maintenance.protocol import EventType

_WITNESSES = {"address": "neutron", "host": "hosts", "notification": "bus", "readable": "bus"}


def record_of(
    event: Mapping[str, Any],
    operator_project: str,
    maintenance_commands: Collection[str],
    addresses: Collection[str],
) -> dict[str, Any] | None:
    """Return the record of a change, or None if it is none of the judge's business.

    Args:
        event: ``at``, ``kind`` and what is so now.
        operator_project: the operator's own project, which may know hosts.
        maintenance_commands: the commands that are the maintenance itself.
        addresses: those of the services that are probed; instances may have others of their own.
    """
    kind = event["kind"]
    if kind == "command":
        return _command(event) if event["command"] in maintenance_commands else None
    if kind == "address" and event["address"] not in addresses:
        return None
    if kind == "notification" and event["event_type"] not in set(EventType):
        return None
    if kind == "readable" and event["project_id"] == operator_project:
        return None
    record = entry(event["at"], _WITNESSES.get(kind, "nova"), kind, event)
    known = {*rules_of(KINDS[kind]), "kind"}
    return {name: value for name, value in record.items() if name in known}


def _command(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at": event["at"],
        "source": "hosts",
        "kind": "ssh",
        "host": event["host"],
        "check": "maintenance",
        "phase": "during",
        "ok": event["status"] == 0,
        "value": event["command"],
    }
