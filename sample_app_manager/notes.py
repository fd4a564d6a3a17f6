# SPDX-License-Identifier: Apache-2.0
"""What is remembered of a notification as plain JSON data and back: what a state file holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from doctor_maintenance.exceptions import LocalProtocolError, RemoteProtocolError
from doctor_maintenance.protocol import ProjectNotification, Reply
from sample_app_manager.actions import Blueprint
from sample_app_manager.policy import SwitchOver
from sample_app_manager.recreate import Rebuild
from sample_app_manager.state import Entry, Phase


def to_data(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON data."""
    return {
        "notification": entry.notification.to_wire(),
        "message_id": entry.message_id,
        "received_at": entry.received_at,
        "phase": entry.phase.value,
        "detail": entry.detail,
        "switch_overs": [asdict(each) for each in entry.switch_overs],
        "reply": None if entry.reply is None else entry.reply.to_wire(),
        "recreate": list(entry.recreate),
        "rebuilds": {key: _rebuild_to_data(each) for key, each in entry.rebuilds.items()},
        "placements": dict(entry.placements),
    }


def from_data(number: int, data: Mapping[str, Any]) -> Entry:
    """Read an entry.

    Raises:
        LocalProtocolError: the data is of another release, or damaged.
    """
    try:
        return Entry(
            notification=ProjectNotification.from_wire(data["notification"]),
            message_id=data["message_id"],
            received_at=data["received_at"],
            number=number,
            phase=Phase(data["phase"]),
            detail=data["detail"],
            switch_overs=tuple(SwitchOver(**each) for each in data["switch_overs"]),
            reply=None if data["reply"] is None else Reply.from_wire(data["reply"]),
            recreate=tuple(data["recreate"]),
            rebuilds={key: _rebuild(each) for key, each in data["rebuilds"].items()},
            placements=dict(data["placements"]),
        )
    except (KeyError, TypeError, ValueError, RemoteProtocolError) as error:
        raise LocalProtocolError(
            f"the state file's note {number} cannot be read: {error!r}"
        ) from error


def _rebuild_to_data(rebuild: Rebuild) -> dict[str, Any]:
    return {"blueprint": asdict(rebuild.blueprint), "new": rebuild.new, "done": rebuild.done}


def _rebuild(data: Mapping[str, Any]) -> Rebuild:
    plan = dict(data["blueprint"])
    for name in ("network_ids", "security_groups"):
        plan[name] = tuple(plan[name])
    return Rebuild(Blueprint(**plan), data["new"], data["done"])
