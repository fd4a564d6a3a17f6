# SPDX-License-Identifier: Apache-2.0
"""What an instance looks like in Nova's API, for whom and at which microversion.

Field by field as recorded from nova 34 at 2.1, 2.34, 2.53 and 2.104, for an admin and for a member.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

from doctor_maintenance.exceptions import NotFoundError
from doctor_maintenance.simulator.records import Flavor, Instance
from doctor_maintenance.simulator.services.answers import iso_z
from doctor_maintenance.simulator.services.nova_call import Call
from doctor_maintenance.simulator.states import TaskState

_PROGRESS = frozenset({"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})
_FAULT = frozenset({"ERROR", "DELETED"})


def iso_micro(when: float | None) -> str | None:
    """Return a time as Nova writes those from its database: microseconds that are 0, and no zone."""
    return None if when is None else f"{iso_z(when)[:-1]}.000000"


@lru_cache(maxsize=4096)
def host_id(host: str | None, project_id: str) -> str:
    """Return the hash by which a project may know its hosts apart."""
    if host is None:
        return ""
    return hashlib.sha224(f"{project_id}{host}".encode()).hexdigest()


def instance_name(instance: Instance) -> str:
    """Return the name of the guest on its host."""
    return f"instance-{instance.tie:08x}"


def brief(call: Call, instance: Instance) -> dict[str, Any]:
    """Return an instance as the short list has it."""
    return {
        "id": instance.instance_id,
        "name": instance.name,
        "links": call.links("servers", instance.instance_id),
    }


def full(call: Call, instance: Instance) -> dict[str, Any]:
    """Return an instance with everything that the caller may see, when it is shown alone."""
    server = detailed(call, instance)
    if call.minor >= 71:
        group = call.compute.groups.find(instance.group_id)
        member = group is not None and instance.instance_id in group.members
        server["server_groups"] = [instance.group_id] if member else []
    return server


def detailed(call: Call, instance: Instance) -> dict[str, Any]:
    """Return an instance as the detailed list has it."""
    minor, admin = call.minor, call.context.is_admin
    status = instance.status
    server: dict[str, Any] = {
        "accessIPv4": "",
        "accessIPv6": "",
        "addresses": _addresses(call, instance),
        "created": iso_z(instance.created),
        "flavor": _flavor(call, instance.flavor),
        "hostId": host_id(instance.host, instance.project_id),
        "id": instance.instance_id,
        "image": _image(call, instance),
        "links": call.links("servers", instance.instance_id),
        "metadata": instance.metadata,
        "name": instance.name,
        "status": status,
        "tenant_id": instance.project_id,
        "user_id": instance.user_id,
        "updated": iso_z(instance.updated),
        "OS-DCF:diskConfig": "MANUAL",
    }
    if status in _PROGRESS:
        server["progress"] = 0
    if status in _FAULT and instance.fault is not None:
        server["fault"] = _fault(instance, admin)
    server |= {
        "OS-EXT-AZ:availability_zone": _zone(call, instance),
        "config_drive": "True" if instance.config_drive else "",
        "key_name": instance.key_name,
        "OS-SRV-USG:launched_at": iso_micro(instance.launched_at),
        "OS-SRV-USG:terminated_at": iso_micro(instance.terminated_at),
    }
    if call.cloud.network.ports_of(instance.instance_id):
        server["security_groups"] = [{"name": name} for name in instance.security_groups]
    if admin:
        server |= _admin_fields(instance, minor)
    server |= {
        "OS-EXT-STS:task_state": instance.task_state,
        "OS-EXT-STS:vm_state": instance.vm_state,
        "OS-EXT-STS:power_state": instance.power_state,
        "os-extended-volumes:volumes_attached": [],
    }
    if minor >= 9:
        server["locked"] = instance.locked
    if minor >= 16 and admin:
        server["host_status"] = _host_status(call, instance)
    if minor >= 19:
        server["description"] = instance.description
    if minor >= 26:
        server["tags"] = instance.tags
    if minor >= 63:
        server |= _newer_fields(instance, minor)
    return server


def _admin_fields(instance: Instance, minor: int) -> dict[str, Any]:
    unplaced = instance.task_state is TaskState.SCHEDULING
    fields: dict[str, Any] = {
        "OS-EXT-SRV-ATTR:host": instance.host,
        "OS-EXT-SRV-ATTR:instance_name": "" if unplaced else instance_name(instance),
        "OS-EXT-SRV-ATTR:hypervisor_hostname": instance.host,
    }
    if minor >= 3:
        fields |= {
            "OS-EXT-SRV-ATTR:hostname": instance.name,
            "OS-EXT-SRV-ATTR:kernel_id": "",
            "OS-EXT-SRV-ATTR:launch_index": instance.launch_index,
            "OS-EXT-SRV-ATTR:ramdisk_id": "",
            "OS-EXT-SRV-ATTR:reservation_id": instance.reservation_id,
            "OS-EXT-SRV-ATTR:root_device_name": instance.root_device,
            "OS-EXT-SRV-ATTR:user_data": instance.user_data,
        }
    return fields


def _newer_fields(instance: Instance, minor: int) -> dict[str, Any]:
    fields: dict[str, Any] = {"trusted_image_certificates": None}
    if minor >= 73:
        fields["locked_reason"] = instance.locked_reason
    if minor >= 90:
        fields["OS-EXT-SRV-ATTR:hostname"] = instance.name
    if minor >= 96:
        fields["pinned_availability_zone"] = instance.zone
    if minor >= 100:
        hinted = instance.group_id
        fields["scheduler_hints"] = {} if hinted is None else {"group": [hinted]}
    return fields


def _addresses(call: Call, instance: Instance) -> dict[str, list[dict[str, Any]]]:
    if instance.launched_at is None:
        return {}
    return call.cloud.network.addresses(instance.instance_id)


def _flavor(call: Call, flavor: Flavor) -> dict[str, Any]:
    if call.minor < 47:
        link = {"rel": "bookmark", "href": call.bookmark("flavors", flavor.flavor_id)}
        return {"id": flavor.flavor_id, "links": [link]}
    return {
        "vcpus": flavor.vcpus,
        "ram": flavor.memory_mb,
        "disk": flavor.disk_gb,
        "ephemeral": flavor.ephemeral_gb,
        "swap": flavor.swap_mb,
        "original_name": flavor.name,
        "extra_specs": dict(flavor.extra_specs),
    }


def _image(call: Call, instance: Instance) -> dict[str, Any] | str:
    if not instance.image_id:
        return ""
    link = {"rel": "bookmark", "href": call.bookmark("images", instance.image_id)}
    image: dict[str, Any] = {"id": instance.image_id, "links": [link]}
    if call.minor >= 98:
        image["properties"] = {}
    return image


def _zone(call: Call, instance: Instance) -> str:
    return "" if instance.host is None else call.compute.hosts[instance.host].zone


def _host_status(call: Call, instance: Instance) -> str:
    if instance.host is None:
        return ""
    service = call.compute.hosts[instance.host].service
    if service.forced_down:
        return "DOWN"
    if not service.up:
        return "UNKNOWN"
    return "MAINTENANCE" if service.disabled else "UP"


def _fault(instance: Instance, admin: bool) -> dict[str, Any]:
    if instance.fault is None:
        raise NotFoundError(f"Instance {instance.instance_id} has no fault.")
    fault: dict[str, Any] = {
        "code": instance.fault.code,
        "created": iso_z(instance.fault.created),
        "message": instance.fault.message,
    }
    if admin and instance.fault.code == 500:
        fault["details"] = instance.fault.details
    return fault
