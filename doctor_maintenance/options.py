# SPDX-License-Identifier: Apache-2.0
"""Options as fields of dataclasses: what a field says of its option, and the list of all of them.

``settings`` declares the fields, ``config`` reads their values; neither knows how the other does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

DEFAULT_GROUP = "DEFAULT"


@dataclass(frozen=True, slots=True)
class Rule:
    """What an option accepts, beside its type.

    Attributes:
        help: what it means, in a sentence or two, with the unit.
        low: the least number, or None.
        high: the greatest number, or None.
        choices: the only words accepted, or empty for any.
        env: an environment variable that others define and that is read as well (``OS_AUTH_URL``).
        secret: never printed nor logged.
        repeat: a list given by repeating the option, because its values may hold commas.
    """

    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    env: str | None = None
    secret: bool = False
    repeat: bool = False


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    env: str | None = None,
    secret: bool = False,
    repeat: bool = False,
) -> Any:
    """Declare a field that is an option; the arguments are those of :class:`Rule`."""
    rule = Rule(help, low, high, choices, env, secret, repeat)
    return field(default=default, repr=not secret, metadata={"rule": rule})


@dataclass(frozen=True, slots=True)
class Option:
    """One option as a field, its group and its rule describe it.

    Attributes:
        group: ``DEFAULT`` or the name of the group.
        name: its name in the group.
        kind: its Python type: bool, int, float, str or tuple (of str).
        default: its default; None means "not given".
        rule: what else it accepts, and its meaning.
    """

    group: str
    name: str
    kind: type
    default: Any
    rule: Rule

    @property
    def flag(self) -> str:
        """The option on a command line: ``--seed``, ``--admin-tool-port``."""
        words = self.name if self.group == DEFAULT_GROUP else f"{self.group}_{self.name}"
        return "--" + words.replace("_", "-")

    @property
    def label(self) -> str:
        """The option in a message: ``seed``, ``admin_tool.port``."""
        return self.name if self.group == DEFAULT_GROUP else f"{self.group}.{self.name}"


def groups(root: type) -> dict[str, type]:
    """Return the groups of options by name: ``DEFAULT`` is root itself, the others are its parts.

    Args:
        root: a dataclass with options, and with other dataclasses with options.
    """
    hints = get_type_hints(root)
    parts = {each.name: hints[each.name] for each in fields(root) if "rule" not in each.metadata}
    return {DEFAULT_GROUP: root} | {
        name: part for name, part in parts.items() if hasattr(part, "__dataclass_fields__")
    }


def options(root: type) -> Iterator[Option]:
    """Yield every option of root, group after group, in the order of the fields."""
    for group, owner in groups(root).items():
        hints = get_type_hints(owner)
        for each in fields(owner):
            if "rule" in each.metadata:
                kind = _plain(hints[each.name])
                yield Option(group, each.name, kind, each.default, each.metadata["rule"])


def values(settings: Any) -> Iterator[tuple[Option, Any]]:
    """Yield every option with its value.

    Args:
        settings: an instance of a root.
    """
    for option in options(type(settings)):
        owner = settings if option.group == DEFAULT_GROUP else getattr(settings, option.group)
        yield option, getattr(owner, option.name)


def describe(option: Option) -> list[str]:
    """Return what is to be known of an option, a sentence a line."""
    rule = option.rule
    lines = [rule.help]
    if rule.low is not None or rule.high is not None:
        high = "" if rule.high is None else f" to {rule.high:g}"
        lines.append(f"Range: from {rule.low:g}{high}.")
    if rule.choices:
        lines.append(f"Choices: {', '.join(rule.choices)}.")
    if rule.repeat:
        lines.append("May be given several times.")
    if rule.env:
        lines.append(f"Also read from the environment: {rule.env}.")
    return lines


def written(option: Option) -> list[str]:
    """Return an option's default as a configuration file has it, a line each."""
    if option.default is None:
        return ["<none>"]
    if option.kind is tuple:
        return list(option.default) if option.rule.repeat else [",".join(option.default)]
    return [str(option.default)]


def _plain(hint: Any) -> type:
    """Return the type without its ``| None`` or its ``[str, ...]``."""
    arguments = [each for each in getattr(hint, "__args__", ()) if each is not type(None)]
    origin = getattr(hint, "__origin__", None)
    if origin is tuple:
        return tuple
    plain = arguments[0] if arguments else hint
    assert isinstance(plain, type)
    return plain
