# SPDX-License-Identifier: Apache-2.0
"""What a command must remember over a restart, because the cloud does not tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from doctor_maintenance.admin_tool.journal import Journal


class Memos(Protocol):
    """Notes of commands, by their key."""

    def remember(self, key: str, memo: Mapping[str, str]) -> None:
        """Store a command's note; it is stored when this returns."""

    def recall(self, key: str) -> Mapping[str, str]:
        """Return it; empty if there is none."""


@dataclass(frozen=True, slots=True)
class JournalMemos:
    """The journal as a command sees it: its key begins with its session's ID.

    Attributes:
        journal: where the notes are kept.
    """

    journal: Journal

    def remember(self, key: str, memo: Mapping[str, str]) -> None:
        """Store a command's note."""
        self.journal.remember(key.partition("/")[0], key, memo)

    def recall(self, key: str) -> Mapping[str, str]:
        """Return it; empty if there is none."""
        return self.journal.recall(key.partition("/")[0], key)
