# SPDX-License-Identifier: Apache-2.0
"""The cloud's HTTP APIs, as plainly as deploying needs them: JSON in, JSON out, errors translated.

openstacksdk's objects are not used: a list of 400 servers as objects takes seconds. Every method
blocks and is called from a worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from openstack.connection import Connection

from doctor_maintenance.cloud import call, call_json
from doctor_maintenance.cloud_services import ALARMING, Services
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
        self._services = Services(connection, NOVA)

    def get(self, service: str, path: str, **query: str) -> Any:
        """Return what is at a path.

        Args:
            service: ``compute``, ``network``, ``identity``, ``image``, ``alarm`` or ``placement``.
            path: within the service.
            query: the query's parameters.

        Raises:
            CloudError: there is none, or no answer.
        """
        return call_json(
            f"{service}: GET {path}",
            lambda: self._request("GET", service, path, params=query or None),
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
        answer = call(
            f"{service}: POST {path}",
            lambda: self._request("POST", service, path, json=dict(body)),
        )
        return answer.json() if answer.content else None

    def put(self, service: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        """Change something."""
        json = None if body is None else dict(body)
        call(f"{service}: PUT {path}", lambda: self._request("PUT", service, path, json=json))

    def delete(self, service: str, path: str) -> None:
        """Delete something; what is gone is no error."""
        try:
            call(f"{service}: DELETE {path}", lambda: self._request("DELETE", service, path))
        except CloudError as error:
            if error.status != 404:
                raise

    def _request(self, method: str, service: str, path: str, **named: Any) -> requests.Response:
        if service == "alarm":
            answer = self._services[ALARMING].request(f"/v2{path}", method, **named)
        else:
            answer = self._services[service].request(path, method, **named)
        assert isinstance(answer, requests.Response)
        return answer
