# SPDX-License-Identifier: Apache-2.0
"""Floating IPs that answer: UDP and TCP on the address itself, while the instance behind it runs and has booted.

So the probe on a simulated cloud is the probe on a real one. Who answers is asked of the model at the moment a
packet is read, not remembered from events: a guest that stands still for a moment changes nothing
that an event would tell of. An address with nobody behind it is silent, as in a real network: datagrams
are not answered, and a TCP client waits.

One thread serves all addresses; it takes the cloud's clock once for everything that is there to be read.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import zlib
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.probe.wire import MAX_LINE, Responder, answer, encode_suffix
from doctor_maintenance.simulator.events import CloudEvent

LOG = logging.getLogger(__name__)

MAX_CONNECTIONS = 1024
"""TCP connections at the same time, of all addresses; one more ends the oldest."""

_DATAGRAMS_AT_ONCE = 64


class AddressModel(Protocol):
    """What is used here of the network model."""

    def floating_addresses(self) -> Iterable[str]:
        """Every floating IP that exists, with or without an instance."""

    def answerers(self, address: str) -> Sequence[str]:
        """The instances that share a floating IP now: one or none, unless something is wrong."""


class GuestModel(Protocol):
    """What is used here of the compute model."""

    @property
    def instances(self) -> Mapping[str, Any]:
        """Every instance by its ID; it has a ``name``."""

    def serves(self, instance_id: str) -> bool:
        """Whether an instance's guest executes and has booted."""


class AddressCloud(Protocol):
    """What is used here of a simulated cloud."""

    @property
    def clock(self) -> Clock:
        """The cloud's clock."""

    @property
    def network(self) -> AddressModel:
        """Its addresses."""

    @property
    def compute(self) -> GuestModel:
        """Its instances."""

    def subscribe(self, callback: Callable[[CloudEvent], None]) -> Callable[[], None]:
        """Tell of every change of state, until what is returned is called."""


@dataclass(slots=True)
class Counts:
    """What an address was asked, over UDP and TCP together.

    Attributes:
        received: probes that were read.
        answered: those that were answered.
        malformed: packets and lines that were no probe.
    """

    received: int = 0
    answered: int = 0
    malformed: int = 0


def who_answers(cloud: AddressCloud, address: str, turn: int = 0) -> Responder | None:
    """Return the instance that answers on a floating IP now, if any; to be called on the cloud's clock.

    Args:
        cloud: the simulated cloud.
        address: the floating IP.
        turn: whose turn it is, where several share the address.
    """
    sharing = cloud.network.answerers(address)
    if not sharing:
        return None
    instance_id = sharing[turn % len(sharing)]
    if not cloud.compute.serves(instance_id):
        return None
    return Responder(cloud.compute.instances[instance_id].name, instance_id)


class DataPlane:
    """Answers on every floating IP of a simulated cloud.

    Args:
        cloud: the simulated cloud.
        port: the service's UDP and TCP port on every address (1 to 65535); 0: one that is free for the first
            address, then the same for all.
    """

    def __init__(self, cloud: AddressCloud, port: int) -> None:
        self._cloud = cloud
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._wake_up, self._woken = socket.socketpair()
        self._wake_up.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._tasks: deque[Callable[[], None]] = deque()
        self._points: dict[str, tuple[socket.socket, socket.socket]] = {}
        self._clients: OrderedDict[socket.socket, _Client] = OrderedDict()
        self._counts: dict[str, Counts] = {}
        self._thread = threading.Thread(target=self._run, name="data-plane", daemon=True)
        self._closing = False
        self._unsubscribe: Callable[[], None] = _nothing

    @property
    def port(self) -> int:
        """The service's port; if it was 0, it is known when the first address answers."""
        return self._port

    @property
    def counts(self) -> dict[str, Counts]:
        """What each address was asked so far."""
        return dict(self._counts)

    def start(self) -> None:
        """Answer on the addresses that exist, and on new ones as soon as they do.

        Raises:
            PreconditionError: an address or the port is not to be had.
        """
        clock = self._cloud.clock
        self._unsubscribe = clock.call(lambda: self._cloud.subscribe(self._on_event))
        for address in self._addresses():
            try:
                self._open(address)
            except OSError as error:
                self.close()
                raise PreconditionError(_cannot(address, self._port, error)) from error
        self._thread.start()

    def close(self) -> None:
        """Answer no more, and end the thread."""
        self._closing = True
        self._cloud.clock.call(self._unsubscribe)
        if self._thread.is_alive():
            self._wake()
            self._thread.join()
            return
        self._close_all()

    def _addresses(self) -> list[str]:
        network = self._cloud.network
        return self._cloud.clock.call(lambda: sorted(network.floating_addresses()))

    def _on_event(self, event: CloudEvent) -> None:
        if event.kind == "address":
            self.do(self._follow_addresses)

    def do(self, task: Callable[[], None]) -> None:
        """Run a task on the plane's thread, after everything that it was told before."""
        self._tasks.append(task)
        self._wake()

    def _wake(self) -> None:
        try:
            self._wake_up.send(b"x")
        except OSError:
            return  # it will wake for the bytes that are there already, or has ended

    # Our thread

    def _run(self) -> None:
        try:
            while not self._closing:
                self._turn()
        finally:
            self._close_all()

    def _turn(self) -> None:
        try:
            probes: list[_Probe] = []
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    self._woken.recv(4096)
                else:
                    key.data(probes)
            while self._tasks:
                self._tasks.popleft()()
            if probes:
                self._answer(probes)
        except Exception:
            LOG.exception("the floating IPs go on after a failure")

    def _answer(self, probes: list[_Probe]) -> None:
        # Whose turn it is comes from the question, so that two askers do not share the turns between them.
        turns = [(probe.address, zlib.crc32(probe.line) & 1) for probe in probes]
        responders = self._cloud.clock.call(
            lambda: {turn: who_answers(self._cloud, *turn) for turn in set(turns)}
        )
        for probe, turn in zip(probes, turns, strict=True):
            counts = self._counts[probe.address]
            responder = responders[turn]
            suffix = b"" if responder is None else encode_suffix(responder)
            reply = answer(probe.line, suffix)
            if reply is None:
                counts.malformed += 1
                continue
            counts.received += 1
            if responder is not None and probe.reply(reply):
                counts.answered += 1

    def _follow_addresses(self) -> None:
        wanted = set(self._addresses())
        for address in sorted(wanted - set(self._points)):
            try:
                self._open(address)
            except OSError as error:
                LOG.error("%s", _cannot(address, self._port, error))
        for address in sorted(set(self._points) - wanted):
            for sock in self._points.pop(address):
                self._selector.unregister(sock)
                sock.close()

    def _open(self, address: str) -> None:
        listener = _bind(socket.SOCK_STREAM, address, self._port)
        try:
            listener.listen(256)
            datagrams = _bind(socket.SOCK_DGRAM, address, listener.getsockname()[1])
        except OSError:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        self._points[address] = (listener, datagrams)
        self._counts.setdefault(address, Counts())
        read = selectors.EVENT_READ
        self._selector.register(listener, read, lambda _: self._accept(address, listener))
        self._selector.register(
            datagrams, read, lambda probes: _read_datagrams(address, datagrams, probes)
        )

    def _accept(self, address: str, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        if len(self._clients) >= MAX_CONNECTIONS:
            self._drop(next(iter(self._clients)))
        self._clients[sock] = client = _Client(address, sock)
        self._selector.register(
            sock, selectors.EVENT_READ, lambda probes: self._read_client(client, probes)
        )

    def _read_client(self, client: _Client, probes: list[_Probe]) -> None:
        if client.sock in self._clients and not client.read(probes):
            self._drop(client.sock)

    def _drop(self, sock: socket.socket) -> None:
        del self._clients[sock]
        self._selector.unregister(sock)
        sock.close()

    def _close_all(self) -> None:
        for points in self._points.values():
            for sock in points:
                sock.close()
        for sock in self._clients:
            sock.close()
        self._points.clear()
        self._clients.clear()
        self._selector.close()
        self._wake_up.close()
        self._woken.close()


@dataclass(frozen=True, slots=True)
class _Probe:
    """A line that came for an address, and how to answer it; ``reply`` says whether that worked."""

    address: str
    line: bytes
    reply: Callable[[bytes], bool]


class _Client:
    """A TCP client of an address."""

    __slots__ = ("_buffer", "address", "sock")

    def __init__(self, address: str, sock: socket.socket) -> None:
        self.address = address
        self.sock = sock
        self._buffer = b""

    def read(self, probes: list[_Probe]) -> bool:
        """Add every whole line to ``probes``; return False when the client is done with or talks nonsense."""
        try:
            received = self.sock.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        *lines, self._buffer = (self._buffer + received).split(b"\n")
        probes.extend(_Probe(self.address, line, self._reply) for line in lines)
        return bool(received) and len(self._buffer) <= MAX_LINE

    def _reply(self, line: bytes) -> bool:
        try:
            return self.sock.send(line + b"\n") == len(line) + 1
        except OSError:
            return False


def _read_datagrams(address: str, sock: socket.socket, probes: list[_Probe]) -> None:
    for _ in range(_DATAGRAMS_AT_ONCE):
        try:
            line, sender = sock.recvfrom(MAX_LINE)
        except OSError:
            return
        probes.append(_Probe(address, line, _datagram_reply(sock, sender)))


def _datagram_reply(sock: socket.socket, sender: Any) -> Callable[[bytes], bool]:
    def reply(line: bytes) -> bool:
        try:
            sock.sendto(line, sender)
        except OSError:
            return False
        return True

    return reply


def _bind(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    try:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _nothing() -> None:
    return None


def _cannot(address: str, port: int, error: OSError) -> str:
    return (
        f"floating IP {address}: cannot answer on port {port}: {error.strerror or error}; end what uses it (another "
        "simulator?), or choose another port or address block"
    )
