# SPDX-License-Identifier: Apache-2.0
"""SSH on every simulated host: its own address, its own host key, and only while the machine runs.

One thread accepts for all hosts and writes the answers; each connection has the library's own thread while it
lasts. What a command comes to is decided on the cloud's clock, where the cloud's state is, and takes the
cloud's time. Nothing is executed on this machine.
"""

from __future__ import annotations

import heapq
import hmac
import itertools
import logging
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

import paramiko

from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.remote import HostAddress
from doctor_maintenance.simulator.events import CloudEvent
from doctor_maintenance.simulator.hosts import CommandAnswer, CommandTable, HostCloud, perform
from doctor_maintenance.simulator.ssh_connection import Connection
from doctor_maintenance.simulator.ssh_keys import known_hosts, new_key

LOG = logging.getLogger(__name__)

MAX_CONNECTIONS = 256
LOGIN_TIMEOUT_S = 30.0
_CLOSE_AFTER_S = 0.25
_SEND_TIMEOUT_S = 1.0
_REBIND_AFTER_S = 0.1
_PORT_ATTEMPTS = 10


class SshHosts:
    """The SSH servers of a cloud's hosts.

    Args:
        cloud: the simulated cloud.
        table: what the hosts' shells know.
        client_key: the key that may log in; only its public part is used.
        user: the user who may log in; None: any name.
        port: the port on every host; 0: one that is free on all of them.
        host_keys: host keys by host name; hosts without one get a new one.
    """

    def __init__(
        self,
        cloud: HostCloud,
        *,
        table: CommandTable,
        client_key: paramiko.PKey,
        user: str | None = None,
        port: int = 0,
        host_keys: Mapping[str, paramiko.PKey] | None = None,
    ) -> None:
        self._cloud = cloud
        self._table = table
        self._client_key = client_key
        self._user = user
        self._port = port
        self._names = list(cloud.compute.hosts)
        self._addresses = {name: host.address for name, host in cloud.compute.hosts.items()}
        given = host_keys or {}
        self._keys = {name: given.get(name) or new_key() for name in self._names}
        self._selector = selectors.DefaultSelector()
        self._wake_up, self._woken = socket.socketpair()
        self._wake_up.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._tasks: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._listeners: dict[str, socket.socket] = {}
        self._connections: list[Connection] = []
        self._thread = threading.Thread(target=self._run, name="ssh-hosts", daemon=True)
        self._closing = False
        self._unsubscribe: Callable[[], None] = _nothing

    @property
    def port(self) -> int:
        """The port on every host; known from :meth:`start` on."""
        return self._port

    @property
    def addresses(self) -> dict[str, HostAddress]:
        """Where each host answers."""
        return {
            name: HostAddress(name, address, self._port)
            for name, address in self._addresses.items()
        }

    @property
    def known_hosts(self) -> str:
        """The hosts' keys, as lines of a known_hosts file."""
        return known_hosts(self._keys, self._addresses, self._port)

    def start(self) -> None:
        """Listen on every host that runs.

        Raises:
            PreconditionError: an address or the port is not to be had.
        """
        self._bind_all()
        for name, listener in self._listeners.items():
            self._selector.register(listener, selectors.EVENT_READ, name)
        clock = self._cloud.clock
        self._unsubscribe = clock.call(lambda: self._cloud.subscribe(self._on_event))
        self._thread.start()
        self.do(self._follow_power)

    def close(self) -> None:
        """Cut every connection, listen no more and end the thread."""
        self._closing = True
        self._cloud.clock.call(self._unsubscribe)
        if self._thread.is_alive():
            self._wake()
            self._thread.join()
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()

    # Called on the clock and by connections' threads

    def begin(self, connection: Connection, channel: paramiko.Channel, command: str) -> None:
        """Take a command of a connection; it is decided on the clock and answered by our thread."""
        self._cloud.clock.call_later(0.0, lambda: self._decide(connection, channel, command))

    def allows(self, user: str, key: paramiko.PKey) -> bool:
        """Return whether a user with a key may log in."""
        same_key = hmac.compare_digest(key.asbytes(), self._client_key.asbytes())
        return same_key and self._user in (None, user)

    def _decide(self, connection: Connection, channel: paramiko.Channel, command: str) -> None:
        if not self._still_up(connection):
            return
        answer = perform(self._cloud, self._table, connection.host, command)
        LOG.debug("host %s: %r answers %s", connection.host, command, answer)
        if answer is not None:
            self._cloud.clock.call_later(
                answer.duration_s, lambda: self._finish(connection, channel, answer)
            )

    def _finish(
        self, connection: Connection, channel: paramiko.Channel, answer: CommandAnswer
    ) -> None:
        if self._still_up(connection):
            self.do(lambda: self._reply(connection, channel, answer))

    def _still_up(self, connection: Connection) -> bool:
        host = self._cloud.compute.hosts[connection.host]
        return host.powered and host.boot_id == connection.boot_id

    def _on_event(self, event: CloudEvent) -> None:
        if event.kind == "host":
            self.do(self._follow_power)

    def do(self, task: Callable[[], None]) -> None:
        """Run a task on the servers' thread, after everything that it was told before."""
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
            for connection in self._connections:
                connection.cut()
            self._selector.close()
            self._wake_up.close()
            self._woken.close()

    def _turn(self) -> None:
        try:
            for key, _ in self._selector.select(self._wait_s()):
                if key.fileobj is self._woken:
                    self._woken.recv(4096)
                else:
                    self._accept(str(key.data))
            while self._tasks:
                self._tasks.popleft()()
            while self._timers and self._timers[0][0] <= time.monotonic():
                heapq.heappop(self._timers)[2]()
        except Exception:
            LOG.exception("the SSH servers of the hosts go on after a failure")

    def _later(self, delay_s: float, task: Callable[[], None]) -> None:
        """Run a task on our thread after a time that is real, whatever the pace of the cloud's."""
        heapq.heappush(self._timers, (time.monotonic() + delay_s, next(self._order), task))

    def _wait_s(self) -> float | None:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _accept(self, name: str) -> None:
        listener = self._listeners.get(name)
        if listener is None:
            return
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        self._connections = [entry for entry in self._connections if entry.alive]
        boot_id, fault = self._cloud.clock.call(
            lambda: (
                self._cloud.compute.hosts[name].boot_id,
                self._cloud.faults.decide("host.connect", host=name),
            )
        )
        behaviour = "" if fault is None else fault.name
        if behaviour == "ssh_refused" or len(self._connections) >= MAX_CONNECTIONS:
            _reset(sock)
            return
        connection = Connection(self, name, boot_id, sock)
        self._connections.append(connection)
        if behaviour != "ssh_hangs":
            changed = behaviour == "ssh_host_key_changed"
            connection.talk(new_key() if changed else self._keys[name])
        self._later(LOGIN_TIMEOUT_S, connection.cut_unless_logged_in)

    def _reply(
        self, connection: Connection, channel: paramiko.Channel, answer: CommandAnswer
    ) -> None:
        try:
            channel.settimeout(_SEND_TIMEOUT_S)
            channel.sendall(answer.stdout.encode())
            channel.sendall_stderr(answer.stderr.encode())
            channel.send_exit_status(answer.status)
            channel.shutdown_write()
        except (OSError, EOFError, paramiko.SSHException) as error:
            LOG.debug("host %s: the client did not wait for an answer: %s", connection.host, error)
        # A client that has what it wants closes first. Closing here at once could overtake the library's own
        # confirmation of the command, which its thread may not have sent yet.
        self._later(_CLOSE_AFTER_S, channel.close)
        if answer.reboots:
            self._cloud.clock.call(lambda: self._cloud.compute.machines.reboot(connection.host))

    def _follow_power(self) -> None:
        """Listen on the hosts that run, and cut what was connected to those that stopped or rebooted."""
        boots = self._cloud.clock.call(
            lambda: {
                name: host.boot_id if host.powered else None
                for name, host in self._cloud.compute.hosts.items()
            }
        )
        for name, boot_id in boots.items():
            for connection in self._connections:
                if connection.host == name and connection.boot_id != boot_id:
                    connection.cut()
            if boot_id is None:
                self._close_listener(name)
            else:
                self._open_listener(name)

    def _open_listener(self, name: str) -> None:
        if name in self._listeners:
            return
        try:
            listener = _listen(self._addresses[name], self._port)
        except OSError as error:
            LOG.warning("host %s: cannot listen yet: %s", name, error)
            self._later(_REBIND_AFTER_S, self._follow_power)
            return
        self._listeners[name] = listener
        self._selector.register(listener, selectors.EVENT_READ, name)

    def _close_listener(self, name: str) -> None:
        listener = self._listeners.pop(name, None)
        if listener is not None:
            self._selector.unregister(listener)
            listener.close()

    def _bind_all(self) -> None:
        attempts = 1 if self._port else _PORT_ATTEMPTS
        for attempt in range(1, attempts + 1):
            port = self._port
            try:
                for name in self._names:
                    listener = _listen(self._addresses[name], port)
                    self._listeners[name] = listener
                    port = listener.getsockname()[1]
            except OSError as error:
                for listener in self._listeners.values():
                    listener.close()
                self._listeners.clear()
                if attempt == attempts:
                    raise PreconditionError(
                        f"SSH of host {name}: cannot listen on {self._addresses[name]} port {port or 'any'}: "
                        f"{error.strerror or error}; end what uses it, choose another port (below 1024 "
                        "needs root), or another address block"
                    ) from error
            else:
                self._port = port
                return


def _nothing() -> None:
    return None


def _listen(address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(64)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _reset(sock: socket.socket) -> None:
    """Close a connection as a port where nobody listens does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
