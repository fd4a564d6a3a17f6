# SPDX-License-Identifier: Apache-2.0
"""Leave the floating IP where it is, and let its port forwardings lead to the standby.

OVN does a port forwarding as a load balancer with one backend. New connections go to the new side at once, and what is
under way stays with the old one: no probe was lost with a connection each. That is also what is wrong with it. A UDP
flow that never pauses is "under way" for ever: it was never seen at the new side, and ends when the old side does
(neutron 29, OVN 23.03; Neutron does not ask OVN to forget connections). For clients that come back with
new connections it is the better one; a service of datagrams wants ``route``. It needs nothing in the guest.
"""

from __future__ import annotations

from doctor_maintenance.clock import Clock
from doctor_maintenance.flow import Flow, blocking
from doctor_maintenance.leading import Lead, Reach
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.policy import SwitchOver
from sample_app_manager.strategies import Done, led


class PortForwarding:
    """One call a protocol: the floating IP's port leads to the standby's."""

    moves = True

    def unfit(self, lead: Lead) -> str | None:
        """Return why it cannot be used for an address, or None."""
        return led(lead, Reach.PORT_FORWARDING)

    def switch_over(self, cloud: ProjectCloud, clock: Clock, what: SwitchOver) -> Flow[Done]:
        """Change every forwarding."""
        yield from blocking(lambda: cloud.addresses.forward(what.address, what.to_instance))
        return Done("port_forwarding")


STRATEGY = PortForwarding()
