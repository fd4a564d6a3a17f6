# SPDX-License-Identifier: Apache-2.0
"""A WSGI application behind a ``requests.Session``: HTTP without sockets, threads or waiting.

In virtual time everything is in one process, and a request is a function call that takes no time. The
client's code does not know: openstacksdk, keystoneauth and our own components get a session, and whether
its adapters lead to a network or into an application is nobody else's business.
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit
from wsgiref.types import WSGIApplication

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPHeaderDict

from doctor_maintenance.simulator.request_faults import TIMEOUT_S

_SIMPLE = frozenset(
    {"allow_redirects", "cert", "data", "headers", "json", "params", "timeout", "verify"}
)
"""What a request may be given for :class:`InProcessSession` to know all about it."""


def mount(session: requests.Session, base_url: str, application: WSGIApplication) -> None:
    """Let every request of the session to ``base_url`` be answered by the application, inline.

    Proxies and ``.netrc`` are not looked up any more by this session: they cost more than the call, and lead
    nowhere.

    Args:
        session: what the client sends with.
        base_url: scheme and host, such as ``http://cloud.sim``.
        application: what answers.
    """
    session.trust_env = False
    session.mount(base_url.rstrip("/"), WsgiAdapter(application))


def isolate(session: requests.Session) -> None:
    """Refuse every request of the session to an address that nothing is mounted at.

    In virtual time a real look-up or connection would make a run depend on the machine's network.
    """
    session.trust_env = False
    session.mount("http://", _NobodyListens())
    session.mount("https://", _NobodyListens())


class InProcessSession(requests.Session):
    """A session of which everything is mounted.

    requests merges what a session adds to each request: cookies, proxies, certificates, hooks, a ``.netrc``. This
    one adds its headers and nothing else, and to find that out again takes as long as the answer. A request is
    therefore prepared by the same steps of requests without looking for the rest.
    """

    def request(self, method: Any, url: Any, *args: Any, **named: Any) -> requests.Response:
        """Send a request; see :meth:`requests.Session.request`."""
        if args or not named.keys() <= _SIMPLE:
            return super().request(method, url, *args, **named)
        prepared = requests.PreparedRequest()
        prepared.prepare_method(method)
        prepared.prepare_url(url, named.get("params"))
        headers = {**self.headers, **(named.get("headers") or {})}
        prepared.prepare_headers({name: each for name, each in headers.items() if each is not None})
        prepared.prepare_body(named.get("data"), None, named.get("json"))
        timeout: Any = named.get("timeout")
        answer = self.get_adapter(str(prepared.url)).send(prepared, timeout=timeout)
        if not (answer.is_redirect and named.get("allow_redirects", True)):
            return answer
        prepared.prepare_cookies(None)
        answers: list[requests.Response] = [answer]
        answers += self.resolve_redirects(answer, prepared, timeout=timeout)
        answers[-1].history = answers[:-1]
        return answers[-1]

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Return the settings of a request as they were given."""
        return {"proxies": proxies, "stream": stream, "verify": verify, "cert": cert}


class WsgiAdapter(BaseAdapter):
    """A transport that calls a WSGI application.

    Args:
        application: what answers.
    """

    def __init__(self, application: WSGIApplication) -> None:
        super().__init__()
        self._application = application

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Call the application and return its answer.

        A request takes no time, so the timeout is the application's to know: a fault may let an answer take longer.

        Raises:
            requests.ReadTimeout: the application says that the answer took longer than the timeout.
            requests.ConnectionError: the application broke off.
        """
        answer = _Answer()
        environ = _environ(request)
        environ[TIMEOUT_S] = timeout[-1] if isinstance(timeout, tuple) else timeout
        try:
            body = self._body(environ, answer)
        except TimeoutError as error:
            raise requests.ReadTimeout(error, request=request) from error
        except ConnectionResetError as error:
            raise requests.ConnectionError(error, request=request) from error
        return self._response(request, answer, body)

    def _response(
        self, request: requests.PreparedRequest, answer: _Answer, body: bytes
    ) -> requests.Response:
        """Return what requests makes of an answer of which all bytes have come."""
        response = requests.Response()
        response.status_code = answer.status
        response.reason = answer.reason
        response.headers = CaseInsensitiveDict(HTTPHeaderDict(answer.headers))
        response.encoding = get_encoding_from_headers(response.headers)
        response.url = request.url or ""
        response.request = request
        response.raw = io.BytesIO()
        response.__dict__.update(_content=body, _content_consumed=True)
        return response

    def _body(self, environ: dict[str, Any], answer: _Answer) -> bytes:
        chunks = self._application(environ, answer.start)
        try:
            return b"".join([*answer.written, *chunks])
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def close(self) -> None:
        """Nothing is held open."""


class _NobodyListens(BaseAdapter):
    """A transport to nowhere."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Raise ConnectionError, as for a port where nobody listens."""
        raise requests.ConnectionError(f"nothing is mounted at {request.url}", request=request)

    def close(self) -> None:
        """Nothing is held open."""


class _Answer:
    """What an application told ``start_response``."""

    def __init__(self) -> None:
        self.status = 0
        self.reason = ""
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
        code, _, self.reason = status.partition(" ")
        self.status = int(code)
        self.headers = headers
        return self.written.append


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    url = urlsplit(request.url or "")
    body = _octets(request.body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method or "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname or "",
        "SERVER_PORT": str(url.port or (443 if url.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": url.netloc.rpartition("@")[2],
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = _key(name)
        if key == "CONTENT_TYPE":
            environ[key] = _text(value)
        elif key != "CONTENT_LENGTH":
            environ[f"HTTP_{key}"] = _text(value)
    return environ


@functools.lru_cache(maxsize=256)
def _key(name: str) -> str:
    return name.upper().replace("-", "_")


def _octets(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    read = getattr(body, "read", None)
    if read is not None:
        return _octets(read())
    chunks: Iterable[bytes] = body
    return b"".join(chunks)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
