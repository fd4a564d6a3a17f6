# SPDX-License-Identifier: Apache-2.0
"""Carries a request on to the admin tool that drives its session.

Whoever asks need not know that there are two. The other tool lets him in, or not, by the same token; only
one tool at a time decides about a session, so a reply cannot be taken twice with different words.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import requests
from flask import Response, request

from doctor_maintenance.admin_tool.engine import DrivenElsewhereError

LOG = logging.getLogger(__name__)

CARRIED = "X-Doctor-Maintenance-Carried"
"""Says that a request was carried on once; it is not carried further, so it cannot go round."""

_TIMEOUT_S = 10.0


class Peers:
    """The other admin tools on our journal.

    Args:
        http: sends the requests.
    """

    def __init__(self, http: requests.Session) -> None:
        self._http = http

    def answer(self, act: Callable[[], Response], body: Any = None) -> Response:
        """Answer the request that is being handled, ourselves or through the one who can.

        Args:
            act: answers it, if we drive the session.
            body: what the request says, decoded.

        Raises:
            DrivenElsewhereError: the other one does not answer, or was asked already; it may pass.
        """
        try:
            return act()
        except DrivenElsewhereError as elsewhere:
            if not elsewhere.url or CARRIED in request.headers:
                raise
            return self._carry(elsewhere, body)

    def _carry(self, elsewhere: DrivenElsewhereError, body: Any) -> Response:
        url = elsewhere.url.rstrip("/") + request.path
        headers = {CARRIED: "1", "X-Auth-Token": request.headers.get("X-Auth-Token", "")}
        try:
            found = self._http.request(
                request.method,
                url,
                json=body,
                headers=headers,
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
        except (requests.RequestException, OSError) as error:
            LOG.warning(
                "%s %s: the admin tool there does not answer: %s", request.method, url, error
            )
            raise elsewhere from error
        kind = found.headers.get("Content-Type", "application/json")
        return Response(found.content, status=found.status_code, content_type=kind)
