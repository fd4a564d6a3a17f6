# SPDX-License-Identifier: Apache-2.0
"""keystonemiddleware in front of the API, where an operator configures it as for any OpenStack service.

It brings what operators expect of a service: ``[keystone_authtoken]`` in a file, memcached shared by
several admin tools, service tokens. It is not the default because the embedded cloud needs none of it, and it
costs 0.4 s to 1 s at the start and 4 MiB (measured on 2 cores, beside the 79 MiB of an admin tool), and
logs in to Keystone a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doctor_maintenance.admin_tool.api.identity import UnauthorizedError
from doctor_maintenance.admin_tool.policy import Context
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.receiver import problem

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

GUARDED = "/v1/"
_CONFIRMED = "doctor_maintenance.confirmed"


class MiddlewareIdentity:
    """Believes what keystonemiddleware says of a request, and only that.

    The middleware speaks through headers, which a client could send as well. So that they are
    never believed without it, :class:`Guard` marks what has passed in a way that no client can.
    """

    def of(self, environ: WSGIEnvironment) -> Context:
        """Return who sends a request.

        Raises:
            UnauthorizedError: the middleware has not confirmed it.
        """
        confirmed = environ.get("HTTP_X_IDENTITY_STATUS") == "Confirmed"
        if not confirmed or environ.get(_CONFIRMED) is not True:
            raise UnauthorizedError("a Keystone token is needed in the header X-Auth-Token")
        roles = environ.get("HTTP_X_ROLES", "").split(",")
        return Context(
            user_id=environ.get("HTTP_X_USER_ID", ""),
            project_id=environ.get("HTTP_X_PROJECT_ID", ""),
            roles=frozenset(role.strip().lower() for role in roles if role.strip()),
            expires_at=float("inf"),  # the middleware sees to it
        )


class Guard:
    """The API behind keystonemiddleware; what needs no token, ``/health``, is beside it.

    Args:
        app: the API.
        file: a configuration file with the group ``keystone_authtoken``.

    Raises:
        PreconditionError: the file is missing, or does not say how to log in to Keystone.
    """

    def __init__(self, app: WSGIApplication, file: str) -> None:
        self._app = app
        self._guarded: WSGIApplication = _middleware(self._marked, file)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        environ.pop(_CONFIRMED, None)
        if not f"{environ.get('PATH_INFO', '')}/".startswith(GUARDED):
            return self._app(environ, start)
        answer = _JsonAnswer(start)
        return answer.body(self._guarded(environ, answer.start))

    def _marked(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        environ[_CONFIRMED] = True
        return self._app(environ, start)


class _JsonAnswer:
    """Turns the middleware's own refusals, which are pages for people, into JSON like all others."""

    def __init__(self, start: StartResponse) -> None:
        self._start = start
        self._instead: bytes | None = None

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        """Start the answer, or another one instead."""
        given = {name.lower(): value for name, value in headers}
        code = int(status[:3])
        if code >= 400 and not given.get("content-type", "").startswith("application/json"):
            refusal = problem(code, "the token cannot be validated at present; try again")
            self._instead = refusal.get_data()
            headers = [
                *((name, given[name]) for name in ("www-authenticate",) if name in given),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(self._instead))),
            ]
        return self._start(status, headers, exc_info)

    def body(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body of the answer that was started."""
        if self._instead is None:
            return chunks
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
        return [self._instead]


def _middleware(app: WSGIApplication, file: str) -> WSGIApplication:
    from keystoneauth1 import exceptions as keystone_errors
    from keystonemiddleware import auth_token
    from keystonemiddleware import exceptions as middleware_errors
    from oslo_config import cfg

    where = f"admin_tool.authtoken_file {file}"
    if not Path(file).is_file():
        raise PreconditionError(f"{where}: there is no such file")
    conf = cfg.ConfigOpts()
    try:
        conf([], project="doctor-maintenance", default_config_files=[file], default_config_dirs=[])
        made = auth_token.AuthProtocol(app, {"oslo_config_config": conf})
    except (
        cfg.Error,
        ValueError,
        keystone_errors.ClientException,
        middleware_errors.ConfigurationError,
    ) as error:
        raise PreconditionError(f"{where} is no configuration for it: {error}") from error
    if made._auth is None:
        raise PreconditionError(
            f"{where}: expected auth_type, auth_url and a login in the group [keystone_authtoken]"
        )
    guarded: WSGIApplication = made
    return guarded
