# SPDX-License-Identifier: Apache-2.0
"""Where a world can be made to go wrong on purpose: the hooks that a mutant uses.

The default does nothing, so that what is explored is the code as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from doctor_maintenance.explorer.performing import Performer
from doctor_maintenance.explorer.process import ToolProcess
from doctor_maintenance.explorer.tool import Tool
from doctor_maintenance.planning import SessionRequest, SessionRules
from doctor_maintenance.protocol import HostNotification, ProjectNotification
from sample_app_manager.policy import Plan

if TYPE_CHECKING:
    from doctor_maintenance.explorer.world import World

Published = tuple[str, ProjectNotification | HostNotification]


class Tamper:
    """Changes nothing.

    Attributes:
        tool_class: the admin tool, as far as one session is concerned.
        performer_class: who performs its commands.
        process_class: the process that all its sessions live in.
    """

    process_class: type[ToolProcess] = ToolProcess
    tool_class: type[Tool] = Tool
    performer_class: type[Performer] = Performer

    def begin(self, world: World) -> None:
        """Look at a world that was just made."""

    def request(self, request: SessionRequest) -> SessionRequest:
        """Return what the admin tool makes of the operator's request."""
        return request

    def rules(self, rules: SessionRules) -> SessionRules:
        """Return the rules that the admin tool goes by."""
        return rules

    def publish(
        self, world: World, key: str, notification: ProjectNotification | HostNotification
    ) -> Iterable[Published]:
        """Return what is published instead of a notification."""
        return ((key, notification),)

    def listed(self, instances: tuple[str, ...]) -> tuple[str, ...]:
        """Return what a project is told of its affected instances."""
        return instances

    def plan(self, world: World, notification: ProjectNotification, plan: Plan) -> Plan:
        """Return what an app manager does instead of what its policy says."""
        return plan

    def inspector(self, action: str) -> str:
        """Return what the inspector does about a fault instead."""
        return action


HONEST = Tamper()
"""The world as it is."""
