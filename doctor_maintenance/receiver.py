# SPDX-License-Identifier: Apache-2.0
"""What every small HTTP service of the project does alike: JSON in, JSON out, nothing taken on trust.

The sample app manager and the inspector both receive what Aodh posts. A body is read up to a limit,
a refusal is a status with a JSON reason, and an alarm URL may carry a secret word: Aodh has no other
way to show who it is. Nothing here does any work; a handler validates, hands over, and answers.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from doctor_maintenance.exceptions import (
    InvalidRequestError,
    MaintenanceError,
    NotFoundError,
    RemoteProtocolError,
    RequestRefused,
)
from doctor_maintenance.secret_words import SHOWN
from doctor_maintenance.serving import SHOWN_PATH
from doctor_maintenance.web import Application

LOG = logging.getLogger(__name__)

DEFAULT_MAX_BODY_BYTES = 262_144


def create_app(name: str, *, max_body_bytes: int = DEFAULT_MAX_BODY_BYTES) -> Flask:
    """Return an empty application whose every answer is JSON, errors included.

    Args:
        name: the import name of the module that the application belongs to.
        max_body_bytes: a longer body is refused with 413.
    """
    app = Application(name)
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.url_map.strict_slashes = False

    @app.errorhandler(HTTPException)
    def _http_error(error: HTTPException) -> Response:
        return problem(error.code or 500, error.description or error.name)

    @app.errorhandler(MaintenanceError)
    def _refused(error: MaintenanceError) -> Response:
        if isinstance(error, RequestRefused):
            return problem(error.status, str(error))
        if isinstance(error, RemoteProtocolError):
            return problem(400, str(error))
        LOG.error("%s %s failed: %s", request.method, request.path, error, exc_info=error)
        return problem(500, "the request failed on our side; our log says why")

    @app.get("/health")
    def _health() -> Response:
        return answer(200, {"status": "ok"})

    return app


def answer(status: int, body: Any) -> Response:
    """Return a JSON answer."""
    return Response(json.dumps(body) + "\n", status=status, content_type="application/json")


def problem(status: int, message: str) -> Response:
    """Return a refusal with its reason."""
    return answer(status, {"error": {"code": status, "message": message}})


def read_json() -> tuple[object, str]:
    """Return the request's body, decoded and as text.

    The content type is not asked for: Aodh and Doctor's monitors are careless with it.

    Raises:
        InvalidRequestError: it is not JSON.
        werkzeug.exceptions.RequestEntityTooLarge: it is too long.
    """
    raw = request.get_data(cache=False)
    try:
        text = raw.decode("utf-8")
        return json.loads(text, parse_constant=_refuse_constant), text
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(
            f"body: expected JSON; found {len(raw)} bytes that are not: {error}"
        ) from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def check_secret(given: str | None, expected: str | None) -> None:
    """Let only those pass who know the secret word of the URL.

    Raises:
        NotFoundError: they do not; as if there were no such URL.
    """
    if not hmac.compare_digest((given or "").encode(), (expected or "").encode()):
        raise NotFoundError("there is nothing at this URL")


def route(
    app: Flask, method: str, path: str, secret: str | None, handler: Callable[[], Response]
) -> None:
    """Serve a path that is guarded by a secret word: ``path`` without one, else ``path/<word>``.

    Args:
        app: the application.
        method: the HTTP method.
        path: the path, without a slash at its end.
        secret: the word; None: the path is open.
        handler: validates the request, hands it over and answers.
    """

    def shown() -> None:
        if request.path.startswith(f"{path}/"):
            request.environ[SHOWN_PATH] = (
                f"{path}/{SHOWN}"  # a wrong word may be nearly the right one
            )

    app.before_request(shown)

    def view(given: str | None = None) -> Response:
        check_secret(given, secret)
        return handler()

    name = f"{method} {path}".replace(".", " ")
    app.add_url_rule(path, name, view, methods=[method])
    app.add_url_rule(f"{path}/<given>", f"{name} with a word", view, methods=[method])
