# SPDX-License-Identifier: Apache-2.0
"""What the simulator's own two APIs, bus and control, answer with when they refuse."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from doctor_maintenance.exceptions import RequestRefused
from doctor_maintenance.simulator.services.answers import json_answer


def handle_errors(views: Blueprint) -> None:
    """Answer refusals, unknown paths and wrong methods with a JSON reason."""
    views.register_error_handler(RequestRefused, _refused)
    views.app_errorhandler(HTTPException)(_not_routed)


def _refused(error: RequestRefused) -> Response:
    return json_answer({"error": {"code": error.status, "message": str(error)}}, error.status)


def _not_routed(error: HTTPException) -> Response:
    body = {"error": {"code": error.code, "message": f"{error.name}: {request.path}"}}
    return json_answer(body, error.code or 500)
