# SPDX-License-Identifier: Apache-2.0
"""What the inspector asks of the cloud, as an operator. Every method blocks and is done by a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from openstack.connection import Connection

from doctor_maintenance.cloud import call, call_json
from doctor_maintenance.cloud_services import Services
from doctor_maintenance.exceptions import CloudError

_NOVA = "2.79"
"""Of every call to Nova (Train, 2019): services are named by UUID from 2.53 on."""


@dataclass(frozen=True, slots=True)
class Affected:
    """An instance on a host that has a fault.

    Attributes:
        instance_id: its ID.
        project_id: its owner.
        status: Nova's status.
    """

    instance_id: str
    project_id: str
    status: str


class OperatorCloud:
    """The cloud as an operator sees it.

    Args:
        connection: with an operator's credentials.
    """

    def __init__(self, connection: Connection) -> None:
        self._cloud = Services(connection, _NOVA)

    def disabled_hosts(self) -> dict[str, str]:
        """Return the disable reason of each host whose nova-compute is disabled."""
        return {
            item["host"]: item.get("disabled_reason") or ""
            for item in self._services("list nova-compute services")
            if item["status"] == "disabled"
        }

    def force_down(self, host: str, down: bool) -> None:
        """Tell Nova that nova-compute of a host is down, or that it may speak for itself again.

        Raises:
            CloudError: Nova refuses, or there is no nova-compute of that name.
        """
        what = f"{'force down' if down else 'release'} nova-compute of {host}"
        found = [item for item in self._services(what, host=host) if item["host"] == host]
        if not found:
            raise CloudError(f"{what}: there is none", status=404, permanent=True)
        if bool(found[0].get("forced_down")) is not down:
            call(
                what,
                lambda: self._cloud["compute"].put(
                    f"/os-services/{found[0]['id']}", json={"forced_down": down}
                ),
            )

    def instances_on(self, host: str) -> list[Affected]:
        """Return every project's instances on a host."""
        what = f"list the instances on {host}"
        query = {"all_tenants": "1", "host": host}
        found: list[Affected] = []
        while True:
            body = self._get(what, "/servers/detail", query)
            page = body["servers"]
            found += [Affected(item["id"], item["tenant_id"], item["status"]) for item in page]
            if not page or not any(link["rel"] == "next" for link in body.get("servers_links", ())):
                return found
            query["marker"] = page[-1]["id"]

    def reset_state(self, instance_id: str, state: str) -> None:
        """Tell Nova what state an instance is in; one that is gone is no error.

        Args:
            instance_id: the instance.
            state: ``error`` or ``active``.
        """
        try:
            call(
                f"set the state of instance {instance_id} to {state}",
                lambda: self._cloud["compute"].post(
                    f"/servers/{quote(instance_id)}/action",
                    json={"os-resetState": {"state": state}},
                ),
            )
        except CloudError as error:
            if error.status != 404:
                raise

    def _services(self, what: str, **query: str) -> list[dict[str, Any]]:
        body = self._get(what, "/os-services", {"binary": "nova-compute", **query})
        services: list[dict[str, Any]] = body["services"]
        return services

    def _get(self, what: str, path: str, query: Mapping[str, str]) -> Any:
        return call_json(what, lambda: self._cloud["compute"].get(path, params=dict(query)))
