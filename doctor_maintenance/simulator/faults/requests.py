# SPDX-License-Identifier: Apache-2.0
"""Faults of a request to a service: refused, cut off, slow, or done and denied."""

from __future__ import annotations

from doctor_maintenance.simulator.faults.actors import MOMENT
from doctor_maintenance.simulator.faults.kind import FaultKind

_REQUEST = ("service", "method", "path", "project")
_AGAIN = "It is asked again, a bounded number of times, and the maintenance goes on."
_LOOKED = (
    "What really happened is looked up, so that nothing is done twice, and the maintenance goes on."
)

KINDS = (
    FaultKind(
        "api_error",
        "api",
        _REQUEST,
        "A service answers a request with this HTTP status and does nothing.",
        _AGAIN,
        {"status": 503, "retry_after_s": None},
    ),
    FaultKind(
        "api_conflict",
        "api",
        _REQUEST,
        "A service answers 409, as while something else is under way, and does nothing.",
        "A migration is tried again after a while; nothing is forced.",
        {"status": 409, "retry_after_s": None},
    ),
    FaultKind(
        "api_too_busy",
        "api",
        _REQUEST,
        "A service answers 429 with a Retry-After, and does nothing.",
        "It is asked again no sooner than it said.",
        {"status": 429, "retry_after_s": 7},
    ),
    FaultKind(
        "api_internal_error",
        "api",
        _REQUEST,
        "A service answers 500 and does nothing.",
        _AGAIN,
        {"status": 500, "retry_after_s": None},
    ),
    FaultKind(
        "api_unavailable",
        "api",
        _REQUEST,
        "A service answers 503 and does nothing.",
        _AGAIN,
        {"status": 503, "retry_after_s": None},
    ),
    FaultKind(
        "connection_reset",
        "api",
        _REQUEST,
        "The connection is reset before a request is looked at.",
        _AGAIN,
    ),
    FaultKind(
        "api_slow",
        "api",
        _REQUEST,
        "A service answers so much later; a client that does not wait so long gets no answer.",
        "Nobody waits for ever, and everybody else goes on meanwhile.",
        {"delay_s": 5.0},
    ),
    FaultKind(
        "api_fails_but_succeeds",
        "api",
        _REQUEST,
        "A service does what it was asked and answers with this HTTP status all the same.",
        _LOOKED,
        {"status": 500},
    ),
    FaultKind(
        "answer_lost",
        "api",
        _REQUEST,
        "A service does what it was asked, and the connection is cut before it is answered.",
        _LOOKED,
    ),
    FaultKind(
        "token_expired",
        "api",
        _REQUEST,
        "The token of a request is not valid any more when the request arrives.",
        "Another token is got, and the maintenance goes on.",
    ),
    FaultKind(
        "service_down",
        MOMENT,
        ("state", "host", "project"),
        "A service answers nobody for so long, beginning so long after a notification; `*`: all of them, as when their "
        "database is started anew, `bus`: nobody can publish.",
        "It is waited for, and the maintenance goes on: nothing twice, nothing forgotten.",
        {"service": "compute", "after_s": 0.01, "down_s": 15.0},
        once=True,
    ),
)
"""All of them."""
