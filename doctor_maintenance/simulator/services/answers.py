# SPDX-License-Identifier: Apache-2.0
"""What all services do with a request's body and an answer's, apart from its form."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Response, request


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return body as JSON, in the order in which it was built."""
    return Response(
        json.dumps(body), status=status, headers=dict(headers or {}), mimetype="application/json"
    )


def empty(status: int = 204) -> Response:
    """Return an answer without body and without type."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response


def base_url() -> str:
    """Return the address that the caller used, without a path: ``http://127.0.0.1:5000``."""
    return request.host_url.rstrip("/")


def iso_z(when: float) -> str:
    """Return a time (seconds since the epoch) as ``2026-11-22T21:28:02Z``."""
    return _second(int(when))


def iso_micro_z(when: float) -> str:
    """Return a time as Keystone writes it: ``2026-11-22T21:28:02.000000Z``."""
    return _moment(when).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def iso_micro(when: float) -> str:
    """Return a time with microseconds and without zone: ``2026-11-22T21:28:02.123456``."""
    return _moment(when).strftime("%Y-%m-%dT%H:%M:%S.%f")


@functools.lru_cache(maxsize=4096)
def _second(when: int) -> str:
    """A list of many things has few different seconds, and to write one takes as long as all the rest."""
    return _moment(when).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(when: float) -> datetime:
    return datetime.fromtimestamp(when, UTC)
