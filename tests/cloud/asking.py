# SPDX-License-Identifier: Apache-2.0
"""Asks a service as somebody, and keeps the answer as it came: status, headers, body.

No client library is between a test and the answer: the facts are about what is on the wire.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from openstack.connection import Connection

from .transcript import Transcript

CATALOG = {
    "compute": "compute",
    "network": "network",
    "image": "image",
    "alarming": "alarming",
    "placement": "placement",
    "identity": "identity",
}
_VERSION = re.compile(r"/v\d+(\.\d+)?(/[0-9a-f]{32})?/?$")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered.

    Attributes:
        status: the HTTP status.
        headers: by name, case ignored.
        body: decoded JSON, or text, or None if it is empty.
    """

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def reason(self) -> str:
        """What Nova says of a refusal: the message, whatever its wrapping is called."""
        (inner,) = self.body.values()
        return str(inner["message"])


class Voice:
    """Somebody who asks.

    Args:
        name: who it is, for transcripts.
        http: carries the requests.
        roots: where each service is, without a version.
        transcript: where what is asked and answered is noted.
        connection: whose token is sent; None: none.
        token: sent instead.
    """

    def __init__(
        self,
        name: str,
        http: requests.Session,
        roots: Mapping[str, str],
        transcript: Transcript,
        connection: Connection | None = None,
        token: str | None = None,
    ) -> None:
        self.name = name
        self.connection = connection
        self._http = http
        self.roots = roots
        self._transcript = transcript
        self._token = token

    @property
    def token(self) -> str | None:
        """What is sent as ``X-Auth-Token``."""
        return self._token if self.connection is None else self.connection.session.get_token()

    def ask(
        self,
        method: str,
        service: str,
        path: str,
        body: Any = None,
        *,
        version: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask, and note it.

        Args:
            method: the HTTP method.
            service: a type of the catalog.
            path: from the service's root on, its version included.
            body: sent as JSON; bytes are sent as they are.
            version: the microversion.
            headers: further ones.
        """
        answer = self.look(method, service, path, body, version=version, headers=headers)
        asked = {"as": self.name, "method": method, "service": service, "path": path}
        if version is not None:
            asked["version"] = version
        if body is not None and not isinstance(body, bytes):
            asked["body"] = body
        self._transcript.note(asked, answer.status, answer.headers, answer.body)
        return answer

    def look(
        self,
        method: str,
        service: str,
        path: str,
        body: Any = None,
        *,
        version: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask without noting it: how often one looks while one waits is no fact."""
        sent = {"Accept": "application/json", **(headers or {})}
        if self.token is not None:
            sent.setdefault("X-Auth-Token", self.token)
        if version is not None:
            sent["OpenStack-API-Version"] = f"{service} {version}"
        data = body
        if body is not None and not isinstance(body, bytes):
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        answer = self._http.request(
            method,
            self.roots[service] + path,
            data=data,
            headers=sent,
            timeout=60,
            allow_redirects=False,
        )
        return Answer(answer.status_code, answer.headers, _body(answer))


def roots(connection: Connection) -> dict[str, str]:
    """Return where each service of a cloud is, without the versions that catalogs name or do not."""
    found = {}
    for service, kind in CATALOG.items():
        url = connection.session.get_endpoint(service_type=kind, interface="public")
        if url is not None:
            found[service] = _VERSION.sub("", str(url)).rstrip("/")
    return found


def _body(answer: requests.Response) -> Any:
    if not answer.content:
        return None
    if "json" in answer.headers.get("Content-Type", ""):
        return answer.json()
    return answer.text
