# SPDX-License-Identifier: Apache-2.0
"""What the planner knows of a cloud at one moment."""

from __future__ import annotations

from dataclasses import dataclass

_RUNNING = frozenset(
    ("ACTIVE", "MIGRATING", "RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE", "REBOOT", "HARD_REBOOT")
)


@dataclass(frozen=True, slots=True)
class SeenInstance:
    """An instance on a host.

    Attributes:
        instance_id: its ID.
        project_id: who owns it.
        status: Nova's status, ``ACTIVE`` for instance; of one that is off while it is moved, ``SHUTOFF``.
    """

    instance_id: str
    project_id: str
    status: str = "ACTIVE"

    @property
    def ran(self) -> bool:
        """Whether it is to run again after a reboot: what its owner had switched off stays off."""
        return self.status in _RUNNING
