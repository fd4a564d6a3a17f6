# SPDX-License-Identifier: Apache-2.0
"""Faults on the way of a notification: Aodh reads its alarms late, or its POST goes wrong."""

from __future__ import annotations

from doctor_maintenance.simulator.faults.kind import FaultKind

_POST = ("event_type", "project", "url", "state")
_DEFAULT = "The project knows nothing: the announced default action follows at the deadline."

KINDS = (
    FaultKind("alarm_lost", "aodh.post", _POST, "An alarm's POST is never made.", _DEFAULT),
    FaultKind(
        "alarm_late",
        "aodh.post",
        _POST,
        "An alarm's POST is made so much later; others overtake it.",
        "A project that is told in time replies in time; one that is told after the deadline gets the "
        "default action, and its reply is refused.",
        {"delay_s": 5.0},
    ),
    FaultKind(
        "alarm_twice",
        "aodh.post",
        _POST,
        "An alarm's POST is made twice.",
        "The project acts and replies once.",
    ),
    FaultKind(
        "alarm_out_of_order",
        "aodh.post",
        _POST,
        "An alarm's POST is overtaken by the next one.",
        "Nothing is different: each message says which state it is about.",
        {"delay_s": 0.05},
    ),
    FaultKind(
        "alarm_cut",
        "aodh.post",
        _POST,
        "An alarm's POST has only the first bytes of its body.",
        f"It is refused with a reason. {_DEFAULT}",
        {"bytes": 100},
    ),
    FaultKind(
        "alarm_dead_url",
        "aodh.post",
        _POST,
        "An alarm's POST goes to a port where nobody listens.",
        _DEFAULT,
    ),
    FaultKind(
        "alarm_cache_stale",
        "aodh.read",
        ("project",),
        "The evaluator knows the alarms of so long ago only, so a newer alarm sleeps.",
        f"Aodh lists the alarm all the same, so a reply is waited for. {_DEFAULT}",
        {"age_s": 60.0},
    ),
)
"""All of them."""
