# SPDX-License-Identifier: Apache-2.0
"""Where a world can be made to go wrong on purpose: the hooks that a mutant uses.

The default does nothing, so that what is explored is the code as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from doctor_maintenance.protocol import HostNotification, ProjectNotification
from sample_app_manager.policy import Plan

if TYPE_CHECKING:
    from doctor_maintenance.explorer.performing import Performer
    from doctor_maintenance.explorer.tool import Tool
    from doctor_maintenance.explorer.world import World

Published = tuple[str, ProjectNotification | HostNotification]


class Tamper:
    """Changes nothing."""

    def begin(self, world: World) -> None:
        """Look at a world that was just made."""

    def tool(self, kind: type[Tool]) -> type[Tool]:
        """Return the admin tool's class."""
        return kind

    def performer(self, kind: type[Performer]) -> type[Performer]:
        """Return the performer's class."""
        return kind

    def plan(self, project_id: str, notification: ProjectNotification, plan: Plan) -> Plan:
        """Return what an app manager does instead of what its policy says."""
        return plan

    def publish(
        self, world: World, key: str, notification: ProjectNotification | HostNotification
    ) -> Iterable[Published]:
        """Return what is published instead of a notification."""
        return ((key, notification),)

    def inspector(self, action: str) -> str:
        """Return what the inspector does about a fault instead."""
        return action


HONEST = Tamper()
"""The world as it is."""
