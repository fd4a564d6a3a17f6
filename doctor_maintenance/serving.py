# SPDX-License-Identifier: Apache-2.0
"""Serves a WSGI application on a socket: for the embedded cloud, the admin tool, the app manager, the inspector.

waitress was chosen by trying it beside cheroot, both with 8 threads on loopback. A request on a
connection kept alive takes 1 to 3 ms with either. Eight clients that send half a request and then
nothing stop cheroot for its timeout of 10 s, for each holds a thread; waitress reads requests in one
loop and gives a thread only a whole one. Over TLS a single silent client stops cheroot, because the
handshake is part of its accepting.

waitress has no TLS, so ``tls`` places a terminator in front of it (see ``serving_tls``).
"""

from __future__ import annotations

import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import waitress.server
from waitress import wasyncore

from doctor_maintenance.exceptions import PreconditionError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LOG = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 1.0
"""How long requests that are under way may take to end when a server closes, in seconds."""

IDLE_TIMEOUT_S = 120
"""After how long a connection without a request is closed, in seconds."""

MOST_CONNECTIONS = 1_000
"""How many connections are open at once; a further one waits to be accepted."""

SHOWN_PATH = "doctor_maintenance.shown_path"
"""What an application puts into the request if the log is not to show its path."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files that HTTPS needs.

    Attributes:
        certificate: a PEM file with the server's certificate, and the chain to its authority.
        key: a PEM file with the private key, not encrypted.
    """

    certificate: Path
    key: Path

    @classmethod
    def from_settings(cls, certificate: str | None, key: str | None) -> Tls | None:
        """Return the two files of a component's settings, or None if neither is set.

        Raises:
            PreconditionError: only one of the two is set.
        """
        if certificate is None and key is None:
            return None
        if certificate is None or key is None:
            raise PreconditionError(
                "HTTPS needs both a certificate and a key, and only one is set; set tls_certificate and "
                "tls_key, or neither"
            )
        return cls(Path(certificate), Path(key))


class Server:
    """A server that runs; :func:`serve` makes one.

    Attributes:
        url: where it is reached, such as ``http://127.0.0.1:34567``.
        port: the port that it listens on.
    """

    def __init__(self, url: str, port: int, close: Callable[[], None]) -> None:
        self.url = url
        self.port = port
        self._close = close
        self._closing = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Stop listening, let requests under way end for a second at most; closing twice is no error."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(
    app: WSGIApplication,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    threads: int = 8,
    tls: Tls | None = None,
    max_body_bytes: int = 16_777_216,
) -> Server:
    """Serve an application on threads of its own, and return when it listens.

    Args:
        app: a WSGI application; it is called on several threads at once.
        host: the address to listen on; a name is looked up.
        port: the port to listen on; 0: any free one.
        threads: how many requests are handled at once (≥ 1).
        tls: the files for HTTPS; None: HTTP.
        max_body_bytes: a larger request body is answered with 413 before the application is called.

    Returns:
        The running server.

    Raises:
        PreconditionError: the port is in use, the address is not this machine's, the port needs
            rights that we do not have, or a file for HTTPS cannot be used.
    """
    shown = f"[{host}]" if ":" in host else host
    if tls is None:
        plain = _Waitress(app, _listen(host, port), threads, max_body_bytes, scheme="http")
        return Server(f"http://{shown}:{plain.address[1]}", plain.address[1], plain.close)

    from doctor_maintenance.serving_tls import TlsFront, context  # asyncio is slow to import

    tls_context = context(tls.certificate, tls.key)
    listening = _listen(host, port)
    bound = listening.getsockname()[1]
    inner = _Waitress(app, _listen("127.0.0.1", 0), threads, max_body_bytes, scheme="https")
    front = TlsFront(listening, inner.address, tls_context)

    def close() -> None:
        front.close()
        inner.close()

    return Server(f"https://{shown}:{bound}", bound, close)


class _Waitress:
    """A waitress server on a listening socket, with its loop on a thread."""

    def __init__(
        self,
        app: WSGIApplication,
        listening: socket.socket,
        threads: int,
        max_body_bytes: int,
        scheme: str,
    ) -> None:
        self.address: tuple[str, int] = listening.getsockname()[:2]
        # waitress warns of requests that wait for a thread: under load that is each of them
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._server = waitress.server.create_server(
            _logged(app),
            sockets=[listening],
            threads=threads,
            ident=None,
            max_request_body_size=max_body_bytes,
            connection_limit=MOST_CONNECTIONS,
            channel_timeout=IDLE_TIMEOUT_S,
            asyncore_use_poll=True,  # select() fails beyond 1,024 open files
            url_scheme=scheme,
            clear_untrusted_proxy_headers=True,
        )
        self._stopping = False
        self._loop = threading.Thread(target=self._run, name=f"http-{self.address[1]}", daemon=True)
        self._loop.start()

    def close(self) -> None:
        self._server.trigger.pull_trigger(self._stop_listening)
        # the loop goes on meanwhile, so that the answers under way are sent
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=CLOSE_TIMEOUT_S)
        self._stopping = True
        self._server.pull_trigger()
        self._loop.join()
        connections = self._server._map
        if self._server.task_dispatcher.threads:
            LOG.warning("a request on port %d did not end and is abandoned", self.address[1])
            # its thread wakes the loop through this pipe when it ends: closed, the pipe's number
            # could by then be another file's
            connections.pop(self._server.trigger._fileno, None)
        wasyncore.close_all(connections)

    def _stop_listening(self) -> None:
        """Close the listening socket alone; only the loop's thread may."""
        wasyncore.dispatcher.close(self._server)

    def _run(self) -> None:
        while not self._stopping:
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._server._map, count=1)


def _listen(host: str, port: int) -> socket.socket:
    where = f"{host} port {port}"
    if not 0 <= port <= 65_535:
        raise PreconditionError(f"cannot listen on {where}: a port is from 0 to 65535")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise PreconditionError(
            f"cannot listen on {where}: the address is not known ({error}); bind to one of this machine"
        ) from error
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise PreconditionError(f"cannot listen on {where}: {_advice(error)}") from error
    return listening


def _advice(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use; end the process that uses it, or choose another port (0: any free one)"
    if error.errno == errno.EADDRNOTAVAIL:
        return "the address is not one of this machine's; bind to one that is, or to 0.0.0.0"
    if error.errno == errno.EACCES:
        return "ports below 1024 need more rights than we have; choose a higher one"
    return f"{error}; choose another address or port"


def _logged(app: WSGIApplication) -> WSGIApplication:
    """Log each answer at DEBUG; at any other level this costs nothing."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            LOG.debug(
                "%s %s from %s: %s",
                environ.get("REQUEST_METHOD"),
                environ.get(SHOWN_PATH, environ.get("PATH_INFO")),
                environ.get("REMOTE_ADDR"),
                status,
            )
            return start_response(status, headers, *rest)

        return app(environ, start)

    return wrapped if LOG.isEnabledFor(logging.DEBUG) else app
