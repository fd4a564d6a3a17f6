# SPDX-License-Identifier: Apache-2.0
"""Replays what was asked of real services, and compares the answers field by field.

IDs, addresses and names of the recorded cloud are learned as the replay goes on: where the recorded answer
has an ID and ours has another in the same place, the two are the same thing from then on. Times and MAC
addresses are compared by their form, everything else as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from .sim import BASE, Sim

_ID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
_IN_TEXT = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b"
    r"|\b(?:198\.51\.100|10\.\d+\.\d+)\.\d+\b"
)
_FORM_ONLY = re.compile(r"\d{4}-\d\d-\d\d[T ].*|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_ROOTS = {
    "http://127.0.0.1:5000/": f"{BASE}/identity/",
    "http://127.0.0.1:9696": f"{BASE}/network",
    "http://127.0.0.1:9292": f"{BASE}/image",
    "http://127.0.0.1:8042": f"{BASE}/alarming",
}
_SKIPPED = {"audit_ids", "message_signature", "href"}


def recorded(name: str) -> list[dict[str, Any]]:
    """Return the recorded entries of a service, in the order in which they were asked."""
    path = Path(__file__).parent / "recorded" / f"{name}.json"
    entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return entries


class Replay:
    """A replay of one service's entries against a simulated cloud.

    Args:
        sim: the cloud.
        path: where the service is, such as ``/network``.
        same: IDs of the recorded cloud that are known from the start, and ours.
    """

    def __init__(self, sim: Sim, path: str, same: dict[str, str]) -> None:
        self._sim = sim
        self._path = path
        self._same = dict(same)
        self._fresh: dict[str, str] = {}

    def run(self, entry: dict[str, Any]) -> list[str]:
        """Ask what was asked; return every difference between the answers."""
        answer = self._ask(entry)
        if answer.status_code != entry["status"]:
            return [
                f"status: recorded {entry['status']}, ours {answer.status_code} {answer.text[:300]}"
            ]
        if "text" in entry:
            return [] if answer.text == entry["text"] else [f"text: {answer.text!r:.80}"]
        if "response" not in entry:
            return []
        if entry["method"] == "HEAD":
            return []
        return list(self._differ(entry["response"], answer.json(), "body"))

    def _ask(self, entry: dict[str, Any]) -> requests.Response:
        headers = dict(entry.get("headers", {}))
        if entry["as"] is not None:
            headers["X-Auth-Token"] = self._sim.token(entry["as"])
        elif entry["slug"].startswith("bad-token"):
            headers["X-Auth-Token"] = "nonsense"
        if headers.get("X-Subject-Token") == "<token>":
            headers["X-Subject-Token"] = self._subject(entry)
        data: Any = None
        if "request" in entry:
            data = json.dumps(self._with_secrets(entry["request"]))
        elif "raw" in entry:
            data = b"\0" * 4096 if entry["raw"].startswith("<") else entry["raw"]
        if isinstance(data, str):
            data = self._translated(data).encode()
        url = f"{BASE}{self._path}{self._translated(entry['path'])}"
        return self._sim.http.request(entry["method"], url, data=data, headers=headers)

    def _subject(self, entry: dict[str, Any]) -> str:
        """Return the token that a question is about: whose it is stands in the entry's name."""
        if entry["slug"] in ("revoke", "validate-revoked"):
            if "revoked" not in self._fresh:
                self._fresh["revoked"] = self._sim.login("demo").headers["X-Subject-Token"]
            return self._fresh["revoked"]
        whose = {"validate-demo-by-admin": "demo", "validate-admin-by-demo": "admin"}
        return self._sim.token(whose.get(entry["slug"], entry["as"]))

    def _with_secrets(self, request: Any) -> Any:
        """Put in the passwords and tokens that are not recorded: a user's password is its name."""
        identity = request.get("auth", {}).get("identity", {}) if isinstance(request, dict) else {}
        user = identity.get("password", {}).get("user", {})
        if user.get("password") == "<password>":
            user["password"] = user.get("name", "golden")
        elif isinstance(request, dict) and request.get("user", {}).get("password"):
            request["user"]["password"] = request["user"]["name"]
        if identity.get("token", {}).get("id") == "<token>":
            identity["token"]["id"] = self._sim.token("demo")
        return request

    def _translated(self, text: str) -> str:
        for theirs, ours in _ROOTS.items():
            text = text.replace(theirs, ours)
        return _IN_TEXT.sub(lambda match: self._same.get(match[0], match[0]), text)

    def _differ(self, theirs: Any, ours: Any, where: str) -> Iterator[str]:
        if isinstance(theirs, dict) and isinstance(ours, dict):
            yield from self._differ_in_keys(theirs, ours, where)
        elif isinstance(theirs, list) and isinstance(ours, list):
            if theirs and not ours:
                yield f"{where}: ours is empty"
            for one, other in _paired(theirs, ours):
                yield from self._differ(one, other, f"{where}[]")
        elif isinstance(theirs, str) and isinstance(ours, str):
            yield from self._differ_in_text(theirs, ours, where)
        elif theirs != ours or type(theirs) is not type(ours):
            yield f"{where}: recorded {theirs!r:.200}, ours {ours!r:.200}"

    def _differ_in_keys(
        self, theirs: dict[str, Any], ours: dict[str, Any], where: str
    ) -> Iterator[str]:
        missing, extra = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
        if missing:
            yield f"{where}: we lack {missing}"
        if extra:
            yield f"{where}: we add {extra}"
        for key, value in theirs.items():
            if key in ours and key not in _SKIPPED:
                yield from self._differ(value, ours[key], f"{where}.{key}")

    def _differ_in_text(self, theirs: str, ours: str, where: str) -> Iterator[str]:
        if _FORM_ONLY.fullmatch(theirs):
            if re.sub(r"[0-9a-f]", "0", theirs) != re.sub(r"[0-9a-f]", "0", ours):
                yield f"{where}: recorded {theirs!r}, ours {ours!r}"
            return
        if theirs.endswith("…"):
            ours = ours[: len(theirs) - 1] + "…"
        if self._translated(theirs) == ours:
            return
        unknown = [x for x in _IN_TEXT.findall(theirs) if x not in self._same]
        if unknown and _IN_TEXT.fullmatch(theirs):
            self._same[theirs] = ours
            return
        form = re.escape(self._translated(theirs))
        for word in unknown:
            form = form.replace(re.escape(word), r"\S+")
        if not unknown or not re.fullmatch(form, ours, re.DOTALL):
            yield f"{where}: recorded {theirs!r:.300}, ours {ours!r:.300}"


def _paired(theirs: list[Any], ours: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Pair the items of two lists by their names, or by place where they have none."""
    for place, one in enumerate(theirs):
        name = one.get("name") if isinstance(one, dict) else None
        named = [o for o in ours if name and isinstance(o, dict) and o.get("name") == name]
        if named:
            yield one, named[0]
        elif place < len(ours):
            yield one, ours[place]
