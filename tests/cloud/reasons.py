# SPDX-License-Identifier: Apache-2.0
"""Why the simulator answers something otherwise than the recorded cloud: a line each, or it is a bug."""

from __future__ import annotations

import re

from .comparing import Difference

REASONS: tuple[tuple[str, str, str], ...] = ()
"""Which test, which field (both regular expressions), and why."""


def reason(test: str, difference: Difference) -> str | None:
    """Return why a field differs, or None if there is no reason."""
    for tests, fields, why in REASONS:
        if re.fullmatch(tests, test) and re.fullmatch(fields, difference.where):
            return why
    return None
