# SPDX-License-Identifier: Apache-2.0
"""Server groups: which instances are to be together or apart."""

from __future__ import annotations

import random

from doctor_maintenance.exceptions import InvalidRequestError, NotFoundError
from doctor_maintenance.simulator import ids
from doctor_maintenance.simulator.errors import QuotaExceeded
from doctor_maintenance.simulator.quotas import Quotas
from doctor_maintenance.simulator.records import GroupPolicy, ServerGroup


class ServerGroups:
    """The server groups of all projects.

    Args:
        rng: where IDs come from.
        quotas: how many groups a project may have, and how many members one may have.
    """

    def __init__(self, rng: random.Random, quotas: Quotas) -> None:
        self._rng = rng
        self._quotas = quotas
        self._groups: dict[str, ServerGroup] = {}

    def create(
        self, project_id: str, user_id: str, name: str, policy: str, max_per_host: int | None = None
    ) -> ServerGroup:
        """Create a group.

        Args:
            project_id: whose it is.
            user_id: who made it.
            name: its name; need not be unique.
            policy: ``anti-affinity``, ``affinity``, ``soft-anti-affinity`` or ``soft-affinity``.
            max_per_host: how many members an anti-affinity group may have on one host; None: nothing was said,
                so one.

        Raises:
            InvalidRequestError: there is no such policy.
            QuotaExceeded: the project has as many groups as it may.
        """
        if policy not in list(GroupPolicy):
            raise InvalidRequestError(f"there is no server group policy {policy!r}")
        if not self._quotas.allows(
            project_id, "server_groups", len(self.of_project(project_id)), 1
        ):
            raise QuotaExceeded("Quota exceeded, too many server groups.")
        group = ServerGroup(
            ids.new_uuid(self._rng), name, project_id, user_id, GroupPolicy(policy), max_per_host
        )
        self._groups[group.group_id] = group
        return group

    def get(self, group_id: str) -> ServerGroup:
        """Return a group.

        Raises:
            NotFoundError: there is none with this ID.
        """
        try:
            return self._groups[group_id]
        except KeyError:
            raise NotFoundError(f"Instance group {group_id} could not be found.") from None

    def find(self, group_id: str | None) -> ServerGroup | None:
        """Return a group, or None if there is none (any more)."""
        return None if group_id is None else self._groups.get(group_id)

    def all(self) -> list[ServerGroup]:
        """Return every group."""
        return list(self._groups.values())

    def of_project(self, project_id: str) -> list[ServerGroup]:
        """Return a project's groups."""
        return [group for group in self._groups.values() if group.project_id == project_id]

    def delete(self, group_id: str) -> None:
        """Delete a group; its members stay.

        Raises:
            NotFoundError: there is none with this ID.
        """
        self.get(group_id)
        del self._groups[group_id]

    def join(self, group_id: str, instance_id: str) -> None:
        """Make an instance a member.

        Raises:
            NotFoundError: there is no such group.
            QuotaExceeded: the group has as many members as it may.
        """
        group = self.get(group_id)
        if not self._quotas.allows(group.project_id, "server_group_members", len(group.members), 1):
            raise QuotaExceeded("Quota exceeded, too many servers in group")
        group.members[instance_id] = None

    def leave(self, instance_id: str) -> None:
        """Take a deleted instance out of its group."""
        for group in self._groups.values():
            group.members.pop(instance_id, None)
