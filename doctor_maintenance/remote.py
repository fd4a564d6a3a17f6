# SPDX-License-Identifier: Apache-2.0
"""Commands on hosts over SSH, with the host's key verified and every failure named.

A caller asks on the clock and is answered on the clock; the blocking part is in a worker. Each command has a
connection of its own: a check that rides on a connection made before a reboot proves nothing about
the host of now, and a connection that nobody keeps cannot leak.

The seam is :class:`Remote`: :class:`ParamikoRemote` is the real one, and a simulated cloud has
another that answers in virtual time.
"""

from __future__ import annotations

import logging
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import paramiko

from doctor_maintenance.exceptions import (
    RemoteAuthError,
    RemoteError,
    RemoteHostKeyError,
    RemoteTimeout,
    RemoteUnreachable,
)
from doctor_maintenance.remote_keys import (
    UnknownHostKeyError,
    UnknownKeyPolicy,
    fingerprint,
    known_name,
    load_key,
    load_known_hosts,
)
from doctor_maintenance.workers import Outcome, Workers

LOG = logging.getLogger(__name__)

DROPPED = -1
"""The exit status of a command whose connection went away after the command had been sent."""

MAX_OUTPUT_BYTES = 1_048_576
"""What is kept of a command's output and of its errors, each; the rest is read and forgotten."""

_LIBRARY_LOG = "doctor_maintenance.remote.paramiko"
# The library writes a traceback for every connection that breaks; here that is an answer, told as an error.
logging.getLogger(_LIBRARY_LOG).setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class HostAddress:
    """Where a host answers.

    Attributes:
        name: the host's name, as Nova has it.
        address: an IP address or a name that resolves.
        port: of SSH.
    """

    name: str
    address: str
    port: int = 22


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended.

    Attributes:
        status: the exit status, or :data:`DROPPED`.
        stdout: its output, as text.
        stderr: its errors, as text.
    """

    status: int
    stdout: str = ""
    stderr: str = ""

    @property
    def ok(self) -> bool:
        """Whether the command said that it succeeded."""
        return self.status == 0

    @property
    def dropped(self) -> bool:
        """Whether the connection went away before the command could say how it ended.

        For a reboot that is success; for anything else the outcome is not known.
        """
        return self.status == DROPPED


Done = Callable[[Outcome[CommandResult]], None]


class Remote(Protocol):
    """Somebody who runs commands on hosts."""

    def run(self, host: HostAddress, command: str, timeout_s: float, done: Done) -> None:
        """Run a command on a host.

        Args:
            host: where.
            command: one line for the host's shell; never made of what came over the network.
            timeout_s: how long the command may take once the connection stands.
            done: called on the clock with the result, or with a ``RemoteError`` if the command was not
                run or did not end in time. A connection that is lost after the command was sent is a
                result with the status :data:`DROPPED`.
        """


class ParamikoRemote:
    """Runs commands over SSH.

    Args:
        workers: who does the blocking.
        user: the user on the hosts.
        key_file: the private key; None: the agent's and the user's own keys.
        known_hosts: the hosts' keys in OpenSSH's format, by address or by name; None: the user's own
            ``~/.ssh/known_hosts``.
        accept_unknown: accept a host without a known key. Its key is kept as long as this object, and
            one that changes meanwhile is refused.
        connect_timeout_s: for each of connecting, negotiating and logging in (> 0).

    Raises:
        PreconditionError: a file is missing or is not what it should be.
    """

    def __init__(
        self,
        workers: Workers,
        *,
        user: str,
        key_file: str | None = None,
        known_hosts: str | None = None,
        accept_unknown: bool = False,
        connect_timeout_s: float = 10.0,
    ) -> None:
        self._workers = workers
        self._user = user
        self._key = None if key_file is None else load_key(Path(key_file))
        self._known = load_known_hosts(None if known_hosts is None else Path(known_hosts))
        self._accept_unknown = accept_unknown
        self._connect_timeout_s = connect_timeout_s

    def run(self, host: HostAddress, command: str, timeout_s: float, done: Done) -> None:
        """Run a command in a worker; see :meth:`Remote.run`."""
        self._workers.submit(lambda: self.run_and_wait(host, command, timeout_s), done)

    def run_and_wait(self, host: HostAddress, command: str, timeout_s: float) -> CommandResult:
        """Run a command in the caller's thread.

        Raises:
            RemoteUnreachable: the host accepts no connection, or dropped it before the command.
            RemoteTimeout: it does not answer, or the command did not end in time.
            RemoteHostKeyError: its key is unknown or not the one that is known.
            RemoteAuthError: it does not let us in.
            RemoteError: something else went wrong.
        """
        with paramiko.SSHClient() as client:
            self._connect(client, host)
            result = _execute(client, host, command, timeout_s)
        LOG.debug("host %s: %r ended with status %d", host.name, command, result.status)
        return result

    def _connect(self, client: paramiko.SSHClient, host: HostAddress) -> None:
        client.set_log_channel(_LIBRARY_LOG)
        client.set_missing_host_key_policy(UnknownKeyPolicy(self._known, self._accept_unknown))
        self._tell_known_keys(client, host)
        limit_s = self._connect_timeout_s
        where = f"host {host.name} ({host.address} port {host.port})"
        try:
            client.connect(
                host.address,
                port=host.port,
                username=self._user,
                pkey=self._key,
                allow_agent=self._key is None,
                look_for_keys=self._key is None,
                timeout=limit_s,
                banner_timeout=limit_s,
                auth_timeout=limit_s,
                channel_timeout=limit_s,
            )
        except paramiko.BadHostKeyException as error:
            raise RemoteHostKeyError(
                f"{where}: expected the host key {fingerprint(error.expected_key)}, found "
                f"{fingerprint(error.key)}; if the host was installed anew, replace its line in the "
                "known_hosts file, otherwise somebody else answers at its address",
                host=host.name,
            ) from error
        except UnknownHostKeyError as error:
            raise RemoteHostKeyError(
                f"{where}: no key is known for it, found {fingerprint(error.key)}; verify it and add it to "
                "the known_hosts file (ssh-keyscan), or accept unknown hosts by ssh.accept_unknown",
                host=host.name,
            ) from error
        except paramiko.AuthenticationException as error:
            raise RemoteAuthError(
                f"{where}: expected to log in as {self._user} with a key, found {error}; add the public key to "
                "the authorized_keys of that user on the host",
                host=host.name,
            ) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise _connection_error(where, host.name, limit_s, error) from error

    def _tell_known_keys(self, client: paramiko.SSHClient, host: HostAddress) -> None:
        """Give the client the host's keys under the name that it will look for."""
        wanted = known_name(host.address, host.port)
        for name in (wanted, host.address, known_name(host.name, host.port), host.name):
            keys = self._known.lookup(name)
            if keys is not None:
                for kind in keys:
                    client.get_host_keys().add(wanted, kind, keys[kind])
                return


def _connection_error(where: str, host: str, limit_s: float, error: Exception) -> RemoteError:
    """Translate what went wrong before a command could be sent."""
    if isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
        reasons = "; ".join(sorted({str(reason) for reason in error.errors.values()}))
        return RemoteUnreachable(
            f"{where}: expected SSH to answer, found: {reasons}; check that the host is up and the "
            "port is right",
            host=host,
        )
    if isinstance(error, TimeoutError):
        return RemoteUnreachable(
            f"{where}: no connection within {limit_s:g} s; check that the host is up and not "
            "behind a firewall",
            host=host,
        )
    if isinstance(error, OSError):
        return RemoteUnreachable(f"{where}: no connection: {error}", host=host)
    cause = error.__cause__ or error.__context__
    if isinstance(error, EOFError) or isinstance(cause, (EOFError, ConnectionError)):
        return RemoteUnreachable(
            f"{where}: the connection was dropped before a command could be sent; the host may be "
            "going down or coming up, try again",
            host=host,
        )
    return RemoteTimeout(
        f"{where}: a connection was made and no session within {limit_s:g} s: {error}; check that "
        "it is SSH that listens there",
        host=host,
    )


def _execute(
    client: paramiko.SSHClient, host: HostAddress, command: str, timeout_s: float
) -> CommandResult:
    transport = client.get_transport()
    if transport is None:
        return CommandResult(DROPPED)
    try:
        channel = transport.open_session(timeout=timeout_s)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise RemoteUnreachable(
            f"host {host.name}: the connection stands and opens no session for a command: {error}; the host "
            "may be going down, try again",
            host=host.name,
        ) from error
    with _closing(channel):
        try:
            channel.exec_command(command)
        except (OSError, EOFError, paramiko.SSHException):
            if transport.is_active():
                raise RemoteError(
                    f"host {host.name}: its SSH server refuses to run commands", host=host.name
                ) from None
            return CommandResult(DROPPED)
        return _Reader(channel, timeout_s).read(host, command)


@contextmanager
def _closing(channel: paramiko.Channel) -> Iterator[None]:
    """Close the channel at the end; that the host is gone by then takes nothing from the result."""
    try:
        yield
    finally:
        with suppress(OSError, EOFError, paramiko.SSHException):
            channel.close()


class _Reader:
    """Reads output and errors together until the command has ended, so that neither can fill up and block."""

    def __init__(self, channel: paramiko.Channel, timeout_s: float) -> None:
        self._channel = channel
        self._timeout_s = timeout_s
        # A worker waits for a real host, so this is real time whatever the clock of the program does.
        self._deadline = time.monotonic() + timeout_s
        self._stdout = bytearray()
        self._stderr = bytearray()

    def read(self, host: HostAddress, command: str) -> CommandResult:
        """Return the result, or raise ``RemoteTimeout``."""
        channel = self._channel
        with selectors.DefaultSelector() as selector:
            selector.register(channel, selectors.EVENT_READ)
            while not channel.eof_received and not channel.closed:
                if not selector.select(self._left_s()):
                    raise self._timeout(host, command)
                self._drain()
        self._drain()
        # The end of the output may come before the exit status; a lost connection counts as one, -1.
        if not channel.status_event.wait(self._left_s()):
            raise self._timeout(host, command)
        return CommandResult(channel.exit_status, _text(self._stdout), _text(self._stderr))

    def _left_s(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _timeout(self, host: HostAddress, command: str) -> RemoteTimeout:
        return RemoteTimeout(
            f"host {host.name}: {command!r} did not end within {self._timeout_s:g} s; it may still "
            "run there",
            host=host.name,
        )

    def _drain(self) -> None:
        channel = self._channel
        try:
            while channel.recv_ready():
                _keep(self._stdout, channel.recv(65_536))
            while channel.recv_stderr_ready():
                _keep(self._stderr, channel.recv_stderr(65_536))
        except TimeoutError:
            return


def _keep(buffer: bytearray, data: bytes) -> None:
    buffer += data[: max(0, MAX_OUTPUT_BYTES - len(buffer))]


def _text(data: bytearray) -> str:
    return data.decode("utf-8", "replace")
