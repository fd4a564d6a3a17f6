# SPDX-License-Identifier: Apache-2.0
"""What the app manager asks of the cloud, with its project's own rights, through openstacksdk.

Everything here blocks and is called from a worker. What the service looks like is asked anew each
time: a snapshot grows stale, and with it a switch-over goes to an instance that is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from keystoneauth1 import exceptions as auth_errors
from openstack import exceptions as sdk_errors
from openstack.connection import Connection

from doctor_maintenance.exceptions import CloudError
from sample_app_manager.policy import Instance, Service, View

GONE = "GONE"
"""The status of an instance that does not exist."""


@contextmanager
def cloud_errors(what: str) -> Iterator[None]:
    """Turn errors of openstacksdk into ours.

    Args:
        what: what was asked of the cloud, for the message.
    """
    try:
        yield
    except sdk_errors.HttpException as error:
        status = error.status_code
        raise CloudError(
            f"{what}: {error}",
            status=status,
            permanent=status is not None and 400 <= status < 500 and status not in (409, 413, 429),
        ) from error
    except (sdk_errors.SDKException, auth_errors.ClientException) as error:
        raise CloudError(f"{what}: {error}") from error


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
    """

    def __init__(self, connection: Connection, user_data: str | None = None) -> None:
        self._cloud = connection
        self._user_data = user_data

    def project_id(self) -> str:
        """Return the project's ID."""
        with cloud_errors("asking who we are"):
            project_id = self._cloud.current_project_id
        if not project_id:
            raise CloudError("the credentials are not scoped to a project", permanent=True)
        return str(project_id)

    def token(self, renew: bool = False) -> str:
        """Return a token of the project, to show to the admin tool.

        Args:
            renew: ask for another one, because this one was refused.
        """
        with cloud_errors("asking for a token"):
            if renew:
                self._cloud.session.invalidate()
            return str(self._cloud.session.get_token() or "")

    def view(self) -> View:
        """Return what the project sees of itself now."""
        with cloud_errors("looking at our own instances"):
            instances = {
                server.id: Instance(
                    server.id, server.name, str(server.status), str(server.host_id or "")
                )
                for server in self._cloud.compute.servers(details=True)
            }
            groups = [
                sorted(set(group.member_ids or ()) & instances.keys())
                for group in self._cloud.compute.server_groups()
                if policy_of(group) == "anti-affinity"
            ]
            holders = self._holders()
        services = tuple(
            Service(address, tuple(members), holder)
            for address, holder in sorted(holders.items())
            for members in groups
            if holder in members and len(members) > 1
        )
        return View(instances, services)

    def _holders(self) -> dict[str, str]:
        """Return the instance behind each floating IP that leads to one."""
        addresses = {
            address.port_id: address.floating_ip_address
            for address in self._cloud.network.ips()
            if address.port_id
        }
        if not addresses:
            return {}
        return {
            addresses[port.id]: port.device_id
            for port in self._cloud.network.ports()
            if port.id in addresses and port.device_id
        }

    def move_address(self, address: str, to_instance: str) -> None:
        """Let a floating IP lead to another instance.

        Neutron's answer to this still has the old status, so it is not looked at.
        """
        with cloud_errors(f"moving {address} to instance {to_instance}"):
            floating = next(iter(self._cloud.network.ips(floating_ip_address=address)), None)
            port = next(iter(self._cloud.network.ports(device_id=to_instance)), None)
            if floating is None or port is None:
                missing = f"the address {address}" if floating is None else "its port"
                raise CloudError(
                    f"moving {address} to instance {to_instance}: {missing} is not there;"
                    " it may have been deleted",
                    permanent=True,
                )
            self._cloud.network.update_ip(floating, port_id=port.id)

    def holder(self, address: str) -> str | None:
        """Return the instance that a floating IP leads to, as Neutron has it."""
        with cloud_errors(f"asking who holds {address}"):
            return self._holders().get(address)

    def blueprint(self, instance_id: str) -> Blueprint:
        """Return what is needed to build an instance anew.

        Raises:
            CloudError: it cannot be asked for, or the instance has no image (it boots from a volume).
        """
        with cloud_errors(f"reading instance {instance_id}"):
            server = self._cloud.compute.get_server(instance_id)
            ports = self._cloud.network.ports(device_id=instance_id)
            networks = tuple(port.network_id for port in ports)
            group_id = next(
                (
                    group.id
                    for group in self._cloud.compute.server_groups()
                    if instance_id in (group.member_ids or ())
                ),
                None,
            )
            flavor_id = self._flavor_id(server.flavor)
        image_id = (server.image or {}).get("id")
        if not image_id:
            raise CloudError(
                f"instance {instance_id} boots from a volume; it cannot be built anew from an image",
                permanent=True,
            )
        names: Sequence[Mapping[str, Any]] = server.security_groups or ()
        return Blueprint(
            name=server.name,
            image_id=str(image_id),
            flavor_id=flavor_id,
            network_ids=networks,
            security_groups=tuple(sorted({str(item["name"]) for item in names})),
            group_id=group_id,
            key_name=server.key_name,
            metadata=dict(server.metadata or {}),
        )

    def _flavor_id(self, flavor: Any) -> str:
        """Return a flavor's ID; from microversion 2.47 on a server tells only the flavor's name."""
        name = flavor.original_name or flavor.name
        found = self._cloud.compute.find_flavor(name) if name else None
        if found is not None:
            return str(found.id)
        if flavor.id and flavor.id != name:
            return str(flavor.id)
        raise CloudError(f"flavor {name!r} is not there any more", permanent=True)

    def delete(self, instance_id: str) -> None:
        """Delete an instance; one that is gone is no error."""
        with cloud_errors(f"deleting instance {instance_id}"):
            self._cloud.compute.delete_server(instance_id, ignore_missing=True)

    def create(self, blueprint: Blueprint) -> str:
        """Begin to build an instance, and return its ID."""
        wanted: dict[str, Any] = {
            "name": blueprint.name,
            "image_id": blueprint.image_id,
            "flavor_id": blueprint.flavor_id,
            "networks": [{"uuid": network_id} for network_id in blueprint.network_ids],
            "metadata": dict(blueprint.metadata),
        }
        if blueprint.security_groups:
            wanted["security_groups"] = [{"name": name} for name in blueprint.security_groups]
        if blueprint.key_name:
            wanted["key_name"] = blueprint.key_name
        if blueprint.group_id:
            wanted["scheduler_hints"] = {"group": blueprint.group_id}
        if self._user_data:
            wanted["user_data"] = self._user_data
        with cloud_errors(f"building instance {blueprint.name} anew"):
            return str(self._cloud.compute.create_server(**wanted).id)

    def status(self, instance_id: str) -> str:
        """Return an instance's status, or :data:`GONE`."""
        with cloud_errors(f"asking how instance {instance_id} is"):
            try:
                server = self._cloud.compute.get_server(instance_id)
            except sdk_errors.NotFoundException:
                return GONE
        status = str(server.status)
        return GONE if status in ("DELETED", "SOFT_DELETED") else status


def policy_of(group: Any) -> str:
    """Return a server group's policy; ``policies`` became ``policy`` in microversion 2.64."""
    return str(group.policy or next(iter(group.policies or ()), ""))
