# SPDX-License-Identifier: Apache-2.0
"""Owners who act on their instances in the middle of a maintenance, as faults tell them to.

They know nothing of the maintenance, so nobody has to have told them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from doctor_maintenance.simulator.compute import Compute
from doctor_maintenance.simulator.faults import Moments
from doctor_maintenance.simulator.records import BootRequest, Caller, Instance, NetworkRequest

LOG = logging.getLogger(__name__)


class Owners:
    """The owners of all instances.

    Args:
        compute: where their instances are.
    """

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    def act_at(self, moments: Moments) -> None:
        """Act when faults say so."""
        moments.can("instance_deleted_by_owner", self._delete)
        moments.can("instance_created_by_owner", self._create)

    def _delete(self, wanted: Mapping[str, Any]) -> None:
        instance = self._find(wanted["instance"])
        if instance is not None:
            caller = Caller(instance.user_id, instance.project_id)
            self._compute.delete(instance.instance_id, caller)

    def _create(self, wanted: Mapping[str, Any]) -> None:
        like = self._find(wanted["instance"])
        if like is None:
            return
        ports = self._compute.network.ports_of(like.instance_id)
        request = BootRequest(
            f"{like.name}-more",
            like.flavor.flavor_id,
            like.image_id,
            tuple(NetworkRequest(network_id=port.network_id) for port in ports),
        )
        caller = Caller(like.user_id, like.project_id)
        self._compute.boot(like.project_id, request, user_id=like.user_id, caller=caller)

    def _find(self, wanted: str) -> Instance | None:
        """Return an instance by its ID or name."""
        for instance in self._compute.instances.values():
            if wanted in (instance.instance_id, instance.name) and not instance.deleted:
                return instance
        LOG.warning("an owner is to act on instance %s, and there is none", wanted)
        return None
