# SPDX-License-Identifier: Apache-2.0
"""How much a project may have of Nova's things: defaults, and what an operator set for single projects."""

from __future__ import annotations

from collections.abc import Mapping

UNLIMITED = -1


class Quotas:
    """Limits by project and resource name, in Nova's words (``instances``, ``cores``, ``ram`` in MiB …).

    Args:
        defaults: the limit of every resource for a project that has none of its own; -1 is without limit.
    """

    def __init__(self, defaults: Mapping[str, int]) -> None:
        self._original = dict(defaults)
        self._defaults = dict(defaults)
        self._own: dict[str, dict[str, int]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The resources that have a limit."""
        return tuple(self._defaults)

    def defaults(self) -> dict[str, int]:
        """Return the limits of a project that has none of its own."""
        return dict(self._defaults)

    def set_defaults(self, limits: Mapping[str, int]) -> None:
        """Change some of the defaults."""
        self._defaults.update(limits)

    def limits(self, project_id: str) -> dict[str, int]:
        """Return every limit of a project."""
        return {**self._defaults, **self._own.get(project_id, {})}

    def set_limits(self, project_id: str, limits: Mapping[str, int]) -> None:
        """Change some limits of a project."""
        self._own.setdefault(project_id, {}).update(limits)

    def reset(self, project_id: str) -> None:
        """Give a project the defaults again."""
        self._own.pop(project_id, None)

    def allows(self, project_id: str, name: str, used: int, more: int) -> bool:
        """Return whether a project that uses so much may use so much more."""
        own = self._own.get(project_id)
        limit = own[name] if own and name in own else self._defaults[name]
        return limit == UNLIMITED or used + more <= limit
