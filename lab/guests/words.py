# SPDX-License-Identifier: Apache-2.0
"""A host of a lab as words of a command line, and back: for the processes that are a host."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.layout import Kind, Lab, named


def to_words(lab: Lab, host: str) -> list[str]:
    """Return the words that name a host."""
    return [lab.name, str(len(lab.hosts)), str(lab.root), str(lab.port_base), host]


def from_words(words: Sequence[str]) -> tuple[Lab, str]:
    """Return the lab and the host that words name."""
    name, hosts, root, port_base, host = words
    return named(Kind.GUESTS, name, int(hosts), Path(root), int(port_base)), host
