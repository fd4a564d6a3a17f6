# SPDX-License-Identifier: Apache-2.0
"""Port forwardings: a port of a floating IP leads to a port of an instance (checked against neutron 29)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from doctor_maintenance.simulator.network_records import (
    FloatingIp,
    NetworkRefused,
    Port,
    PortForwarding,
)

if TYPE_CHECKING:
    from doctor_maintenance.simulator.network import Network

_FIELDS = {
    "protocol": "protocol",
    "external_port": "external_port",
    "internal_port_id": "internal_port_id",
    "internal_ip_address": "internal_ip",
    "internal_port": "internal_port",
    "description": "description",
}
"""What each is called on the wire, and here."""


class PortForwardings:
    """The port forwardings of the network model.

    Args:
        network: where the floating IPs and ports are.
    """

    def __init__(self, network: Network) -> None:
        self._network = network

    def get(self, floating: FloatingIp, identity: str) -> PortForwarding:
        """Return a forwarding; raise NetworkRefused if there is none."""
        try:
            return floating.forwardings[identity]
        except KeyError:
            raise NetworkRefused(
                404, "PortForwardingNotFound", f"Port Forwarding {identity} could not be found."
            ) from None

    def create(self, floating: FloatingIp, attributes: Mapping[str, Any]) -> PortForwarding:
        """Add a forwarding.

        Args:
            floating: whose port it is.
            attributes: checked ones, as on the wire.

        Raises:
            NetworkRefused: the port is taken, or has a floating IP of its own, or cannot be reached.
        """
        made = PortForwarding(
            id=self._network.new_id(),
            **{_FIELDS[name]: value for name, value in attributes.items()},
        )
        router_id = self._check(floating, made)
        if not floating.forwardings:
            floating.router_id = router_id
            self._network.touch(floating)  # that it has a router now is a change of its own
        floating.forwardings[made.id] = made
        self._changed(floating)
        return made

    def update(
        self, floating: FloatingIp, identity: str, attributes: Mapping[str, Any]
    ) -> PortForwarding:
        """Change a forwarding; raises as :meth:`create` does, and then nothing is changed."""
        old = self.get(floating, identity)
        changes = dict(attributes)
        port_id = changes.get("internal_port_id")
        if port_id is not None and "internal_ip_address" not in changes:
            changes["internal_ip_address"] = _address(self._network.port(port_id))
        new = PortForwarding(
            **{name: getattr(old, name) for name in ("id", *_FIELDS.values())}
            | {_FIELDS[name]: value for name, value in changes.items()}
        )
        self._check(floating, new)
        floating.forwardings[identity] = new
        self._changed(floating)
        return new

    def delete(self, floating: FloatingIp, identity: str) -> None:
        """Remove a forwarding; without any, the floating IP leads nowhere."""
        self.get(floating, identity)
        del floating.forwardings[identity]
        if not floating.forwardings:
            floating.router_id = None
            self._network.touch(floating)
        self._changed(floating)

    def _changed(self, floating: FloatingIp) -> None:
        self._network.touch(floating)
        self._network.floating.forwardings_changed(floating)

    def _check(self, floating: FloatingIp, wanted: PortForwarding) -> str:
        """Return the router that does it; raise NetworkRefused if it cannot be."""
        port = self._network.port(wanted.internal_port_id)
        own = self._network.floating.of_port(port.id)
        if own is not None:
            raise NetworkRefused(
                409,
                "PortHasBindingFloatingIP",
                f"Cannot create port forwarding to floating IP {own.address} ({own.id}) with port {port.id} using "
                f"fixed IP {_address(port)}, as that port already has a binding floating IP.",
            )
        subnets = [subnet for subnet, address in port.fixed_ips if address == wanted.internal_ip]
        if not subnets:
            fixed = [{"subnet_id": s, "ip_address": a} for s, a in port.fixed_ips]
            raise NetworkRefused(
                400,
                "BadRequest",
                f"Bad port_forwarding request: Requested internal IP address {wanted.internal_ip} is not suitable for "
                f"internal neutron port {port.id}, as its fixed_ips are {fixed}.",
            )
        router = self._network.routers.between(subnets[0], floating.network_id)
        if router is None:
            raise NetworkRefused(
                404,
                "ExternalGatewayForFloatingIPNotFound",
                f"External network {floating.network_id} is not reachable from subnet {subnets[0]}.  Therefore, "
                f"cannot associate Port {port.id} with a Floating IP.",
            )
        for other in floating.forwardings.values():
            if other.id != wanted.id and other.protocol == wanted.protocol:
                _check_apart(other, wanted)
        return router.id


def _address(port: Port) -> str:
    return port.fixed_ips[0][1] if port.fixed_ips else ""


def _check_apart(other: PortForwarding, wanted: PortForwarding) -> None:
    internal = (wanted.internal_port_id, wanted.internal_ip, wanted.internal_port)
    side, number = "", 0
    if internal == (other.internal_port_id, other.internal_ip, other.internal_port):
        side, number = "internal", wanted.internal_port
    elif other.external_port == wanted.external_port:
        side, number = "external", wanted.external_port
    if side:
        ports = f"{number}:{number}"
        raise NetworkRefused(
            400,
            "BadRequest",
            f"Bad port_forwarding request: There is a port collision with the {side}_port_range. The following "
            f"ranges collide: {ports} and {ports}.",
        )
