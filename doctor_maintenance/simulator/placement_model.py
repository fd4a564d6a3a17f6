# SPDX-License-Identifier: Apache-2.0
"""Who has how much of which resource, and who took it: the Placement service's model.

Capacity is decided here and nowhere else, as in a real cloud since Nova's hypervisors have no figures any more
(microversion 2.88). During a migration the instance holds its destination and the migration record holds the source,
so that nothing else can take the place that a rollback needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from doctor_maintenance.exceptions import NotFoundError
from doctor_maintenance.simulator.errors import NoValidHost

RESOURCE_CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")
TRAITS = (
    "COMPUTE_NODE",
    "COMPUTE_ARCH_X86_64",
    "COMPUTE_MIGRATE_AUTO_CONVERGE",
    "COMPUTE_NET_VIF_MODEL_VIRTIO",
)
TRAIT_DISABLED = "COMPUTE_STATUS_DISABLED"
"""What Nova sets on the provider of a host whose nova-compute is disabled."""


@dataclass(slots=True)
class Inventory:
    """How much a provider has of one resource class."""

    total: int
    reserved: int = 0
    allocation_ratio: float = 1.0
    min_unit: int = 1
    max_unit: int = 0
    step_size: int = 1

    @property
    def capacity(self) -> int:
        """How much of it can be allocated."""
        return int((self.total - self.reserved) * self.allocation_ratio)


@dataclass(frozen=True, slots=True)
class Allocation:
    """What one consumer holds of one provider."""

    consumer_id: str
    provider_id: str
    resources: Mapping[str, int]
    project_id: str
    user_id: str


@dataclass(slots=True)
class Provider:
    """A compute host, as Placement knows it."""

    provider_id: str
    name: str
    inventories: dict[str, Inventory]
    generation: int = 2
    used: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RESOURCE_CLASSES, 0))
    consumers: dict[str, Allocation] = field(default_factory=dict)
    traits: dict[str, None] = field(default_factory=lambda: dict.fromkeys(TRAITS))

    def free(self, resource: str) -> int:
        """Return how much of a resource class is left; less than 0 if an inventory shrank."""
        return self.inventories[resource].capacity - self.used[resource]

    def fits(self, resources: Mapping[str, int]) -> bool:
        """Return whether so much can be allocated here."""
        for resource, amount in resources.items():
            inventory = self.inventories.get(resource)
            if inventory is None or amount > inventory.max_unit or amount > self.free(resource):
                return False
        return True


class Placement:
    """The providers and their allocations."""

    def __init__(self) -> None:
        self._providers: dict[str, Provider] = {}
        self._by_name: dict[str, Provider] = {}
        self._consumers: dict[str, dict[str, Allocation]] = {}

    def add_provider(self, provider: Provider) -> None:
        """Make a provider known."""
        self._providers[provider.provider_id] = provider
        self._by_name[provider.name] = provider

    def providers(self) -> Iterator[Provider]:
        """Return the providers in the order in which they were added."""
        return iter(self._providers.values())

    def get(self, provider_id: str) -> Provider:
        """Return a provider.

        Raises:
            NotFoundError: there is none with this ID.
        """
        try:
            return self._providers[provider_id]
        except KeyError:
            raise NotFoundError(f"No resource provider with uuid {provider_id} found") from None

    def of_host(self, host: str) -> Provider:
        """Return the provider of a host."""
        return self._by_name[host]

    def allocations(self, consumer_id: str) -> list[Allocation]:
        """Return what a consumer holds; an unknown one holds nothing."""
        return list(self._consumers.get(consumer_id, {}).values())

    def claim(
        self,
        consumer_id: str,
        host: str,
        resources: Mapping[str, int],
        *,
        project_id: str,
        user_id: str,
    ) -> None:
        """Allocate resources of a host to a consumer, all or nothing.

        Raises:
            NoValidHost: the host has not so much left.
        """
        provider = self._by_name[host]
        wanted = {resource: amount for resource, amount in resources.items() if amount > 0}
        if not provider.fits(wanted):
            raise NoValidHost
        allocation = Allocation(consumer_id, provider.provider_id, wanted, project_id, user_id)
        self._consumers.setdefault(consumer_id, {})[provider.provider_id] = allocation
        provider.consumers[consumer_id] = allocation
        for resource, amount in wanted.items():
            provider.used[resource] += amount
        provider.generation += 1

    def release(self, consumer_id: str) -> None:
        """Free everything that a consumer holds."""
        for provider_id, allocation in self._consumers.pop(consumer_id, {}).items():
            provider = self._providers[provider_id]
            del provider.consumers[consumer_id]
            for resource, amount in allocation.resources.items():
                provider.used[resource] -= amount
            provider.generation += 1

    def hand_over(self, consumer_id: str, new_consumer_id: str) -> None:
        """Give everything that one consumer holds to another one, which holds nothing."""
        held = self._consumers.pop(consumer_id, {})
        for provider_id, old in held.items():
            provider = self._providers[provider_id]
            del provider.consumers[consumer_id]
            new = Allocation(
                new_consumer_id, provider_id, old.resources, old.project_id, old.user_id
            )
            provider.consumers[new_consumer_id] = new
            self._consumers.setdefault(new_consumer_id, {})[provider_id] = new
            provider.generation += 1

    def usage(self, project_id: str, user_id: str | None = None) -> tuple[dict[str, int], int]:
        """Return what a project (or one user in it) holds in all, and how many consumers that is."""
        total: dict[str, int] = {}
        consumers: set[str] = set()
        for consumer_id, held in self._consumers.items():
            for allocation in held.values():
                if allocation.project_id == project_id and user_id in (None, allocation.user_id):
                    consumers.add(consumer_id)
                    for resource, amount in allocation.resources.items():
                        total[resource] = total.get(resource, 0) + amount
        return total, len(consumers)
