# SPDX-License-Identifier: Apache-2.0
"""Events, requests and rules as plain JSON data and back: what a journal stores.

The form names its type and is read strictly. A journal outlives a release, so a type or a field that
is not known is an error that says which, and never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from doctor_maintenance.exceptions import LocalProtocolError
from doctor_maintenance.planning import events as saw
from doctor_maintenance.planning.settings import SessionRequest, SessionRules
from doctor_maintenance.planning.snapshot import SeenInstance
from doctor_maintenance.protocol import Action, MaintenanceType, Reply

_EVENTS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        saw.Opened,
        saw.TimerFired,
        saw.Done,
        saw.CommandFailed,
        saw.ComputeDisabled,
        saw.HostSurveyed,
        saw.InstanceMoved,
        saw.InstanceGone,
        saw.ReplyReceived,
        saw.OperatorCanceled,
        saw.OperatorContinued,
        saw.OperatorReleased,
    )
}


def event_to_data(event: saw.Event) -> dict[str, Any]:
    """Return an event as JSON data."""
    data: dict[str, Any] = {name: getattr(event, name) for name in type(event).__slots__}
    if isinstance(event, saw.HostSurveyed):
        data["instances"] = [
            [item.instance_id, item.project_id, item.status] for item in event.instances
        ]
        data["subscribed"] = sorted(event.subscribed)
    elif isinstance(event, saw.ReplyReceived):
        data["reply"] = event.reply.to_wire()
    return {"event": type(event).__name__, **data}


def event_from_data(data: Mapping[str, Any]) -> saw.Event:
    """Read an event.

    Raises:
        LocalProtocolError: the data is of another release, or damaged.
    """
    fields = dict(data)
    name = fields.pop("event", None)
    kind = _EVENTS.get(str(name))
    if kind is None:
        raise LocalProtocolError(f"journal: the event {name!r} is not known to this release")
    try:
        if kind is saw.HostSurveyed:
            fields["instances"] = tuple(SeenInstance(*item) for item in fields["instances"])
            fields["subscribed"] = frozenset(fields["subscribed"])
        elif kind is saw.ReplyReceived:
            fields["reply"] = Reply.from_wire(fields["reply"])
        event: saw.Event = kind(**fields)
    except (TypeError, KeyError) as error:
        raise LocalProtocolError(f"journal: the event {name} cannot be read: {error}") from error
    return event


def request_to_data(request: SessionRequest) -> dict[str, Any]:
    """Return a request as JSON data."""
    return {
        "session_id": request.session_id,
        "hosts": list(request.hosts),
        "type": request.type.value,
        "maintenance_at": request.maintenance_at,
        "affected": {host: sorted(items) for host, items in request.affected.items()},
        "metadata": dict(request.metadata),
    }


def request_from_data(data: Mapping[str, Any]) -> SessionRequest:
    """Read a request.

    Raises:
        LocalProtocolError: the data is of another release, or damaged.
    """
    fields = dict(data)
    try:
        fields["hosts"] = tuple(fields["hosts"])
        fields["type"] = MaintenanceType(fields["type"])
        fields["affected"] = {host: frozenset(ids) for host, ids in fields["affected"].items()}
        return SessionRequest(**fields)
    except (TypeError, KeyError, ValueError) as error:
        raise LocalProtocolError(f"journal: a request cannot be read: {error}") from error


def rules_to_data(rules: SessionRules) -> dict[str, Any]:
    """Return rules as JSON data; a session keeps those that it began with."""
    data: dict[str, Any] = {name: getattr(rules, name) for name in SessionRules.__slots__}
    data["default_action"] = rules.default_action.value
    data["only_if_agreed"] = sorted(rules.only_if_agreed)
    return data


def rules_from_data(data: Mapping[str, Any]) -> SessionRules:
    """Read rules.

    Raises:
        LocalProtocolError: the data is of another release, or damaged.
    """
    fields = dict(data)
    try:
        fields["default_action"] = Action(fields["default_action"])
        fields["only_if_agreed"] = frozenset(fields["only_if_agreed"])
        return SessionRules(**fields)
    except (TypeError, KeyError, ValueError) as error:
        raise LocalProtocolError(f"journal: rules cannot be read: {error}") from error
