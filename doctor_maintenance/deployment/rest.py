# SPDX-License-Identifier: Apache-2.0
"""The cloud's HTTP APIs, as plainly as deploying needs them: JSON in, JSON out, errors translated.

openstacksdk's objects are not used: a list of 400 servers as objects takes seconds. Every method
blocks and is called from a worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack.connection import Connection

from doctor_maintenance.cloud import call, call_json
from doctor_maintenance.exceptions import CloudError

NOVA = "2.72"
"""Of every call to Nova: from 2.73 on only details differ that are not needed here."""


class Rest:
    """A connection's services.

    Args:
        connection: whose rights are used.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def get(self, service: str, path: str, **query: str) -> Any:
        """Return what is at a path.

        Args:
            service: ``compute``, ``network``, ``identity``, ``image``, ``alarm`` or ``placement``.
            path: within the service.
            query: the query's parameters.

        Raises:
            CloudError: there is none, or no answer.
        """
        adapter = getattr(self.connection, service)
        return call_json(
            f"{service}: GET {path}",
            lambda: adapter.get(path, params=query or None, **_version(service)),
        )

    def list(self, service: str, path: str, key: str, **query: str) -> list[dict[str, Any]]:
        """Return all members of a list, page after page."""
        found: list[dict[str, Any]] = []
        while True:
            body = self.get(service, path, **query)
            page = body[key]
            found += page
            links = body.get(f"{key}_links") or ()
            if not page or not any(link.get("rel") == "next" for link in links):
                return found
            query["marker"] = page[-1]["id"]

    def post(self, service: str, path: str, body: Mapping[str, Any]) -> Any:
        """Create something, or make it act; return the answer's JSON, or None if it has none."""
        adapter = getattr(self.connection, service)
        answer = call(
            f"{service}: POST {path}",
            lambda: adapter.post(path, json=dict(body), **_version(service)),
        )
        return answer.json() if answer.content else None

    def put(self, service: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        """Change something."""
        adapter = getattr(self.connection, service)
        json = None if body is None else dict(body)
        call(f"{service}: PUT {path}", lambda: adapter.put(path, json=json, **_version(service)))

    def delete(self, service: str, path: str) -> None:
        """Delete something; what is gone is no error."""
        adapter = getattr(self.connection, service)
        try:
            call(f"{service}: DELETE {path}", lambda: adapter.delete(path, **_version(service)))
        except CloudError as error:
            if error.status != 404:
                raise


def _version(service: str) -> dict[str, str]:
    return {"microversion": NOVA} if service == "compute" else {}
