# SPDX-License-Identifier: Apache-2.0
"""Floating IPs: which instance answers on an address, and the silence when that changes.

Neutron answers at once that a floating IP was moved; the path follows later. On ML2/OVN that took 1.22 to
1.34 s, so association (what the API says) and effect (where packets go) are two things here. What lies behind
an address that is not moved itself (a route, a port forwarding) was seen to change without any silence.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from doctor_maintenance.clock import Clock, TimerHandle
from doctor_maintenance.simulator.events import Emit
from doctor_maintenance.simulator.faults import Faults
from doctor_maintenance.simulator.network_records import (
    FLOATING_IP,
    FloatingIp,
    NetworkRefused,
    Port,
)
from doctor_maintenance.simulator.paths import reached
from doctor_maintenance.simulator.profiles import TimingProfile
from doctor_maintenance.simulator.profiles.base import Duration, draw

if TYPE_CHECKING:
    from doctor_maintenance.simulator.network import Network


class FloatingIps:
    """The floating IPs of the network model.

    Args:
        network: where their ports are.
        clock: when a move takes effect.
        rng: what the length of a gap is drawn from.
        profile: how long a gap is.
        faults: asked for a longer one.
        emit: told which instance holds an address, whenever that changes.
    """

    def __init__(
        self,
        network: Network,
        clock: Clock,
        rng: random.Random,
        profile: TimingProfile,
        faults: Faults,
        emit: Emit,
    ) -> None:
        self._network = network
        self._clock = clock
        self._rng = rng
        self._profile = profile
        self._faults = faults
        self._emit = emit
        self.floating_ips: dict[str, FloatingIp] = {}
        self._by_address: dict[str, FloatingIp] = {}
        self._by_port: dict[str, FloatingIp] = {}
        self._told: dict[str, str | None] = {}
        self._timers: dict[str, TimerHandle] = {}

    def create(
        self,
        project_id: str,
        network_id: str,
        port_id: str | None = None,
        address: str | None = None,
        **fields: Any,
    ) -> FloatingIp:
        """Add a floating IP.

        Args:
            project_id: whose it is.
            network_id: the external network that the address is from.
            port_id: what it leads to, if anything.
            address: the address that it is to have; by default a free one.
            **fields: of :class:`FloatingIp`.

        Raises:
            NetworkRefused: the network is not external, there are too many, or the port cannot have it.
        """
        network = self._network.network(network_id)
        if not network.external:
            raise NetworkRefused(
                400,
                "BadRequest",
                f"Bad floatingip request: Network {network_id} is not a valid external network.",
            )
        self._network.quotas.check("floatingip", project_id)
        identity = self._network.new_id()
        own = self._network.create_port(
            "", network_id, identity, address, FLOATING_IP, port_security=False
        )
        self._network.set_status(own.id, "N/A")
        floating = FloatingIp(
            id=identity,
            project_id=project_id,
            address=own.fixed_ips[0][1],
            network_id=network_id,
            own_port_id=own.id,
            **fields,
        )
        try:
            target = self._target(floating, port_id) if port_id is not None else None
        except NetworkRefused:
            self._network.remove_port(own.id)
            raise
        self.floating_ips[identity] = self._network.stamp(floating, 0)
        self._by_address[floating.address] = floating
        self._told[floating.address] = None
        self._emit("address", {"address": floating.address, "instance_id": None})
        if target is not None:
            self._associate(floating, *target, None)
        return floating

    def get(self, floating_id: str) -> FloatingIp:
        """Return a floating IP; raise NetworkRefused if there is none."""
        try:
            return self.floating_ips[floating_id]
        except KeyError:
            raise NetworkRefused(
                404, "FloatingIPNotFound", f"Floating IP {floating_id} could not be found"
            ) from None

    def move(self, floating_id: str, port_id: str | None) -> FloatingIp:
        """Lead a floating IP to a port, or to none; to the port that it leads to already changes nothing.

        Raises:
            NetworkRefused: no router connects the port, another floating IP leads to it, or this one has port
                forwardings; nothing is changed then.
        """
        floating = self.get(floating_id)
        if port_id == floating.port_id:
            return floating
        self.check_no_forwardings(floating)
        target = self._target(floating, port_id) if port_id is not None else None
        former = floating.effective_port_id
        self._dissociate(floating)
        if target is not None:
            self._associate(floating, *target, former)
        else:
            self._lead(floating, None)
        self._network.touch(floating)
        return floating

    def delete(self, floating_id: str) -> None:
        """Remove a floating IP; its address answers no more."""
        floating = self.get(floating_id)
        self.check_no_forwardings(floating)
        self._dissociate(floating)
        self._lead(floating, None)
        del self.floating_ips[floating_id]
        del self._by_address[floating.address]
        del self._told[floating.address]
        self._network.remove_port(floating.own_port_id)

    def of_port(self, port_id: str) -> FloatingIp | None:
        """Return the floating IP that is associated with a port, or None."""
        return self._by_port.get(port_id)

    def known_addresses(self) -> list[str]:
        """Return all addresses, associated or not."""
        return list(self._by_address)

    def holder(self, address: str) -> str | None:
        """Return the instance that an address leads to now, or None."""
        floating = self._by_address.get(address)
        if floating is None or floating.effective_port_id is None:
            return None
        port = self._network.ports.get(floating.effective_port_id)
        return (port.device_id or None) if port is not None else None

    def answerers(self, address: str) -> tuple[str, ...]:
        """Return the instances that share an address now, in turn: one, unless a fault says otherwise."""
        holder = self.holder(address)
        floating = self._by_address.get(address)
        former = floating.former_port_id if floating is not None else None
        port = self._network.ports.get(former) if former is not None else None
        found = (holder, port.device_id if port is not None else None)
        return tuple(each for each in found if each)

    def through(self, router_id: str, subnet_id: str | None = None) -> bool:
        """Whether a floating IP is translated by a router (to a port on a subnet, if one is given)."""
        for floating in self._by_port.values():
            if floating.router_id == router_id and floating.port_id is not None:
                subnets = [s for s, _ in self._network.ports[floating.port_id].fixed_ips]
                if subnet_id is None or subnet_id in subnets:
                    return True
        return False

    def check_no_forwardings(self, floating: FloatingIp) -> None:
        """Raise NetworkRefused if a floating IP has port forwardings."""
        if floating.forwardings:
            raise NetworkRefused(
                409,
                "FipInUseByPortForwarding",
                f"Floating IP {floating.id} in use by Port Forwarding resources.",
            )

    def router_changed(self, router_id: str) -> None:
        """Take note that a router has other routes now."""
        for floating in self.floating_ips.values():
            if floating.router_id == router_id:
                self._aim(floating, self._profile.route_move_gap_s)

    def forwardings_changed(self, floating: FloatingIp) -> None:
        """Take note that a floating IP has other port forwardings now."""
        self._aim(floating, self._profile.port_forwarding_move_gap_s)

    def port_changed(self, port_id: str) -> None:
        """Take note that a port belongs to another instance now, or may use other addresses."""
        port = self._network.ports[port_id]
        for floating in self.floating_ips.values():
            if floating.project_id == port.project_id and floating.router_id is not None:
                self._aim(floating, 0.0)
        for floating in self.floating_ips.values():
            if floating.effective_port_id == port_id:
                self._tell(floating)

    def port_removed(self, port_id: str) -> None:
        """Free the floating IP that led to a port; one that still led there leads nowhere until its move is over."""
        for late in self.floating_ips.values():
            if late.goal_port_id == port_id != late.port_id:
                late.goal_port_id = None
            if late.effective_port_id == port_id != late.port_id:
                self._lead(late, None)
        floating = self._by_port.get(port_id)
        if floating is not None:
            self._dissociate(floating)
            self._lead(floating, None)
            self._network.touch(floating)

    def _target(self, floating: FloatingIp, port_id: str) -> tuple[Port, str, str]:
        """Return the port, its address and the router that a floating IP would use, if it may."""
        port = self._network.port(port_id)
        if not port.fixed_ips:
            raise NetworkRefused(
                400,
                "BadRequest",
                f"Bad floatingip request: Port {port_id} does not have fixed ips.",
            )
        subnet_id, fixed_ip = port.fixed_ips[0]
        router = self._network.routers.between(subnet_id, floating.network_id)
        if router is None:
            raise NetworkRefused(
                404,
                "ExternalGatewayForFloatingIPNotFound",
                f"External network {floating.network_id} is not reachable from subnet {subnet_id}.  "
                f"Therefore, cannot associate Port {port_id} with a Floating IP.",
            )
        if port_id in self._by_port:
            raise NetworkRefused(
                409,
                "FloatingIPPortAlreadyAssociated",
                f"Cannot associate floating IP {floating.address} ({floating.id}) with port {port_id} using "
                f"fixed IP {fixed_ip}, as that fixed IP already has a floating IP on external network "
                f"{floating.network_id}.",
            )
        return port, fixed_ip, router.id

    def _associate(
        self, floating: FloatingIp, port: Port, fixed_ip: str, router_id: str, former: str | None
    ) -> None:
        floating.port_id, floating.fixed_ip, floating.router_id = port.id, fixed_ip, router_id
        self._by_port[port.id] = floating
        goal = reached(self._network, floating)
        gap = self._profile.floating_ip_move_gap_s if floating.used else 0.0
        self._shift(floating, goal, former, gap)

    def _aim(self, floating: FloatingIp, gap: Duration) -> None:
        """Lead a floating IP where it should, now that something behind it has changed."""
        goal = reached(self._network, floating)
        if goal == floating.goal_port_id:
            return
        former, floating.former_port_id = floating.effective_port_id, None
        self._forget_move(floating)
        self._shift(floating, goal, former, gap)

    def _shift(
        self, floating: FloatingIp, goal: str | None, former: str | None, gap: Duration
    ) -> None:
        """Lead a floating IP elsewhere, after a silence or however a fault wants it."""
        floating.goal_port_id = goal
        if goal is None:
            self._lead(floating, None)
            return
        fault = self._faults.decide(
            "network.floating_ip", address=floating.address, project=floating.project_id
        )
        if fault is not None and fault.name == "both_sides_active":
            floating.former_port_id = former
            self._lead(floating, goal)
            self._when(floating, float(fault.parameters["for_s"]), goal)
            return
        gap_s = draw(gap, self._rng)
        if fault is not None:
            gap_s = float(fault.parameters["delay_s"])
        if gap_s <= 0:
            self._lead(floating, goal)
            return
        stays = fault is not None and fault.name == "floating_ip_stays"
        self._lead(floating, former if stays else None)
        self._when(floating, gap_s, goal)

    def _when(self, floating: FloatingIp, delay_s: float, port_id: str) -> None:
        """Let a move be complete after so long."""

        def complete() -> None:
            del self._timers[floating.id]
            floating.former_port_id = None
            self._lead(floating, port_id)

        self._timers[floating.id] = self._clock.call_later(delay_s, complete)

    def _dissociate(self, floating: FloatingIp) -> None:
        floating.former_port_id = None
        if floating.port_id is None:
            return
        del self._by_port[floating.port_id]
        floating.port_id = floating.fixed_ip = floating.router_id = None
        floating.goal_port_id = None
        self._forget_move(floating)

    def _forget_move(self, floating: FloatingIp) -> None:
        """Let a move that is under way never be complete."""
        timer = self._timers.pop(floating.id, None)
        if timer is not None:
            self._clock.cancel(timer)

    def _lead(self, floating: FloatingIp, port_id: str | None) -> None:
        floating.effective_port_id = port_id
        floating.used = floating.used or port_id is not None
        self._tell(floating)

    def _tell(self, floating: FloatingIp) -> None:
        holder = self.holder(floating.address)
        if self._told.get(floating.address) != holder:
            self._told[floating.address] = holder
            self._emit("address", {"address": floating.address, "instance_id": holder})
