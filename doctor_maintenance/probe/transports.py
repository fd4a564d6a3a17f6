# SPDX-License-Identifier: Apache-2.0
"""How a probe travels: a datagram, or a TCP connection of its own.

Over TCP every probe makes a new connection. A connection that is kept was refused: when its address moves to
another instance it breaks once and is dead from then on, which says nothing about what a new client
of the service sees; and one that survives in the kernel's buffers hides an outage.
"""

from __future__ import annotations

import selectors
import socket
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing
from typing import Protocol

from doctor_maintenance.probe.wire import MAX_LINE, Responder, decode_answer, encode_probe

Address = tuple[str, int]
Answer = tuple[int, Responder]


class Transport(Protocol):
    """Sends probes and yields answers; every socket of it is in the prober's selector."""

    def send(self, seq: int, now: float) -> None:
        """Send a probe; one that cannot be sent is a probe without an answer."""

    def ready(self, key: selectors.SelectorKey, events: int) -> Iterator[Answer]:
        """Handle a socket that the selector reported, and yield the answers that came."""

    def expire(self, now: float) -> None:
        """Give up what has waited too long."""

    def close(self) -> None:
        """Close every socket."""


class UdpTransport:
    """All probes through one datagram socket.

    It is connected, so that only packets of the probed address are read.

    Args:
        selector: where the socket is registered.
        address: whom to ask.
        nonce: the nonce of this probe.
        give_up_s: not used: a late datagram is read whenever it comes.

    Raises:
        OSError: the address is none, or there is no route to it.
    """

    def __init__(
        self, selector: selectors.BaseSelector, address: Address, nonce: str, give_up_s: float
    ) -> None:
        self._nonce = nonce
        self._socket = make_socket(address, socket.SOCK_DGRAM)
        try:
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise
        selector.register(self._socket, selectors.EVENT_READ)

    def send(self, seq: int, now: float) -> None:
        """Send a datagram; if the network refuses it, the probe stays without an answer."""
        try:
            self._socket.send(encode_probe(seq, self._nonce))
        except OSError:
            return

    def ready(self, key: selectors.SelectorKey, events: int) -> Iterator[Answer]:
        """Read every datagram that is there."""
        while True:
            try:
                line = self._socket.recv(MAX_LINE)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of an earlier probe; reading it clears it
            answer = decode_answer(line, self._nonce)
            if answer is not None:
                yield answer

    def expire(self, now: float) -> None:
        """Do nothing: waiting for a datagram costs nothing."""

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class _Connection:
    """One probe's TCP connection."""

    __slots__ = ("buffer", "opened_at", "seq", "socket")

    def __init__(self, sock: socket.socket, seq: int, opened_at: float) -> None:
        self.socket = sock
        self.seq = seq
        self.opened_at = opened_at
        self.buffer = b""


class TcpTransport:
    """A new connection for every probe.

    Args:
        selector: where the sockets are registered.
        address: whom to ask.
        nonce: the nonce of this probe.
        give_up_s: how long a connection is kept open for its answer.

    Raises:
        OSError: the address is none.
    """

    def __init__(
        self, selector: selectors.BaseSelector, address: Address, nonce: str, give_up_s: float
    ) -> None:
        make_socket(address, socket.SOCK_STREAM).close()
        self._selector = selector
        self._address = address
        self._nonce = nonce
        self._give_up_s = give_up_s
        self._open: OrderedDict[int, _Connection] = OrderedDict()

    def send(self, seq: int, now: float) -> None:
        """Begin a connection; the probe follows when it stands."""
        try:
            sock = make_socket(self._address, socket.SOCK_STREAM)
        except OSError:
            return
        connection = _Connection(sock, seq, now)
        try:
            sock.connect(self._address)
        except BlockingIOError:
            pass
        except OSError:
            sock.close()
            return
        self._open[seq] = connection
        self._selector.register(sock, selectors.EVENT_WRITE, connection)

    def ready(self, key: selectors.SelectorKey, events: int) -> Iterator[Answer]:
        """Send the probe on a connection that stands, or read its answer."""
        connection = key.data
        if not isinstance(connection, _Connection) or connection.seq not in self._open:
            return
        try:
            if events & selectors.EVENT_WRITE:
                connection.socket.send(encode_probe(connection.seq, self._nonce) + b"\n")
                self._selector.modify(connection.socket, selectors.EVENT_READ, connection)
                return
            received = connection.socket.recv(MAX_LINE)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)
            return
        connection.buffer += received
        if received and b"\n" not in connection.buffer and len(connection.buffer) < MAX_LINE:
            return
        self._drop(connection)
        answer = decode_answer(connection.buffer.partition(b"\n")[0], self._nonce)
        if answer is not None and answer[0] == connection.seq:
            yield answer

    def expire(self, now: float) -> None:
        """Close the connections that were opened too long ago."""
        while self._open:
            oldest = next(iter(self._open.values()))
            if oldest.opened_at + self._give_up_s > now:
                return
            self._drop(oldest)

    def close(self) -> None:
        """Close every connection."""
        for connection in list(self._open.values()):
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        del self._open[connection.seq]
        self._selector.unregister(connection.socket)
        connection.socket.close()


def make_socket(address: Address, kind: socket.SocketKind) -> socket.socket:
    """Return a socket that does not block, of the address's family.

    Raises:
        OSError: the address is not an IP address, or there is no socket to be had.
    """
    family = socket.getaddrinfo(*address, type=kind, flags=socket.AI_NUMERICHOST)[0][0]
    sock = socket.socket(family, kind)
    sock.setblocking(False)
    return sock


def ask_once(
    address: Address, kind: socket.SocketKind, seq: int, nonce: str, timeout_s: float
) -> Responder | None:
    """Ask the service once and wait for its answer (for a worker thread; it blocks).

    Args:
        address: whom to ask.
        kind: ``SOCK_DGRAM`` or ``SOCK_STREAM``.
        seq: the number of the question (0 or more).
        nonce: see :func:`doctor_maintenance.probe.wire.check_nonce`.
        timeout_s: how long to wait for each part of the answer.

    Returns:
        Who answered, or None.
    """
    with closing(make_socket(address, kind)) as sock:
        sock.settimeout(timeout_s)
        end = b"\n" if kind == socket.SOCK_STREAM else b""
        try:
            sock.connect(address)
            sock.send(encode_probe(seq, nonce) + end)
            line = sock.recv(MAX_LINE)
        except OSError:
            return None
    answer = decode_answer(line, nonce)
    return answer[1] if answer is not None and answer[0] == seq else None
