# SPDX-License-Identifier: Apache-2.0
"""Which host an instance goes to: Nova's filters and weighers, as far as a maintenance meets them.

A host passes if its nova-compute is enabled and up, Placement has room, the zone fits and the server group allows it.
Of those the one with the most free memory is taken, then with the most free vCPUs; equals in the order of the topology.

Real Nova learns that a live-migrated instance has left its old host only from a periodic sync. Until then the
anti-affinity filter still sees it there ("No valid host", measured up to 62 s). :meth:`Scheduler.departed` keeps that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from doctor_maintenance.simulator.errors import NoValidHost
from doctor_maintenance.simulator.faults import Faults
from doctor_maintenance.simulator.placement_model import Placement
from doctor_maintenance.simulator.records import GroupPolicy, Host, Instance, ServerGroup


class Scheduler:
    """Chooses hosts.

    Args:
        hosts: every host by name, in the order of the topology.
        instances: every instance by ID.
        placement: where room is looked up.
        faults: what may go wrong.
    """

    def __init__(
        self,
        hosts: Mapping[str, Host],
        instances: Mapping[str, Instance],
        placement: Placement,
        faults: Faults,
    ) -> None:
        self._hosts = hosts
        self._instances = instances
        self._placement = placement
        self._faults = faults
        self._believed: dict[str, dict[str, float]] = {}

    def departed(self, instance_id: str, host: str, until: float) -> None:
        """Go on believing that an instance is on a host, until then."""
        self._believed.setdefault(host, {})[instance_id] = until

    def select(
        self,
        instance: Instance,
        group: ServerGroup | None,
        *,
        now: float,
        action: str,
        resources: Mapping[str, int],
        host: str | None = None,
        exclude: Iterable[str] = (),
    ) -> str:
        """Return the host that an instance shall go to.

        Args:
            instance: the instance.
            group: its server group.
            now: the present time.
            action: ``create``, ``live-migration``, ``migrate`` or ``evacuate``.
            resources: what it takes there.
            host: the only host that will do; None: any.
            exclude: hosts that will not do.

        Raises:
            NoValidHost: no host passes.
        """
        facts = {
            "instance": (instance.instance_id, instance.name),
            "project": instance.project_id,
            "source": instance.host,
            "action": action,
        }
        fault = self._faults.decide("compute.schedule", **facts)
        if fault is not None and fault.name == "no_valid_host":
            raise NoValidHost
        excluded = frozenset(exclude)
        candidates = [
            candidate
            for candidate in ([self._hosts[host]] if host is not None else self._hosts.values())
            if candidate.name not in excluded
            and self._passes(candidate, instance, group, resources, now)
        ]
        if not candidates:
            raise NoValidHost
        if fault is not None and fault.name == "lands_on_unmaintained_host":
            preferred = fault.parameters["host"]
            candidates = [
                candidate for candidate in candidates if candidate.name == preferred
            ] or candidates
        company = self._company(instance, group)
        return max(candidates, key=lambda candidate: self._weight(candidate, company)).name

    def _passes(
        self,
        host: Host,
        instance: Instance,
        group: ServerGroup | None,
        resources: Mapping[str, int],
        now: float,
    ) -> bool:
        service = host.service
        if service.disabled or service.state != "up":
            return False
        if instance.zone is not None and instance.zone != host.zone:
            return False
        if not self._placement.of_host(host.name).fits(resources):
            return False
        return group is None or self._group_allows(host, instance, group, now)

    def _group_allows(self, host: Host, instance: Instance, group: ServerGroup, now: float) -> bool:
        if group.policy is GroupPolicy.ANTI_AFFINITY:
            believed = self._believed.get(host.name, {})
            here = sum(
                self._is_on(other, host.name) or believed.get(other, 0.0) > now
                for other in _others(group, instance)
            )
            return here < (group.max_per_host or 1)
        if group.policy is GroupPolicy.AFFINITY:
            hosts = {name for other in _others(group, instance) for name in self._places(other)}
            return not hosts or host.name in hosts
        return True

    def _company(self, instance: Instance, group: ServerGroup | None) -> Mapping[str, int]:
        """Return how much a soft group wants each host; counted once, as a group may be large."""
        signs = {GroupPolicy.SOFT_AFFINITY: 1, GroupPolicy.SOFT_ANTI_AFFINITY: -1}
        if group is None or group.policy not in signs:
            return {}
        wanted: dict[str, int] = {}
        for other in _others(group, instance):
            for name in set(self._places(other)):
                wanted[name] = wanted.get(name, 0) + signs[group.policy]
        return wanted

    def _weight(self, host: Host, company: Mapping[str, int]) -> tuple[float, float, float]:
        provider = self._placement.of_host(host.name)
        return (
            company.get(host.name, 0),
            provider.free("MEMORY_MB"),
            provider.free("VCPU"),
        )

    def _is_on(self, instance_id: str, host: str) -> bool:
        return host in self._places(instance_id)

    def _places(self, instance_id: str) -> list[str]:
        """Return where an instance is, and where it is on its way to."""
        instance = self._instances.get(instance_id)
        if instance is None:
            return []
        claimed = [
            self._placement.get(allocation.provider_id).name
            for allocation in self._placement.allocations(instance_id)
        ]
        return claimed if instance.host is None else [instance.host, *claimed]


def _others(group: ServerGroup, instance: Instance) -> Iterator[str]:
    return (member for member in group.members if member != instance.instance_id)
