# SPDX-License-Identifier: Apache-2.0
"""The simulated cloud as one WSGI application: every service by its path on one port.

Each service is an application of its own behind the first segment of the path, so that its errors, even
for a path that it does not know, have its own form. This is also the one place where threads of a server
meet the model: the body is read first, from a client as slow as it likes, and only then the view runs
while the clock stands still.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Response, g, request

from doctor_maintenance.simulator.identity_records import UnauthorizedError
from doctor_maintenance.simulator.profiles.base import draw
from doctor_maintenance.simulator.request_faults import DELAY_S, KeptBack, RequestFaults
from doctor_maintenance.simulator.services import Service, services
from doctor_maintenance.simulator.services.auth import unauthorized
from doctor_maintenance.web import Application

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

MAX_BODY_BYTES = 16 * 1024 * 1024
"""The most that a request may carry; an image of the simulated cloud is small."""

_OUR_OWN = frozenset({"bus", "control"})
"""Services that no real cloud has; they answer at once."""

_TOO_LARGE = "413 Request Entity Too Large"
_MOST_DIGITS = 20


class CloudApplication:
    """All services of a cloud.

    Args:
        cloud: the models behind them.
        served: which services; all by default.
    """

    def __init__(self, cloud: SimCloud, served: Sequence[Service] | None = None) -> None:
        self._cloud = cloud
        self._numbers = itertools.count(1)
        self._apps: dict[str, Flask] = {}
        for service in services() if served is None else served:
            if service.endpoint:
                cloud.identity.catalog.register(service.type, service.name, service.endpoint)
            self._apps[service.path.strip("/")] = _application(service, cloud)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        first, _, rest = environ.get("PATH_INFO", "").lstrip("/").partition("/")
        app = self._apps.get(first)
        if app is None:
            return self._index(start)
        problem = _read_body(environ)
        if problem is not None:
            return _plain(start, *problem)
        environ["SCRIPT_NAME"] = f"{environ.get('SCRIPT_NAME', '')}/{first}"
        environ["PATH_INFO"] = f"/{rest}"
        environ["simulator.request_id"] = f"req-00000000-0000-4000-8000-{next(self._numbers):012x}"
        clock = self._cloud.clock
        answer = KeptBack(clock, environ, start)
        chunks = clock.call(lambda: self._answer(app, environ, answer))
        return answer.give(chunks)

    def _answer(self, app: Flask, environ: WSGIEnvironment, answer: KeptBack) -> Iterable[bytes]:
        """Let a service answer, and note how long a real one would have taken."""
        chunks = app.wsgi_app(environ, answer.start)
        profile = self._cloud.profile
        reads = environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS")
        takes = profile.api_read if reads else profile.api_write
        if takes and app.name not in _OUR_OWN:
            environ.setdefault(DELAY_S, draw(takes, self._cloud.rng))
        return chunks

    def _index(self, start: StartResponse) -> Iterable[bytes]:
        paths = " ".join(f"/{path}" for path in self._apps)
        return _plain(start, "404 Not Found", f"No service is there. There are: {paths}\n")


def create_app(cloud: SimCloud, served: Sequence[Service] | None = None) -> WSGIApplication:
    """Return the application of all services of a cloud, for a server or for :func:`mount`."""
    return CloudApplication(cloud, served)


def _application(service: Service, cloud: SimCloud) -> Flask:
    app = Application(service.name)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.register_error_handler(UnauthorizedError, unauthorized)
    if service.endpoint:
        request_faults = RequestFaults(service, cloud)
        app.before_request(request_faults.before)
        app.after_request(partial(request_faults.after, app))
    app.after_request(_finish)
    app.register_blueprint(service.blueprint(cloud))
    return app


def _finish(response: Response) -> Response:
    """Add what every service answers with."""
    if not g.get("without_request_id"):
        response.headers["x-openstack-request-id"] = request.environ["simulator.request_id"]
    retry_after_s = g.get("retry_after_s")
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def _read_body(environ: WSGIEnvironment) -> tuple[str, str] | None:
    """Put the whole body into memory; return status and reason if there is something wrong with it."""
    said = environ.get("CONTENT_LENGTH") or "0"
    if not (said.isascii() and said.isdigit() and len(said) < _MOST_DIGITS):
        return "400 Bad Request", "Content-Length is no number.\n"
    length = int(said)
    if length > MAX_BODY_BYTES:
        return _TOO_LARGE, f"The body has {length} bytes; at most {MAX_BODY_BYTES} are taken.\n"
    chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    stream = environ["wsgi.input"]
    body = stream.read(MAX_BODY_BYTES + 1) if chunked else stream.read(length) if length else b""
    if len(body) > MAX_BODY_BYTES:
        return _TOO_LARGE, f"At most {MAX_BODY_BYTES} bytes of body are taken.\n"
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return None


def _plain(start: StartResponse, status: str, text: str) -> Iterable[bytes]:
    body = text.encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start(status, headers)
    return [body]
