# SPDX-License-Identifier: Apache-2.0
"""Nova's small tables: flavors, key pairs and host aggregates."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from doctor_maintenance.exceptions import ConflictError, InvalidRequestError, NotFoundError
from doctor_maintenance.simulator import ids
from doctor_maintenance.simulator.errors import QuotaExceeded
from doctor_maintenance.simulator.quotas import Quotas
from doctor_maintenance.simulator.records import Flavor
from doctor_maintenance.simulator.topology import FlavorSpec


class Flavors:
    """The sizes that instances can have.

    Args:
        rng: where IDs come from.
        specs: flavors that exist from the start.
    """

    def __init__(self, rng: random.Random, specs: Iterable[FlavorSpec]) -> None:
        self._rng = rng
        self._flavors: dict[str, Flavor] = {}
        self._last = 0
        for spec in specs:
            self.create(spec.name, spec.vcpus, spec.memory_mb, spec.disk_gb)

    def create(
        self,
        name: str,
        vcpus: int,
        memory_mb: int,
        disk_gb: int,
        flavor_id: str | None = None,
        **details: Any,
    ) -> Flavor:
        """Create a flavor.

        Args:
            name: its name, unique.
            vcpus: virtual CPUs.
            memory_mb: memory.
            disk_gb: root disk.
            flavor_id: its ID, unique; None: a new UUID.
            details: other attributes of :class:`Flavor`.

        Raises:
            ConflictError: the name or the ID is taken.
        """
        identifier = flavor_id or ids.new_uuid(self._rng)
        if identifier in self._flavors:
            raise ConflictError(f"Flavor with ID {identifier} already exists.")
        if any(name == flavor.name for flavor in self._flavors.values()):
            raise ConflictError(f"Flavor with name {name} already exists.")
        self._last += 1
        flavor = Flavor(
            identifier,
            name,
            vcpus,
            memory_mb,
            disk_gb,
            number=self._last,
            **details,
        )
        self._flavors[identifier] = flavor
        return flavor

    def get(self, flavor_id: str) -> Flavor:
        """Return a flavor by its ID.

        Raises:
            NotFoundError: there is none.
        """
        try:
            return self._flavors[flavor_id]
        except KeyError:
            raise NotFoundError(f"Flavor {flavor_id} could not be found.") from None

    def find(self, id_or_name: str) -> Flavor:
        """Return a flavor by its ID or name.

        Raises:
            NotFoundError: there is none.
        """
        for flavor in self._flavors.values():
            if flavor.name == id_or_name:
                return flavor
        return self.get(id_or_name)

    def all(self) -> list[Flavor]:
        """Return every flavor."""
        return list(self._flavors.values())

    def change(
        self,
        flavor_id: str,
        *,
        description: str | None = None,
        extra_specs: Mapping[str, str] | None = None,
        removed_spec: str | None = None,
    ) -> Flavor:
        """Change what may change of a flavor, and return it as it is now.

        Args:
            flavor_id: which one.
            description: a new description.
            extra_specs: extra specs to add or change.
            removed_spec: an extra spec to remove.

        Raises:
            NotFoundError: there is no such flavor or extra spec.
        """
        flavor = self.get(flavor_id)
        specs = {**dict(flavor.extra_specs), **(extra_specs or {})}
        if removed_spec is not None and specs.pop(removed_spec, None) is None:
            raise NotFoundError(f"Flavor {flavor_id} has no extra specs with key {removed_spec}.")
        flavor = replace(
            flavor,
            description=flavor.description if description is None else description,
            extra_specs=tuple(specs.items()),
        )
        self._flavors[flavor_id] = flavor
        return flavor

    def delete(self, flavor_id: str) -> None:
        """Delete a flavor; instances keep what they were made with.

        Raises:
            NotFoundError: there is none.
        """
        self.get(flavor_id)
        del self._flavors[flavor_id]


@dataclass(frozen=True, slots=True)
class Keypair:
    """A user's public key."""

    number: int
    name: str
    user_id: str
    public_key: str
    fingerprint: str
    type: str
    created: float


class Keypairs:
    """The key pairs of all users.

    Args:
        quotas: how many a user may have.
    """

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._keypairs: dict[tuple[str, str], Keypair] = {}
        self._last = 0

    def create(
        self,
        user_id: str,
        name: str,
        public_key: str,
        fingerprint: str,
        now: float,
        kind: str = "ssh",
    ) -> Keypair:
        """Keep a public key.

        Raises:
            ConflictError: the user has a key pair of this name.
            QuotaExceeded: the user has as many as one may.
        """
        if (user_id, name) in self._keypairs:
            raise ConflictError(f"Key pair '{name}' already exists.")
        if not self._quotas.allows(user_id, "key_pairs", len(self.of_user(user_id)), 1):
            raise QuotaExceeded("Quota exceeded, too many key pairs.")
        self._last += 1
        keypair = Keypair(self._last, name, user_id, public_key, fingerprint, kind, now)
        self._keypairs[user_id, name] = keypair
        return keypair

    def get(self, user_id: str, name: str) -> Keypair:
        """Return a user's key pair.

        Raises:
            NotFoundError: there is none of this name.
        """
        try:
            return self._keypairs[user_id, name]
        except KeyError:
            raise NotFoundError(f"Keypair {name} not found for user {user_id}") from None

    def of_user(self, user_id: str) -> list[Keypair]:
        """Return a user's key pairs."""
        return [keypair for keypair in self._keypairs.values() if keypair.user_id == user_id]

    def delete(self, user_id: str, name: str) -> None:
        """Delete a user's key pair.

        Raises:
            NotFoundError: there is none of this name.
        """
        self.get(user_id, name)
        del self._keypairs[user_id, name]


@dataclass(slots=True)
class Aggregate:
    """A named set of hosts, perhaps an availability zone."""

    number: int
    uuid: str
    name: str
    created: float
    hosts: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


class Aggregates:
    """The host aggregates.

    Args:
        rng: where IDs come from.
        hosts: the names of the hosts that exist.
    """

    def __init__(self, rng: random.Random, hosts: Iterable[str]) -> None:
        self._rng = rng
        self._hosts = frozenset(hosts)
        self._aggregates: dict[int, Aggregate] = {}
        self._last = 0

    def create(self, name: str, zone: str | None, now: float) -> Aggregate:
        """Create an aggregate, with an availability zone if one is given.

        Raises:
            ConflictError: the name is taken.
        """
        if any(name == aggregate.name for aggregate in self._aggregates.values()):
            raise ConflictError(f"Aggregate {name} already exists.")
        self._last += 1
        aggregate = Aggregate(self._last, ids.new_uuid(self._rng), name, now)
        if zone is not None:
            aggregate.metadata["availability_zone"] = zone
        self._aggregates[aggregate.number] = aggregate
        return aggregate

    def get(self, number: int) -> Aggregate:
        """Return an aggregate.

        Raises:
            NotFoundError: there is none.
        """
        try:
            return self._aggregates[number]
        except KeyError:
            raise NotFoundError(f"Aggregate {number} could not be found.") from None

    def all(self) -> list[Aggregate]:
        """Return every aggregate."""
        return list(self._aggregates.values())

    def delete(self, number: int) -> None:
        """Delete an aggregate.

        Raises:
            NotFoundError: there is none.
            InvalidRequestError: it still has hosts.
        """
        if self.get(number).hosts:
            raise InvalidRequestError(
                f"Cannot remove host from aggregate {number}. Reason: Host aggregate is not empty."
            )
        del self._aggregates[number]

    def add_host(self, number: int, host: str) -> Aggregate:
        """Add a host.

        Raises:
            NotFoundError: there is no such aggregate or host.
            ConflictError: the host is in it.
        """
        aggregate = self.get(number)
        if host not in self._hosts:
            raise NotFoundError(f"Compute host {host} could not be found.")
        if host in aggregate.hosts:
            raise ConflictError(f"Aggregate {number} already has host {host}.")
        aggregate.hosts.append(host)
        return aggregate

    def remove_host(self, number: int, host: str) -> Aggregate:
        """Take a host out.

        Raises:
            NotFoundError: there is no such aggregate, or the host is not in it.
        """
        aggregate = self.get(number)
        if host not in aggregate.hosts:
            raise NotFoundError(f"Cannot remove host {host} in aggregate {number}: not found.")
        aggregate.hosts.remove(host)
        return aggregate
