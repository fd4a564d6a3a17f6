# SPDX-License-Identifier: Apache-2.0
"""What a simulated cloud tells becomes a record of the trace, or is nobody's business."""

from __future__ import annotations

from doctor_maintenance.judge import read_record
from doctor_maintenance.runner.exact import record_of

COMMANDS = ("sudo maintain",)
ADDRESSES = frozenset({"127.77.0.130"})


def test_a_migrations_source_is_a_host_and_not_the_witness() -> None:
    event = {
        "number": 3,
        "at": 1.0,
        "kind": "migration",
        "migration_id": "m",
        "instance_id": "i",
        "type": "migration",
        "status": "done",
        "source": "compute1",
        "dest": "compute2",
    }

    record = record_of(event, "operator", COMMANDS, ADDRESSES)

    assert record is not None
    assert record["source"] == "nova"
    assert (record["source_compute"], record["dest_compute"]) == ("compute1", "compute2")
    read_record(record)


def test_a_maintenance_command_on_a_host_is_seen_and_any_other_is_not() -> None:
    event = {"at": 1.0, "kind": "command", "host": "h", "command": "sudo maintain", "status": 0}

    record = record_of(event, "operator", COMMANDS, ADDRESSES)

    assert record is not None
    assert (record["kind"], record["check"], record["ok"]) == ("ssh", "maintenance", True)
    assert record_of({**event, "command": "true"}, "operator", COMMANDS, ADDRESSES) is None


def test_the_operator_may_read_of_hosts_and_a_project_is_watched() -> None:
    event = {"at": 1.0, "kind": "readable", "project_id": "operator", "where": "w", "text": "t"}

    assert record_of(event, "operator", COMMANDS, ADDRESSES) is None
    assert record_of({**event, "project_id": "p"}, "operator", COMMANDS, ADDRESSES) is not None


def test_other_events_of_the_bus_are_none_of_the_judges_business() -> None:
    event = {"at": 1.0, "kind": "notification", "event_type": "compute.instance.update"}

    assert record_of(event, "operator", COMMANDS, ADDRESSES) is None


def test_addresses_that_instances_have_for_themselves_are_none_of_the_judges_business() -> None:
    event = {"at": 1.0, "kind": "address", "address": "127.77.0.130", "instance_id": "i"}

    assert record_of(event, "operator", COMMANDS, ADDRESSES) is not None
    own = {**event, "address": "127.77.0.131"}
    assert record_of(own, "operator", COMMANDS, ADDRESSES) is None
