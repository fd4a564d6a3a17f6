# SPDX-License-Identifier: Apache-2.0
"""Requests, rules and events of a session as JSON and back, for the journal.

The classes are the schema: a field is written under its name and read by its type, so a class that gains a
field with a default still reads what was stored before. Pickle was refused, as it runs what it reads.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from doctor_maintenance.exceptions import MaintenanceError
from doctor_maintenance.planning import events

T = TypeVar("T")

_EVENTS: Mapping[str, type] = {kind.__name__: kind for kind in get_args(events.Event)}


class JournalError(MaintenanceError):
    """What is stored cannot be read: it is damaged, or of a later version."""


def dump(record: Any) -> str:
    """Return a record (a dataclass) as JSON."""
    return json.dumps(_plain(record), sort_keys=True)


def load(kind: type[T], text: str) -> T:
    """Return the record that :func:`dump` wrote.

    Raises:
        JournalError: it is none of this kind.
    """
    try:
        value: T = _typed(kind, json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise JournalError(f"expected a stored {kind.__name__}; found {text[:120]!r}") from error
    return value


def dump_event(event: events.Event) -> str:
    """Return an event as JSON, with its kind."""
    return json.dumps({"event": type(event).__name__, **_plain(event)}, sort_keys=True)


def load_event(text: str) -> events.Event:
    """Return the event that :func:`dump_event` wrote.

    Raises:
        JournalError: it is none.
    """
    try:
        stored = json.loads(text)
        kind = _EVENTS[stored.pop("event")]
        event: events.Event = _typed(kind, stored)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise JournalError(f"expected a stored event; found {text[:120]!r}") from error
    return event


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(_plain(item) for item in value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _typed(hint: Any, value: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        if value is None:
            return None
        return _typed(next(each for each in arguments if each is not type(None)), value)
    if origin is tuple:
        return tuple(_typed(arguments[0], item) for item in value)
    if origin in (frozenset, list):
        return origin(_typed(arguments[0], item) for item in value)
    if origin is not None and issubclass(origin, Mapping):
        return {key: _typed(arguments[1], item) for key, item in value.items()}
    if is_dataclass(hint) and isinstance(hint, type):
        hints = _hints(hint)
        return hint(**{name: _typed(hints[name], item) for name, item in value.items()})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value
