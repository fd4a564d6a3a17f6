# SPDX-License-Identifier: Apache-2.0
"""A trace: everything that was seen, by whom and when, in one order, as lines of JSON.

Each witness writes a file of its own; merged, the order is (``at``, ``source``, place in the file), so the
same files always give the same trace. Where one process saw everything (virtual time), the order in which
it wrote is the order in which things happened, and it is kept.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from doctor_maintenance.judge import reading
from doctor_maintenance.judge.reading import TraceError
from doctor_maintenance.judge.records import KINDS, Record, Scenario

R = TypeVar("R", bound=Record)

_MIGRATION_FIELDS = {"source": "source_compute", "dest": "dest_compute"}


def entry(at: float, source: str, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Make the JSON object of a record from what a component observed.

    Args:
        at: when it was seen, in seconds since the epoch.
        source: who saw it.
        kind: what was seen.
        fields: the rest; of a migration, ``source`` and ``dest`` are taken as Nova's
            ``source_compute`` and ``dest_compute``, since ``source`` is who saw it.
    """
    if kind == "migration":
        fields = {_MIGRATION_FIELDS.get(name, name): value for name, value in fields.items()}
    return {"at": at, "source": source, "kind": kind, **fields}


def read_record(value: object, where: str = "record") -> Record:
    """Read one record.

    Args:
        value: what JSON held.
        where: what to call it in an error.

    Raises:
        TraceError: it is no record.
    """
    if not isinstance(value, Mapping):
        raise TraceError(f"{where}: expected an object; found {value!r:.80}")
    kind = KINDS.get(str(value.get("kind")))
    if kind is None:
        raise TraceError(
            f"{where}: unknown kind {value.get('kind')!r:.80}; known are {', '.join(sorted(KINDS))}"
        )
    fields = {name: entry for name, entry in value.items() if name != "kind"}
    return reading.build(kind, fields, f"{where} ({kind.KIND})")


def dump_record(record: Record) -> dict[str, Any]:
    """Return what JSON holds of a record: when, who, what, and then the rest."""
    fields = reading.dump(record)
    return {
        "at": fields.pop("at"),
        "source": fields.pop("source"),
        "kind": record.KIND,
        **fields,
    }


def to_line(value: Mapping[str, Any]) -> str:
    """Write one record as a line, without the end of line."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


@dataclass(frozen=True, slots=True)
class Trace:
    """What was seen, in order.

    Attributes:
        records: the records; :meth:`of`, :meth:`merge` and :meth:`read` make a trace and sort them.
    """

    records: tuple[Record, ...]

    @classmethod
    def of(cls, records: Iterable[Record]) -> Trace:
        """Take records that one process wrote: those of the same moment stay in its order."""
        return cls(tuple(sorted(records, key=lambda record: record.at)))

    @classmethod
    def merge(cls, *files: Iterable[Record]) -> Trace:
        """Take the records of several witnesses; each one's own order is kept."""
        placed = [
            (record.at, record.source, place, record)
            for file in files
            for place, record in enumerate(file)
        ]
        return cls(tuple(item[3] for item in sorted(placed, key=lambda item: item[:3])))

    @classmethod
    def read(cls, lines: Iterable[str], name: str = "trace") -> Trace:
        """Read lines of JSON; empty lines are skipped.

        Args:
            lines: the lines of one file.
            name: the file's name, for the error.

        Raises:
            TraceError: a line is no record; the message names the line.
        """
        return cls.of(_read_lines(lines, name))

    @classmethod
    def from_mappings(cls, values: Iterable[Mapping[str, Any]]) -> Trace:
        """Read JSON objects that one process wrote, in its order.

        Raises:
            TraceError: one is no record; the message names its place.
        """
        return cls.of(
            read_record(value, f"record {place}") for place, value in enumerate(values, start=1)
        )

    def to_lines(self) -> Iterator[str]:
        """Write the trace as lines of JSON, each with its end of line."""
        for record in self.records:
            yield to_line(dump_record(record)) + "\n"

    def of_kind(self, kind: type[R]) -> list[R]:
        """Return the records of a kind, in order."""
        return [record for record in self.records if isinstance(record, kind)]

    def with_exact_witnesses(self) -> Trace:
        """Return the trace with its scenario saying that one process saw everything, on one clock."""
        return Trace(
            tuple(
                dataclasses.replace(record, exact=True) if isinstance(record, Scenario) else record
                for record in self.records
            )
        )

    @property
    def scenario(self) -> Scenario | None:
        """What the run was about, if the trace says."""
        return next((record for record in self.records if isinstance(record, Scenario)), None)


def _read_lines(lines: Iterable[str], name: str) -> Iterator[Record]:
    for place, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{name}, line {place}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TraceError(f"{where}: expected JSON; found {line!r:.80} ({error})") from error
        yield read_record(value, where)


def read_files(files: Sequence[tuple[str, Iterable[str]]]) -> Trace:
    """Read the traces of one or several witnesses.

    Args:
        files: the name and the lines of each.

    Raises:
        TraceError: a line is no record; the message names file and line.
    """
    if len(files) == 1:
        return Trace.read(files[0][1], files[0][0])
    return Trace.merge(*(_read_lines(lines, name) for name, lines in files))
