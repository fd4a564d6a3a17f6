# SPDX-License-Identifier: Apache-2.0
"""One client connected to one simulated host: login with the key, commands, and nothing else.

The library's thread of the connection runs what is here; whatever needs the cloud is handed on.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from typing import Protocol

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

LOG = logging.getLogger(__name__)

SOFTWARE = "SSH-2.0-OpenSSH_9.2"
"""What a host says that it runs."""

_LIBRARY_LOG = "doctor_maintenance.simulator.paramiko"
# A client that goes away, or a host that is switched off, is no error here; the library would log a traceback.
logging.getLogger(_LIBRARY_LOG).setLevel(logging.CRITICAL)


class Hosts(Protocol):
    """What a connection asks of the hosts; called in the connection's thread."""

    def allows(self, user: str, key: paramiko.PKey) -> bool:
        """Return whether a user with a key may log in."""

    def begin(self, connection: Connection, channel: paramiko.Channel, command: str) -> None:
        """Take a command, to be answered on the channel."""


class Connection:
    """A client that is connected to a host.

    Args:
        hosts: who knows who may log in, and what a command comes to.
        host: the host's name.
        boot_id: the host's boot; the connection is as good as dead when the host has another.
        sock: the connection.
    """

    def __init__(self, hosts: Hosts, host: str, boot_id: str, sock: socket.socket) -> None:
        self.host = host
        self.boot_id = boot_id
        self._hosts = hosts
        self._socket = sock
        self._transport: paramiko.Transport | None = None

    @property
    def alive(self) -> bool:
        """Whether it still holds a socket that may be open."""
        if self._transport is None:
            return self._socket.fileno() != -1
        return self._transport.is_active()

    def talk(self, key: paramiko.PKey) -> None:
        """Speak SSH; the library's thread does."""
        self._transport = transport = paramiko.Transport(self._socket)
        transport.set_log_channel(_LIBRARY_LOG)
        transport.local_version = SOFTWARE
        transport.add_server_key(key)
        try:
            transport.start_server(event=threading.Event(), server=_Session(self._hosts, self))
        except (OSError, EOFError, paramiko.SSHException) as error:
            LOG.debug("host %s: no session: %s", self.host, error)

    def cut(self) -> None:
        """Drop the connection; the library's thread ends by itself."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._transport is None:
            self._socket.close()

    def cut_unless_logged_in(self) -> None:
        """Drop the connection if nobody has logged in on it."""
        if self._transport is None or not self._transport.is_authenticated():
            self.cut()


class _Session(paramiko.ServerInterface):
    """What a host lets a client do: log in with the key, and run commands."""

    def __init__(self, hosts: Hosts, connection: Connection) -> None:
        self._hosts = hosts
        self._connection = connection

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if self._hosts.allows(username, key):
            return AUTH_SUCCESSFUL
        return AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind == "session":
            return OPEN_SUCCEEDED
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._hosts.begin(self._connection, channel, command.decode("utf-8", "replace"))
        return True
