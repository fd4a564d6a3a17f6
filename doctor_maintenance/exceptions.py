# SPDX-License-Identifier: Apache-2.0
"""Every error of the project, in one tree, so that a caller can choose how much to catch.

The class says whose fault it is and what may be done: a ``RemoteProtocolError`` is the peer's, a
``LocalProtocolError`` is ours, a ``CloudError`` may pass if it is not permanent. Errors of libraries
are translated at the edge where the library is called, always with ``raise … from``.

    MaintenanceError
      ProtocolError             LocalProtocolError, RemoteProtocolError
      RequestRefused            InvalidRequestError, ForbiddenError, NotFoundError, ConflictError, LimitError
      CloudError
      RemoteError               RemoteUnreachable, RemoteTimeout, RemoteHostKeyError, RemoteAuthError
      UsageError                the command line or the configuration is wrong (exit status 2)
      PreconditionError         what the run needs is not there (exit status 3)
"""

from __future__ import annotations


class MaintenanceError(Exception):
    """The root of everything that this project raises on purpose."""


class ProtocolError(MaintenanceError):
    """A message or an event does not fit the maintenance protocol."""


class LocalProtocolError(ProtocolError):
    """We were about to send, or to do, what the protocol forbids: a defect on our side."""


class RemoteProtocolError(ProtocolError):
    """A peer sent what the protocol does not allow; nothing was done with it."""


class RequestRefused(MaintenanceError):
    """A request is understood and refused; the message is the reason that the caller is told.

    Attributes:
        status: the HTTP status that an API answers with.
    """

    status = 400


class InvalidRequestError(RequestRefused):
    """A request is malformed, or names something that cannot be."""

    status = 400


class ForbiddenError(RequestRefused):
    """The caller's role does not allow the request."""

    status = 403


class NotFoundError(RequestRefused):
    """There is no such thing, or none that the caller may know of: the two are answered alike."""

    status = 404


class ConflictError(RequestRefused):
    """The request does not fit the present state."""

    status = 409


class LimitError(RequestRefused):
    """A configured limit is reached: sessions, queue length, body size."""

    status = 429


class CloudError(MaintenanceError):
    """A cloud service refused or failed a call.

    Args:
        message: what was asked, of which service, and what it answered.
        status: the HTTP status, or None if there was no answer at all.
        retry_after_s: the wait in seconds that the service asked for, if it did.
        permanent: True if the same call cannot succeed later.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        permanent: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s
        self.permanent = permanent


class RemoteError(MaintenanceError):
    """A command on a host could not be run, or its outcome is not known.

    Args:
        message: what was expected, what was found and what to do.
        host: the name of the host.
    """

    def __init__(self, message: str, *, host: str) -> None:
        super().__init__(message)
        self.host = host


class RemoteUnreachable(RemoteError):
    """The host does not accept a connection."""


class RemoteTimeout(RemoteError):
    """The host accepted a connection and did not finish in time."""


class RemoteHostKeyError(RemoteError):
    """The host's key is unknown, or is not the one that is known for it."""


class RemoteAuthError(RemoteError):
    """The host refuses our key."""


class UsageError(MaintenanceError):
    """The command line or the configuration asks for what cannot be (exit status 2)."""


class PreconditionError(MaintenanceError):
    """Something that the run needs is missing (exit status 3)."""
