# SPDX-License-Identifier: Apache-2.0
"""The app manager's HTTP face: the alarm URL, and what tests and people may look at.

The alarm URL answers at once: Aodh's notifier waits for the answer, and an app manager that works
meanwhile holds up everybody else's alarms.
"""

from __future__ import annotations

from flask import Flask, Response

from doctor_maintenance.clock import Clock
from doctor_maintenance.receiver import DEFAULT_MAX_BODY_BYTES, answer, read_json, route
from doctor_maintenance.receiver import create_app as create_receiver
from doctor_maintenance.secret_words import guarded
from sample_app_manager.manager import Manager

ALARM_PATH = "/maintenance"
STATE_PATH = "/v1/state"


def create_app(
    manager: Manager,
    clock: Clock,
    *,
    secret: str | None = None,
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
) -> Flask:
    """Return the WSGI application.

    Args:
        manager: who is told.
        clock: the manager's clock.
        secret: the word that the alarm URL and the state URL end with; None: none.
        max_body_bytes: a longer alarm is refused.
    """
    app = create_receiver(__name__, max_body_bytes=max_body_bytes)

    def alarm() -> Response:
        body, text = read_json()
        new = clock.call(lambda: manager.receive(body, text))
        return answer(200, {"new": new})

    def state() -> Response:
        return answer(200, clock.call(lambda: _state(manager)))

    route(app, "POST", ALARM_PATH, secret, alarm)
    route(app, "GET", STATE_PATH, secret, state)
    return app


def alarm_url(base_url: str, secret: str | None) -> str:
    """Return the URL that alarms are to post to.

    Args:
        base_url: where the app manager is reached.
        secret: as given to :func:`create_app`.
    """
    return base_url.rstrip("/") + guarded(ALARM_PATH, secret)


def _state(manager: Manager) -> dict[str, object]:
    return {
        "project_id": manager.project_id,
        "idle": manager.idle,
        "notifications": [entry.to_json() for entry in manager.entries],
    }
