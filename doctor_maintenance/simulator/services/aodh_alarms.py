# SPDX-License-Identifier: Apache-2.0
"""Aodh's alarms: list, show, create, replace, delete, state and history."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from doctor_maintenance.exceptions import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    RequestRefused,
)
from doctor_maintenance.simulator.alarms import SEVERITIES, STATES, Alarm
from doctor_maintenance.simulator.services.answers import base_url, empty, iso_micro, json_answer
from doctor_maintenance.simulator.services.auth import Context, require_token

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

_TYPES = (
    "gnocchi_aggregation_by_metrics_threshold",
    "prometheus",
    "composite",
    "loadbalancer_member_health",
    "gnocchi_aggregation_by_resources_threshold",
    "gnocchi_resources_threshold",
    "event",
)
_ACTIONS = ("ok_actions", "alarm_actions", "insufficient_data_actions")
_SCHEMES = ("http", "https", "log", "test", "trust+http", "trust+https", "zaqar", "trust+zaqar")
_ATTRIBUTES = frozenset(
    (
        *_ACTIONS,
        "alarm_id",
        "name",
        "description",
        "enabled",
        "repeat_actions",
        "type",
        "time_constraints",
        "project_id",
        "user_id",
        "timestamp",
        "state",
        "state_timestamp",
        "state_reason",
        "severity",
        "evaluate_timestamp",
        "event_rule",
    )
)
_QUERIES = (
    "state",
    "severity",
    "name",
    "type",
    "all_projects",
    "user_id",
    "project_id",
    "repeat_actions",
    "enabled",
    "timestamp",
)


class NotYoursError(RequestRefused):
    """An alarm is asked for in another project: Aodh answers 401, not 403."""

    status = 401


def alarm_views(views: Blueprint, cloud: SimCloud) -> None:
    """Add the views of alarms."""
    made = _AlarmViews(cloud)
    one = "/v2/alarms/<alarm_id>"
    rules: tuple[tuple[str, str, Callable[..., Response]], ...] = (
        ("/v2/alarms", "GET", made.show_all),
        ("/v2/alarms", "POST", made.create),
        ("/v2/alarms/history", "GET", made.all_history),
        (one, "GET", made.show),
        (one, "PUT", made.replace),
        (one, "DELETE", made.delete),
        (f"{one}/state", "GET", made.state),
        (f"{one}/state", "PUT", made.set_state),
        (f"{one}/history", "GET", made.history),
        ("/v2/query/alarms", "POST", made.query),
    )
    for rule, method, view in rules:
        views.add_url_rule(rule, view.__name__, view, methods=[method])


class _AlarmViews:
    def __init__(self, cloud: SimCloud) -> None:
        self._cloud = cloud
        self._alarms = cloud.alarms

    def show_all(self) -> Response:
        context = require_token(self._cloud)
        found = _queried(list(self._alarms.alarms.values()), context)
        bodies = [self._body(alarm) for alarm in reversed(found)]
        return json_answer(_sorted(bodies))

    def create(self) -> Response:
        context = require_token(self._cloud)
        if not context.can_write:
            raise ForbiddenError("RBAC Authorization Failed")
        fields, project_id, user_id = _fields(_json(), context)
        alarm = self._alarms.create(project_id, user_id, **fields)
        location = f"{base_url()}/alarming/v2/alarms/{alarm.id}"
        return json_answer(self._body(alarm, new=True), 201, {"Location": location})

    def show(self, alarm_id: str) -> Response:
        return json_answer(self._body(self._find(alarm_id)))

    def replace(self, alarm_id: str) -> Response:
        context, alarm = require_token(self._cloud), self._find(alarm_id, write=True)
        sent = _json()
        fields, _, _ = _fields(sent, context)
        self._alarms.update(alarm, context.user_id, **fields)
        body = self._body(alarm)
        # Aodh repeats this field as it was sent, and reads it from its database without a fraction.
        return json_answer(body | {key: sent[key] for key in sent if key == "evaluate_timestamp"})

    def delete(self, alarm_id: str) -> Response:
        self._alarms.delete(self._find(alarm_id, write=True).id)
        return empty()

    def state(self, alarm_id: str) -> Response:
        return json_answer(self._find(alarm_id).state)

    def set_state(self, alarm_id: str) -> Response:
        context, alarm = require_token(self._cloud), self._find(alarm_id, write=True)
        wanted = request.get_json(force=True, silent=True)
        self._alarms.set_state(alarm, str(wanted), context.user_id)
        return json_answer(alarm.state)

    def history(self, alarm_id: str) -> Response:
        entries = reversed(self._find(alarm_id).history)
        return json_answer([{**e, "timestamp": iso_micro(e["timestamp"])} for e in entries])

    def all_history(self) -> Response:
        require_token(self._cloud)
        raise NotFoundError("Alarm history not found")

    def query(self) -> Response:
        context = require_token(self._cloud)
        own = [a for a in self._alarms.alarms.values() if a.project_id == context.project_id]
        return json_answer([self._body(alarm) for alarm in reversed(own)])

    def _find(self, alarm_id: str, write: bool = False) -> Alarm:
        context = require_token(self._cloud)
        alarm = self._alarms.get(alarm_id, None if context.is_admin else context.project_id)
        if write and not context.can_write:
            raise ForbiddenError("RBAC Authorization Failed")
        return alarm

    def _body(self, alarm: Alarm, new: bool = False) -> dict[str, Any]:
        evaluated = iso_micro(alarm.created_at)
        return {
            "alarm_id": alarm.id,
            "name": alarm.name,
            "description": alarm.description,
            "enabled": alarm.enabled,
            "ok_actions": alarm.ok_actions,
            "alarm_actions": alarm.alarm_actions,
            "insufficient_data_actions": alarm.insufficient_data_actions,
            "repeat_actions": alarm.repeat_actions,
            "type": "event",
            "time_constraints": alarm.time_constraints,
            "project_id": alarm.project_id,
            "user_id": alarm.user_id,
            "timestamp": iso_micro(alarm.changed_at),
            "state": alarm.state,
            "state_timestamp": iso_micro(alarm.state_at),
            "state_reason": alarm.state_reason,
            "severity": alarm.severity,
            "evaluate_timestamp": evaluated if new else evaluated.partition(".")[0],
            "event_rule": {"event_type": alarm.event_type, "query": alarm.query},
        }


def _json() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise InvalidRequestError("Request is not in valid JSON format")
    return body


def _fields(body: dict[str, Any], context: Context) -> tuple[dict[str, Any], str, str]:
    """Return the fields of an alarm, its project and its user, checked in Aodh's order."""
    for name in body:
        if name not in _ATTRIBUTES:
            raise InvalidRequestError(f"Unknown attribute for argument data: {name}")
    if not body.get("name"):
        raise _invalid("name", None, "Mandatory field missing.")
    _check_choice("type", body.get("type"), _TYPES)
    _check_choice("severity", body.get("severity", SEVERITIES[0]), tuple(sorted(SEVERITIES)))
    _check_choice("state", body.get("state", STATES[0]), STATES)
    if body["type"] != "event":
        raise InvalidRequestError(f"{body['type']} alarms are not evaluated by this cloud")
    rule = body.get("event_rule")
    if not isinstance(rule, dict):
        raise InvalidRequestError("event_rule must be set for event type alarm")
    fields: dict[str, Any] = {
        "name": str(body["name"]),
        "event_type": rule.get("event_type") or "*",
        "query": rule.get("query") or [],
        "enabled": body.get("enabled", True) is True,
        "repeat_actions": body.get("repeat_actions", False) is True,
        "severity": body.get("severity", SEVERITIES[0]),
        "time_constraints": body.get("time_constraints") or [],
    }
    for name in _ACTIONS:
        fields[name] = _actions(body.get(name) or [])
    if body.get("description"):
        fields["description"] = str(body["description"])
    project_id = body.get("project_id") or context.project_id
    if not context.sees(project_id):
        raise NotYoursError(f"Not Authorized to access project {project_id}")
    user_id = body.get("user_id") if context.is_admin else None
    return fields, str(project_id), str(user_id or context.user_id)


def _invalid(field: str, value: object, text: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid input for field/attribute {field}. Value: '{value}'. {text}"
    )


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        text = f"Value should be one of: {', '.join(choices)}"
        raise _invalid(name, value, text if value is not None else "Mandatory field missing.")


def _actions(actions: Any) -> list[str]:
    if not isinstance(actions, list):
        raise _invalid("actions", actions, "Value should be a list of URLs.")
    for action in actions:
        if urlsplit(str(action)).scheme not in _SCHEMES:
            raise InvalidRequestError(f"Unsupported action {action}")
    return [str(action) for action in actions]


def _queried(alarms: list[Alarm], context: Context) -> list[Alarm]:
    """Return the alarms that fit the simple query: pairs of ``q.field`` and ``q.value``."""
    args = request.args
    wanted = dict(zip(args.getlist("q.field"), args.getlist("q.value"), strict=False))
    wanted |= {name: args[name] for name in _QUERIES if name in args}
    for name in wanted:
        if name not in _QUERIES:
            allowed = "{" + ", ".join(repr(query) for query in _QUERIES) + "}"
            raise _invalid("field", f"{{{name!r}}}", f"only fields {allowed} are allowed")
    everywhere = str(wanted.pop("all_projects", "false")).lower() == "true"
    project_id = wanted.pop("project_id", None)
    if (everywhere or project_id not in (None, context.project_id)) and not context.is_admin:
        raise ForbiddenError("RBAC Authorization Failed")
    if not everywhere:
        alarms = [a for a in alarms if a.project_id == (project_id or context.project_id)]
    for name, value in wanted.items():
        alarms = [a for a in alarms if _text(getattr(a, name, "event")) == value.lower()]
    return alarms


def _text(value: object) -> str:
    return str(value).lower()


def _sorted(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for text in reversed(request.args.getlist("sort")):
        key, _, direction = text.partition(":")
        bodies.sort(key=lambda body: str(body.get(key)), reverse=direction == "desc")
    marker, limit = request.args.get("marker"), request.args.get("limit")
    if marker is not None:
        ids = [body["alarm_id"] for body in bodies]
        bodies = bodies[ids.index(marker) + 1 :] if marker in ids else []
    return bodies[: int(limit)] if limit is not None and limit.isdigit() else bodies
