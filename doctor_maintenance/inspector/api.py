# SPDX-License-Identifier: Apache-2.0
"""The inspector's HTTP face: the alarm URL, the monitors' events, and what tests may look at.

Handlers only take note; Aodh and monitors are answered at once.
"""

from __future__ import annotations

from flask import Flask, Response

from doctor_maintenance.clock import Clock
from doctor_maintenance.inspector.inspector import Inspector
from doctor_maintenance.inspector.policy import read_events
from doctor_maintenance.receiver import DEFAULT_MAX_BODY_BYTES, answer, read_json, route
from doctor_maintenance.receiver import create_app as create_receiver
from doctor_maintenance.secret_words import guarded

ALARM_PATH = "/maintenance"
EVENTS_PATH = "/events"
STATE_PATH = "/v1/state"


def create_app(
    inspector: Inspector,
    clock: Clock,
    *,
    secret: str | None = None,
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
) -> Flask:
    """Return the WSGI application.

    Args:
        inspector: who is told.
        clock: the inspector's clock.
        secret: the word that every URL but ``/health`` ends with; None: none.
        max_body_bytes: a longer body is refused.
    """
    app = create_receiver(__name__, max_body_bytes=max_body_bytes)

    def alarm() -> Response:
        body, _ = read_json()
        changed = clock.call(lambda: inspector.receive(body))
        return answer(200, {"changed": changed})

    def events() -> Response:
        reported = read_events(read_json()[0])
        clock.call(lambda: inspector.report(reported))
        return answer(200, {"events": len(reported)})

    route(app, "POST", ALARM_PATH, secret, alarm)
    route(app, "PUT", EVENTS_PATH, secret, events)
    route(app, "GET", STATE_PATH, secret, lambda: answer(200, clock.call(inspector.state)))
    return app


def alarm_url(base_url: str, secret: str | None) -> str:
    """Return the URL that alarms on ``maintenance.host`` are to post to."""
    return base_url.rstrip("/") + guarded(ALARM_PATH, secret)


def events_url(base_url: str, secret: str | None) -> str:
    """Return the URL that monitors put their events to."""
    return base_url.rstrip("/") + guarded(EVENTS_PATH, secret)
