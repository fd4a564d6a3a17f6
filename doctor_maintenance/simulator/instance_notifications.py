# SPDX-License-Identifier: Apache-2.0
"""Nova's notification of every change of an instance: ``compute.instance.update``.

Doctor's fault management is an alarm on it ("state is error"). Real Nova publishes it at each change; here it
is built only while some alarm would look at it, as it is a dozen times more work than the change itself.
"""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Mapping
from typing import Any

from doctor_maintenance.clock import Clock
from doctor_maintenance.protocol import times
from doctor_maintenance.simulator.alarms import Alarms
from doctor_maintenance.simulator.bus import Bus
from doctor_maintenance.simulator.compute import Compute
from doctor_maintenance.simulator.event_definitions import INSTANCE_UPDATE
from doctor_maintenance.simulator.ids import new_uuid
from doctor_maintenance.simulator.records import Instance

_Seen = tuple[str, str | None]


class InstanceNotifications:
    """Publishes changes of instances on the bus.

    Args:
        clock: when they happen.
        rng: where message IDs come from.
        compute: whose instances they are.
        alarms: who may want to know.
        bus: where they are published.
    """

    def __init__(
        self, clock: Clock, rng: random.Random, compute: Compute, alarms: Alarms, bus: Bus
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._compute = compute
        self._alarms = alarms
        self._bus = bus
        self._before: dict[str, _Seen] = {}

    def changed(self, fields: Mapping[str, Any]) -> None:
        """Publish a change, given the fields of its event."""
        instance_id = fields["instance_id"]
        now_is = (fields["vm_state"], fields["task_state"])
        before = self._before.get(instance_id, now_is)
        self._before[instance_id] = now_is
        instance = self._compute.instances.get(instance_id)
        if instance is None or not self._wanted(instance.project_id):
            return
        self._bus.publish(
            {
                "priority": "INFO",
                "event_type": INSTANCE_UPDATE,
                "publisher_id": f"compute.{instance.host or 'controller'}",
                "message_id": new_uuid(self._rng),
                "timestamp": times.to_wire(self._clock.now()),
                "payload": _payload(instance, before),
            }
        )

    def _wanted(self, project_id: str) -> bool:
        return any(
            alarm.project_id == project_id
            and fnmatch.fnmatchcase(INSTANCE_UPDATE, alarm.event_type)
            for alarm in self._alarms.alarms.values()
        )


def _payload(instance: Instance, before: _Seen) -> dict[str, Any]:
    """Return the payload, in the fields of Nova's unversioned notification that alarms use."""
    flavor = instance.flavor
    return {
        "instance_id": instance.instance_id,
        "display_name": instance.name,
        "hostname": instance.name,
        "tenant_id": instance.project_id,
        "user_id": instance.user_id,
        "host": instance.host,
        "node": instance.host,
        "availability_zone": instance.zone,
        "state": str(instance.vm_state),
        "old_state": before[0],
        "state_description": instance.task_state or "",
        "new_task_state": instance.task_state,
        "old_task_state": before[1],
        "memory_mb": flavor.memory_mb,
        "vcpus": flavor.vcpus,
        "disk_gb": flavor.disk_gb + flavor.ephemeral_gb,
        "root_gb": flavor.disk_gb,
        "ephemeral_gb": flavor.ephemeral_gb,
        "instance_type": flavor.name,
        "instance_flavor_id": flavor.flavor_id,
        "reservation_id": instance.reservation_id,
        "metadata": instance.metadata,
        "progress": "",
    }
