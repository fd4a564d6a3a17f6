# SPDX-License-Identifier: Apache-2.0
"""What Nova and Neutron say, asked again and again: the witness that nobody else's word is taken for.

A look gives the state of one moment. What differs from the look before happened between the beginning
of that one and the end of this one, and the record says just that: ``not_before`` and ``at``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import ClientException

from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.leading import leads

Facts = Mapping[str, Any]

COMPUTE_MICROVERSION = "2.79"
"""High enough for migrations by UUID and projects, low enough for clouds of 2019 (Train)."""


@dataclass(frozen=True, slots=True)
class Look:
    """The cloud at one moment.

    Attributes:
        begun: when the first question was sent, seconds since the epoch.
        ended: when the last answer was there.
        facts: by kind and identity, the fields of a trace record.
    """

    begun: float
    ended: float
    facts: Mapping[tuple[str, str], Facts] = field(default_factory=dict)


class CloudWatch:
    """Looks at a cloud.

    Args:
        compute: an adapter on Nova with the operator's rights.
        network: an adapter on Neutron with the operator's rights.
        now: the time.
        projects: the projects whose instances are of interest.
        addresses: the floating IPs of interest.
    """

    def __init__(
        self,
        compute: Adapter,
        network: Adapter,
        now: Callable[[], float],
        projects: frozenset[str],
        addresses: tuple[str, ...],
    ) -> None:
        self._compute = compute
        self._network = network
        self._now = now
        self._projects = projects
        self._addresses = addresses

    def look(self) -> Look:
        """Ask for everything once; blocks.

        Raises:
            CloudError: a service did not answer.
        """
        return self._look(self._services, self._instances, self._migrations, self._floating_ips)

    def look_at_services(self) -> Look:
        """Ask Nova for its services once; blocks.

        Raises:
            CloudError: it did not answer.
        """
        return self._look(self._services)

    def look_at_instances(self) -> Look:
        """Ask Nova for instances and migrations once; blocks.

        Raises:
            CloudError: it did not answer.
        """
        return self._look(self._instances, self._migrations)

    def look_at_addresses(self) -> Look:
        """Ask Neutron for addresses once; blocks.

        Raises:
            CloudError: it did not answer.
        """
        return self._look(self._floating_ips)

    def _look(self, *reads: Callable[[], Iterator[tuple[str, str, Facts]]]) -> Look:
        begun = self._now()
        facts: dict[tuple[str, str], Facts] = {}
        for read in reads:
            for kind, identity, fields in read():
                facts[kind, identity] = fields
        return Look(begun, self._now(), facts)

    def _services(self) -> Iterator[tuple[str, str, Facts]]:
        for item in self._nova("/os-services?binary=nova-compute")["services"]:
            yield (
                "service",
                item["host"],
                {
                    "host": item["host"],
                    "status": item["status"],
                    "state": item["state"],
                    "reason": item.get("disabled_reason"),
                    "forced_down": bool(item.get("forced_down")),
                },
            )

    def _instances(self) -> Iterator[tuple[str, str, Facts]]:
        for item in self._nova("/servers/detail?all_tenants=1")["servers"]:
            if item["tenant_id"] in self._projects:
                yield (
                    "instance",
                    item["id"],
                    {
                        "instance_id": item["id"],
                        "name": item["name"],
                        "project_id": item["tenant_id"],
                        "host": item.get("OS-EXT-SRV-ATTR:host"),
                        "status": item["status"],
                        "task_state": item.get("OS-EXT-STS:task_state"),
                    },
                )

    def _migrations(self) -> Iterator[tuple[str, str, Facts]]:
        for item in self._nova("/os-migrations")["migrations"]:
            identity = str(item.get("uuid") or item["id"])
            yield (
                "migration",
                identity,
                {
                    "migration_id": identity,
                    "instance_id": item["instance_uuid"],
                    "type": item["migration_type"],
                    "status": item["status"],
                    "source_compute": item.get("source_compute"),
                    "dest_compute": item.get("dest_compute"),
                },
            )

    def _floating_ips(self) -> Iterator[tuple[str, str, Facts]]:
        for address in self._addresses:
            query = f"?floating_ip_address={address}"
            found = leads(lambda path: _get(self._network, path), query)
            holder = found[0].instance_id if found else None
            yield "address", address, {"address": address, "instance_id": holder}

    def _nova(self, path: str) -> Any:
        return _get(self._compute, path, microversion=COMPUTE_MICROVERSION)


def _get(adapter: Adapter, path: str, **options: Any) -> Any:
    try:
        return adapter.get(path, **options).json()
    except ClientException as error:
        raise CloudError(f"watching the cloud: GET {path}: {error}") from error


def sourced(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the witness that it is from."""
    return {"source": "neutron" if record["kind"] == "address" else "nova", **record}


def first_look(look: Look) -> list[dict[str, Any]]:
    """Return the records of the cloud as it is at the beginning."""
    return [sourced(record) for record in changes(None, look)]


def changes(before: Look | None, after: Look) -> list[dict[str, Any]]:
    """Return the records of what differs between two looks.

    Args:
        before: the earlier look; None: everything is told, as it is at the later one.
        after: the later look.
    """
    known = {} if before is None else before.facts
    since = after.begun if before is None else before.begun
    times = {"at": after.ended, "not_before": since}
    records = [
        {**times, "kind": kind, **fields}
        for (kind, identity), fields in after.facts.items()
        if known.get((kind, identity)) != fields
    ]
    records.extend(
        {**times, "kind": kind, **fields, "host": None, "status": "DELETED", "task_state": None}
        for (kind, identity), fields in known.items()
        if kind == "instance" and (kind, identity) not in after.facts
    )
    return records
