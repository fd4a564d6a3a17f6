# SPDX-License-Identifier: Apache-2.0
"""Cuts a trace: finds records, drops, changes and adds some."""

from __future__ import annotations

import copy
from typing import Any

from .stage import Entry

Where = dict[str, Any]


class Tape:
    """The records of a trace, to be spoilt."""

    def __init__(self, records: list[Entry]) -> None:
        self.records = copy.deepcopy(records)

    def all(self, kind: str, **fields: Any) -> list[Entry]:
        """Return the records of a kind with these fields."""
        return [
            record
            for record in self.records
            if record["kind"] == kind
            and all(record.get(name) == value for name, value in fields.items())
        ]

    def one(self, kind: str, place: int = 0, **fields: Any) -> Entry:
        """Return the first record of a kind with these fields, or another by its place."""
        return self.all(kind, **fields)[place]

    def drop(self, *records: Entry) -> None:
        """Take records out."""
        self.records = [record for record in self.records if all(record is not r for r in records)]

    def move(self, record: Entry, at: float) -> None:
        """Let something have happened at another time; a notification is sent then, too."""
        record["at"] = at
        if "not_before" in record:
            record["not_before"] = at
        if "generated" in record:
            record["generated"] = at

    def move_message(self, message_id: str, at: float) -> None:
        """Let a notification have been sent at another time."""
        for place, record in enumerate(self.all("notification", message_id=message_id)):
            record["at"] = at + place * 0.001
            record["generated"] = at

    def drop_message(self, message_id: str) -> None:
        """Let a notification never have been sent."""
        self.drop(*self.all("notification", message_id=message_id))

    def add_after(self, record: Entry, after_s: float = 0.001, **changes: Any) -> Entry:
        """Add a copy of a record with changes, a moment after it."""
        new = {**copy.deepcopy(record), "at": record["at"] + after_s, **changes}
        for name in ("not_before", "generated"):
            if name in record and name not in changes:
                new[name] = record[name] + after_s
        self.records.append(new)
        return new

    def add(self, at: float, source: str, kind: str, **fields: Any) -> Entry:
        """Add a record."""
        new = {"at": at, "source": source, "kind": kind, **fields}
        self.records.append(new)
        return new
