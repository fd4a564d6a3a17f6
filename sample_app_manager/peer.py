# SPDX-License-Identifier: Apache-2.0
"""The admin tool as an app manager sees it: a list of instances to read, and a reply to give.

Both URLs come in a notification, so they are somebody else's words. Our token goes only to the admin
tool that was configured, no redirect is followed, and no more is read than a limit. Everything here
blocks and is called from a worker.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from doctor_maintenance.exceptions import CloudError, RemoteProtocolError
from doctor_maintenance.protocol import Reply

MAX_ANSWER_BYTES = 1_048_576
"""The longest answer that is read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the admin tool answered.

    Attributes:
        status: the HTTP status.
        text: the body.
    """

    status: int
    text: str

    @property
    def accepted(self) -> bool:
        """True for success."""
        return 200 <= self.status < 300

    @property
    def temporary(self) -> bool:
        """True if the same request may succeed later."""
        return self.status in (408, 425, 429) or self.status >= 500


class AdminTool:
    """The admin tool's API for projects.

    Args:
        http: sends the requests.
        token: returns our token; called with True when the last one was refused.
        timeout_s: how long a request may take, in seconds.
        url: where the admin tool is; a notification that names another place is not followed.
            None: any place is believed, so the alarm URL must carry a secret.
    """

    def __init__(
        self,
        http: requests.Session,
        token: Callable[[bool], str],
        timeout_s: float,
        url: str | None = None,
    ) -> None:
        self._http = http
        self._token = token
        self._timeout_s = timeout_s
        self._base = None if url is None else url.rstrip("/") + "/"

    def affected(self, url: str) -> tuple[tuple[str, ...], str]:
        """Return the instances that a notification is about, and the text that says so.

        Raises:
            CloudError: the admin tool cannot be asked or refuses.
            RemoteProtocolError: what it answered is not such a list.
        """
        view, text = self.view(url)
        return _instance_ids(view), text

    def view(self, url: str) -> tuple[Mapping[str, Any], str]:
        """Return what the admin tool shows our project at a URL, decoded and as it came.

        Raises:
            CloudError: the admin tool cannot be asked or refuses.
            RemoteProtocolError: what it answered is no JSON object.
        """
        answer = self._send("GET", url, None)
        if not answer.accepted:
            raise CloudError(
                f"asking the admin tool what is affected: {answer.status} {answer.text:.200}",
                status=answer.status,
                permanent=not answer.temporary,
            )
        try:
            view = json.loads(answer.text)
        except ValueError as error:
            raise RemoteProtocolError(
                f"instance_ids: expected JSON; found {answer.text!r:.80}"
            ) from error
        if not isinstance(view, dict):
            raise RemoteProtocolError(
                f"instance_ids: expected an object; found {answer.text!r:.80}"
            )
        return view, answer.text

    def reply(self, url: str, reply: Reply) -> Answer:
        """Send a reply and return what was answered.

        Raises:
            CloudError: there was no answer.
            RemoteProtocolError: the URL is not the admin tool's.
        """
        return self._send("PUT", url, json.dumps(reply.to_wire()))

    def _send(self, method: str, url: str, body: str | None) -> Answer:
        self._check(url)
        answer = self._request(method, url, body, renew=False)
        if answer.status == 401:
            answer = self._request(method, url, body, renew=True)
        return answer

    def _check(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise RemoteProtocolError(f"expected an HTTP URL; found {url!r:.80}")
        if self._base is not None and not url.startswith(self._base):
            raise RemoteProtocolError(
                f"expected a URL of the admin tool at {self._base}; found {url!r:.120};"
                " if the admin tool has moved, configure its new URL"
            )

    def _request(self, method: str, url: str, body: str | None, *, renew: bool) -> Answer:
        headers = {"X-Auth-Token": self._token(renew), "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            with self._http.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=self._timeout_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                raw = b""
                for chunk in response.iter_content(65_536):
                    raw += chunk
                    if len(raw) > MAX_ANSWER_BYTES:
                        break
                status = response.status_code
        except (requests.RequestException, OSError) as error:
            raise CloudError(f"{method} {url}: no answer from the admin tool: {error}") from error
        if len(raw) > MAX_ANSWER_BYTES:
            raise RemoteProtocolError(f"{method} {url}: more than {MAX_ANSWER_BYTES} bytes")
        return Answer(status, raw.decode("utf-8", "replace"))


def _instance_ids(view: Mapping[str, Any]) -> tuple[str, ...]:
    ids = view.get("instance_ids")
    if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
        raise RemoteProtocolError(
            f"instance_ids: expected an object with a list of texts; found {view!r:.80}"
        )
    return tuple(ids)
