# SPDX-License-Identifier: Apache-2.0
"""Move the floating IP to the standby, as Doctor's sample does.

Any project may do it and every Neutron can. On ML2/OVN the address is then silent for 1.22 to 1.34 s,
16 moves of 16 (OVN 23.03): Neutron takes the rule away before it puts the new one in place, and the new host
announces the address a second after that.
"""

from __future__ import annotations

from doctor_maintenance.clock import Clock
from doctor_maintenance.flow import Flow, blocking
from doctor_maintenance.leading import Lead, Reach
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.policy import SwitchOver
from sample_app_manager.strategies import Done, led


class FloatingIp:
    """One call: the floating IP leads to the standby's port."""

    moves = True

    def unfit(self, lead: Lead) -> str | None:
        """Return why it cannot be used for an address, or None."""
        return led(lead, Reach.FLOATING_IP)

    def switch_over(self, cloud: ProjectCloud, clock: Clock, what: SwitchOver) -> Flow[Done]:
        """Move the address."""
        yield from blocking(lambda: cloud.addresses.move(what.address, what.to_instance))
        return Done("floating_ip")


STRATEGY = FloatingIp()
