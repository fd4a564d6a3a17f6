# SPDX-License-Identifier: Apache-2.0
"""What becomes of a payload on its way through ceilometer and Aodh, and how to read it back.

A payload arrives as traits, ``[name, type, value]``. Text is cut at 255 characters without a word; a
list or dict becomes Python's ``repr``; None is left out; a datetime has no zone (checked against
ceilometer 27 and aodh 23). Doctor read the lists with ``yaml.load`` on data from the network; here a
list or dict is read by a literal parser that evaluates nothing, and only where the protocol
expects one.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from enum import IntEnum

from doctor_maintenance.exceptions import RemoteProtocolError
from doctor_maintenance.protocol import times

TEXT_LIMIT = 255
"""Characters that survive of a text trait (ceilometer ``event/models.py``)."""

_MAX_TRAITS = 256


class TraitType(IntEnum):
    """Aodh's data types of a trait."""

    TEXT = 1
    INT = 2
    FLOAT = 3
    DATETIME = 4


TraitValue = str | int | float
Trait = list[object]

PROJECT_TRAITS: Mapping[str, TraitType] = {
    "project_id": TraitType.TEXT,
    "session_id": TraitType.TEXT,
    "state": TraitType.TEXT,
    "type": TraitType.TEXT,
    "instance_ids": TraitType.TEXT,
    "allowed_actions": TraitType.TEXT,
    "default_action": TraitType.TEXT,
    "actions_at": TraitType.DATETIME,
    "reply_at": TraitType.DATETIME,
    "reply_url": TraitType.TEXT,
    "metadata": TraitType.TEXT,
}
"""The traits of ``maintenance.scheduled`` that an event definition must name."""

HOST_TRAITS: Mapping[str, TraitType] = {
    "project_id": TraitType.TEXT,
    "session_id": TraitType.TEXT,
    "state": TraitType.TEXT,
    "host": TraitType.TEXT,
    "service": TraitType.TEXT,
}
"""The traits of ``maintenance.host``."""


def encode(payload: Mapping[str, object], definition: Mapping[str, TraitType]) -> list[Trait]:
    """Turn a payload into traits as ceilometer does, losses included.

    Args:
        payload: what was published.
        definition: the traits of the event definition, in order; other keys of the payload are lost.

    Returns:
        A list of ``[name, type, value]``.
    """
    traits: list[Trait] = []
    for name, kind in definition.items():
        value = payload.get(name)
        if value is not None:
            traits.append([name, int(kind), _convert(kind, value)])
    return traits


def _convert(kind: TraitType, value: object) -> TraitValue:
    if kind is TraitType.DATETIME:
        return times.to_iso(times.from_wire(value))
    if kind is TraitType.INT:
        return int(str(value))
    if kind is TraitType.FLOAT:
        return float(str(value))
    return str(value)[:TEXT_LIMIT]


def decode(traits: object) -> dict[str, TraitValue]:
    """Read the traits of an alarm.

    Args:
        traits: what stands at ``reason_data.event.traits``.

    Returns:
        The values by name; texts stay texts.

    Raises:
        RemoteProtocolError: it is not a list of ``[name, type, value]``.
    """
    if not isinstance(traits, Sequence) or isinstance(traits, str) or len(traits) > _MAX_TRAITS:
        raise RemoteProtocolError(
            f"traits: expected a list of at most {_MAX_TRAITS} [name, type, value]; found {traits!r:.80}"
        )
    values: dict[str, TraitValue] = {}
    for trait in traits:
        if (
            not isinstance(trait, Sequence)
            or isinstance(trait, str)
            or len(trait) != 3
            or not isinstance(trait[0], str)
            or not isinstance(trait[2], str | int | float)
        ):
            raise RemoteProtocolError(
                f"traits: expected [name, type, value] with a plain value; found {trait!r:.80}"
            )
        values[trait[0]] = trait[2]
    return values


def is_cut(text: str) -> bool:
    """Return whether a text may have lost its end: it has exactly as many characters as survive."""
    return len(text) >= TEXT_LIMIT


def read_list(text: object, field: str) -> list[str]:
    """Read a list of texts, as a list (from a bus) or as its ``repr`` (from a trait).

    Raises:
        RemoteProtocolError: it is not a list of texts, or was cut.
    """
    value = _literal(text, field) if isinstance(text, str) else text
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise RemoteProtocolError(f"{field}: expected a list of texts; found {text!r:.80}")
    return list(value)


def read_mapping(text: object, field: str) -> dict[str, str]:
    """Read a mapping of texts to texts, as a mapping or as its ``repr``.

    Raises:
        RemoteProtocolError: it is not such a mapping, or was cut.
    """
    value = _literal(text, field) if isinstance(text, str) else text
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise RemoteProtocolError(f"{field}: expected a mapping of texts; found {text!r:.80}")
    return {key: item if isinstance(item, str) else str(item) for key, item in value.items()}


def _literal(text: str, field: str) -> object:
    """Read a Python literal; names, calls and operators are refused.

    What is cut is refused first, so a literal is short, and its depth is bounded with its length.
    """
    if is_cut(text):
        raise RemoteProtocolError(
            f"{field}: cut at {TEXT_LIMIT} characters on its way through Aodh, so it cannot be "
            f"read: {text!r:.60}…"
        )
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise RemoteProtocolError(
            f"{field}: expected a list or mapping as Aodh writes it; found {text!r:.60}"
        ) from error
