# SPDX-License-Identifier: Apache-2.0
"""What can go wrong before a host has answered; commands that run are in simulator/test_hosts_ssh."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import (
    PreconditionError,
    RemoteError,
    RemoteTimeout,
    RemoteUnreachable,
)
from doctor_maintenance.remote import DROPPED, CommandResult, HostAddress, ParamikoRemote
from doctor_maintenance.workers import InlineWorkers

PATIENCE_S = 20.0


def private_key(passphrase: bytes | None = None) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, encryption
    )


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    key_file, known_hosts = tmp_path / "key", tmp_path / "known_hosts"
    key_file.write_bytes(private_key())
    known_hosts.write_text("")
    return {"key_file": str(key_file), "known_hosts": str(known_hosts)}


def make_remote(files: dict[str, str], connect_timeout_s: float = PATIENCE_S) -> ParamikoRemote:
    return ParamikoRemote(
        InlineWorkers(WallClock()), user="root", connect_timeout_s=connect_timeout_s, **files
    )


@contextmanager
def listening(says: bytes | None) -> Iterator[HostAddress]:
    """Something that is no SSH server: it says these bytes and hangs up, or nothing at all (None)."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        held: list[socket.socket] = []

        def serve() -> None:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            held.append(client)
            if says is not None:
                client.sendall(says)
                client.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve)
        thread.start()
        yield HostAddress("compute1", "127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_S)
        for client in held:
            client.close()


def error_of(remote: ParamikoRemote, host: HostAddress) -> RemoteError:
    with pytest.raises(RemoteError) as raised:
        remote.run_and_wait(host, "true", PATIENCE_S)
    assert raised.value.host == host.name
    assert host.name in str(raised.value)
    return raised.value


def test_a_port_where_nobody_listens_is_unreachable(files: dict[str, str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = HostAddress("compute1", "127.0.0.1", free.getsockname()[1])

        error = error_of(make_remote(files), host)

    assert isinstance(error, RemoteUnreachable)
    assert "check that the host is up and the port is right" in str(error)


def test_a_name_that_does_not_resolve_is_unreachable(files: dict[str, str]) -> None:
    error = error_of(make_remote(files), HostAddress("compute1", "host.invalid"))

    assert isinstance(error, RemoteUnreachable)


def test_a_server_that_says_nothing_times_out(files: dict[str, str]) -> None:
    with listening(None) as host:
        error = error_of(make_remote(files, connect_timeout_s=0.2), host)

    assert isinstance(error, RemoteTimeout)
    assert "no session within 0.2 s" in str(error)


def test_a_server_that_hangs_up_is_unreachable(files: dict[str, str]) -> None:
    with listening(b"") as host:
        assert isinstance(error_of(make_remote(files), host), RemoteUnreachable)


def test_a_server_that_speaks_something_else_is_an_error_of_the_host(
    files: dict[str, str],
) -> None:
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as host:
        error_of(make_remote(files, connect_timeout_s=2.0), host)


def test_a_connection_that_fails_leaves_no_socket_and_no_thread(files: dict[str, str]) -> None:
    before = set(threading.enumerate())
    with listening(b"") as host:
        error_of(make_remote(files), host)
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_nothing_is_written_to_the_log_when_a_host_cannot_be_reached(
    files: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), listening(b"") as host:
        error_of(make_remote(files), host)

    assert caplog.records == []


def test_a_key_file_that_is_missing_is_named(files: dict[str, str]) -> None:
    with pytest.raises(PreconditionError, match=r"ssh\.key_file.*/no/such/key.*No such file"):
        make_remote({**files, "key_file": "/no/such/key"})


def test_a_key_file_with_a_passphrase_is_refused(files: dict[str, str], tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.write_bytes(private_key(b"secret"))

    with pytest.raises(PreconditionError, match="has a passphrase"):
        make_remote({**files, "key_file": str(locked)})


@pytest.mark.parametrize("content", [b"", b"not a key", b"\x00\xff\x00", b"-----BEGIN X-----\nA\n"])
def test_a_key_file_that_holds_no_key_is_refused(
    files: dict[str, str], tmp_path: Path, content: bytes
) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(content)

    with pytest.raises(PreconditionError, match="no private key that can be used"):
        make_remote({**files, "key_file": str(bad)})


def test_a_known_hosts_file_that_is_missing_is_named(files: dict[str, str]) -> None:
    with pytest.raises(PreconditionError, match=r"ssh\.known_hosts.*/no/such/file"):
        make_remote({**files, "known_hosts": "/no/such/file"})


def test_a_dropped_connection_is_neither_success_nor_a_status_of_the_command() -> None:
    dropped = CommandResult(DROPPED)

    assert (dropped.ok, dropped.dropped) == (False, True)
    assert (CommandResult(0).ok, CommandResult(0).dropped) == (True, False)
