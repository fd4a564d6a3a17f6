# SPDX-License-Identifier: Apache-2.0
"""What to do next about an instance that is to leave its host: a function of what it looks like, and of who asked.

Nothing is done here, so that every case is a line of a table in the tests.
"""

from __future__ import annotations

from enum import StrEnum

from doctor_maintenance.admin_tool.calls import Server
from doctor_maintenance.protocol import Action

GONE = frozenset({"DELETED", "SOFT_DELETED"})
"""The statuses of an instance that is there no more."""

_RESTING = frozenset({"ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "RESCUE", "SHELVED"})
_LIVE = frozenset({"ACTIVE", "PAUSED"})
_COLD = frozenset({"ACTIVE", "SHUTOFF"})
_MOVING = frozenset(
    {"resize_prep", "resize_migrating", "resize_migrated", "resize_finish", "migrating"}
)
"""Tasks that are a migration's."""


class Step(StrEnum):
    """What to do about an instance, as it looks now."""

    WAIT = "WAIT"
    LIVE_MIGRATE = "LIVE_MIGRATE"
    MIGRATE = "MIGRATE"
    CONFIRM = "CONFIRM"
    STUCK = "STUCK"
    RECOVER = "RECOVER"
    MOVED = "MOVED"
    GONE = "GONE"
    UNMOVED = "UNMOVED"
    IMMOVABLE = "IMMOVABLE"


def next_step(
    server: Server | None, source: str, action: Action, asked: bool, ours: bool = False
) -> Step:
    """Decide from what an instance looks like.

    Args:
        server: the instance, or None if Nova knows none.
        source: the host that it is to leave.
        action: how its project wants it to be moved.
        asked: whether Nova was asked to move it, by this attempt (before a restart, perhaps was to be).
        ours: whether an earlier attempt had asked: what became of the instance since is ours to mend as well.
    """
    if server is None or server.status in GONE:
        return Step.GONE
    away = server.host != source
    ours = asked or ours
    if server.task:
        stuck = ours and server.status == "ERROR" and server.task in _MOVING
        return Step.STUCK if stuck else Step.WAIT
    if server.status == "ERROR":
        return Step.RECOVER if ours else Step.IMMOVABLE
    if server.status == "VERIFY_RESIZE":
        # On its old host and unasked for it is the owner's own resize, and his to confirm.
        return Step.CONFIRM if away or asked else Step.UNMOVED
    if away:
        return Step.MOVED if settled(server) else Step.WAIT
    if server.status not in _RESTING:
        return Step.WAIT
    if asked:
        return Step.UNMOVED
    return _how(server.status, action)


def settled(server: Server) -> bool:
    """Return whether an instance rests, wherever it is."""
    return server.status in _RESTING or server.status == "SHELVED_OFFLOADED"


def _how(status: str, action: Action) -> Step:
    """Choose the kind of migration that the project wants, or the one that the state allows."""
    live, cold = status in _LIVE, status in _COLD
    if live and (action is Action.LIVE_MIGRATE or not cold):
        return Step.LIVE_MIGRATE
    return Step.MIGRATE if cold else Step.IMMOVABLE
