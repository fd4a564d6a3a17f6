# SPDX-License-Identifier: Apache-2.0
"""Routers: what makes a floating IP reach a port at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doctor_maintenance.simulator import extra_routes
from doctor_maintenance.simulator.network_records import (
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    NetworkRefused,
    Port,
    Router,
    Subnet,
)

if TYPE_CHECKING:
    from doctor_maintenance.simulator.network import Network


class Routers:
    """The routers of the network model.

    Args:
        network: where their ports are.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.routers: dict[str, Router] = {}

    def create(self, project_id: str, gateway: str | None = None, **fields: Any) -> Router:
        """Add a router.

        Args:
            project_id: whose it is.
            gateway: the external network that it leads to, if any.
            **fields: of :class:`Router`.

        Raises:
            NetworkRefused: too many, or the gateway is not an external network.
        """
        self._network.quotas.check("router", project_id)
        if gateway is not None:
            self._check_external(gateway)
        router = Router(id=self._network.new_id(), project_id=project_id, **fields)
        self.routers[router.id] = self._network.stamp(router, 1)
        if gateway is not None:
            self.set_gateway(router.id, gateway)
        return router

    def get(self, router_id: str) -> Router:
        """Return a router; raise NetworkRefused if there is none."""
        try:
            return self.routers[router_id]
        except KeyError:
            raise NetworkRefused(
                404, "RouterNotFound", f"Router {router_id} could not be found"
            ) from None

    def gateway(self, router: Router) -> Port | None:
        """Return a router's port on the external network, or None."""
        if router.gateway_port_id is None:
            return None
        return self._network.ports[router.gateway_port_id]

    def set_gateway(self, router_id: str, network_id: str | None) -> None:
        """Lead a router to an external network, or to none.

        Raises:
            NetworkRefused: the network is not external, or floating IPs need the gateway that is there.
        """
        router = self.get(router_id)
        present = self.gateway(router)
        if present is not None and present.network_id == network_id:
            return
        if network_id is not None:
            self._check_external(network_id)
        if present is not None:
            self._check_gateway_free(router, present.network_id)
            router.gateway_port_id = None
            self._network.remove_port(present.id)
        if network_id is not None:
            port = self._network.create_port(
                "", network_id, router_id, device_owner=ROUTER_GATEWAY, port_security=False
            )
            router.gateway_port_id = port.id
        self._network.touch(router)

    def set_routes(self, router_id: str, routes: Any) -> None:
        """Replace the routes of a router.

        Raises:
            NetworkRefused: one is malformed, or its next hop cannot be reached.
        """
        router = self.get(router_id)
        wanted = extra_routes.checked(routes)
        ports = [self._network.ports[port_id] for port_id in router.interfaces.values()]
        gateway = self.gateway(router)
        if gateway is not None:
            ports.append(gateway)
        addresses = [pair for port in ports for pair in port.fixed_ips]
        subnets = [self._network.subnets[subnet_id] for subnet_id, _ in addresses]
        own = frozenset(address for _, address in addresses)
        extra_routes.check_connected(wanted, subnets, own)
        if wanted != router.routes:
            router.routes = wanted
            self._network.floating.router_changed(router_id)

    def add_interface(
        self, router_id: str, subnet_id: str | None = None, port_id: str | None = None
    ) -> Port:
        """Connect a router to a subnet, by its gateway's address or by a port that exists.

        Raises:
            NetworkRefused: its addresses overlap with those of another interface.
        """
        router, subnet, port = self._interface_of(router_id, subnet_id, port_id)
        for other_id in router.interfaces:
            other = self._network.subnets[other_id]
            if other.block.overlaps(subnet.block):
                raise NetworkRefused(
                    400,
                    "BadRequest",
                    f"Bad router request: Cidr {subnet.block} of subnet {subnet.id} overlaps with "
                    f"cidr {other.block} of subnet {other.id}.",
                )
        if port is None:
            if subnet.gateway_ip is None:
                raise NetworkRefused(
                    400,
                    "BadRequest",
                    "Bad router request: Subnet for router interface must have a gateway IP.",
                )
            port = self._network.create_port(
                router.project_id,
                subnet.network_id,
                router_id,
                subnet.gateway_ip,
                ROUTER_INTERFACE,
                port_security=False,
                security_groups=[],
            )
        else:
            self._network.attach_port(port.id, router_id, ROUTER_INTERFACE)
        self._network.set_status(port.id, "ACTIVE")
        router.interfaces[subnet.id] = port.id
        self._network.touch(router)
        return port

    def remove_interface(
        self, router_id: str, subnet_id: str | None = None, port_id: str | None = None
    ) -> Port:
        """Disconnect a router from a subnet, and return the port that is gone.

        Raises:
            NetworkRefused: there is no such interface, or floating IPs or routes need it.
        """
        router, subnet, _ = self._interface_of(router_id, subnet_id, port_id)
        if subnet.id not in router.interfaces:
            raise NetworkRefused(
                404,
                "RouterInterfaceNotFoundForSubnet",
                f"Router {router_id} has no interface on subnet {subnet.id}",
            )
        if self._network.floating.through(router_id, subnet.id):
            raise NetworkRefused(
                409,
                "RouterInterfaceInUseByFloatingIP",
                f"Router interface for subnet {subnet.id} on router {router_id} cannot be deleted, as it is "
                "required by one or more floating IPs.",
            )
        if extra_routes.lead_into(router.routes, subnet):
            raise NetworkRefused(
                409,
                "RouterInterfaceInUseByRoute",
                f"Router interface for subnet {subnet.id} on router {router_id} cannot be deleted, as it is "
                "required by one or more routes.",
            )
        port = self._network.ports[router.interfaces.pop(subnet.id)]
        self._network.remove_port(port.id)
        self._network.touch(router)
        return port

    def delete(self, router_id: str) -> None:
        """Remove a router; raise NetworkRefused while it has interfaces."""
        router = self.get(router_id)
        if router.interfaces:
            ports = ",".join(router.interfaces.values())
            raise NetworkRefused(
                409, "RouterInUse", f"Router {router_id} has ports still attached: {ports}"
            )
        self.set_gateway(router_id, None)
        del self.routers[router_id]

    def between(self, subnet_id: str, external_id: str) -> Router | None:
        """Return a router that connects a subnet to an external network, or None."""
        for router in self.routers.values():
            gateway = self.gateway(router)
            leads_there = gateway is not None and gateway.network_id == external_id
            if leads_there and subnet_id in router.interfaces:
                return router
        return None

    def _interface_of(
        self, router_id: str, subnet_id: str | None, port_id: str | None
    ) -> tuple[Router, Subnet, Port | None]:
        router = self.get(router_id)
        if port_id is not None:
            port = self._network.port(port_id)
            if not port.fixed_ips:
                raise NetworkRefused(
                    400, "BadRequest", f"Bad router request: Port {port_id} has no fixed IP."
                )
            return router, self._network.subnets[port.fixed_ips[0][0]], port
        if subnet_id is None:
            raise NetworkRefused(
                400,
                "BadRequest",
                "Bad router request: Either subnet_id or port_id must be specified.",
            )
        return router, self._network.subnet(subnet_id), None

    def _check_external(self, network_id: str) -> None:
        if not self._network.network(network_id).external:
            raise NetworkRefused(
                400,
                "BadRequest",
                f"Bad router request: Network {network_id} is not an external network.",
            )

    def _check_gateway_free(self, router: Router, network_id: str) -> None:
        if self._network.floating.through(router.id):
            raise NetworkRefused(
                409,
                "RouterExternalGatewayInUseByFloatingIp",
                f"Gateway cannot be updated for router {router.id}, since a gateway to external network "
                f"{network_id} is required by one or more floating IPs.",
            )
