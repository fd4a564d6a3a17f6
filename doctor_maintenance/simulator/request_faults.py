# SPDX-License-Identifier: Apache-2.0
"""What faults make of a request: refused before its view, or altered after it.

The services know nothing of this. A fault that keeps the answer back is carried out where a request enters the
cloud, after the view has run and the clock goes on: a slow service stops nobody but who asked it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, Response, g, request

from doctor_maintenance.clock import Clock, VirtualClock
from doctor_maintenance.simulator.errors import InjectedFailure
from doctor_maintenance.simulator.faults import Behaviour
from doctor_maintenance.simulator.services import Service

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

TIMEOUT_S = "simulator.timeout_s"
"""In the environ, from a client in the same process: how long it waits for an answer."""
DELAY_S = "simulator.delay_s"
"""In the environ: how long the answer is kept back."""
_CUT = "simulator.cut"
_TEXT = "A fault of the simulation"
_PROMISED_BYTES = "1000"


class RequestFaults:
    """The faults of one service's requests.

    Args:
        service: whose.
        cloud: asked which faults are armed.
    """

    def __init__(self, service: Service, cloud: SimCloud) -> None:
        self._service = service
        self._cloud = cloud

    def before(self) -> Response | None:
        """Look whether a fault happens to the request; refuse it now if that is what it does.

        Raises:
            InjectedFailure: it is refused; the service puts that into its own form.
        """
        if self._cloud.outages.away(self._service.type, self._service.name):
            request.environ[_CUT] = True
            return Response(status=503)
        fault = self._decide()
        if fault is None:
            return None
        given = fault.parameters
        match fault.name:
            case "connection_reset":
                request.environ[_CUT] = True
                return Response(status=503)
            case "api_slow":
                request.environ[DELAY_S] = float(given["delay_s"])
            case "answer_lost":
                request.environ[_CUT] = True
            case "api_fails_but_succeeds":
                g.denied = int(given["status"])
            case "token_expired":
                self._cloud.identity.revoke_token(request.headers.get("X-Auth-Token", ""))
            case _:
                g.retry_after_s = given["retry_after_s"]
                raise InjectedFailure(int(given["status"]), _TEXT)
        return None

    def after(self, app: Flask, response: Response) -> Response:
        """Deny what was done, if a fault says so."""
        status = g.pop("denied", None)
        if status is None:
            return response
        return app.make_response(app.handle_user_exception(InjectedFailure(status, _TEXT)))

    def _decide(self) -> Behaviour | None:
        cloud = self._cloud
        if not cloud.faults.armed():
            return None
        token = cloud.identity.token(request.headers.get("X-Auth-Token", ""))
        return cloud.faults.decide(
            "api",
            service=(self._service.type, self._service.name),
            method=request.method,
            path=(request.path, request.script_root + request.path),
            project=token.project_id if token is not None else None,
        )


class KeptBack:
    """An answer that a fault may keep back, on its way out of the cloud.

    Args:
        clock: the cloud's.
        environ: of the request.
        start: the server's.
    """

    def __init__(self, clock: Clock, environ: WSGIEnvironment, start: StartResponse) -> None:
        self._clock = clock
        self._environ = environ
        self._start = start
        self._head: tuple[Any, ...] = ()

    def start(self, *head: Any) -> Any:
        """Take the head of the answer from the service."""
        self._head = head
        return _nothing_written_before

    def give(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """Hand the answer on, later or cut if need be; to be called off the clock."""
        delay_s: float | None = self._environ.get(DELAY_S)
        if delay_s is not None:
            patience_s: float = self._environ.get(TIMEOUT_S) or delay_s
            _let_pass(self._clock, min(delay_s, patience_s))
            if patience_s < delay_s:
                return self._cut(TimeoutError("the answer took longer than the client waits"))
        if self._environ.get(_CUT):
            return self._cut(ConnectionResetError("the connection was reset by a fault"))
        self._start(*self._head)
        return chunks

    def _cut(self, error: OSError) -> Iterator[bytes]:
        """Begin an answer and never end it: a server then closes the connection."""
        self._start("200 OK", [("Content-Length", _PROMISED_BYTES)])
        yield b" "
        raise error


def _nothing_written_before(_: bytes) -> object:
    raise NotImplementedError("the simulated services return their answers")


def _let_pass(clock: Clock, seconds: float) -> None:
    """Wait in the caller's thread; in virtual time there is one, so everything else goes on within it."""
    if isinstance(clock, VirtualClock):
        clock.advance(seconds)
        return
    over = threading.Event()
    clock.call_later(seconds, over.set)
    over.wait()
