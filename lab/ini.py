# SPDX-License-Identifier: Apache-2.0
"""The configuration files of OpenStack's services, as oslo.config reads them."""

from __future__ import annotations

from collections.abc import Mapping

from lab.service import Options, Sections


def render(sections: Sections) -> str:
    """Return the text of a file; a value that is a list is an option given more than once."""
    lines: list[str] = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        for name, value in options.items():
            values = value if isinstance(value, (list, tuple)) else [value]
            lines.extend(f"{name} = {_text(one)}" for one in values)
        lines.append("")
    return "\n".join(lines)


def over(below: Sections, above: Sections) -> Sections:
    """Return sections with the options of others over them; an option that is None is left out."""
    merged: dict[str, dict[str, object]] = {name: dict(below[name]) for name in below}
    for section, options in above.items():
        merged.setdefault(section, {}).update(options)
    return {name: _without_none(options) for name, options in merged.items()}


def without(sections: Sections, *names: str) -> Sections:
    """Return sections without those of these names."""
    return {name: options for name, options in sections.items() if name not in names}


def _without_none(options: Options) -> Mapping[str, object]:
    return {name: value for name, value in options.items() if value is not None}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
