# SPDX-License-Identifier: Apache-2.0
"""The probe on real sockets, against a responder that follows a script by sequence number."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import PreconditionError, UsageError
from doctor_maintenance.probe import LiveProbe, ProbeConfig, ProbeProtocol, Responder, ask_once
from doctor_maintenance.probe.wire import answer, encode_suffix

PATIENCE_S = 20.0
Script = Callable[[int], str | None]


class Scripted:
    """A service on loopback; ``script`` says who answers a probe, or None."""

    def __init__(self, protocol: ProbeProtocol, script: Script) -> None:
        self.script = script
        self.reached: dict[int, threading.Event] = {}
        self.highest = -1
        kind = socket.SOCK_DGRAM if protocol is ProbeProtocol.UDP else socket.SOCK_STREAM
        self.sock = socket.socket(socket.AF_INET, kind)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        serve = self.serve_udp if protocol is ProbeProtocol.UDP else self.serve_tcp
        if protocol is ProbeProtocol.TCP:
            self.sock.listen(64)
        self.thread = threading.Thread(target=serve, daemon=True)
        self.thread.start()

    def wait_for(self, seq: int) -> None:
        """Wait until a probe with this number or a higher one has come."""
        event = self.reached.setdefault(seq, threading.Event())
        if self.highest < seq:
            assert event.wait(PATIENCE_S), f"probe {seq} did not come; the last was {self.highest}"

    def reply(self, line: bytes) -> bytes | None:
        seq = int(line.split()[0])
        who = self.script(seq)
        self.highest = max(self.highest, seq)
        for awaited, event in list(self.reached.items()):
            if awaited <= self.highest:
                event.set()
        return None if who is None else answer(line, encode_suffix(Responder(who, f"id-{who}")))

    def serve_udp(self) -> None:
        while True:
            line, sender = self.sock.recvfrom(512)
            if not line:
                return
            reply = self.reply(line)
            if reply is not None:
                self.sock.sendto(reply, sender)

    def serve_tcp(self) -> None:
        held = []
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            line = client.recv(512)
            reply = self.reply(line) if line else None
            if reply is None:
                held.append(client)
                continue
            client.sendall(reply + b"\n")
            client.close()

    def close(self) -> None:
        if self.sock.type == socket.SOCK_DGRAM:
            self.sock.sendto(b"", ("127.0.0.1", self.port))
        else:
            self.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(PATIENCE_S)
        self.sock.close()


@contextmanager
def scripted(protocol: ProbeProtocol, script: Script) -> Iterator[Scripted]:
    service = Scripted(protocol, script)
    try:
        yield service
    finally:
        service.close()


def make_probe(service: Scripted, protocol: ProbeProtocol, **options: float) -> LiveProbe:
    config = ProbeConfig("127.0.0.1", service.port, protocol, **options)
    return LiveProbe(config, now=WallClock().now, nonce="test")


both = pytest.mark.parametrize("protocol", list(ProbeProtocol))


@both
def test_a_service_that_always_answers_loses_no_probe(protocol: ProbeProtocol) -> None:
    with scripted(protocol, lambda seq: "a") as service:
        probe = make_probe(service, protocol)
        probe.start()
        service.wait_for(20)
        report = probe.stop()

    assert report.sent >= 20
    assert (report.lost, report.pending, report.gaps) == (0, 0, ())
    assert [stretch.who for stretch in report.answers] == ["id-a"]


@both
def test_a_scripted_outage_is_found_with_its_probes(protocol: ProbeProtocol) -> None:
    def script(seq: int) -> str | None:
        return None if 10 <= seq < 20 else "a" if seq < 10 else "b"

    with scripted(protocol, script) as service:
        probe = make_probe(service, protocol, timeout_s=0.3)
        probe.start()
        service.wait_for(30)
        report = probe.stop()

    assert report.lost == 10
    (gap,) = report.gaps
    assert gap.lost == 10
    assert gap.lower_s < gap.upper_s
    assert gap.upper_s >= 0.1 - 0.001
    assert [stretch.who for stretch in report.answers] == ["id-a", "id-b"]


def test_nobody_listening_is_an_outage_and_no_error() -> None:
    with scripted(ProbeProtocol.UDP, lambda seq: "a") as service:
        pass
    probe = make_probe(service, ProbeProtocol.UDP, timeout_s=0.05)
    probe.start()
    report = probe.stop()

    assert report.lost == report.sent >= 1


def test_a_service_that_comes_back_after_refusing_connections_is_seen() -> None:
    with scripted(ProbeProtocol.UDP, lambda seq: None if seq == 0 else "a") as service:
        probe = make_probe(service, ProbeProtocol.UDP, timeout_s=0.05)
        probe.start()
        service.wait_for(5)
        report = probe.stop()

    assert report.lost == 1
    assert report.gaps[0].lost == 1


def test_answers_with_a_foreign_nonce_are_not_counted() -> None:
    with scripted(ProbeProtocol.UDP, lambda seq: "a") as service:
        service.reply = lambda line: line.replace(b"test", b"other") + b" a b"  # type: ignore[method-assign]
        probe = make_probe(service, ProbeProtocol.UDP, timeout_s=0.05)
        probe.start()
        report = probe.stop()

    assert report.lost == report.sent


def test_a_snapshot_shows_who_answers_now() -> None:
    with scripted(ProbeProtocol.UDP, lambda seq: "a") as service:
        probe = make_probe(service, ProbeProtocol.UDP)
        probe.start()
        service.wait_for(5)
        snapshot = probe.snapshot()
        probe.stop()

    assert snapshot.sent >= 5
    assert (snapshot.who, snapshot.lost, snapshot.silent_s) == ("id-a", 0, 0.0)


def test_stopping_twice_gives_the_same_report() -> None:
    with scripted(ProbeProtocol.UDP, lambda seq: "a") as service:
        probe = make_probe(service, ProbeProtocol.UDP)
        probe.start()
        service.wait_for(2)

        assert probe.stop() == probe.stop()


def test_a_probe_that_never_started_can_be_stopped() -> None:
    with scripted(ProbeProtocol.UDP, lambda seq: "a") as service:
        report = make_probe(service, ProbeProtocol.UDP).stop()

    assert (report.sent, report.lost) == (0, 0)


@pytest.mark.parametrize("protocol", list(ProbeProtocol))
def test_an_address_that_is_none_is_refused_at_once(protocol: ProbeProtocol) -> None:
    with pytest.raises(PreconditionError, match=r"cannot ask no\.such\.address"):
        LiveProbe(ProbeConfig("no.such.address", 7, protocol), now=WallClock().now, nonce="n")


@pytest.mark.parametrize(
    "options",
    [{"port": 0}, {"port": 65_536}, {"rate_hz": 0.0}, {"rate_hz": 1e6}, {"timeout_s": 0.0}],
)
def test_a_configuration_out_of_range_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected"):
        ProbeConfig(**{"address": "127.0.0.1", "port": 7, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_asking_once_says_who_answered(kind: socket.SocketKind) -> None:
    protocol = ProbeProtocol.UDP if kind == socket.SOCK_DGRAM else ProbeProtocol.TCP
    with scripted(protocol, lambda seq: "a" if seq == 3 else None) as service:
        address = ("127.0.0.1", service.port)

        assert ask_once(address, kind, 3, "n", PATIENCE_S) == Responder("a", "id-a")
        assert ask_once(address, kind, 4, "n", 0.05) is None
