# SPDX-License-Identifier: Apache-2.0
"""The part of JSON Schema that the services need to refuse a body in the words of the real ones.

Nova's 400 texts are those of the ``jsonschema`` library. That library is a heavy dependency for a handful of
keywords, so they are written here, with the same texts (checked against the recorded answers of nova 34).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a value.

    Attributes:
        path: where: names and positions from the outside in.
        value: what was found there.
        message: why that is wrong.
    """

    path: tuple[str | int, ...]
    value: Any
    message: str


def is_uuid(value: object) -> bool:
    """Return whether a value is a UUID in one of its usual forms."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def first_problem(value: Any, schema: Schema) -> Problem | None:
    """Return the first thing that is wrong with a value, or None."""
    return next(_problems(value, schema, ()), None)


def _problems(value: Any, schema: Schema, path: tuple[str | int, ...]) -> Iterator[Problem]:
    for keyword, wanted in schema.items():
        check = _SIMPLE.get(keyword)
        if check is not None:
            message = check(value, wanted)
            if message is not None:
                yield Problem(path, value, message)
        elif keyword == "properties" and isinstance(value, dict):
            for name, inner in wanted.items():
                if name in value:
                    yield from _problems(value[name], inner, (*path, name))
        elif keyword == "additionalProperties" and isinstance(value, dict):
            yield from _additional(value, schema, path)
        elif keyword == "items" and isinstance(value, list):
            for position, item in enumerate(value):
                yield from _problems(item, wanted, (*path, position))


def _additional(
    value: dict[str, Any], schema: Schema, path: tuple[str | int, ...]
) -> Iterator[Problem]:
    wanted = schema["additionalProperties"]
    extra = sorted(set(value) - set(schema.get("properties", ())))
    if isinstance(wanted, Mapping):
        for name in extra:
            yield from _problems(value[name], wanted, (*path, name))
    elif wanted is False and extra:
        names = ", ".join(repr(name) for name in extra)
        verb = "was" if len(extra) == 1 else "were"
        message = f"Additional properties are not allowed ({names} {verb} unexpected)"
        yield Problem(path, value, message)


def _type(value: Any, wanted: str | list[str]) -> str | None:
    names = [wanted] if isinstance(wanted, str) else wanted
    for name in names:
        if isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool)):
            return None
    return f"{value!r} is not of type {', '.join(repr(name) for name in names)}"


def _required(value: Any, wanted: list[str]) -> str | None:
    if not isinstance(value, dict):
        return None
    missing = next((name for name in wanted if name not in value), None)
    return None if missing is None else f"{missing!r} is a required property"


def _enum(value: Any, wanted: list[Any]) -> str | None:
    same = any(value == item and type(value) is type(item) for item in wanted)
    return None if same else f"{value!r} is not one of {wanted!r}"


def _min_length(value: Any, wanted: int) -> str | None:
    if not isinstance(value, str) or len(value) >= wanted:
        return None
    return f"{value!r} should be non-empty" if wanted == 1 else f"{value!r} is too short"


def _max_length(value: Any, wanted: int) -> str | None:
    long = isinstance(value, str) and len(value) > wanted
    return f"{value!r} is too long" if long else None


def _pattern(value: Any, wanted: str) -> str | None:
    bad = isinstance(value, str) and re.search(wanted, value) is None
    return f"{value!r} does not match {wanted!r}" if bad else None


def _minimum(value: Any, wanted: float) -> str | None:
    low = isinstance(value, (int, float)) and value < wanted
    return f"{value!r} is less than the minimum of {wanted!r}" if low else None


def _maximum(value: Any, wanted: float) -> str | None:
    high = isinstance(value, (int, float)) and value > wanted
    return f"{value!r} is greater than the maximum of {wanted!r}" if high else None


def _any_of(value: Any, wanted: list[Schema]) -> str | None:
    if any(first_problem(value, schema) is None for schema in wanted):
        return None
    return f"{value!r} is not valid under any of the given schemas"


def _format(value: Any, wanted: str) -> str | None:
    bad = wanted == "uuid" and isinstance(value, str) and not is_uuid(value)
    return f"{value!r} is not a 'uuid'" if bad else None


_SIMPLE: dict[str, Callable[[Any, Any], str | None]] = {
    "type": _type,
    "required": _required,
    "enum": _enum,
    "minLength": _min_length,
    "maxLength": _max_length,
    "pattern": _pattern,
    "minimum": _minimum,
    "maximum": _maximum,
    "anyOf": _any_of,
    "format": _format,
}
