# SPDX-License-Identifier: Apache-2.0
"""Do not switch over, and say that it was done: a bad actor, to see that the judge catches it."""

from __future__ import annotations

from doctor_maintenance.clock import Clock
from doctor_maintenance.flow import Flow, wait
from doctor_maintenance.leading import Lead
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.policy import SwitchOver
from sample_app_manager.strategies import Done


class DoNothing:
    """The service stays where it is."""

    moves = False

    def unfit(self, lead: Lead) -> str | None:
        """Return None: nothing can be done about any address."""
        return None

    def switch_over(self, cloud: ProjectCloud, clock: Clock, what: SwitchOver) -> Flow[Done]:
        """Do nothing."""
        yield from wait(0.0)
        return Done("none")


STRATEGY = DoNothing()
