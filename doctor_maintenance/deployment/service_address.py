# SPDX-License-Identifier: Apache-2.0
"""The address of an application's service, laid out so that a switch-over loses as little as the cloud allows.

How an address leads to its instance cannot be changed without a gap later, so it is settled here, before anybody
uses it; a strategy of the app manager then has what it needs. What each way costs is said there.

By a route, the service's address is on a network of its own that no instance is on: nobody there can claim it,
early or late, by accident or on purpose, and its port is never bound to a host, so that even where floating IPs are
distributed this one stays on the router's gateway. Each of the pair then has a floating IP of its own besides, at which
it can be asked whether it serves before it is let: a guest is active for Nova the moment its kernel starts.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from doctor_maintenance.deployment.rest import Rest
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.leading import Reach, destination_of

SERVICE_IP = "10.78.0.10"
"""The address behind the floating IP, where it leads by a route; every application's own, as they do not meet."""

_SERVICE_CIDR = "10.78.0.0/28"

NEEDS: Mapping[Reach, frozenset[str]] = {
    Reach.ROUTE: frozenset({"extraroute", "allowed-address-pairs"}),
    Reach.PORT_FORWARDING: frozenset({"floating-ip-port-forwarding"}),
    Reach.FLOATING_IP: frozenset(),
}
"""The extensions of Neutron that each way needs; the best way comes first."""

GUESTS_MUST: Mapping[Reach, str] = {
    Reach.ROUTE: f"run their user data, a script on a config drive that puts {SERVICE_IP} on their loopback, and "
    "answer from the address that they are asked at; with an image that does not, take --strategy floating_ip",
    Reach.PORT_FORWARDING: "answer on UDP and TCP at their own address",
    Reach.FLOATING_IP: "answer on UDP and TCP at their own address",
}
"""What each way asks of the guests; an address that leads nowhere says nothing of why."""

_HOLD = f"""\
#!/bin/sh
# The service's address is ours all the time; the router says whose turn it is. Nobody may find it by ARP.
ip address add {SERVICE_IP}/32 dev lo
echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore
echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce
"""


def choose(wanted: Reach | None, extensions: frozenset[str]) -> Reach:
    """Return how a service's address is to lead to its instance.

    Args:
        wanted: a certain way; None: the best that there is.
        extensions: what Neutron offers, by alias.

    Raises:
        PreconditionError: Neutron does not offer what is wanted.
    """
    if wanted is None:
        return next(reach for reach, needed in NEEDS.items() if needed <= extensions)
    missing = sorted(NEEDS[wanted] - extensions)
    if missing:
        raise PreconditionError(
            f"an address that leads by {wanted} needs Neutron's {', '.join(missing)}, which it does not offer; "
            "take strategy auto or floating_ip"
        )
    return wanted


def user_data(reach: Reach, own: str | None) -> str | None:
    """Return what the pair is started with, base64, or None if that is nothing.

    A guest image runs it if it begins with ``#!``, as cloud-init and cirros do.

    Args:
        reach: how the service's address leads to its instance.
        own: what it is to be started with in any case, base64; run afterwards if it is a script too.

    Raises:
        PreconditionError: the address has to be held, and what is given is no script to add that to.
    """
    if reach is not Reach.ROUTE:
        return own
    script = base64.b64decode(own) if own else b""
    if script and not script.startswith(b"#!/bin/sh"):
        raise PreconditionError(
            "an address that leads by route needs user data that is a script for /bin/sh, to add to it; take "
            f"strategy floating_ip, or let the image itself put {SERVICE_IP} on its loopback"
        )
    rest = script.partition(b"\n")[2]
    return base64.b64encode(_HOLD.encode("ascii") + rest).decode("ascii")


class ServiceAddress:
    """Makes the address of one application's service.

    Args:
        rest: the project's.
        reach: how it is to lead to its instance.
        external_network_id: where floating IPs come from.
        name: returns a name of this run for a thing.
        service_port: the service's UDP and TCP port.
    """

    def __init__(
        self,
        rest: Rest,
        reach: Reach,
        external_network_id: str,
        name: Callable[[str], str],
        service_port: int,
    ) -> None:
        self._rest = rest
        self._reach = reach
        self._external_network_id = external_network_id
        self._name = name
        self._service_port = service_port

    def lead(self, router_id: str, pair: Mapping[str, str]) -> str:
        """Create the address, let it lead to the first of a pair, and return it.

        Args:
            router_id: the application's router.
            pair: the instances that can serve, and their names.

        Raises:
            CloudError: the cloud refuses.
        """
        ports = [self._port(instance_id) for instance_id in pair]
        match self._reach:
            case Reach.FLOATING_IP:
                return str(self._floating_ip(port_id=ports[0]["id"])["floating_ip_address"])
            case Reach.PORT_FORWARDING:
                return self._by_forwardings(ports[0])
            case Reach.ROUTE:
                return self._by_route(router_id, ports, list(pair.values()))

    def _by_route(
        self, router_id: str, ports: Sequence[Mapping[str, Any]], names: Sequence[str]
    ) -> str:
        network = self._post("/networks", "network", name=self._name("service"))
        subnet = self._post(
            "/subnets",
            "subnet",
            name=self._name("service"),
            network_id=network["id"],
            ip_version=4,
            cidr=_SERVICE_CIDR,
            enable_dhcp=False,
        )
        self._rest.put(
            "network", f"/routers/{router_id}/add_router_interface", {"subnet_id": subnet["id"]}
        )
        port = self._post(
            "/ports",
            "port",
            name=self._name("service"),
            network_id=network["id"],
            fixed_ips=[{"ip_address": SERVICE_IP}],
        )
        for each in ports:
            pairs = {"port": {"allowed_address_pairs": [{"ip_address": SERVICE_IP}]}}
            self._rest.put("network", f"/ports/{each['id']}", pairs)
        route = {"destination": destination_of(SERVICE_IP), "nexthop": _address(ports[0])}
        self._rest.put("network", f"/routers/{router_id}", {"router": {"routes": [route]}})
        for each, name in zip(ports, names, strict=True):
            self._floating_ip(port_id=each["id"], description=name)
        return str(self._floating_ip(port_id=port["id"])["floating_ip_address"])

    def _by_forwardings(self, port: Mapping[str, Any]) -> str:
        floating = self._floating_ip()
        for protocol in ("udp", "tcp"):
            self._post(
                f"/floatingips/{floating['id']}/port_forwardings",
                "port_forwarding",
                protocol=protocol,
                external_port=self._service_port,
                internal_port=self._service_port,
                internal_port_id=port["id"],
                internal_ip_address=_address(port),
            )
        return str(floating["floating_ip_address"])

    def _floating_ip(self, **fields: str) -> dict[str, Any]:
        return self._post(
            "/floatingips",
            "floatingip",
            floating_network_id=self._external_network_id,
            **{"description": self._name("address"), **fields},
        )

    def _port(self, instance_id: str) -> dict[str, Any]:
        ports = self._rest.get("network", "/ports", device_id=instance_id)["ports"]
        found: dict[str, Any] = ports[0]
        return found

    def _post(self, path: str, kind: str, **fields: Any) -> dict[str, Any]:
        created: dict[str, Any] = self._rest.post("network", path, {kind: fields})[kind]
        return created


def _address(port: Mapping[str, Any]) -> str:
    return str(port["fixed_ips"][0]["ip_address"])
