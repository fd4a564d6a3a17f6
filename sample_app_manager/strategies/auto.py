# SPDX-License-Identifier: Apache-2.0
"""Take the best strategy that the address allows, and say why: the default.

How an address leads to its instance was settled when the application was deployed, and only one way of changing that
fits; so what is looked at is the address, at the moment of the switch-over, and not a configuration that may be
older than it.
"""

from __future__ import annotations

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.flow import Flow, blocking
from doctor_maintenance.leading import Lead
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.policy import SwitchOver
from sample_app_manager.strategies import Done, Strategy
from sample_app_manager.strategies.floating_ip import STRATEGY as FLOATING_IP
from sample_app_manager.strategies.port_forwarding import STRATEGY as PORT_FORWARDING
from sample_app_manager.strategies.route import STRATEGY as ROUTE

BEST_FIRST: tuple[Strategy, ...] = (ROUTE, PORT_FORWARDING, FLOATING_IP)
"""The one that loses least comes first."""


class Auto:
    """The first of the others that fits."""

    moves = True

    def unfit(self, lead: Lead) -> str | None:
        """Return why none can be used for an address, or None."""
        reasons = [strategy.unfit(lead) for strategy in BEST_FIRST]
        return None if None in reasons else "; ".join(reason for reason in reasons if reason)

    def switch_over(self, cloud: ProjectCloud, clock: Clock, what: SwitchOver) -> Flow[Done]:
        """Look how the address leads, and do what fits."""
        lead = yield from blocking(lambda: cloud.addresses.lead(what.address))
        for strategy in BEST_FIRST:
            if strategy.unfit(lead) is None:
                done = yield from strategy.switch_over(cloud, clock, what)
                return Done(done.strategy, f"{what.address} leads by {lead.reach}")
        raise CloudError(f"switching {what.address} over: {self.unfit(lead)}", permanent=True)


STRATEGY = Auto()
