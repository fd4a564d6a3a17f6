# SPDX-License-Identifier: Apache-2.0
"""States in their order: a look now and then may miss a short one, but never sees them turned round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def changes(values: Sequence[Any]) -> list[Any]:
    """Return the values without those that are the same as the one before."""
    return [value for place, value in enumerate(values) if place == 0 or value != values[place - 1]]


def in_order(seen: Sequence[Any], order: Sequence[Any]) -> bool:
    """Return whether what was seen is the order with, perhaps, some of it left out; first and last were seen."""
    found = changes(seen)
    rest = iter(order)
    return found[-1] == order[-1] and all(value in rest for value in found)
