# SPDX-License-Identifier: Apache-2.0
"""Letting a service's address lead to another instance, with the project's own rights: one method a way.

Each may be repeated, and each looks at Neutron anew: what was true when the application was deployed may not be now.
All of it blocks and is called from a worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from openstack.connection import Connection

from doctor_maintenance.cloud import call, call_json
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.leading import Lead, destination_of, leads

_STALE = 412
"""Neutron's status where ``If-Match`` does not match: somebody else changed it in the meantime."""


class Addresses:
    """The floating IPs of a project.

    Args:
        connection: with the project's own credentials.
    """

    def __init__(self, connection: Connection) -> None:
        self._cloud = connection

    def leads(self, address: str | None = None) -> list[Lead]:
        """Return where floating IPs lead: one, or all of the project's."""
        what = "ask where our floating IPs lead"
        query = "" if address is None else f"?floating_ip_address={quote(address)}"
        return leads(lambda path: self._get(what, path), query)

    def lead(self, address: str) -> Lead:
        """Return where a floating IP leads.

        Raises:
            CloudError: there is no such floating IP, or it leads nowhere.
        """
        found = self.leads(address)
        if not found:
            raise CloudError(
                f"floating IP {address} is not there or leads nowhere; was it deleted?",
                permanent=True,
            )
        return found[0]

    def own(self, instance_id: str) -> str | None:
        """Return an address that leads straight to an instance; None: it has none.

        Raises:
            CloudError: Neutron refuses, or the instance has no port.
        """
        what = f"ask for instance {instance_id}'s own address"
        ports = self._ports(what, instance_id)
        found = self._get(what, f"/floatingips?port_id={quote(ports[0]['id'])}")["floatingips"]
        return min((str(item["floating_ip_address"]) for item in found), default=None)

    def give_own(self, name: str, instance_id: str) -> None:
        """Let a floating IP that was an instance's own lead to the one that was built in its place.

        Args:
            name: the name of both, with which the floating IP is described.
            instance_id: the new one.

        Raises:
            CloudError: Neutron refuses, or the instance has no port.
        """
        what = f"give {name} its own address again"
        found = self._get(what, f"/floatingips?description={quote(name)}")["floatingips"]
        for item in found:
            port = self._ports(what, instance_id)[0]
            self._put(what, f"/floatingips/{item['id']}", {"floatingip": {"port_id": port["id"]}})

    def move(self, address: str, to_instance: str) -> None:
        """Let the floating IP itself lead to another instance's port.

        Neutron's answer to this still has the old status, so it is not looked at.

        Raises:
            CloudError: the address or the instance's port is not there, or Neutron refuses.
        """
        what = f"move {address} to instance {to_instance}"
        floating = self._get(what, f"/floatingips?floating_ip_address={quote(address)}")
        ports = self._ports(what, to_instance)
        if not floating["floatingips"]:
            raise CloudError(f"{what}: the address is not there; was it deleted?", permanent=True)
        path = f"/floatingips/{floating['floatingips'][0]['id']}"
        self._put(what, path, {"floatingip": {"port_id": ports[0]["id"]}})

    def route(self, address: str, to_instance: str) -> None:
        """Let the router send what is for the service's address to another instance.

        The new route takes the old one's place in one call, so there is no moment without one; it
        is refused and has to be tried again if the router was changed since it was looked at.

        Raises:
            CloudError: the address does not lead over a route, the instance has no port, or Neutron refuses.
        """
        what = f"route {address} to instance {to_instance}"
        lead = self.lead(address)
        if lead.router_id is None or lead.service_ip is None:
            raise CloudError(f"{what}: it leads over no route", permanent=True)
        port = self._ports(what, to_instance)[0]
        self._may_use(what, port, lead.service_ip)
        router = self._get(what, f"/routers/{lead.router_id}")["router"]
        destination = destination_of(lead.service_ip)
        wanted = {"destination": destination, "nexthop": port["fixed_ips"][0]["ip_address"]}
        others = [item for item in router["routes"] if item["destination"] != destination]
        body = {"router": {"routes": [*others, wanted]}}
        match = f"revision_number={router['revision_number']}"
        try:
            self._put(what, f"/routers/{lead.router_id}", body, {"If-Match": match})
        except CloudError as error:
            if error.status == _STALE:
                raise CloudError(str(error), status=_STALE) from error
            raise

    def forward(self, address: str, to_instance: str) -> None:
        """Let the port forwardings of the floating IP lead to another instance.

        Raises:
            CloudError: the address has no forwardings, the instance has no port, or Neutron refuses.
        """
        what = f"forward {address} to instance {to_instance}"
        port = self._ports(what, to_instance)[0]
        path = f"/floatingips/{self.lead(address).floating_id}/port_forwardings"
        forwardings = self._get(what, path)["port_forwardings"]
        if not forwardings:
            raise CloudError(f"{what}: it has no port forwardings", permanent=True)
        for item in sorted(forwardings, key=lambda each: str(each["protocol"])):
            changes = {
                "internal_port_id": port["id"],
                "internal_ip_address": port["fixed_ips"][0]["ip_address"],
                "internal_port": item["internal_port"],
            }
            self._put(what, f"{path}/{item['id']}", {"port_forwarding": changes})

    def _may_use(self, what: str, port: Mapping[str, Any], service_ip: str) -> None:
        """See to it that an instance may answer from an address; one that was built anew may not yet."""
        pairs = [
            {"ip_address": pair["ip_address"]} for pair in port.get("allowed_address_pairs") or ()
        ]
        if {"ip_address": service_ip} not in pairs:
            body = {"port": {"allowed_address_pairs": [*pairs, {"ip_address": service_ip}]}}
            self._put(what, f"/ports/{port['id']}", body)

    def _ports(self, what: str, instance_id: str) -> Sequence[Mapping[str, Any]]:
        ports: list[dict[str, Any]] = self._get(what, f"/ports?device_id={quote(instance_id)}")[
            "ports"
        ]
        if not ports:
            raise CloudError(
                f"{what}: the instance's port is not there; was it deleted?", permanent=True
            )
        return ports

    def _get(self, what: str, path: str) -> Any:
        return call_json(what, partial(self._cloud.network.get, path))

    def _put(
        self,
        what: str,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        call(
            what,
            lambda: self._cloud.network.put(path, json=dict(body), headers=dict(headers or {})),
        )
