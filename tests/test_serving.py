# SPDX-License-Identifier: Apache-2.0
"""The server on real sockets: speed, slow clients, HTTPS, closing, and what it says when it cannot listen."""

from __future__ import annotations

import datetime
import ipaddress
import logging
import socket
import ssl
import statistics
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.serving import Server, Tls, serve

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

HALF_A_REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the scheme and the body of the request."""
    size = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.url_scheme"].encode() + b" " + environ["wsgi.input"].read(size)
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(echo, threads=2) as running:
        yield running


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    folder = tmp_path_factory.mktemp("tls")
    return make_certificate(folder, "127.0.0.1")


def make_certificate(folder: Path, address: str) -> Tls:
    """Write a certificate that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36_500))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = Tls(folder / "certificate.pem", folder / "key.pem")
    paths.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def test_port_zero_is_a_free_port_that_the_url_names(
    server: Server, http: requests.Session
) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert http.post(server.url, data=b"hello", timeout=5).content == b"http hello"


def test_request_on_a_connection_kept_alive_does_not_stall(
    server: Server, http: requests.Session
) -> None:
    took_s = []
    for _ in range(100):
        begin = perf_counter()
        http.post(server.url, data=b"x" * 2_000, timeout=5)
        took_s.append(perf_counter() - begin)
    # a stall by Nagle's algorithm is 40 ms, one by a polling loop 500 ms, and either hits most requests
    assert statistics.median(took_s) < 0.010


def test_clients_that_send_half_a_request_hold_up_nobody(
    server: Server, http: requests.Session
) -> None:
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    try:
        for each in slow:
            each.sendall(HALF_A_REQUEST)
        assert http.get(server.url, timeout=2).status_code == 200
    finally:
        for each in slow:
            each.close()


def test_more_requests_than_threads_are_all_answered(server: Server) -> None:
    with_barrier = threading.Barrier(10)
    answers: list[int] = []

    def ask() -> None:
        with requests.Session() as session:
            session.trust_env = False
            with_barrier.wait(timeout=10)
            answers.append(session.get(server.url, timeout=10).status_code)

    clients = [threading.Thread(target=ask) for _ in range(10)]
    for each in clients:
        each.start()
    for each in clients:
        each.join(10)
    assert answers == [200] * 10


def test_request_under_way_is_answered_while_the_server_closes(http: requests.Session) -> None:
    entered, leave = threading.Event(), threading.Event()

    def waits(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        entered.set()
        assert leave.wait(10)
        return echo(environ, start_response)

    server = serve(waits, threads=1)
    answers: list[bytes] = []
    client = threading.Thread(
        target=lambda: answers.append(http.post(server.url, data=b"late", timeout=10).content)
    )
    client.start()
    assert entered.wait(10)
    closing = threading.Thread(target=server.close)
    closing.start()
    leave.set()
    closing.join(10)
    client.join(10)
    assert answers == [b"http late"]


def test_close_does_not_wait_for_a_request_that_hangs(http: requests.Session) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hangs(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        entered.set()
        leave.wait(30)
        return echo(environ, start_response)

    server = serve(hangs, threads=1)

    def ask() -> None:
        with pytest.raises(requests.ConnectionError):
            http.get(server.url, timeout=20)

    client = threading.Thread(target=ask)
    client.start()
    assert entered.wait(10)
    begin = perf_counter()
    server.close()
    took_s = perf_counter() - begin
    leave.set()
    client.join(10)
    assert took_s < 2.5


def test_close_with_idle_connections_is_quick_and_frees_the_port(http: requests.Session) -> None:
    server = serve(echo)
    http.get(server.url, timeout=5)
    begin = perf_counter()
    server.close()
    server.close()
    assert perf_counter() - begin < 1.0
    serve(echo, port=server.port).close()


def test_no_thread_is_left_after_close() -> None:
    before = set(threading.enumerate())
    serve(echo, threads=3).close()
    assert set(threading.enumerate()) == before


def test_port_in_use_is_a_precondition_that_names_the_address_and_what_to_do(
    server: Server,
) -> None:
    with pytest.raises(PreconditionError) as caught:
        serve(echo, "127.0.0.1", server.port)
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1 port {server.port}: the port is in use; end the process that uses "
        "it, or choose another port (0: any free one)"
    )


@pytest.mark.parametrize(
    ("host", "port", "says"),
    [
        ("192.0.2.1", 0, "not one of this machine's"),
        ("no such name", 0, "the address is not known"),
        ("127.0.0.1", 70_000, "a port is from 0 to 65535"),
    ],
)
def test_address_that_cannot_be_used_is_a_precondition(host: str, port: int, says: str) -> None:
    with pytest.raises(PreconditionError, match=says):
        serve(echo, host, port)


def test_body_over_the_limit_is_refused_before_the_application_is_called(
    http: requests.Session,
) -> None:
    called: list[Any] = []

    def records(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        called.append(environ)
        return echo(environ, start_response)

    with serve(records, max_body_bytes=1_000) as server:
        assert http.post(server.url, data=b"x" * 2_000, timeout=5).status_code == 413
    assert called == []


def test_application_that_fails_is_a_500_without_its_traceback(http: requests.Session) -> None:
    def fails(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise ZeroDivisionError("the secret cause")

    with serve(fails) as server:
        answer = http.get(server.url, timeout=5)
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_each_answer_is_logged_at_debug(
    http: requests.Session, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "doctor_maintenance.serving"), serve(echo) as server:
        http.get(f"{server.url}/v1/maintenance", timeout=5)
    assert "GET /v1/maintenance from 127.0.0.1: 200 OK" in caplog.messages


def test_https_is_served_with_a_certificate_and_its_key(tls: Tls, http: requests.Session) -> None:
    with serve(echo, tls=tls) as server:
        assert server.url == f"https://127.0.0.1:{server.port}"
        body = b"y" * 300_000
        for _ in range(3):
            answer = http.post(server.url, data=body, timeout=5, verify=str(tls.certificate))
            assert answer.content == b"https " + body


def test_client_that_never_finishes_its_handshake_holds_up_nobody(
    tls: Tls, http: requests.Session
) -> None:
    with serve(echo, threads=1, tls=tls) as server:
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        answer = http.get(server.url, timeout=3, verify=str(tls.certificate))
        assert answer.status_code == 200
        for each in silent:
            each.close()


def test_plain_http_to_an_https_port_gets_no_answer(tls: Tls, http: requests.Session) -> None:
    with serve(echo, tls=tls) as server, pytest.raises(requests.ConnectionError):
        http.get(f"http://127.0.0.1:{server.port}", timeout=3)


def test_https_accepts_nothing_older_than_tls_1_2(tls: Tls) -> None:
    with serve(echo, tls=tls) as server:
        client = ssl.create_default_context(cafile=str(tls.certificate))
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=3) as raw,
            client.wrap_socket(raw, server_hostname="127.0.0.1") as wrapped,
        ):
            assert wrapped.version() in {"TLSv1.2", "TLSv1.3"}


def test_closing_https_is_quick_and_leaves_no_thread(tls: Tls, http: requests.Session) -> None:
    before = set(threading.enumerate())
    server = serve(echo, tls=tls)
    http.get(server.url, timeout=3, verify=str(tls.certificate))
    begin = perf_counter()
    server.close()
    assert perf_counter() - begin < 1.0
    assert set(threading.enumerate()) == before


def test_https_files_that_do_not_belong_together_are_a_precondition(
    tls: Tls, tmp_path: Path
) -> None:
    other = make_certificate(tmp_path, "127.0.0.2")
    with pytest.raises(PreconditionError, match="belong together"):
        serve(echo, tls=Tls(tls.certificate, other.key))
    with pytest.raises(PreconditionError, match="there is none"):
        serve(echo, tls=Tls(tmp_path / "missing.pem", other.key))


def test_only_one_of_the_https_files_is_a_precondition() -> None:
    with pytest.raises(PreconditionError, match="only one is set"):
        Tls.from_settings("certificate.pem", None)
    assert Tls.from_settings(None, None) is None
    assert Tls.from_settings("a", "b") == Tls(Path("a"), Path("b"))
