# SPDX-License-Identifier: Apache-2.0
"""The query of an event alarm: what it may say, and whether an event hits it (checked against aodh 23)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from doctor_maintenance.exceptions import InvalidRequestError
from doctor_maintenance.simulator.event_definitions import Event

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
    "ne": operator.ne,
}
_TYPES = ("", "boolean", "float", "integer", "string")


def check_query(query: object) -> list[dict[str, Any]]:
    """Return a query as Aodh keeps it; raise InvalidRequestError, with Aodh's text, if it may not be so."""
    if not isinstance(query, list):
        raise InvalidRequestError(
            f"Query value or traits invalid: expected a list @ data {query!r:.80}"
        )
    return [_check_item(item) for item in query]


def _check_item(item: object) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("field"), str):
        raise InvalidRequestError(
            "Query value or traits invalid: required key not provided @ data['field']"
        )
    kept = {
        "field": item["field"],
        "op": item.get("op") or "eq",
        "value": item.get("value"),
        "type": item.get("type"),
    }
    if kept["op"] not in _OPERATORS:
        raise InvalidRequestError(
            f"Query value or traits invalid: value must be one of {sorted(_OPERATORS)} for "
            "dictionary value @ data['op']"
        )
    if kept["type"] not in (*_TYPES, "datetime", None):
        raise InvalidRequestError(
            f"The data type {kept['type']} is not supported. The supported data type list is: "
            "['integer', 'float', 'string', 'boolean', 'datetime']"
        )
    if kept["type"] not in _TYPES:
        raise InvalidRequestError(
            f"Query value or traits invalid: value must be one of {list(_TYPES)} for "
            "dictionary value @ data['value']"
        )
    _convert(kept)
    return kept


def hits(event: Event, query: list[dict[str, Any]]) -> bool:
    """Whether an event fits every item of a query; a trait that it does not have fits none."""
    values: dict[str, Any] = {f"traits.{name}": value for name, value in event.values.items()}
    values |= {"event_type": event.event_type, "message_id": event.message_id}
    return all(_fits(values.get(item["field"]), item) for item in query)


def _fits(found: Any, item: Mapping[str, Any]) -> bool:
    try:
        return _OPERATORS[item["op"]](found, _convert(item))
    except TypeError:
        return False


def _convert(item: Mapping[str, Any]) -> Any:
    """Return the value of an item in the type that it names; without a type, as what it looks like."""
    value, kind = item["value"], item["type"]
    try:
        if kind == "integer":
            return int(value)
        if kind == "float":
            return float(value)
        if kind == "boolean":
            return _boolean(value)
    except (ValueError, TypeError):
        raise InvalidRequestError(
            f"Unable to convert the value {value} to the expected data type {kind}."
        ) from None
    return _guess(value) if kind == "" else value


def _boolean(value: Any) -> bool:
    word = str(value).strip().lower()
    if word in ("true", "1", "yes", "on", "t", "y"):
        return True
    if word in ("false", "0", "no", "off", "f", "n"):
        return False
    raise ValueError(value)


def _guess(value: Any) -> Any:
    for kind in (int, float):
        try:
            return kind(value)
        except (ValueError, TypeError):
            continue
    return value
