# SPDX-License-Identifier: Apache-2.0
"""Whether a daemon serves: each function returns a question that is asked until it is answered with True.

Each is answered from outside, by what a client would do; a line in a log was refused, as it is written before or after.
"""

from __future__ import annotations

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

    def ask() -> bool:
        with _connection(site) as connection:
            return bool(connection.connected)

    return ask


def consumer(site: Site, *queues: str) -> Ready:
    """Ask whether somebody consumes of queues of RabbitMQ; one that does not exist yet has nobody."""

    def ask() -> bool:
        return all(_consumers(site, queue) > 0 for queue in queues)

    return ask


def _consumers(site: Site, queue: str) -> int:
    try:
        with _connection(site) as connection:
            return int(connection.channel().queue_declare(queue, passive=True).consumer_count)
    except amqp.exceptions.NotFound:
        return 0


def _connection(site: Site) -> amqp.Connection:
    connection = amqp.Connection(
        f"127.0.0.1:{site.lab.port(Port.RABBITMQ)}",
        userid="lab",
        password=site.password,
        connect_timeout=_TIMEOUT_S,
        read_timeout=_TIMEOUT_S,
    )
    try:
        connection.connect()
    except amqp.exceptions.AMQPError as error:
        raise OSError(str(error)) from error
    return connection
