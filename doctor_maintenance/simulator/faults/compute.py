# SPDX-License-Identifier: Apache-2.0
"""Faults of Nova: where an instance goes, whether it gets there, and how much a project may have."""

from __future__ import annotations

from doctor_maintenance.simulator.faults.kind import FaultKind

_MIGRATION = ("instance", "project", "source", "dest", "type")
_SCHEDULE = ("instance", "project", "source", "action")

KINDS = (
    FaultKind(
        "migration_fails",
        "compute.migrate",
        _MIGRATION,
        "A migration is rolled back: the instance is ACTIVE on its old host, the record says so.",
        "It is tried again; if no attempt succeeds the host is canceled and enabled.",
    ),
    FaultKind(
        "migration_hangs",
        "compute.migrate",
        _MIGRATION,
        "A migration never ends, until it is aborted or a host goes down.",
        "A live migration is aborted when its time is over; then the host is canceled and enabled.",
    ),
    FaultKind(
        "migration_ends_in_error",
        "compute.migrate",
        _MIGRATION,
        "A migration fails and leaves the instance in ERROR on its old host, its guest stopped.",
        "The instance is started again, and moved by another attempt.",
    ),
    FaultKind(
        "migration_request_lost",
        "compute.request",
        ("instance", "project", "source", "type"),
        "Nova accepts a migration, and what its services were to tell each other gets lost, as with a message broker "
        "that is killed: the instance has a task, and nobody works on it.",
        "When its time is over and nobody had begun with it, the task is ended, and it is tried again.",
    ),
    FaultKind(
        "migration_forgotten",
        "compute.migrate",
        _MIGRATION,
        "The nova-compute of a migration is killed in the middle and started again: the instance is ACTIVE on its "
        "old host, and the migration's record never ends.",
        "It is tried again; nobody waits for what only the record still says.",
    ),
    FaultKind(
        "migration_taken_up_late",
        "compute.migrate",
        _MIGRATION,
        "A nova-compute that was killed takes up afterwards what it was to do for a migration: that leaves the "
        "instance in ERROR on its old host, its guest running, with a task that never ends.",
        "The task is ended, the instance started again, and moved by another attempt.",
    ),
    FaultKind(
        "no_valid_host",
        "compute.schedule",
        _SCHEDULE,
        "The scheduler finds no host.",
        "It is tried again; if none is ever found the host is canceled and enabled.",
    ),
    FaultKind(
        "lands_on_unmaintained_host",
        "compute.schedule",
        _SCHEDULE,
        "The scheduler prefers this host, which is still to be maintained, wherever it is possible.",
        "The instance is announced and moved again when that host's turn comes.",
        {"host": ""},
    ),
    FaultKind(
        "quota_exceeded",
        "compute.quota",
        ("project",),
        "A project that builds an instance is told that its quota is used up.",
        "An app manager that re-creates an instance tries again; the service goes on meanwhile.",
    ),
)
"""All of them."""
