# SPDX-License-Identifier: Apache-2.0
"""A WSGI application behind a requests.Session: nothing is lost or added on the way, in either direction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests

from doctor_maintenance.simulator.mount import InProcessSession, isolate, mount


class Echo:
    """Keeps what it is asked and answers what it is told."""

    def __init__(self, status: str = "200 OK", body: bytes = b"", **headers: str) -> None:
        self.status = status
        self.body = body
        self.answered = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.asked: dict[str, Any] = {}
        self.got = b""

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        self.asked = dict(environ)
        self.got = environ["wsgi.input"].read()
        start(self.status, self.answered)
        return [self.body]


@pytest.fixture(params=[requests.Session, InProcessSession])
def kind(request: pytest.FixtureRequest) -> type[requests.Session]:
    kind: type[requests.Session] = request.param
    return kind


def session(application: Echo, kind: type[requests.Session] = requests.Session) -> requests.Session:
    made = kind()
    isolate(made)
    mount(made, "http://here.sim", application)
    return made


def test_request_arrives_whole(kind: type[requests.Session]) -> None:
    echo = Echo()

    session(echo, kind).post(
        "http://here.sim/a%20b/c?x=1&x=2", data="körper".encode(), headers={"X-Odd": "yes"}
    )

    assert echo.asked["REQUEST_METHOD"] == "POST"
    assert echo.asked["PATH_INFO"] == "/a b/c"
    assert echo.asked["QUERY_STRING"] == "x=1&x=2"
    assert echo.asked["HTTP_X_ODD"] == "yes"
    assert echo.asked["HTTP_HOST"] == "here.sim"
    assert echo.asked["CONTENT_LENGTH"] == "7"
    assert echo.got == "körper".encode()


def test_answer_arrives_whole(kind: type[requests.Session]) -> None:
    echo = Echo("418 I'm a teapot", b"\x00\xff", Content_Type="application/x", X_Two="2")

    answer = session(echo, kind).get("http://here.sim/")

    assert (answer.status_code, answer.reason) == (418, "I'm a teapot")
    assert answer.content == b"\x00\xff"
    assert answer.headers["content-type"] == "application/x"
    assert answer.headers["X-Two"] == "2"


def test_redirect_is_followed_within_the_application(kind: type[requests.Session]) -> None:
    class Redirect(Echo):
        def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/old":
                start("302 Found", [("Location", "http://here.sim/new")])
                return [b""]
            return super().__call__(environ, start)

    answer = session(Redirect(body=b"here"), kind).get("http://here.sim/old")

    assert answer.text == "here"
    assert [each.status_code for each in answer.history] == [302]


def test_address_that_nothing_is_mounted_at_refuses_at_once(kind: type[requests.Session]) -> None:
    with pytest.raises(requests.ConnectionError, match="elsewhere"):
        session(Echo(), kind).get("http://elsewhere.sim/x")


def test_answer_is_closed_even_if_the_application_fails_halfway() -> None:
    closed: list[bool] = []

    class Half:
        def __iter__(self) -> Any:
            yield b"x"
            raise ValueError("broken")

        def close(self) -> None:
            closed.append(True)

    def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        start("200 OK", [])
        return Half()

    made = requests.Session()
    mount(made, "http://here.sim", application)
    with pytest.raises(ValueError, match="broken"):
        made.get("http://here.sim/")

    assert closed == [True]


REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("GET", {"params": {"all_tenants": "1", "host": "compute1"}, "headers": {"X-Auth-Token": "t"}}),
    ("POST", {"json": {"server": {"name": "körper"}}, "allow_redirects": False}),
    ("PUT", {"data": b"{}", "headers": {"content-type": "application/json", "accept": "*"}}),
    ("DELETE", {"headers": {"User-Agent": "me", "Accept": None}}),
    ("GET", {"cookies": {"a": "b"}}),
    ("POST", {"data": {"form": "1"}, "auth": ("me", "secret")}),
]


@pytest.mark.parametrize(("method", "named"), REQUESTS)
def test_what_is_sent_in_process_is_what_requests_sends(method: str, named: dict[str, Any]) -> None:
    asked = []
    for one in (requests.Session, InProcessSession):
        echo = Echo(Content_Type="text/plain")
        answer = session(echo, one).request(method, "http://here.sim/a b?x=1", **named)
        sent = {name: value for name, value in echo.asked.items() if name != "wsgi.input"}
        asked.append((sent, echo.got, answer.url, dict(answer.headers), answer.encoding))

    assert asked[0] == asked[1]
