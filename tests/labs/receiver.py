# SPDX-License-Identifier: Apache-2.0
"""Takes what an alarm posts, and does not answer the first POST before it is told to."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LONGEST_S = 60.0
"""After this a POST is answered all the same, in seconds."""


class Receiver:
    """Where an alarm posts to.

    Attributes:
        message_ids: of the notifications that were posted, in order.
    """

    def __init__(self) -> None:
        self.message_ids: list[str] = []
        self._answering = threading.Event()
        self._posted = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        """What to give an alarm as its action."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def answer(self) -> None:
        """Answer from now on."""
        self._answering.set()

    def posted(self, times: int, within_s: float) -> bool:
        """Wait until so many were posted; return whether they were."""
        with self._posted:
            return self._posted.wait_for(lambda: len(self.message_ids) >= times, within_s)

    def _take(self, message_id: str) -> None:
        with self._posted:
            self.message_ids.append(message_id)
            self._posted.notify_all()
        self._answering.wait(LONGEST_S)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                take(body["reason_data"]["event"]["message_id"])
                with contextlib.suppress(ConnectionError):  # who posted may be dead by now
                    self.send_response(200)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler

    @contextlib.contextmanager
    def serving(self) -> Iterator[Receiver]:
        """Serve meanwhile."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.answer()
            self._server.shutdown()
            self._server.server_close()
            thread.join()
