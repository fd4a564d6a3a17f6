# SPDX-License-Identifier: Apache-2.0
"""Traces are read with care and written the same every time."""

from __future__ import annotations

import json

import pytest

from doctor_maintenance.judge import KINDS, Trace, TraceError, dump_record, entry, read_files
from doctor_maintenance.judge.records import Migration

from .scenes import SCENES

SERVICE = {
    "at": 10.0,
    "source": "nova",
    "kind": "service",
    "host": "compute-1",
    "status": "enabled",
    "state": "up",
}


def lines(*values: object) -> list[str]:
    return [json.dumps(value) + "\n" for value in values]


@pytest.mark.parametrize("name", sorted(SCENES))
def test_a_trace_that_is_written_and_read_again_is_the_same(name: str) -> None:
    trace = Trace.from_mappings(SCENES[name]())

    again = Trace.read(trace.to_lines())

    assert again == trace
    assert list(again.to_lines()) == list(trace.to_lines())


def test_a_line_begins_with_when_who_and_what() -> None:
    line = next(Trace.from_mappings([SERVICE]).to_lines())

    assert line == (
        '{"at": 10.0, "source": "nova", "kind": "service", "host": "compute-1", "status": "enabled",'
        ' "state": "up"}\n'
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: expected JSON"),
        ("[]", "line 2: expected an object"),
        ('{"kind": "rumour"}', "line 2: unknown kind 'rumour'; known are"),
        ("{}", "line 2: unknown kind None"),
        (json.dumps({**SERVICE, "at": "now"}), "line 2 (service).at: expected a finite number"),
        (json.dumps({**SERVICE, "at": True}), "line 2 (service).at: expected a finite number"),
        ('{"kind": "service", "at": NaN}', "(service).at: expected a finite number; found nan"),
        (
            json.dumps({**SERVICE, "status": "off"}),
            "expected one of enabled, disabled; found 'off'",
        ),
        (
            json.dumps({**SERVICE, "hosts": []}),
            "line 2 (service): unknown field 'hosts'; known are",
        ),
        (json.dumps({**SERVICE, "host": None}), "line 2 (service).host: expected a text"),
        ('{"kind": "service", "at": 1}', "line 2 (service): missing source, host, status, state"),
        ("[" * 100_000, "line 2: expected JSON"),
    ],
)
def test_what_is_no_record_is_refused_with_its_line(line: str, said: str) -> None:
    with pytest.raises(TraceError) as caught:
        Trace.read([*lines(SERVICE), line + "\n"], "trace.jsonl")

    assert "trace.jsonl, line 2" in str(caught.value)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 700


def test_empty_lines_are_skipped_and_counted() -> None:
    with pytest.raises(TraceError, match="line 3"):
        Trace.read(["\n", *lines(SERVICE), "nonsense\n"])


def test_several_witnesses_merge_by_time_then_source_then_place() -> None:
    nova = [{**SERVICE, "at": 2.0}, {**SERVICE, "at": 1.0, "host": "b"}, {**SERVICE, "at": 1.0}]
    other = [{**SERVICE, "at": 1.0, "source": "bus"}]

    trace = read_files([("nova", lines(*nova)), ("bus", lines(*other))])

    found = [(record.at, record.source, getattr(record, "host", "")) for record in trace.records]
    assert found == [
        (1.0, "bus", "compute-1"),
        (1.0, "nova", "b"),
        (1.0, "nova", "compute-1"),
        (2.0, "nova", "compute-1"),
    ]


def test_one_witness_keeps_its_order_of_what_happened_at_the_same_time() -> None:
    trace = Trace.from_mappings([{**SERVICE, "source": "z"}, {**SERVICE, "source": "a"}])

    assert [record.source for record in trace.records] == ["z", "a"]


def test_novas_source_of_a_migration_is_not_taken_for_the_witness() -> None:
    observed = {"migration_id": 7, "instance_id": "i", "type": "migration", "status": "done"}

    value = entry(1.0, "nova", "migration", {**observed, "source": "compute-1", "dest": None})
    record = Trace.from_mappings([value]).records[0]

    assert isinstance(record, Migration)
    assert (record.source, record.source_host, record.migration_id) == ("nova", "compute-1", "7")


def test_defaults_are_not_written() -> None:
    record = Trace.from_mappings([{**SERVICE, "forced_down": False, "reason": None}]).records[0]

    assert dump_record(record) == SERVICE


def test_every_kind_of_record_is_in_some_scene() -> None:
    seen = {record["kind"] for scene in SCENES.values() for record in scene()}

    assert seen == set(KINDS)
