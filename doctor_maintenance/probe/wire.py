# SPDX-License-Identifier: Apache-2.0
"""What a probe and the service behind a floating IP say to each other: one line each way, UDP or TCP.

``<sequence> <nonce>`` is answered by ``<sequence> <nonce> <instance name> <instance ID>``. The sequence
number pairs an answer with its probe, so a late answer is never taken for the next one's; the
nonce keeps two probes of the same address apart, and strangers' packets out. A guest that knows only
its own name leaves the ID out. HTTP was refused: a guest can do this in a line of shell, and a line
says as much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_LINE = 512
"""The longest line, in bytes, that either side reads."""

_NONCE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PROBE = re.compile(rb"([0-9]{1,18}) ([A-Za-z0-9_.-]{1,64})\s*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Responder:
    """Who answered.

    Attributes:
        name: the instance's name.
        instance_id: its ID, or empty if the guest does not know it.
    """

    name: str
    instance_id: str = ""

    @property
    def who(self) -> str:
        """The instance ID, or the name where there is none: what a trace calls the instance."""
        return self.instance_id or self.name


def check_nonce(nonce: str) -> str:
    """Return the nonce if a probe can carry it.

    Raises:
        ValueError: it is empty, longer than 64 characters, or has other characters than letters,
            digits and ``_.-``.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError(f"nonce: expected 1 to 64 letters, digits or _.-; found {nonce!r}")
    return nonce


def encode_probe(seq: int, nonce: str) -> bytes:
    """Return the line of a probe, without its end."""
    return f"{seq} {nonce}".encode("ascii")


def encode_suffix(responder: Responder) -> bytes:
    """Return what a responder adds to the line of every probe; control characters become ``?``."""
    text = f" {responder.name} {responder.instance_id}".rstrip(" ")
    return _CONTROL.sub("?", text).encode("utf-8")[: MAX_LINE // 2]


def answer(line: bytes, suffix: bytes) -> bytes | None:
    """Return the answer to the line of a probe, or None if it is no probe's line."""
    match = _PROBE.fullmatch(line)
    return None if match is None else match[1] + b" " + match[2] + suffix


def decode_answer(line: bytes, nonce: str) -> tuple[int, Responder] | None:
    """Return the sequence number and who answered, or None if this is no answer to a probe of ours."""
    head, _, rest = line.strip().partition(b" ")
    theirs, _, who = rest.partition(b" ")
    if not head.isdigit() or len(head) > 18 or theirs != nonce.encode("ascii") or not who:
        return None
    name, _, instance_id = who.decode("utf-8", "replace").rpartition(" ")
    return int(head), Responder(name, instance_id) if name else Responder(instance_id)
