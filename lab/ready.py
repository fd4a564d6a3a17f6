# SPDX-License-Identifier: Apache-2.0
"""Whether a daemon serves: each function returns a question that is asked until it is answered with True.

Each is answered from outside, by what a client would do; a line in a log was refused, as it is written before or after.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

import amqp
import requests

from lab.layout import Port
from lab.site import Site

Ready = Callable[[], bool]

_TIMEOUT_S = 5.0


def http(url: str, path: str = "/") -> Ready:
    """Ask a web server for its versions: any answer will do that does not blame itself."""

    def ask() -> bool:
        try:
            return requests.get(url + path, timeout=_TIMEOUT_S).status_code < 500
        except requests.RequestException as error:
            raise OSError(str(error)) from error

    return ask


def tcp(port: int, address: str = "127.0.0.1") -> Ready:
    """Ask whether a connection is accepted."""

    def ask() -> bool:
        with socket.create_connection((address, port), _TIMEOUT_S):
            return True

    return ask


def bus(site: Site) -> Ready:
    """Ask whether one can log in at RabbitMQ."""
    return _Asker(site, ()).ask


def consumer(site: Site, *queues: str) -> Ready:
    """Ask whether somebody consumes of queues of RabbitMQ; one that does not exist yet has nobody."""
    return _Asker(site, queues).ask


class _Asker:
    """Asks RabbitMQ again and again over one connection: to open one costs both sides milliseconds."""

    def __init__(self, site: Site, queues: tuple[str, ...]) -> None:
        self._site = site
        self._queues = queues
        self._connection: amqp.Connection | None = None

    def ask(self) -> bool:
        try:
            if self._connection is None:
                self._connection = _connect(self._site)
            consumed = all(self._consumers(self._connection, queue) > 0 for queue in self._queues)
        except (amqp.exceptions.AMQPError, OSError) as error:
            self._close()
            raise OSError(str(error)) from error
        if consumed:
            self._close()
        return consumed

    @staticmethod
    def _consumers(connection: amqp.Connection, queue: str) -> int:
        try:
            with connection.channel() as channel:
                return int(channel.queue_declare(queue, passive=True).consumer_count)
        except amqp.exceptions.NotFound:
            return 0

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(amqp.exceptions.AMQPError, OSError):
                connection.close()


def _connect(site: Site) -> amqp.Connection:
    connection = amqp.Connection(
        f"127.0.0.1:{site.lab.port(Port.RABBITMQ)}",
        userid="lab",
        password=site.password,
        connect_timeout=_TIMEOUT_S,
        read_timeout=_TIMEOUT_S,
    )
    connection.connect()
    return connection
