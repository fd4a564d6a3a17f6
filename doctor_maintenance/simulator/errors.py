# SPDX-License-Identifier: Apache-2.0
"""How the simulated cloud says no, before a service turns it into that service's error body.

The models raise the project's own refusals (``InvalidRequestError``, ``NotFoundError`` …), each with its
HTTP status; here are only the ones that a service must tell apart to answer like the real one.
"""

from __future__ import annotations

from doctor_maintenance.exceptions import ForbiddenError, InvalidRequestError, RequestRefused


class QuotaExceeded(ForbiddenError):
    """A project asks for more than its quota; Nova answers 403, Neutron 409."""


class NoValidHost(InvalidRequestError):
    """The scheduler found no host; only old microversions of Nova let the caller see this as a 400."""

    def __init__(
        self, message: str = "No valid host was found. There are not enough hosts available."
    ) -> None:
        super().__init__(message)


class InjectedFailure(RequestRefused):
    """A fault told this call to fail.

    Args:
        status: the HTTP status to answer.
        message: the text in the body.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
