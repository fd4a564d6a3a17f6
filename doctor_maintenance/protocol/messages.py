# SPDX-License-Identifier: Apache-2.0
"""The messages, each checked when it is built, each with its wire form beside it.

What we build wrongly is a ``LocalProtocolError``; what a peer sent wrongly is a
``RemoteProtocolError``. ``from_wire`` reads both a payload from the bus and the decoded traits of an
Aodh alarm, as an app manager gets the latter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from doctor_maintenance.exceptions import LocalProtocolError, RemoteProtocolError
from doctor_maintenance.protocol import times, traits
from doctor_maintenance.protocol.words import (
    Action,
    EventType,
    MaintenanceType,
    NotificationState,
    Verdict,
    read_word,
)

MAX_INSTANCE_ACTIONS = 10_000
"""The most instances that a reply may name."""


@dataclass(frozen=True, slots=True)
class ProjectNotification:
    """What a project is told (steps 2, 8 and 12). It names no host and no other project.

    Attributes:
        session_id: the session, the same in every message of it.
        project_id: whom it is for; Aodh routes by it.
        state: what is the matter.
        type: the type of maintenance.
        instance_ids: a URL of the admin tool that lists the project's affected instances; a URL,
            because a list does not fit into a trait.
        allowed_actions: what the project may ask for in its reply.
        default_action: what is done with its instances without a reply; None: nothing, the host's
            maintenance is canceled.
        actions_at: when the admin tool acts at the latest, seconds since the epoch; None where no
            action follows.
        reply_at: until when a reply is taken; None where no reply is expected.
        reply_url: where the reply goes; None where no reply is expected.
        metadata: what the operator wants the projects to know.
    """

    session_id: str
    project_id: str
    state: NotificationState
    type: MaintenanceType
    instance_ids: str
    allowed_actions: tuple[Action, ...] = ()
    default_action: Action | None = None
    actions_at: float | None = None
    reply_at: float | None = None
    reply_url: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_texts(
            self,
            session_id=self.session_id,
            project_id=self.project_id,
            instance_ids=self.instance_ids,
        )
        if Action.LEAVE in self.allowed_actions and self.type is MaintenanceType.FULL:
            raise LocalProtocolError(
                f"session {self.session_id}: LEAVE is not allowed for full maintenance"
            )

    @property
    def event_type(self) -> EventType:
        """The event type that it is published as."""
        return EventType.PROJECT

    def to_wire(self) -> dict[str, Any]:
        """Return the payload for the bus."""
        return {
            "session_id": self.session_id,
            "project_id": self.project_id,
            "state": self.state.value,
            "type": self.type.value,
            "instance_ids": self.instance_ids,
            "allowed_actions": [action.value for action in self.allowed_actions],
            "default_action": self.default_action.value if self.default_action else None,
            "actions_at": _time(self.actions_at),
            "reply_at": _time(self.reply_at),
            "reply_url": self.reply_url,
            "metadata": dict(self.metadata),
        }

    @classmethod
    def from_wire(cls, payload: Mapping[str, Any]) -> ProjectNotification:
        """Read a payload or decoded traits.

        Raises:
            RemoteProtocolError: a field is missing, cut or not what it must be.
        """
        kind = MaintenanceType.FULL
        if payload.get("type") is not None:
            kind = read_word(MaintenanceType, payload["type"], "type")
        allowed = traits.read_list(payload.get("allowed_actions") or [], "allowed_actions")
        default = payload.get("default_action")
        return _build(
            cls,
            session_id=_text(payload, "session_id"),
            project_id=_text(payload, "project_id"),
            state=read_word(NotificationState, payload.get("state"), "state"),
            type=kind,
            instance_ids=_text(payload, "instance_ids"),
            allowed_actions=tuple(read_word(Action, item, "allowed_actions") for item in allowed),
            default_action=None
            if default is None
            else read_word(Action, default, "default_action"),
            actions_at=_read_time(payload, "actions_at"),
            reply_at=_read_time(payload, "reply_at"),
            reply_url=_optional_text(payload, "reply_url"),
            metadata=traits.read_mapping(payload.get("metadata") or {}, "metadata"),
        )


@dataclass(frozen=True, slots=True)
class HostNotification:
    """What the inspector and other cloud services are told of a host (steps 7 and 11).

    Attributes:
        session_id: the session.
        project_id: the operator's own project, so that no other project can have an alarm on it.
        host: the host.
        state: ``IN_MAINTENANCE`` or ``MAINTENANCE_OVER``.
        service: who says so.
    """

    session_id: str
    project_id: str
    host: str
    state: NotificationState
    service: str = "admin_tool"

    def __post_init__(self) -> None:
        _require_texts(self, session_id=self.session_id, project_id=self.project_id, host=self.host)
        if self.state not in (NotificationState.IN_MAINTENANCE, NotificationState.MAINTENANCE_OVER):
            raise LocalProtocolError(
                f"session {self.session_id}: a host is IN_MAINTENANCE or MAINTENANCE_OVER, not {self.state}"
            )

    @property
    def event_type(self) -> EventType:
        """The event type that it is published as."""
        return EventType.HOST

    def to_wire(self) -> dict[str, Any]:
        """Return the payload for the bus."""
        return {
            "session_id": self.session_id,
            "project_id": self.project_id,
            "host": self.host,
            "state": self.state.value,
            "service": self.service,
        }

    @classmethod
    def from_wire(cls, payload: Mapping[str, Any]) -> HostNotification:
        """Read a payload or decoded traits.

        Raises:
            RemoteProtocolError: a field is missing or not what it must be.
        """
        return _build(
            cls,
            session_id=_text(payload, "session_id"),
            project_id=_text(payload, "project_id"),
            host=_text(payload, "host"),
            state=read_word(NotificationState, payload.get("state"), "state"),
            service=_optional_text(payload, "service") or "",
        )


Notification = ProjectNotification | HostNotification
_Message = TypeVar("_Message", ProjectNotification, HostNotification)


def notification_from_wire(event_type: str, payload: Mapping[str, Any]) -> Notification:
    """Read what was published as ``event_type``.

    Raises:
        RemoteProtocolError: it is no event of ours, or malformed.
    """
    if event_type == EventType.PROJECT:
        return ProjectNotification.from_wire(payload)
    if event_type == EventType.HOST:
        return HostNotification.from_wire(payload)
    raise RemoteProtocolError(
        f"event_type: expected {EventType.PROJECT} or {EventType.HOST}; found {event_type!r:.80}"
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """A project's answer (step 5).

    Attributes:
        session_id: the session.
        verdict: whether the project agrees.
        state: the state that it answers.
        instance_actions: what to do with each remaining instance; empty if the project refuses.
    """

    session_id: str
    verdict: Verdict
    state: NotificationState
    instance_actions: Mapping[str, Action] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON body."""
        return {
            "session_id": self.session_id,
            "state": f"{self.verdict.value}_{self.state.value}",
            "instance_actions": {
                key: action.value for key, action in self.instance_actions.items()
            },
        }

    @classmethod
    def from_wire(cls, body: object) -> Reply:
        """Read a JSON body.

        Raises:
            RemoteProtocolError: a field is missing or not what it must be; the message names it.
        """
        if not isinstance(body, Mapping):
            raise RemoteProtocolError(f"body: expected a JSON object; found {type(body).__name__}")
        verdict, _, word = _text(body, "state").partition("_")
        actions = body.get("instance_actions", {})
        if not isinstance(actions, Mapping) or len(actions) > MAX_INSTANCE_ACTIONS:
            raise RemoteProtocolError(
                "instance_actions: expected an object of at most "
                f"{MAX_INSTANCE_ACTIONS} instance IDs and actions; found {actions!r:.80}"
            )
        return cls(
            session_id=_text(body, "session_id"),
            verdict=read_word(Verdict, verdict, "state (before the first underscore)"),
            state=read_word(NotificationState, word, "state (after ACK_ or NACK_)"),
            instance_actions={
                str(key): read_word(Action, action, f"instance_actions[{str(key)[:64]}]")
                for key, action in actions.items()
            },
        )


def _build(cls: type[_Message], **fields: Any) -> _Message:
    try:
        return cls(**fields)
    except LocalProtocolError as error:
        raise RemoteProtocolError(str(error)) from error


def _require_texts(message: object, **fields: str) -> None:
    for name, value in fields.items():
        if not value:
            raise LocalProtocolError(f"{type(message).__name__}: {name} is empty")


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not value:
        raise RemoteProtocolError(f"{name}: expected a text; found {value!r:.80}")
    if traits.is_cut(value):
        raise RemoteProtocolError(
            f"{name}: {len(value)} characters; Aodh cuts at {traits.TEXT_LIMIT}, so it may have lost its end"
        )
    return value


def _optional_text(payload: Mapping[str, Any], name: str) -> str | None:
    return None if payload.get(name) is None else _text(payload, name)


def _time(when: float | None) -> str | None:
    return None if when is None else times.to_wire(when)


def _read_time(payload: Mapping[str, Any], name: str) -> float | None:
    value = payload.get(name)
    return None if value is None else times.from_wire(value, name)
