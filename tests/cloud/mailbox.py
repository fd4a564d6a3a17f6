# SPDX-License-Identifier: Apache-2.0
"""Takes what alarms post, as an app manager would, and keeps it with the time of its arrival."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from doctor_maintenance.clock import Clock


@dataclass(frozen=True, slots=True)
class Letter:
    """One POST: when it came, its headers as far as they matter, and its body."""

    at: float
    headers: dict[str, str]
    body: Any


class Mailbox:
    """A web application that answers 200 to everything.

    Args:
        clock: tells when something arrives.
        url: where it is reached.
    """

    def __init__(self, clock: Clock, url: str) -> None:
        self._clock = clock
        self.url = url
        self._letters: dict[str, list[Letter]] = defaultdict(list)

    def letters(self, name: str) -> list[Letter]:
        """Return what was posted to ``<url>/<name>``, in the order of arrival."""
        return list(self._letters[name])

    def application(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Take a letter."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = {"Content-Type": environ.get("CONTENT_TYPE", "")}
        letter = Letter(self._clock.now(), headers, json.loads(body) if body else None)
        self._letters[environ["PATH_INFO"].strip("/")].append(letter)
        start("200 OK", [("Content-Length", "0")])
        return [b""]
