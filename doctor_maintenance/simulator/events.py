# SPDX-License-Identifier: Apache-2.0
"""What happened in the cloud, as records: the exact trace of a run in virtual time.

A poller sees states only when it looks. Whoever runs in the same process can subscribe instead and
miss nothing; the fields are those of the trace that the judge reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

KINDS = (
    "service",
    "instance",
    "migration",
    "address",
    "host",
    "command",
    "notification",
    "readable",
)


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One change of state.

    Attributes:
        at: when, in seconds since the epoch.
        kind: one of :data:`KINDS`.
        fields: what is so now; the names are those of the trace.
    """

    at: float
    kind: str
    fields: Mapping[str, Any]


Emit = Callable[[str, Mapping[str, Any]], None]
"""How a model reports a change: kind and fields; the cloud adds the time."""
