# SPDX-License-Identifier: Apache-2.0
"""Nova: quotas, limits, usage, and server groups."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from doctor_maintenance.exceptions import InvalidRequestError, NotFoundError
from doctor_maintenance.simulator.records import GroupPolicy, Instance, ServerGroup
from doctor_maintenance.simulator.services.answers import iso_micro as iso
from doctor_maintenance.simulator.services.nova_call import Call, Routes, answer, no_body
from doctor_maintenance.simulator.services.nova_server_view import iso_micro

_RULE = "os_compute_api:os-quota-sets"
_NETWORK = {"fixed_ips": -1, "floating_ips": -1, "security_group_rules": -1, "security_groups": -1}
_FILES = {
    "injected_file_content_bytes": 10240,
    "injected_file_path_bytes": 255,
    "injected_files": 5,
}


def _legacy(minor: int) -> dict[str, int]:
    """Return the limits that older microversions have as well; nothing is counted against them."""
    return {**(_NETWORK if minor < 36 else {}), **(_FILES if minor < 57 else {})}


def _update_schema(call: Call, name: str) -> dict[str, Any]:
    limit = {"type": ["integer", "string"], "pattern": "^-?[0-9]+$", "minimum": -1}
    known = (*call.compute.quotas.names, *_legacy(call.minor))
    properties: dict[str, Any] = dict.fromkeys(known, limit)
    properties["force"] = {"type": ["boolean", "string"]}
    inner = {"type": "object", "properties": properties, "additionalProperties": False}
    return {
        "type": "object",
        "properties": {name: inner},
        "required": [name],
        "additionalProperties": False,
    }


def quota_views(route: Routes) -> None:
    """Add the views of ``/os-quota-sets`` and ``/os-quota-class-sets``."""

    @route("GET", "/os-quota-sets/<target>")
    def show(call: Call, target: str) -> Response:
        _check_project(call, target, f"{_RULE}:show")
        return answer({"quota_set": {"id": target, **_limits(call, target)}})

    @route("GET", "/os-quota-sets/<target>/defaults")
    def defaults(call: Call, target: str) -> Response:
        limits = {**call.compute.quotas.defaults(), **_legacy(call.minor)}
        return answer({"quota_set": {"id": target, **_sorted(limits)}})

    @route("GET", "/os-quota-sets/<target>/detail")
    def detail(call: Call, target: str) -> Response:
        _check_project(call, target, f"{_RULE}:detail")
        usage = call.compute.usage(target)
        detailed = {
            name: {"limit": limit, "in_use": usage.get(name, 0), "reserved": 0}
            for name, limit in _limits(call, target).items()
        }
        return answer({"quota_set": {"id": target, **detailed}})

    @route("PUT", "/os-quota-sets/<target>")
    def update(call: Call, target: str) -> Response:
        call.admin(f"{_RULE}:update")
        _check_project(call, target, f"{_RULE}:update")
        wanted = call.body(_update_schema(call, "quota_set"))["quota_set"]
        forced = str(wanted.pop("force", False)).lower() in ("true", "1", "yes", "on")
        limits = {name: int(limit) for name, limit in wanted.items()}
        if not forced:
            _check_usage(call, target, limits)
        known = {n: limit for n, limit in limits.items() if n in call.compute.quotas.names}
        call.compute.quotas.set_limits(target, known)
        return answer({"quota_set": _limits(call, target)})

    @route("DELETE", "/os-quota-sets/<target>")
    def delete(call: Call, target: str) -> Response:
        call.admin(f"{_RULE}:delete")
        call.compute.quotas.reset(target)
        return no_body(202)

    @route("GET", "/os-quota-class-sets/<name>")
    def show_class(call: Call, name: str) -> Response:
        call.admin("os_compute_api:os-quota-class-sets:show")
        limits = {**call.compute.quotas.defaults(), **_legacy(call.minor)}
        return answer({"quota_class_set": {"id": name, **_sorted(limits)}})

    @route("PUT", "/os-quota-class-sets/<name>")
    def update_class(call: Call, name: str) -> Response:
        call.admin("os_compute_api:os-quota-class-sets:update")
        wanted = call.body(_update_schema(call, "quota_class_set"))["quota_class_set"]
        quotas = call.compute.quotas
        quotas.set_defaults({n: int(limit) for n, limit in wanted.items() if n in quotas.names})
        return answer({"quota_class_set": _sorted({**quotas.defaults(), **_legacy(call.minor)})})


def _sorted(limits: dict[str, int]) -> dict[str, int]:
    return dict(sorted(limits.items()))


def _limits(call: Call, project_id: str) -> dict[str, int]:
    return _sorted({**call.compute.quotas.limits(project_id), **_legacy(call.minor)})


def _check_project(call: Call, project_id: str, rule: str) -> None:
    call.reader(rule, project_id)
    if project_id not in call.cloud.identity.projects:
        raise InvalidRequestError(f"Project ID {project_id} is not a valid project.")


def _check_usage(call: Call, project_id: str, limits: dict[str, int]) -> None:
    usage = call.compute.usage(project_id)
    for name, limit in limits.items():
        used = usage.get(name, 0)
        if -1 < limit < used:
            raise InvalidRequestError(
                f"Quota limit {limit} for {name} must be greater than or equal to already used and reserved {used}."
            )


def limit_views(route: Routes) -> None:
    """Add the views of ``/limits`` and ``/os-simple-tenant-usage``."""

    @route("GET", "/limits")
    def limits(call: Call) -> Response:
        target = request.args.get("tenant_id")
        if target is not None and target != call.context.project_id:
            call.admin("os_compute_api:limits:other_project")
        return answer({"limits": {"rate": [], "absolute": _absolute(call, target)}})

    @route("GET", "/os-simple-tenant-usage/<target>")
    def usage(call: Call, target: str) -> Response:
        call.reader("os_compute_api:os-simple-tenant-usage:show", target)
        return answer({"tenant_usage": _usage(call, target)})

    @route("GET", "/os-simple-tenant-usage")
    def usages(call: Call) -> Response:
        call.admin("os_compute_api:os-simple-tenant-usage:list")
        projects = dict.fromkeys(
            instance.project_id for instance in call.compute.instances.values()
        )
        found = [_usage(call, project_id) for project_id in projects]
        for entry in found:
            del entry["server_usages"]
        return answer({"tenant_usages": found})


def _absolute(call: Call, target: str | None) -> dict[str, int]:
    project_id = target or call.context.project_id
    quotas, usage = call.compute.quotas.limits(project_id), call.compute.usage(project_id)
    minor = call.minor
    files = {"maxPersonality": 5, "maxPersonalitySize": 10240} if minor < 57 else {}
    image = {"maxImageMeta": quotas["metadata_items"]} if minor < 39 else {}
    network = {"maxTotalFloatingIps": -1, "maxSecurityGroups": -1, "maxSecurityGroupRules": -1}
    network_used = {"totalFloatingIpsUsed": 0, "totalSecurityGroupsUsed": 0}
    old = minor < 36
    return {
        "maxTotalCores": quotas["cores"],
        **files,
        "maxTotalInstances": quotas["instances"],
        "maxTotalKeypairs": quotas["key_pairs"],
        "maxServerMeta": quotas["metadata_items"],
        **image,
        "maxTotalRAMSize": quotas["ram"],
        "maxServerGroups": quotas["server_groups"],
        "maxServerGroupMembers": quotas["server_group_members"],
        **(network if old else {}),
        "totalRAMUsed": usage["ram"],
        "totalCoresUsed": usage["cores"],
        "totalInstancesUsed": usage["instances"],
        **(network_used if old else {}),
        "totalServerGroupsUsed": usage["server_groups"],
    }


def _usage(call: Call, project_id: str) -> dict[str, Any]:
    """Return a project's usage; the window is the present moment, as Nova's is without parameters."""
    now = call.cloud.clock.now()
    mine = call.compute.of_project(project_id)
    servers = [_server_usage(instance, now) for instance in mine if instance.launched_at]
    return {
        "tenant_id": project_id,
        "server_usages": servers,
        "total_local_gb_usage": 0.0,
        "total_vcpus_usage": 0.0,
        "total_memory_mb_usage": 0.0,
        "total_hours": 0.0,
        "start": iso(now),
        "stop": iso(now),
    }


def _server_usage(instance: Instance, now: float) -> dict[str, Any]:
    started = instance.launched_at or now
    return {
        "hours": 0.0,
        "flavor": instance.flavor.name,
        "instance_id": instance.instance_id,
        "name": instance.name,
        "tenant_id": instance.project_id,
        "memory_mb": instance.flavor.memory_mb,
        "local_gb": instance.flavor.disk_gb,
        "vcpus": instance.flavor.vcpus,
        "started_at": iso_micro(started),
        "ended_at": None,
        "state": str(instance.vm_state),
        "uptime": int(now - started),
    }


_POLICIES = ["anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity"]
_NAME = {"type": "string", "minLength": 1, "maxLength": 255}


def _group_schema(minor: int) -> dict[str, Any]:
    known = _POLICIES if minor >= 15 else _POLICIES[:2]
    policy = {"type": "string", "enum": known}
    properties: dict[str, Any] = {"name": _NAME}
    if minor >= 64:
        properties |= {
            "policy": policy,
            "rules": {
                "type": "object",
                "properties": {
                    "max_server_per_host": {
                        "type": ["integer", "string"],
                        "pattern": "^[0-9]*$",
                        "minimum": 1,
                    }
                },
                "additionalProperties": False,
            },
        }
        required = ["name", "policy"]
    else:
        properties["policies"] = {"type": "array", "items": policy}
        required = ["name", "policies"]
    inner = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"server_group": inner},
        "required": ["server_group"],
        "additionalProperties": False,
    }


def group_views(route: Routes) -> None:
    """Add the views of ``/os-server-groups``."""
    rule = "os_compute_api:os-server-groups"

    @route("GET", "/os-server-groups")
    def index(call: Call) -> Response:
        groups = call.compute.groups
        if "all_projects" in request.args:
            call.admin(f"{rule}:index:all_projects")
            found = groups.all()
        else:
            found = groups.of_project(call.context.project_id)
        shown, _ = call.page(found, lambda group: group.group_id)
        return answer({"server_groups": [_group(call, group) for group in shown]})

    @route("POST", "/os-server-groups")
    def create(call: Call) -> Response:
        call.member(f"{rule}:create", call.context.project_id)
        wanted = call.body(_group_schema(call.minor))["server_group"]
        policy = wanted["policy"] if call.minor >= 64 else _one_policy(wanted["policies"])
        said = wanted.get("rules", {}).get("max_server_per_host")
        if "rules" in wanted and wanted["rules"] and policy != GroupPolicy.ANTI_AFFINITY:
            raise InvalidRequestError("Only anti-affinity policy supports rules.")
        group = call.compute.groups.create(
            call.context.project_id,
            call.context.user_id,
            wanted["name"],
            policy,
            None if said is None else int(said),
        )
        return answer({"server_group": _group(call, group)})

    @route("GET", "/os-server-groups/<group_id>")
    def show(call: Call, group_id: str) -> Response:
        group = _own_group(call, group_id)
        call.reader(f"{rule}:show", group.project_id)
        return answer({"server_group": _group(call, group)})

    @route("DELETE", "/os-server-groups/<group_id>")
    def delete(call: Call, group_id: str) -> Response:
        group = _own_group(call, group_id)
        call.member(f"{rule}:delete", group.project_id)
        call.compute.groups.delete(group_id)
        return no_body(204)


def _own_group(call: Call, group_id: str) -> ServerGroup:
    """Return a group; another project's is not found (checked against nova 34.0.0)."""
    group = call.compute.groups.get(group_id)
    if not call.context.sees(group.project_id):
        raise NotFoundError(f"Instance group {group_id} could not be found.")
    return group


def _one_policy(policies: list[str]) -> str:
    if len(policies) != 1:
        raise InvalidRequestError(
            f"Invalid input for field/attribute policies. Value: {policies}. {policies} is too long"
        )
    return policies[0]


def _group(call: Call, group: ServerGroup) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": group.group_id, "name": group.name}
    if call.minor >= 64:
        shown["policy"] = group.policy
        shown["rules"] = {"max_server_per_host": group.max_per_host} if group.max_per_host else {}
    else:
        shown |= {"policies": [group.policy], "metadata": {}}
    shown["members"] = list(group.members)
    if call.minor >= 13:
        shown |= {"project_id": group.project_id, "user_id": group.user_id}
    return shown
