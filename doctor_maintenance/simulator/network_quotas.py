# SPDX-License-Identifier: Apache-2.0
"""Neutron's quotas: how much a project may have, and a refusal that says of what there is too much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from doctor_maintenance.simulator.network_records import NetworkRefused
from doctor_maintenance.simulator.topology import Topology

if TYPE_CHECKING:
    from doctor_maintenance.simulator.network import Network

_PORTS_PER_HOST = 20
_DEFAULTS = {
    "network": 100,
    "subnet": 100,
    "subnetpool": -1,
    "port": 500,
    "router_route": 30,
    "router": 10,
    "floatingip": 50,
    "rbac_policy": 10,
    "security_group": 10,
    "security_group_rule": 100,
}


class NetworkQuotas:
    """The limits of every project.

    Args:
        network: what is counted.
        topology: a cloud of many hosts has more ports by default.
    """

    def __init__(self, network: Network, topology: Topology) -> None:
        self._network = network
        ports = max(_DEFAULTS["port"], _PORTS_PER_HOST * len(topology.hosts))
        self.defaults: Mapping[str, int] = {**_DEFAULTS, "port": ports}
        self._own: dict[str, dict[str, int]] = {}

    def limits(self, project_id: str) -> dict[str, int]:
        """Return the limits of a project; -1 is none."""
        return {**self.defaults, **self._own.get(project_id, {})}

    def used(self, resource: str, project_id: str) -> int:
        """Return how many a project has of a resource."""
        return sum(1 for owner in self._owners(resource) if owner == project_id)

    def set(self, project_id: str, limits: Mapping[str, int]) -> None:
        """Change limits of a project; raise NetworkRefused if more is used already."""
        for name, limit in limits.items():
            if name not in self.defaults:
                raise NetworkRefused(400, "HTTPBadRequest", f"Unrecognized attribute(s) '{name}'")
            used = self.used(name, project_id)
            if 0 <= limit < used:
                raise NetworkRefused(
                    400,
                    "HTTPBadRequest",
                    f"Quota limit {limit} for {name} must be greater than or equal to already used {used}",
                )
        self._own.setdefault(project_id, {}).update(limits)

    def reset(self, project_id: str) -> None:
        """Give a project the default limits again."""
        self._own.pop(project_id, None)

    def check(self, resource: str, project_id: str) -> None:
        """Raise NetworkRefused if a project may not have one more."""
        limit = self._own.get(project_id, self.defaults).get(resource, self.defaults[resource])
        if limit < 0 or not project_id:
            return
        if self.used(resource, project_id) >= limit:
            raise NetworkRefused(409, "OverQuota", f"Quota exceeded for resources: ['{resource}'].")

    def _owners(self, resource: str) -> list[str]:
        network = self._network
        match resource:
            case "network":
                return [n.project_id for n in network.networks.values()]
            case "subnet":
                return [s.project_id for s in network.subnets.values()]
            case "port":
                return [p.project_id for p in network.ports.values()]
            case "router":
                return [r.project_id for r in network.routers.routers.values()]
            case "floatingip":
                return [f.project_id for f in network.floating.floating_ips.values()]
            case "security_group":
                return [g.project_id for g in network.security.groups.values()]
            case "security_group_rule":
                groups = network.security.groups.values()
                return [g.project_id for g in groups for _ in g.rules]
            case _:
                return []
