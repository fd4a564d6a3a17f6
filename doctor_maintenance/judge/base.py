# SPDX-License-Identifier: Apache-2.0
"""What every record has: who saw it, and when it can have happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from doctor_maintenance.judge import reading
from doctor_maintenance.judge.reading import may, need


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Something that was seen.

    Attributes:
        at: when it was seen, in seconds since the epoch.
        source: who saw it: ``nova``, ``bus``, ``inspector``, ``app_manager:<project_id>`` …
        not_before: the earliest moment at which it can have happened; None: it was seen as it happened.
    """

    KIND: ClassVar[str] = ""

    at: float = need(reading.number)
    source: str = need(reading.text)
    not_before: float | None = may(reading.number)

    @property
    def earliest(self) -> float:
        """The earliest moment at which it can have happened."""
        return self.at if self.not_before is None else min(self.not_before, self.at)
