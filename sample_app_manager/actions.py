# SPDX-License-Identifier: Apache-2.0
"""What the app manager asks of the cloud, with its project's own rights.

Everything here blocks and is called from a worker. What the service looks like is asked anew each
time: a snapshot grows stale, and with it a switch-over goes to an instance that is gone. Only what
a decision needs is asked for, not every instance of the project: there may be hundreds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from keystoneauth1 import exceptions as keystone_errors
from openstack.connection import Connection

from doctor_maintenance.cloud import call, call_json
from doctor_maintenance.cloud_services import Services
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.leading import Lead, Reach
from sample_app_manager.addresses import Addresses
from sample_app_manager.policy import Instance, Service, View

GONE = "GONE"
"""The status of an instance that does not exist."""

REPLACES = "doctor_maintenance.replaces"
"""The metadata by which a new instance says which one it replaces."""

_NOVA = "2.40"
"""Before 2.47 a server still tells its flavor's ID, not only the name."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """All that is needed to build an instance anew.

    Attributes:
        name: its name.
        image_id: its image.
        flavor_id: its flavor.
        network_ids: the networks of its ports, in order.
        security_groups: their names.
        group_id: its server group, or None.
        key_name: its key pair, or None.
        metadata: its metadata.
    """

    name: str
    image_id: str
    flavor_id: str
    network_ids: tuple[str, ...]
    security_groups: tuple[str, ...]
    group_id: str | None
    key_name: str | None
    metadata: Mapping[str, str]


class ProjectCloud:
    """The cloud as a project sees it.

    Args:
        connection: with the project's own credentials.
        user_data: what a re-created instance is started with, base64; a project cannot read it back.

    Attributes:
        addresses: its floating IPs, and how they are led elsewhere.
    """

    def __init__(self, connection: Connection, user_data: str | None = None) -> None:
        self._cloud = connection
        self._services = Services(connection, _NOVA)
        self._user_data = user_data
        self.addresses = Addresses(connection)

    def project_id(self) -> str:
        """Return the project's ID."""
        try:
            project_id = self._cloud.session.get_project_id()
        except keystone_errors.ClientException as error:
            raise CloudError(f"asking who we are: {error}") from error
        if not project_id:
            raise CloudError("the credentials are not scoped to a project", permanent=True)
        return str(project_id)

    def token(self, renew: bool = False) -> str:
        """Return a token of the project, to show to the admin tool.

        Args:
            renew: ask for another one, because this one was refused.
        """
        try:
            if renew:
                self._cloud.session.invalidate()
            return str(self._cloud.session.get_token() or "")
        except keystone_errors.ClientException as error:
            raise CloudError(f"asking for a token: {error}") from error

    def view(self, about: Collection[str]) -> View:
        """Return what the project sees of itself now.

        Args:
            about: the instances to look at, besides the members of services; those that are not the
                project's, or are gone, are left out.
        """
        groups = [
            tuple(sorted(group["members"]))
            for group in self._groups()
            if policy_of(group) == "anti-affinity" and len(group["members"]) > 1
        ]
        leads = sorted(self.addresses.leads(), key=lambda lead: lead.address)
        services = tuple(
            Service(lead.address, members, lead.instance_id)
            for lead in leads
            for members in groups
            if lead in _of_services(leads, members)
        )
        wanted = sorted({*about, *(member for item in services for member in item.members)})
        instances = {}
        for instance_id in wanted:
            server = self._server(instance_id)
            if server is not None:
                instances[instance_id] = Instance(
                    instance_id, server["name"], server["status"], server.get("hostId") or ""
                )
        return View(instances, services)

    def holder(self, address: str) -> str | None:
        """Return the instance that a floating IP leads to, as Neutron has it."""
        found = self.addresses.leads(address)
        return found[0].instance_id if found else None

    def name(self, instance_id: str) -> str:
        """Return an instance's name; empty if it does not exist."""
        server = self._server(instance_id)
        return "" if server is None else str(server["name"])

    def blueprint(self, instance_id: str) -> Blueprint:
        """Return what is needed to build an instance anew.

        Raises:
            CloudError: it cannot be asked for, or has no image because it boots from a volume.
        """
        what = f"read instance {instance_id}"
        server = self._server(instance_id)
        if server is None:
            raise CloudError(f"{what}: it does not exist", status=404, permanent=True)
        image = server.get("image")
        if not image:
            raise CloudError(
                f"{what}: it boots from a volume, so it cannot be built anew from an image",
                permanent=True,
            )
        ports = self._list(what, "network", f"/ports?device_id={quote(instance_id)}", "ports")
        groups = [group["id"] for group in self._groups() if instance_id in group["members"]]
        return Blueprint(
            name=server["name"],
            image_id=image["id"],
            flavor_id=server["flavor"]["id"],
            network_ids=tuple(port["network_id"] for port in ports),
            security_groups=tuple(
                sorted({item["name"] for item in server.get("security_groups") or ()})
            ),
            group_id=groups[0] if groups else None,
            key_name=server.get("key_name"),
            metadata=server.get("metadata") or {},
        )

    def delete(self, instance_id: str) -> None:
        """Delete an instance; one that is gone is no error."""
        try:
            call(
                f"delete instance {instance_id}",
                lambda: self._services["compute"].delete(f"/servers/{quote(instance_id)}"),
            )
        except CloudError as error:
            if error.status != 404:
                raise

    def replacement(self, name: str, instance_id: str) -> str | None:
        """Return the instance that was built instead of another one; None if there is none.

        Args:
            name: what it is called.
            instance_id: the one that it replaces.
        """
        what = f"look for what replaces instance {instance_id}"
        path = f"/servers/detail?name={quote(f'^{re.escape(name)}$', safe='')}"
        for server in self._list(what, "compute", path, "servers"):
            if server.get("metadata", {}).get(REPLACES) == instance_id:
                return str(server["id"])
        return None

    def create(self, blueprint: Blueprint, replaces: str) -> str:
        """Begin to build an instance, and return its ID.

        Args:
            blueprint: what it is like.
            replaces: the instance that it replaces; the new one says so in its metadata.
        """
        server: dict[str, Any] = {
            "name": blueprint.name,
            "imageRef": blueprint.image_id,
            "flavorRef": blueprint.flavor_id,
            "networks": [{"uuid": network_id} for network_id in blueprint.network_ids],
            "metadata": {**blueprint.metadata, REPLACES: replaces},
        }
        if blueprint.security_groups:
            server["security_groups"] = [{"name": name} for name in blueprint.security_groups]
        if blueprint.key_name:
            server["key_name"] = blueprint.key_name
        if self._user_data:
            server["user_data"] = self._user_data
        body: dict[str, Any] = {"server": server}
        if blueprint.group_id:
            body["os:scheduler_hints"] = {"group": blueprint.group_id}
        answer = call_json(
            f"build instance {blueprint.name} anew",
            lambda: self._services["compute"].post("/servers", json=body),
        )
        return str(answer["server"]["id"])

    def status(self, instance_id: str) -> str:
        """Return an instance's status, or :data:`GONE`."""
        server = self._server(instance_id)
        status = GONE if server is None else str(server["status"])
        return GONE if status in ("DELETED", "SOFT_DELETED") else status

    def _server(self, instance_id: str) -> dict[str, Any] | None:
        """Return a server, or None if there is none of the project's."""
        try:
            answer = call_json(
                f"look at instance {instance_id}",
                lambda: self._services["compute"].get(f"/servers/{quote(instance_id, safe='')}"),
            )
        except CloudError as error:
            if error.status in (403, 404):  # nova answers 403 for another project's
                return None
            raise
        server: dict[str, Any] = answer["server"]
        return server

    def _groups(self) -> list[dict[str, Any]]:
        return self._list("list our server groups", "compute", "/os-server-groups", "server_groups")

    def _list(self, what: str, service: str, path: str, key: str) -> list[dict[str, Any]]:
        """Return one page: none of these lists is longer in a project of a sensible size."""
        answer = call_json(what, lambda: self._services[service].get(path))
        return list(answer[key])


def policy_of(group: Mapping[str, Any]) -> str:
    """Return a server group's policy; ``policies`` became ``policy`` in microversion 2.64."""
    return str(group.get("policy") or next(iter(group.get("policies") or ()), ""))


def _of_services(leads: Sequence[Lead], members: Collection[str]) -> list[Lead]:
    """Return the addresses that a group's services have.

    Where one leads to the group in a way that can be changed without a gap, those that lead straight to a member are
    that member's own, to be asked at whoever serves.
    """
    to_group = [lead for lead in leads if lead.instance_id in members]
    changeable = [lead for lead in to_group if lead.reach is not Reach.FLOATING_IP]
    return changeable or to_group
