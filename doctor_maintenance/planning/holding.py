# SPDX-License-Identifier: Apache-2.0
"""Which session has which host: no two sessions may have the same one at a time.

A host whose maintenance failed is still its session's, until the operator continues or releases it.
"""

from __future__ import annotations

from collections.abc import Iterable

from doctor_maintenance.planning.session import Session
from doctor_maintenance.protocol import HostState

LET_GO = frozenset({HostState.MAINTENANCE_OVER, HostState.MAINTENANCE_CANCELED})
"""The states in which a session has let a host go."""


def held_hosts(sessions: Iterable[Session]) -> dict[str, str]:
    """Return the hosts that sessions have, and the session of each."""
    return {
        work.host: session.session_id
        for session in sessions
        for work in session.works.values()
        if work.state not in LET_GO
    }
