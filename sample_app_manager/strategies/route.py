# SPDX-License-Identifier: Apache-2.0
"""Leave the floating IP where it is, and change the router's route behind it: the default where it is possible.

The floating IP leads to a port of its own that no instance holds, and the router has one route to that port's address,
by way of the active instance. Both instances have the address on their loopback from the beginning, so nothing is
asked of a guest when the time comes. One call changes the route; Neutron hands it to OVN as one transaction. No MAC
address and no translation changes, so nobody has to learn anything, and the old side answers until the new one does: no
probe of 100 a second was lost, ten switches of ten, with UDP and ICMP (neutron 29, OVN 23.03). What it cannot
do is move a TCP connection that is open at that moment: the new side does not know it.

Announcing the address by gratuitous ARP instead was measured, too. It loses none either if floating IPs are not
distributed, and a second if they are; it needs a command in the guest; and a late announcement of the old side
takes the address back.
"""

from __future__ import annotations

from doctor_maintenance.clock import Clock
from doctor_maintenance.flow import Flow, blocking
from doctor_maintenance.leading import Lead, Reach
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.policy import SwitchOver
from sample_app_manager.strategies import Done, led


class Route:
    """One call: the router sends what is for the service's address to the standby."""

    moves = True

    def unfit(self, lead: Lead) -> str | None:
        """Return why it cannot be used for an address, or None."""
        return led(lead, Reach.ROUTE)

    def switch_over(self, cloud: ProjectCloud, clock: Clock, what: SwitchOver) -> Flow[Done]:
        """Change the route."""
        yield from blocking(lambda: cloud.addresses.route(what.address, what.to_instance))
        return Done("route")


STRATEGY = Route()
