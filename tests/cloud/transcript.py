# SPDX-License-Identifier: Apache-2.0
"""What a test asked and what it was answered, in a form that two clouds can be compared in.

Identifiers, names, addresses and times differ between any two clouds, so they are written by their form:
an ID that the test itself asks about is ``<id 1>``, the second one ``<id 2>``; any other is ``<id>``. Digits of
times become 0, so that their format stays. What is the cloud's own (its processor, its load) keeps its type only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID = re.compile(rf"{UUID}|\b[0-9a-f]{{32}}\b")
_FORMS = (
    ('Keystone uri="<identity>"', re.compile(r'Keystone uri="[^"]*"')),
    ("<request>", re.compile(r"req-(<id[ 0-9]*>|" + UUID + ")")),
    ("<hash>", re.compile(r"\b[0-9a-f]{56}\b|\b[0-9a-f]{64}\b")),
    ("<mac>", re.compile(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b")),
    ("<cidr>", re.compile(r"\b\d{1,3}(\.\d{1,3}){3}/\d+\b")),
    ("<address>", re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b")),
    ("<reservation>", re.compile(r"\br-[0-9a-z]{8}\b")),
    ("<instance>", re.compile(r"\binstance-[0-9a-f]{8}\b")),
    ("<token>", re.compile(r"\bgAAAA[\w=-]+")),
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(\+00:00|Z)?")

HEADERS = (
    "Content-Type",
    "Location",
    "Vary",
    "Allow",
    "Retry-After",
    "WWW-Authenticate",
    "X-Subject-Token",
    "OpenStack-API-Version",
    "X-OpenStack-Nova-API-Version",
    "x-openstack-request-id",
    "x-compute-request-id",
)
"""The headers that matter: what a client library reads."""

OWN = frozenset(
    {
        "adminPass",
        "cpu_info",
        "disk_available_least",
        "free_disk_gb",
        "free_ram_mb",
        "local_gb",
        "local_gb_used",
        "memory_mb",
        "memory_mb_used",
        "vcpus",
        "vcpus_used",
        "running_vms",
        "current_workload",
        "hypervisor_type",
        "hypervisor_version",
        "uptime",
        "host_time",
        "users",
        "load_average",
        "audit_ids",
        "vif_details",
        "profile",
        "root_device_name",
        "generation",
        "resource_provider_generation",
        "total",
        "max_unit",
        "reserved",
        "allocation_ratio",
        "progress",
        "disk_total_bytes",
        "memory_total_bytes",
        "checksum",
        "os_hash_value",
        "traceback",
    }
)
"""Fields whose value is the cloud's own: its processor, its size, its load; of those the type is compared."""

UNORDERED = frozenset({"security_group_rules"})
"""Lists that come in whatever order the database likes."""

NUMBERS = frozenset(
    {"id", "standard_attr_id", "old_instance_type_id", "new_instance_type_id", "revision_number"}
)
"""Fields that count up where they are numbers: over a cloud's life, or with every change behind the scenes."""


class Transcript:
    """What has been asked so far in one test.

    Args:
        known: words of this cloud and what they are called: hosts, the run's prefix, URLs.
    """

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self._entries: list[dict[str, Any]] = []

    def begin(self) -> None:
        """Forget what was noted: another test begins."""
        self._entries = []

    def note(
        self, asked: Mapping[str, Any], status: int, headers: Mapping[str, str], body: Any
    ) -> None:
        """Note a question and its answer."""
        kept = {name: headers[name] for name in HEADERS if name in headers}
        self._entries.append(
            {"asked": dict(asked), "status": status, "headers": kept, "body": body}
        )

    def entries(self) -> list[dict[str, Any]]:
        """Return what was noted, in the form that is compared."""
        numbers: dict[str, str] = {}
        for entry in self._entries:
            for text in _texts(entry["asked"]):
                for found in _ID.findall(self._named(text)):
                    numbers.setdefault(found, f"<id {len(numbers) + 1}>")
        return [self._in_form(entry, numbers) for entry in self._entries]

    def _in_form(self, value: Any, numbers: Mapping[str, str], name: str = "") -> Any:
        short = name.rpartition(":")[2]
        if value is not None and (short in OWN or (short in NUMBERS and isinstance(value, int))):
            return f"<own {type(value).__name__}>"
        if isinstance(value, dict):
            return {
                self._text(key, numbers): self._in_form(inner, numbers, key)
                for key, inner in value.items()
            }
        if isinstance(value, list):
            found = [self._in_form(inner, numbers, name) for inner in value]
            return sorted(found, key=_by_content) if name in UNORDERED else found
        return self._text(value, numbers) if isinstance(value, str) else value

    def _text(self, text: str, numbers: Mapping[str, str]) -> str:
        text = _ID.sub(lambda found: numbers.get(found[0], "<id>"), self._named(text))
        for form, pattern in _FORMS:
            text = pattern.sub(form, text)
        return _TIME.sub(lambda found: re.sub(r"\d", "0", found[0]), text)

    def _named(self, text: str) -> str:
        for word in sorted(self.known, key=len, reverse=True):
            pattern = re.escape(word)
            if re.fullmatch(r"[\w.]+", word):
                pattern = rf"(?<![\w-]){pattern}(?![\w-])"
            text = re.sub(pattern, self.known[word], text)
        return text


def _by_content(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
