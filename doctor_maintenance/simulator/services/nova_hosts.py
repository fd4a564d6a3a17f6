# SPDX-License-Identifier: Apache-2.0
"""Nova: what operators see of hosts: services, hypervisors, availability zones, aggregates."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from doctor_maintenance.exceptions import ConflictError, InvalidRequestError, NotFoundError
from doctor_maintenance.simulator.records import Host, Service
from doctor_maintenance.simulator.services import answers
from doctor_maintenance.simulator.services.nova_call import Call, Routes, answer
from doctor_maintenance.simulator.services.nova_server_view import instance_name, iso_micro
from doctor_maintenance.simulator.services.schema import is_uuid
from doctor_maintenance.simulator.states import PowerState

COMPUTE = "nova-compute"
_UUIDS = 53
"""From 2.53 on services and hypervisors have UUIDs, and one PUT does what four did before."""
_NO_FIGURES = 88
"""From 2.88 on hypervisors have no figures; Placement has them."""
_RULE = "os_compute_api:os-services"
_STRING = {"type": "string", "minLength": 1, "maxLength": 255}
_TRUE = (True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes")
_FALSE = (False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no")
_BOOLEAN = {"type": ["boolean", "string"], "enum": [*_TRUE, *_FALSE]}
"""What Nova takes for a truth (``parameter_types.boolean`` of nova 34)."""
_UPDATE = {
    "type": "object",
    "properties": {
        "forced_down": _BOOLEAN,
        "status": {"type": "string", "enum": ["enabled", "disabled"]},
        "disabled_reason": _STRING,
    },
    "additionalProperties": False,
}


def _old_update(minor: int) -> dict[str, Any]:
    properties: dict[str, Any] = {"host": _STRING, "binary": _STRING, "disabled_reason": _STRING}
    required = ["host", "binary"]
    if minor >= 11:
        properties["forced_down"] = _BOOLEAN
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def service_views(route: Routes) -> None:
    """Add the views of ``/os-services``."""

    @route("GET", "/os-services")
    def index(call: Call) -> Response:
        call.admin(f"{_RULE}:list")
        call.known_parameters(("host", "binary"), since=75)
        host, binary = request.args.get("host"), request.args.get("binary")
        found = [
            _service(call, service)
            for service in call.compute.services.values()
            if host in (None, service.host) and binary in (None, service.binary)
        ]
        return answer({"services": found})

    @route("PUT", "/os-services/<service_id>")
    def update(call: Call, service_id: str) -> Response:
        call.admin(f"{_RULE}:update")
        if call.minor < _UUIDS:
            return _update_the_old_way(call, service_id)
        body = call.body(_UPDATE)
        if not is_uuid(service_id):
            raise InvalidRequestError(f"Invalid uuid {service_id}")
        service = call.compute.services.get(service_id)
        if service is None:
            raise NotFoundError(f"Service {service_id} could not be found.")
        if service.binary != COMPUTE:
            raise InvalidRequestError(
                f"Updating a {service.binary} service is not supported. "
                "Only nova-compute services can be updated."
            )
        written = _update(call, service, body)
        return answer({"service": _service(call, service, written)})

    @route("DELETE", "/os-services/<service_id>")
    def delete(call: Call, service_id: str) -> Response:
        call.admin(f"{_RULE}:delete")
        raise ConflictError("The simulated cloud keeps its hosts; a service cannot be deleted.")


def _update(call: Call, service: Service, body: dict[str, Any]) -> bool:
    """Do what the body says; return whether anything was written."""
    status, reason = body.get("status"), body.get("disabled_reason")
    if status is None and "forced_down" not in body:
        raise InvalidRequestError(
            "No updates were requested. Fields 'status' or 'forced_down' should be specified."
        )
    if status == "enabled" and reason is not None:
        raise InvalidRequestError("Specifying 'disabled_reason' with status 'enabled' is invalid.")
    machines, written = call.compute.machines, False
    if status is not None and (status, reason) != (service.status, service.disabled_reason):
        machines.set_service(service, disabled=status == "disabled", reason=reason)
        written = True
    if "forced_down" in body:
        forced = body["forced_down"] in _TRUE
        if forced != service.forced_down:
            machines.force_down(service, forced)
            written = True
    return written


def _update_the_old_way(call: Call, action: str) -> Response:
    if action not in ("enable", "disable", "disable-log-reason", "force-down"):
        raise NotFoundError("Unknown action")
    body = call.body(_old_update(call.minor))
    reason = body.get("disabled_reason")
    if action == "disable-log-reason" and reason is None:
        raise InvalidRequestError("Missing disabled reason field")
    if action == "force-down" and (call.minor < 11 or "forced_down" not in body):
        raise InvalidRequestError("Missing forced_down field")
    host, binary = body["host"], body["binary"]
    on_host = [service for service in call.compute.services.values() if service.host == host]
    if not on_host:
        raise NotFoundError(f"Host '{host}' is not mapped to any cell")
    service = next((service for service in on_host if service.binary == binary), None)
    if service is None:
        raise NotFoundError(f"Could not find binary {binary} on host {host}.")
    shown: dict[str, Any] = {"host": host, "binary": binary}
    machines = call.compute.machines
    if action == "force-down":
        forced = body["forced_down"] in _TRUE
        machines.force_down(service, forced)
        shown["forced_down"] = forced
    else:
        logged = reason if action == "disable-log-reason" else None
        machines.set_service(service, disabled=action != "enable", reason=logged)
        shown["status"] = service.status
        if action == "disable-log-reason":
            shown["disabled_reason"] = reason
    return answer({"service": shown})


def _service(call: Call, service: Service, written: bool = False) -> dict[str, Any]:
    now = call.cloud.clock.now()
    seen = max(service.heartbeat(now), service.disabled_at or 0.0)
    shown: dict[str, Any] = {
        "binary": service.binary,
        "host": service.host,
        "id": service.number if call.minor < _UUIDS else service.service_id,
        "zone": service.zone,
        "status": service.status,
        "state": service.state,
        "updated_at": answers.iso_micro(seen) if written else iso_micro(seen),
        "disabled_reason": service.disabled_reason,
    }
    if call.minor >= 11:
        shown["forced_down"] = service.forced_down
    return shown


def hypervisor_views(route: Routes) -> None:
    """Add the views of ``/os-hypervisors``."""

    @route("GET", "/os-hypervisors")
    def index(call: Call) -> Response:
        call.admin("os_compute_api:os-hypervisors:list")
        return _hypervisors(call, detail=False)

    @route("GET", "/os-hypervisors/detail")
    def detail(call: Call) -> Response:
        call.admin("os_compute_api:os-hypervisors:list-detail")
        return _hypervisors(call, detail=True)

    @route("GET", "/os-hypervisors/statistics", until=_NO_FIGURES - 1)
    def statistics(call: Call) -> Response:
        call.admin("os_compute_api:os-hypervisors:statistics")
        figures = [_figures(call, host) for host in call.compute.hosts.values()]
        total: dict[str, Any] = {"count": len(figures)}
        for name in sorted(figures[0]) if figures else ():
            total[name] = sum(figure[name] for figure in figures)
        return answer({"hypervisor_statistics": total})

    @route("GET", "/os-hypervisors/<hypervisor_id>")
    def show(call: Call, hypervisor_id: str) -> Response:
        call.admin("os_compute_api:os-hypervisors:show")
        host = _find_host(call, hypervisor_id)
        return answer({"hypervisor": _hypervisor(call, host, detail=True, single=True)})

    @route("GET", "/os-hypervisors/<hypervisor_id>/uptime", until=_NO_FIGURES - 1)
    def uptime(call: Call, hypervisor_id: str) -> Response:
        call.admin("os_compute_api:os-hypervisors:uptime")
        host = _find_host(call, hypervisor_id)
        return answer({"hypervisor": {**_hypervisor(call, host), "uptime": _uptime(call, host)}})

    @route("GET", "/os-hypervisors/<pattern>/search", until=_UUIDS - 1)
    def search(call: Call, pattern: str) -> Response:
        call.admin("os_compute_api:os-hypervisors:search")
        return answer({"hypervisors": [_hypervisor(call, host) for host in _like(call, pattern)]})

    @route("GET", "/os-hypervisors/<pattern>/servers", until=_UUIDS - 1)
    def servers(call: Call, pattern: str) -> Response:
        call.admin("os_compute_api:os-hypervisors:servers")
        found = [
            {**_hypervisor(call, host), **_servers(call, host)} for host in _like(call, pattern)
        ]
        return answer({"hypervisors": found})


def _hypervisors(call: Call, detail: bool) -> Response:
    pattern = request.args.get("hypervisor_hostname_pattern") if call.minor >= _UUIDS else None
    hosts = list(call.compute.hosts.values()) if pattern is None else _like(call, pattern)
    shown, more = hosts, False
    if call.minor >= 33:
        shown, more = call.page(hosts, lambda host: _identity(call, host))
    body: dict[str, Any] = {
        "hypervisors": [_hypervisor(call, host, detail=detail) for host in shown]
    }
    if more:
        path = ("os-hypervisors", "detail") if detail else ("os-hypervisors",)
        body["hypervisors_links"] = call.next_link(_identity(call, shown[-1]), *path)
    return answer(body)


def _identity(call: Call, host: Host) -> str:
    return str(host.number) if call.minor < _UUIDS else host.host_id


def _like(call: Call, pattern: str) -> list[Host]:
    found = [host for host in call.compute.hosts.values() if pattern in host.name]
    if not found:
        raise NotFoundError(f"No hypervisor matching '{pattern}' could be found.")
    return found


def _find_host(call: Call, hypervisor_id: str) -> Host:
    if call.minor >= _UUIDS and not is_uuid(hypervisor_id):
        raise InvalidRequestError(f"Invalid uuid {hypervisor_id}")
    for host in call.compute.hosts.values():
        if _identity(call, host) == hypervisor_id:
            return host
    raise NotFoundError(f"Hypervisor with ID '{hypervisor_id}' could not be found.")


def _hypervisor(
    call: Call, host: Host, *, detail: bool = False, single: bool = False
) -> dict[str, Any]:
    newer = call.minor >= _UUIDS
    service = host.service
    shown: dict[str, Any] = {
        "id": host.host_id if newer else host.number,
        "hypervisor_hostname": host.name,
        "state": service.state,
        "status": service.status,
    }
    if detail:
        shown |= {
            "hypervisor_type": "QEMU",
            "hypervisor_version": 7002022,
            "host_ip": host.address,
            "service": {
                "id": service.service_id if newer else service.number,
                "host": host.name,
                "disabled_reason": service.disabled_reason,
            },
        }
        if call.minor < _NO_FIGURES:
            cpu = '{"arch": "x86_64"}' if call.minor < 28 else {"arch": "x86_64"}
            shown |= {**_figures(call, host), "cpu_info": cpu}
        else:
            shown["uptime"] = _uptime(call, host)
    if newer and call.flag("with_servers") and (host.instances or call.minor >= 75):
        shown |= _servers(call, host)
    return shown


def _servers(call: Call, host: Host) -> dict[str, Any]:
    instances = [call.compute.instances[instance_id] for instance_id in host.instances]
    return {
        "servers": [
            {"name": instance_name(instance), "uuid": instance.instance_id}
            for instance in instances
        ]
    }


def _figures(call: Call, host: Host) -> dict[str, int]:
    """Return a host's figures as its resource tracker counts them, reserved memory included."""
    provider = call.compute.placement.of_host(host.name)
    reserved_mb = provider.inventories["MEMORY_MB"].reserved
    memory_used, disk_used = reserved_mb + provider.used["MEMORY_MB"], provider.used["DISK_GB"]
    running = [
        instance_id
        for instance_id in host.instances
        if call.compute.instances[instance_id].power_state == PowerState.RUNNING
    ]
    busy = [
        instance_id
        for instance_id in host.instances
        if call.compute.instances[instance_id].task_state is not None
    ]
    return {
        "vcpus": host.vcpus,
        "memory_mb": host.memory_mb,
        "local_gb": host.disk_gb,
        "vcpus_used": provider.used["VCPU"],
        "memory_mb_used": memory_used,
        "local_gb_used": disk_used,
        "free_ram_mb": host.memory_mb - memory_used,
        "free_disk_gb": host.disk_gb - disk_used,
        "current_workload": len(busy),
        "running_vms": len(running),
        "disk_available_least": host.disk_gb - disk_used,
    }


def _uptime(call: Call, host: Host) -> str | None:
    if not host.powered or not host.service.up:
        return None
    now = call.cloud.clock.now()
    minutes = int(now - host.booted_at) // 60
    at = answers.iso_z(now)[11:19]
    return f" {at} up {minutes // 60:2d}:{minutes % 60:02d},  0 user,  load average: 0.00, 0.00, 0.00\n"
