# SPDX-License-Identifier: Apache-2.0
"""HTTPS in front of a plain HTTP server of the same process.

Handshakes and slow clients wait in one asyncio loop, so none of them holds up another, nor a thread
that handles requests. The standard library does all the work: this only copies bytes.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from pathlib import Path

from doctor_maintenance.exceptions import PreconditionError

LOG = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT_S = 10.0
"""How long a client has for the TLS handshake, in seconds."""

_CHUNK_BYTES = 65_536


def context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a server's TLS context (TLS 1.2 or newer).

    Args:
        certificate: the PEM file of the certificate and its chain.
        key: the PEM file of the private key.

    Raises:
        PreconditionError: a file is missing or unreadable, or the two do not belong together.
    """
    for path in (certificate, key):
        if not path.is_file():
            raise PreconditionError(f"HTTPS needs the file {path}, and there is none")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise PreconditionError(
            f"HTTPS cannot use {certificate} with the key {key}: {error}; both must be PEM, belong "
            "together, and the key must not be encrypted"
        ) from error
    return made


class TlsFront:
    """Accepts TLS on a listening socket and hands the plain bytes on.

    Args:
        listening: the socket to accept on; it is closed by :meth:`close`.
        target: the address and port of the plain server.
        tls: the server's context.
    """

    def __init__(
        self, listening: socket.socket, target: tuple[str, int], tls: ssl.SSLContext
    ) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(
                self._connected,
                sock=listening,
                ssl=tls,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
                ssl_shutdown_timeout=1.0,
            )
        )
        self._loop.set_exception_handler(_quietly)
        self._thread = threading.Thread(target=self._run, name="https", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop accepting, and end the connections that are open."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._end())
        finally:
            self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            inner_reader, inner_writer = await asyncio.open_connection(*self._target)
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        except asyncio.CancelledError:
            writer.transport.abort()
        except OSError as error:
            LOG.debug("a TLS connection ended: %s", error)
        finally:
            self._connections.discard(task)
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the sender ends, then end the receiver: that ends the copying in the other direction too."""
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


def _quietly(_loop: asyncio.AbstractEventLoop, what: dict[str, object]) -> None:
    """A client that fails its handshake is its own business: it is told at DEBUG."""
    LOG.debug("TLS: %s: %s", what.get("message"), what.get("exception"))
