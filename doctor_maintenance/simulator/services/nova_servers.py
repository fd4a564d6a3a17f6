# SPDX-License-Identifier: Apache-2.0
"""Nova: ``/servers``: list, show, create, change, delete, and their metadata, tags and addresses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Response, request

from doctor_maintenance.exceptions import ConflictError, InvalidRequestError, NotFoundError
from doctor_maintenance.simulator.records import Instance
from doctor_maintenance.simulator.services.nova_boot import boot_request, create_schema
from doctor_maintenance.simulator.services.nova_call import (
    Call,
    Routes,
    answer,
    no_body,
    policy_refusal,
)
from doctor_maintenance.simulator.services.nova_server_view import brief, detailed, full
from doctor_maintenance.simulator.states import STATUS_VM_STATES, TaskState

PARAMETERS = frozenset(
    {
        *(
            "all_tenants",
            "project_id",
            "tenant_id",
            "host",
            "node",
            "hostname",
            "name",
            "status",
            "limit",
        ),
        *(
            "marker",
            "sort_key",
            "sort_dir",
            "deleted",
            "uuid",
            "changes-since",
            "changes-before",
            "image",
        ),
        *(
            "flavor",
            "ip",
            "ip6",
            "tags",
            "tags-any",
            "not-tags",
            "not-tags-any",
            "locked",
            "user_id",
        ),
        *(
            "availability_zone",
            "config_drive",
            "key_name",
            "created_at",
            "launched_at",
            "terminated_at",
        ),
        *("power_state", "task_state", "vm_state", "progress", "reservation_id", "description"),
        *(
            "access_ip_v4",
            "access_ip_v6",
            "auto_disk_config",
            "instance_type_id",
            "kernel_id",
            "ramdisk_id",
        ),
        *("root_device_name", "launch_index", "locked_by", "display_description", "soft_deleted"),
    }
)
"""Query parameters of a list of instances (nova 34); others are refused from 2.75 on."""
_ADMIN_FILTERS = frozenset(
    {"host", "node", "hostname", "deleted", "user_id", "project_id", "tenant_id"}
)
_CHANGE = {
    "type": "object",
    "properties": {
        "server": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 255},
                "description": {"type": ["string", "null"], "maxLength": 255},
                "hostname": {"type": "string", "minLength": 1, "maxLength": 255},
                "accessIPv4": {"type": "string"},
                "accessIPv6": {"type": "string"},
                "OS-DCF:diskConfig": {"type": "string"},
            },
            "additionalProperties": False,
        }
    },
    "required": ["server"],
    "additionalProperties": False,
}


def find(call: Call, server_id: str, rule: str) -> Instance:
    """Return an instance that the caller may read.

    Raises:
        NotFoundError: there is none in the caller's project.
        ForbiddenError: it is another project's, and is not scheduled yet.
    """
    instance = within_sight(call, server_id)
    call.reader(rule, instance.project_id)
    return instance


def find_to_change(call: Call, server_id: str, rule: str) -> Instance:
    """Return an instance that the caller may change.

    Raises:
        NotFoundError: there is none in the caller's project.
        ForbiddenError: it is another project's and is not scheduled yet, or the caller may only read.
    """
    instance = within_sight(call, server_id)
    call.member(rule, instance.project_id)
    return instance


def within_sight(call: Call, server_id: str) -> Instance:
    """Return an instance as nova finds it, before any policy (checked against nova 34.0.0).

    Its database looks among the instances of the caller's project alone; an instance that is not scheduled yet
    is not there but among the build requests, where it looks among all.
    """
    instance = call.compute.get(server_id)
    scheduled = instance.task_state is not TaskState.SCHEDULING
    if scheduled and not call.context.sees(instance.project_id):
        raise NotFoundError(f"Instance {server_id} could not be found.")
    return instance


def check_lock(call: Call, instance: Instance) -> None:
    """Refuse to touch an instance that its owner locked; an admin may.

    Raises:
        ConflictError: it is locked.
    """
    if instance.locked and not call.context.is_admin:
        raise ConflictError(f"Instance {instance.instance_id} is locked")


def server_views(route: Routes) -> None:
    """Add the views."""

    @route("GET", "/servers")
    def index(call: Call) -> Response:
        return _list(call, brief, "index", ())

    @route("GET", "/servers/detail")
    def detail(call: Call) -> Response:
        return _list(call, detailed, "detail", ("detail",))

    @route("POST", "/servers")
    def create(call: Call) -> Response:
        call.member("os_compute_api:servers:create", call.context.project_id)
        body = call.body(create_schema(call.minor))
        wanted, count = boot_request(call, body)
        instances = call.compute.boot(
            call.context.project_id,
            wanted,
            user_id=call.context.user_id,
            count=count,
            caller=call.caller,
        )
        if str(body["server"].get("return_reservation_id", "")).lower() in ("true", "1"):
            return answer({"reservation_id": instances[0].reservation_id}, 202)
        return _created(call, instances[0])

    @route("GET", "/servers/<server_id>")
    def show(call: Call, server_id: str) -> Response:
        instance = find(call, server_id, "os_compute_api:servers:show")
        return answer({"server": full(call, instance)})

    @route("PUT", "/servers/<server_id>")
    def change(call: Call, server_id: str) -> Response:
        instance = find_to_change(call, server_id, "os_compute_api:servers:update")
        wanted = call.body(_CHANGE)["server"]
        instance.name = wanted.get("name", instance.name)
        instance.description = wanted.get("description", instance.description)
        return answer({"server": full(call, instance)})

    @route("DELETE", "/servers/<server_id>")
    def delete(call: Call, server_id: str) -> Response:
        check_lock(call, find_to_change(call, server_id, "os_compute_api:servers:delete"))
        call.compute.delete(server_id, call.caller)
        return no_body(204)


def _created(call: Call, instance: Instance) -> Response:
    alphabet = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    body = {
        "server": {
            "id": instance.instance_id,
            "links": call.links("servers", instance.instance_id),
            "OS-DCF:diskConfig": "MANUAL",
            "security_groups": [{"name": name} for name in instance.security_groups],
            "adminPass": "".join(call.cloud.rng.choices(alphabet, k=12)),
        }
    }
    return answer(body, 202, {"Location": call.href("servers", instance.instance_id)})


def _list(
    call: Call,
    view: Callable[[Call, Instance], dict[str, Any]],
    rule: str,
    below: tuple[str, ...],
) -> Response:
    call.reader(f"os_compute_api:servers:{rule}", call.context.project_id)
    if call.minor >= 75:
        for name in request.args:
            if name not in PARAMETERS and not name.startswith("_"):
                raise InvalidRequestError(f"'{name}' does not match any of the regexes: '^_'")
    admin = call.context.is_admin
    everybody = call.flag("all_tenants")
    if everybody and not admin:
        raise policy_refusal(f"os_compute_api:servers:{rule}:get_all_tenants")
    deleted = admin and call.flag("deleted")
    known = call.compute.gone if deleted else call.compute.instances
    wanted_project = None if everybody else call.context.project_id
    if admin and everybody:
        wanted_project = request.args.get("project_id", request.args.get("tenant_id"))
    instances = [
        instance
        for instance in reversed(known.values())
        if wanted_project is None or instance.project_id == wanted_project
    ]
    if deleted:
        instances.sort(key=_SORT_KEYS["created_at"], reverse=True)
    instances = _filtered(instances, admin)
    _sort(instances)
    shown, more = call.page(instances, lambda instance: instance.instance_id)
    body: dict[str, Any] = {"servers": [view(call, instance) for instance in shown]}
    if more:
        body["servers_links"] = call.next_link(shown[-1].instance_id, "servers", *below)
    return answer(body)


def _filtered(instances: list[Instance], admin: bool) -> list[Instance]:
    """Return the instances that the query parameters ask for; a member's filters by host are ignored."""
    statuses = request.args.getlist("status")
    if statuses:
        known = [status.upper() for status in statuses if status.upper() in STATUS_VM_STATES]
        if not known:
            raise InvalidRequestError("Invalid status value")
        instances = [instance for instance in instances if instance.status in known]
    for name, wanted in request.args.items():
        matches = _FILTERS.get(name)
        if matches is None or (name in _ADMIN_FILTERS and not admin):
            continue
        instances = [instance for instance in instances if matches(instance, wanted)]
    return instances


def _matches_name(instance: Instance, pattern: str) -> bool:
    try:
        return re.search(pattern, instance.name) is not None
    except re.error:
        return pattern in instance.name


_FILTERS: dict[str, Callable[[Instance, str], bool]] = {
    "name": _matches_name,
    "host": lambda instance, wanted: instance.host == wanted,
    "node": lambda instance, wanted: instance.host == wanted,
    "uuid": lambda instance, wanted: instance.instance_id == wanted,
    "flavor": lambda instance, wanted: instance.flavor.flavor_id == wanted,
    "image": lambda instance, wanted: instance.image_id == wanted,
    "user_id": lambda instance, wanted: instance.user_id == wanted,
    "key_name": lambda instance, wanted: instance.key_name == wanted,
    "vm_state": lambda instance, wanted: str(instance.vm_state) == wanted,
    "task_state": lambda instance, wanted: str(instance.task_state) == wanted,
    "reservation_id": lambda instance, wanted: instance.reservation_id == wanted,
    "tags": lambda instance, wanted: set(wanted.split(",")) <= set(instance.tags),
    "tags-any": lambda instance, wanted: bool(set(wanted.split(",")) & set(instance.tags)),
}

_SORT_KEYS: dict[str, Callable[[Instance], Any]] = {
    "created_at": lambda instance: (instance.created, instance.tie),
    "display_name": lambda instance: instance.name,
    "name": lambda instance: instance.name,
    "updated_at": lambda instance: instance.updated,
    "uuid": lambda instance: instance.instance_id,
    "id": lambda instance: instance.instance_id,
    "host": lambda instance: instance.host or "",
    "vm_state": lambda instance: str(instance.vm_state),
    "launched_at": lambda instance: instance.launched_at or 0.0,
}


def _sort(instances: list[Instance]) -> None:
    keys = request.args.getlist("sort_key")
    directions = request.args.getlist("sort_dir")
    for position in range(len(keys) - 1, -1, -1):
        key = _SORT_KEYS.get(keys[position])
        if key is not None:
            descending = position >= len(directions) or directions[position] != "asc"
            instances.sort(key=key, reverse=descending)
