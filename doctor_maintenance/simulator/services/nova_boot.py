# SPDX-License-Identifier: Apache-2.0
"""Nova: what a request for a new instance may say, and what it means.

The checks come in Nova's order, so that of two mistakes the same one is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from doctor_maintenance.exceptions import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    RequestRefused,
)
from doctor_maintenance.simulator.records import BootRequest, NetworkRequest
from doctor_maintenance.simulator.services.nova_call import Call
from doctor_maintenance.simulator.services.schema import Schema

_NAME = {"type": "string", "minLength": 1, "maxLength": 255}
_UUID = {"type": "string", "format": "uuid"}
_COUNT = {"type": ["integer", "string"], "pattern": "^[0-9]*$", "minimum": 1}
_METADATA = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 255}}
_NETWORKS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "fixed_ip": {"type": "string"},
            "port": {"anyOf": [_UUID, {"type": "null"}]},
            "uuid": _UUID,
            "tag": {"type": "string"},
        },
        "additionalProperties": False,
    },
}
_PROPERTIES: dict[str, tuple[int, Schema]] = {
    "name": (1, _NAME),
    "imageRef": (1, {"anyOf": [_UUID, {"type": "string", "maxLength": 0}]}),
    "flavorRef": (1, {"type": ["string", "integer"], "minLength": 1}),
    "adminPass": (1, {"type": "string"}),
    "metadata": (1, _METADATA),
    "networks": (1, _NETWORKS),
    "OS-DCF:diskConfig": (1, {"type": "string", "enum": ["AUTO", "MANUAL"]}),
    "accessIPv4": (1, {"type": "string"}),
    "accessIPv6": (1, {"type": "string"}),
    "personality": (1, {"type": "array"}),
    "config_drive": (1, {}),
    "min_count": (1, _COUNT),
    "max_count": (1, _COUNT),
    "return_reservation_id": (1, {}),
    "availability_zone": (1, {"type": "string", "minLength": 1, "maxLength": 255}),
    "block_device_mapping": (1, {"type": "array"}),
    "block_device_mapping_v2": (1, {"type": "array"}),
    "key_name": (1, {"type": "string", "minLength": 1, "maxLength": 255}),
    "security_groups": (
        1,
        {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
    ),
    "user_data": (1, {"type": "string", "maxLength": 65535}),
    "description": (19, {"type": ["string", "null"], "maxLength": 255}),
    "tags": (52, {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 60}}),
    "trusted_image_certificates": (63, {"type": ["array", "null"]}),
    "host": (74, {"type": "string", "minLength": 1, "maxLength": 255}),
    "hypervisor_hostname": (74, {"type": "string", "minLength": 1, "maxLength": 255}),
    "hostname": (90, {"type": "string", "minLength": 1, "maxLength": 255}),
}
_GROUP_HINT: Schema = {
    "anyOf": [_UUID, {"type": "array", "items": _UUID}],
}
_HINTS: Schema = {"type": "object", "properties": {"group": _GROUP_HINT}}


def create_schema(minor: int) -> Schema:
    """Return the schema of a body that creates an instance, at a microversion."""
    known: dict[str, Schema] = {
        name: schema for name, (since, schema) in _PROPERTIES.items() if since <= minor
    }
    required = ["name", "flavorRef"]
    if minor >= 37:
        required.append("networks")
        known["networks"] = {"anyOf": [_NETWORKS, {"type": "string", "enum": ["none", "auto"]}]}
    if minor >= 57:
        del known["personality"]
    server = {
        "type": "object",
        "properties": known,
        "required": required,
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "server": server,
            "os:scheduler_hints": _HINTS,
            "OS-SCH-HNT:scheduler_hints": _HINTS,
        },
        "required": ["server"],
        "additionalProperties": False,
    }


def boot_request(call: Call, body: Mapping[str, Any]) -> tuple[BootRequest, int]:
    """Return what the body asks for, and how many of it.

    Raises:
        InvalidRequestError: it names something that does not exist.
        ConflictError: a port is in use, or it is not clear which network is meant.
        ForbiddenError: only an admin may ask for it.
    """
    server = body["server"]
    count = _count(server)
    zone, host, forced = _destination(call, server)
    image_id = _image(call, server)
    flavor_id = str(server["flavorRef"])
    _check_flavor(call, flavor_id)
    networks = _networks(call, server.get("networks", "auto"))
    key_name = server.get("key_name")
    if key_name is not None:
        _check_keypair(call, key_name)
    description = server.get("description")
    if call.minor < 19:
        description = server["name"]
    hints = body.get("os:scheduler_hints") or body.get("OS-SCH-HNT:scheduler_hints") or {}
    group = hints.get("group")
    wanted = BootRequest(
        name=server["name"].strip(),
        flavor_id=flavor_id,
        image_id=image_id,
        networks=networks,
        group_id=group[0] if isinstance(group, list) else group,
        host=host,
        forced=forced,
        zone=zone,
        key_name=key_name,
        description=description,
        user_data=server.get("user_data"),
        config_drive=str(server.get("config_drive", "")).lower() in ("true", "1", "yes", "on"),
        metadata=tuple(server.get("metadata", {}).items()),
        tags=tuple(server.get("tags", ())),
        security_groups=tuple(
            group["name"] for group in server.get("security_groups", [{"name": "default"}])
        ),
    )
    return wanted, count


def _count(server: Mapping[str, Any]) -> int:
    least = int(server.get("min_count", 1))
    most = int(server.get("max_count", least))
    if least > most:
        raise InvalidRequestError("min_count must be <= max_count")
    return most


def _destination(call: Call, server: Mapping[str, Any]) -> tuple[str | None, str | None, bool]:
    """Return the zone, the host, and whether the scheduler is left out."""
    zone = server.get("availability_zone")
    host = server.get("host") or server.get("hypervisor_hostname")
    if host is not None:
        call.admin("compute:servers:create:requested_destination")
    forced = False
    if zone is not None and ":" in zone:
        zone, _, rest = zone.partition(":")
        call.admin("os_compute_api:servers:create:forced_host")
        host, forced = rest.partition(":")[0] or None, True
    if host is not None and host not in call.compute.hosts:
        raise InvalidRequestError(f"Compute host {host} could not be found.")
    zones = {known.zone for known in call.compute.hosts.values()}
    if zone and zone not in zones:
        raise InvalidRequestError("The requested availability zone is not available")
    return zone or None, host, forced


def _image(call: Call, server: Mapping[str, Any]) -> str:
    image_id = server.get("imageRef") or ""
    for mapping in server.get("block_device_mapping_v2", ()):
        if not image_id and mapping.get("source_type") == "image":
            image_id = mapping.get("uuid", "")
    if not image_id:
        raise InvalidRequestError(
            "Invalid imageRef provided."
            if not server.get("block_device_mapping_v2")
            else "Block Device Mapping is Invalid: only images can be booted from."
        )
    images = call.cloud.images
    try:
        image = images.get(image_id)
    except NotFoundError as error:
        raise InvalidRequestError("Can not find requested image") from error
    if not images.visible(image, call.context.project_id, call.context.is_admin):
        raise InvalidRequestError("Can not find requested image")
    if image.status != "active":
        raise InvalidRequestError(f"Image {image_id} is not active.")
    return str(image.id)


def _check_flavor(call: Call, flavor_id: str) -> None:
    try:
        call.compute.flavors.get(flavor_id)
    except NotFoundError as error:
        raise InvalidRequestError(str(error)) from error


def _check_keypair(call: Call, name: str) -> None:
    try:
        call.compute.keypairs.get(call.context.user_id, name)
    except NotFoundError as error:
        raise InvalidRequestError("Invalid key_name provided.") from error


def _networks(call: Call, wanted: Any) -> tuple[NetworkRequest, ...]:
    if wanted == "none":
        return ()
    if wanted == "auto":
        return _only_network(call)
    return tuple(_network(call, entry) for entry in wanted)


def _network(call: Call, entry: Mapping[str, Any]) -> NetworkRequest:
    network, project_id = call.cloud.network, call.context.project_id
    port_id = entry.get("port")
    if port_id is not None:
        port = network.ports.get(port_id)
        if port is None or not call.context.sees(port.project_id):
            raise InvalidRequestError(f"Port {port_id} could not be found.")
        if port.device_id:
            raise ConflictError(f"Port {port_id} is still in use.")
        return NetworkRequest(port_id=port_id)
    network_id = entry.get("uuid")
    if network_id is None:
        raise InvalidRequestError("Bad network format: missing 'uuid'")
    try:
        found = network.network(network_id)
    except RequestRefused as error:
        raise InvalidRequestError(f"Network {network_id} could not be found.") from error
    if found.project_id != project_id and not found.shared and not call.context.is_admin:
        raise InvalidRequestError(f"Network {network_id} could not be found.")
    if not found.subnet_ids:
        raise InvalidRequestError(
            f"Network {network_id} requires a subnet in order to boot instances on."
        )
    return NetworkRequest(network_id=network_id, fixed_ip=entry.get("fixed_ip"))


def _only_network(call: Call) -> tuple[NetworkRequest, ...]:
    """Return the only network that the project has; none if it has none."""
    project_id = call.context.project_id
    own = [
        network.id
        for network in call.cloud.network.networks.values()
        if network.project_id == project_id and not network.external and network.subnet_ids
    ]
    if len(own) > 1:
        raise ConflictError(
            "Multiple possible networks found, use a Network ID to be more specific."
        )
    return tuple(NetworkRequest(network_id=network_id) for network_id in own)
