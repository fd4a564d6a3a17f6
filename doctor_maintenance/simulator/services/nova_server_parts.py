# SPDX-License-Identifier: Apache-2.0
"""Nova: what belongs to one instance: metadata, tags, addresses, security groups, volumes."""

from __future__ import annotations

from flask import Response

from doctor_maintenance.exceptions import NotFoundError
from doctor_maintenance.simulator.services.nova_call import Call, Routes, answer, check, no_body
from doctor_maintenance.simulator.services.nova_servers import find, find_to_change

_METADATA = {
    "type": "object",
    "properties": {
        "metadata": {
            "type": "object",
            "additionalProperties": {"type": "string", "maxLength": 255},
        }
    },
    "required": ["metadata"],
    "additionalProperties": False,
}
_TAGS = {
    "type": "object",
    "properties": {
        "tags": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/]*$"},
        }
    },
    "required": ["tags"],
    "additionalProperties": False,
}


def metadata_views(route: Routes) -> None:
    """Add the views of an instance's metadata."""

    @route("GET", "/servers/<server_id>/metadata")
    def metadata(call: Call, server_id: str) -> Response:
        instance = find(call, server_id, "os_compute_api:server-metadata:index")
        return answer({"metadata": instance.metadata})

    @route("POST", "/servers/<server_id>/metadata")
    def add_metadata(call: Call, server_id: str) -> Response:
        instance = find_to_change(call, server_id, "os_compute_api:server-metadata:create")
        instance.metadata.update(call.body(_METADATA)["metadata"])
        return answer({"metadata": instance.metadata})

    @route("PUT", "/servers/<server_id>/metadata")
    def replace_metadata(call: Call, server_id: str) -> Response:
        instance = find_to_change(call, server_id, "os_compute_api:server-metadata:update_all")
        instance.metadata = dict(call.body(_METADATA)["metadata"])
        return answer({"metadata": instance.metadata})

    @route("DELETE", "/servers/<server_id>/metadata/<key>")
    def remove_metadata(call: Call, server_id: str, key: str) -> Response:
        instance = find_to_change(call, server_id, "os_compute_api:server-metadata:delete")
        if instance.metadata.pop(key, None) is None:
            raise NotFoundError("Metadata item was not found")
        return no_body(204)


def tag_views(route: Routes) -> None:
    """Add the views of an instance's tags."""

    @route("GET", "/servers/<server_id>/tags", since=26)
    def tags(call: Call, server_id: str) -> Response:
        instance = find(call, server_id, "os_compute_api:os-server-tags:index")
        return answer({"tags": instance.tags})

    @route("PUT", "/servers/<server_id>/tags", since=26)
    def replace_tags(call: Call, server_id: str) -> Response:
        instance = find_to_change(call, server_id, "os_compute_api:os-server-tags:update_all")
        instance.tags = list(dict.fromkeys(call.body(_TAGS)["tags"]))
        return answer({"tags": instance.tags})

    @route("PUT", "/servers/<server_id>/tags/<tag>", since=26)
    def add_tag(call: Call, server_id: str, tag: str) -> Response:
        instance = find_to_change(call, server_id, "os_compute_api:os-server-tags:update")
        check([tag], _TAGS["properties"]["tags"])  # type: ignore[index]
        if tag in instance.tags:
            return no_body(204)
        instance.tags.append(tag)
        location = {"Location": call.href("servers", server_id, "tags", tag)}
        return Response(status=201, headers=location, content_type="text/html; charset=UTF-8")

    @route("DELETE", "/servers/<server_id>/tags/<tag>", since=26)
    def remove_tag(call: Call, server_id: str, tag: str) -> Response:
        instance = find_to_change(call, server_id, "os_compute_api:os-server-tags:delete")
        if tag not in instance.tags:
            raise NotFoundError(f"Instance {server_id} has no tag '{tag}'")
        instance.tags.remove(tag)
        return no_body(204)


def part_views(route: Routes) -> None:
    """Add the views of an instance's addresses, security groups, volumes and topology."""

    @route("GET", "/servers/<server_id>/ips")
    def addresses(call: Call, server_id: str) -> Response:
        instance = find(call, server_id, "os_compute_api:ips:index")
        found = call.cloud.network.addresses(instance.instance_id)
        brief_form = {
            label: [{"version": entry["version"], "addr": entry["addr"]} for entry in entries]
            for label, entries in found.items()
        }
        return answer({"addresses": brief_form})

    @route("GET", "/servers/<server_id>/os-security-groups")
    def security_groups(call: Call, server_id: str) -> Response:
        find(call, server_id, "os_compute_api:os-security-groups:list")
        security = call.cloud.network.security
        ids = {
            group_id
            for port in call.cloud.network.ports_of(server_id)
            for group_id in port.security_groups
        }
        groups = [security.get(group_id) for group_id in sorted(ids)]
        return answer(
            {
                "security_groups": [
                    {
                        "id": group.id,
                        "name": group.name,
                        "description": group.description,
                        "tenant_id": group.project_id,
                        "rules": [],
                    }
                    for group in groups
                ]
            }
        )

    @route("GET", "/servers/<server_id>/os-volume_attachments")
    def volumes(call: Call, server_id: str) -> Response:
        find(call, server_id, "os_compute_api:os-volumes-attachments:index")
        return answer({"volumeAttachments": []})

    @route("GET", "/servers/<server_id>/topology", since=78)
    def topology(call: Call, server_id: str) -> Response:
        find(call, server_id, "compute:server:topology:index")
        return answer({"nodes": [], "pagesize_kb": None})

    @route("GET", "/servers/<server_id>/diagnostics", since=48)
    def diagnostics(call: Call, server_id: str) -> Response:
        call.admin("os_compute_api:os-server-diagnostics")
        instance = call.compute.get(server_id)
        running = call.compute.is_running(server_id)
        uptime_s = int(call.cloud.clock.now() - (instance.launched_at or 0.0))
        ports = call.cloud.network.ports_of(server_id)
        return answer(
            {
                "state": "running" if running else "shutdown",
                "driver": "libvirt",
                "hypervisor": "qemu",
                "hypervisor_os": "linux",
                "uptime": uptime_s if running else 0,
                "config_drive": instance.config_drive,
                "num_cpus": instance.flavor.vcpus,
                "num_nics": len(ports),
                "num_disks": 1,
                "disk_details": [],
                "cpu_details": [],
                "nic_details": [{"mac_address": port.mac} for port in ports],
                "memory_details": {"maximum": instance.flavor.memory_mb, "used": 0},
            }
        )
