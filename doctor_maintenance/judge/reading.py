# SPDX-License-Identifier: Apache-2.0
"""How JSON becomes frozen records and back: a reader a field, in the field itself.

The type of a record says once what each field is; reading, checking and writing follow from it. A
schema library was refused: it would be the judge's only dependency, and its errors name a path in a
schema where a person needs the line of the trace and the field.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from doctor_maintenance.exceptions import RemoteProtocolError

T = TypeVar("T")
Reader = Callable[[object, str], Any]


class TraceError(RemoteProtocolError):
    """A trace cannot be read; the message says where, what was expected and what was found."""


def _wrong(where: str, expected: str, value: object) -> TraceError:
    return TraceError(f"{where}: expected {expected}; found {value!r:.80}")


def anything(value: object, where: str) -> object:
    """Read whatever JSON can hold."""
    return value


def any_text(value: object, where: str) -> str:
    """Read a text that may be empty."""
    if isinstance(value, str):
        return value
    raise _wrong(where, "a text", value)


def text(value: object, where: str) -> str:
    """Read a text that is not empty."""
    if isinstance(value, str) and value:
        return value
    raise _wrong(where, "a text that is not empty", value)


def identity(value: object, where: str) -> str:
    """Read an ID: a text, or a number as Nova gives its migrations."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(value, where)


def number(value: object, where: str) -> float:
    """Read a finite number."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise _wrong(where, "a finite number", value)


def whole(value: object, where: str) -> int:
    """Read a whole number that is not negative."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise _wrong(where, "a whole number from 0 on", value)


def flag(value: object, where: str) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    raise _wrong(where, "true or false", value)


def one_of(*words: str) -> Reader:
    """Return a reader of one of the words, in any case."""

    def reader(value: object, where: str) -> str:
        if isinstance(value, str) and value.lower() in words:
            return value.lower()
        raise _wrong(where, "one of " + ", ".join(words), value)

    return reader


def many(item: Reader) -> Reader:
    """Return a reader of a list."""

    def reader(value: object, where: str) -> tuple[Any, ...]:
        if isinstance(value, list | tuple):
            return tuple(item(entry, f"{where}[{at}]") for at, entry in enumerate(value))
        raise _wrong(where, "a list", value)

    return reader


def by_text(item: Reader) -> Reader:
    """Return a reader of an object."""

    def reader(value: object, where: str) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            return MappingProxyType(
                {text(key, where): item(entry, f"{where}.{key}") for key, entry in value.items()}
            )
        raise _wrong(where, "an object", value)

    return reader


texts = many(text)
"""Read a list of texts."""

texts_of_texts = many(texts)
"""Read a list of lists of texts."""

text_by_text = by_text(any_text)
"""Read an object of texts."""


def one(kind: type[T]) -> Reader:
    """Return a reader of an object that becomes a ``kind``."""
    return lambda value, where: build(kind, value, where)


def need(reader: Reader, *, name: str | None = None) -> Any:
    """Declare a field that must be there.

    Args:
        reader: what reads its value.
        name: its name in JSON, if it is not the attribute's.
    """
    return dataclasses.field(metadata={"read": reader, "name": name})


def may(reader: Reader, default: object = None, *, name: str | None = None) -> Any:
    """Declare a field that may be missing or null.

    Args:
        reader: what reads its value.
        default: what it is if it is missing; an object here is shared, so it must not be changed.
        name: its name in JSON, if it is not the attribute's.
    """
    if isinstance(default, dict):
        default = MappingProxyType(default)
        return dataclasses.field(
            default_factory=lambda: default, metadata={"read": reader, "name": name}
        )
    return dataclasses.field(default=default, metadata={"read": reader, "name": name})


@dataclasses.dataclass(frozen=True, slots=True)
class FieldRule:
    """What is known of a field.

    Attributes:
        attribute: its name in the type.
        reader: what reads its value.
        required: whether it must be there.
        default: what it is if it is missing.
    """

    attribute: str
    reader: Reader
    required: bool
    default: object


_RULES: dict[type[object], Mapping[str, FieldRule]] = {}


def rules_of(kind: type[Any]) -> Mapping[str, FieldRule]:
    """Return the rules of a type's fields by their names in JSON."""
    known = _RULES.get(kind)
    if known is None:
        known = _RULES[kind] = {
            item.metadata.get("name") or item.name: _rule(item) for item in dataclasses.fields(kind)
        }
    return known


def _rule(item: dataclasses.Field[Any]) -> FieldRule:
    default: object = item.default
    if item.default_factory is not dataclasses.MISSING:
        default = item.default_factory()
    return FieldRule(
        attribute=item.name,
        reader=item.metadata["read"],
        required=default is dataclasses.MISSING,
        default=default,
    )


def build(kind: type[T], value: object, where: str) -> T:
    """Read an object into a ``kind``.

    Args:
        kind: a dataclass whose fields are declared with :func:`need` and :func:`may`.
        value: what JSON held.
        where: what to call it in an error.

    Raises:
        TraceError: a field is unknown, missing or not what it must be.
    """
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object", value)
    rules = rules_of(kind)
    found: dict[str, Any] = {}
    for name, entry in value.items():
        rule = rules.get(name)
        if rule is None:
            raise TraceError(
                f"{where}: unknown field {name!r:.80}; known are {', '.join(sorted(rules))}"
            )
        if entry is None and not rule.required:
            continue
        found[rule.attribute] = rule.reader(entry, f"{where}.{name}")
    missing = [name for name, rule in rules.items() if rule.required and name not in value]
    if missing:
        raise TraceError(f"{where}: missing {', '.join(missing)}; found {', '.join(value)}")
    return kind(**found)


def dump(item: object) -> Any:
    """Return what JSON holds of a record: what differs from its defaults, in the order of the type."""
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        found = {}
        for name, rule in rules_of(type(item)).items():
            value = getattr(item, rule.attribute)
            if rule.required or value != rule.default:
                found[name] = dump(value)
        return found
    if isinstance(item, Mapping):
        return {key: dump(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [dump(value) for value in item]
    return item
