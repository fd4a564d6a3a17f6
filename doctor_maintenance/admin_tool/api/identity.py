# SPDX-License-Identifier: Apache-2.0
"""Who sends a request: the token is shown to Keystone, and what it says is kept for a while.

:class:`TokenCheck` does it with the connection that the admin tool has anyway. keystonemiddleware does the
same in front of the application (see ``access_middleware``), with all that operators know of it; it is
taken where they configure it. Either makes a :class:`~doctor_maintenance.admin_tool.policy.Context`.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import requests

from doctor_maintenance import cloud
from doctor_maintenance.admin_tool.policy import Context
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import CloudError, RemoteProtocolError, RequestRefused
from doctor_maintenance.protocol import times

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

LOG = logging.getLogger(__name__)

MAX_TOKEN_CHARACTERS = 8192
MAX_KEPT = 1000
KEPT_S = 300.0
"""How long a token is believed without asking again; one that is revoked is good for so long."""


class UnauthorizedError(RequestRefused):
    """There is no good token."""

    status = 401


class UnavailableError(RequestRefused):
    """The cloud, without which the request cannot be answered, does not answer."""

    status = 503


class Identify(Protocol):
    """Tells who sends a request."""

    def of(self, environ: WSGIEnvironment) -> Context:
        """Return who it is; may block, so it is not called on the clock.

        Raises:
            UnauthorizedError: nobody that Keystone knows.
            UnavailableError: it cannot be found out.
        """


class Keystone(Protocol):
    """The identity service, asked as the operator: an adapter on it."""

    def get(self, url: str, **named: Any) -> requests.Response:
        """Send a request."""


class TokenCheck:
    """Turns a token into a :class:`Context`.

    Args:
        keystone: returns the identity service; called when the first token comes.
        clock: tells when a token expires.
    """

    def __init__(self, keystone: Callable[[], Keystone], clock: Clock) -> None:
        self._keystone = keystone
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Context]] = OrderedDict()

    def of(self, environ: WSGIEnvironment) -> Context:
        """Return who sends a request; see :class:`Identify`."""
        return self.context(environ.get("HTTP_X_AUTH_TOKEN"))

    def context(self, token: str | None) -> Context:
        """Return who a token is of; blocks, so it is not called on the clock.

        Raises:
            UnauthorizedError: it is none, or no good one.
            UnavailableError: Keystone does not say.
        """
        if not token or len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            raise UnauthorizedError("a Keystone token is needed in the header X-Auth-Token")
        digest = hashlib.sha256(token.encode()).hexdigest()
        known = self._clock.call(lambda: self._find(digest))
        if known is not None:
            return known
        context = self._ask(token)
        self._clock.call(lambda: self._keep(digest, context))
        return context

    def _find(self, digest: str) -> Context | None:
        until, context = self._kept.get(digest, (0.0, None))
        if context is not None and self._clock.now() >= until:
            del self._kept[digest]
            return None
        return context

    def _keep(self, digest: str, context: Context) -> None:
        until = min(context.expires_at, self._clock.now() + KEPT_S)
        self._kept[digest] = (until, context)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def _ask(self, token: str) -> Context:
        try:
            body = cloud.call_json(
                "validate a token",
                lambda: self._keystone().get("/auth/tokens", headers={"X-Subject-Token": token}),
            )
            context = _context(body)
        except CloudError as error:
            if error.status == 404:
                raise UnauthorizedError("the token is not valid, or not any more") from error
            LOG.error("%s", error)
            raise UnavailableError("the token cannot be validated at present; try again") from error
        except (KeyError, TypeError, RemoteProtocolError) as error:
            LOG.error("validate a token: Keystone's answer cannot be read: %r", error)
            raise UnavailableError("the token cannot be validated; our log says why") from error
        if context.expires_at <= self._clock.now():
            raise UnauthorizedError("the token has expired")
        return context


def _context(body: Mapping[str, Any]) -> Context:
    token = body["token"]
    return Context(
        user_id=str(token["user"]["id"]),
        project_id=str(token.get("project", {}).get("id", "")),
        roles=frozenset(str(role["name"]).lower() for role in token.get("roles", ())),
        expires_at=times.from_wire(token["expires_at"], "expires_at"),
    )
