# SPDX-License-Identifier: Apache-2.0
"""What an image may say of itself: Glance's schema, and its refusals of what does not fit."""

from __future__ import annotations

from typing import Any

from doctor_maintenance.exceptions import ForbiddenError, InvalidRequestError

_DISK_FORMATS = [
    None,
    "ami",
    "ari",
    "aki",
    "vhd",
    "vhdx",
    "vmdk",
    "raw",
    "qcow2",
    "vdi",
    "iso",
    "ploop",
]
_CONTAINER_FORMATS = [None, "ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"]
_VISIBILITIES = ["community", "public", "private", "shared"]

PROPERTIES: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "description": "An identifier for the image"},
    "name": {
        "type": ["null", "string"],
        "description": "Descriptive name for the image",
        "maxLength": 255,
    },
    "status": {
        "type": "string",
        "readOnly": True,
        "description": "Status of the image",
        "enum": ["queued", "saving", "active", "killed", "deleted", "deactivated"],
    },
    "visibility": {
        "type": "string",
        "description": "Scope of image accessibility",
        "enum": _VISIBILITIES,
    },
    "protected": {"type": "boolean", "description": "If true, image will not be deletable."},
    "os_hidden": {
        "type": "boolean",
        "description": "If true, image will not appear in default image list response.",
    },
    "checksum": {"type": ["null", "string"], "readOnly": True, "maxLength": 32},
    "os_hash_algo": {"type": ["null", "string"], "readOnly": True, "maxLength": 64},
    "os_hash_value": {"type": ["null", "string"], "readOnly": True, "maxLength": 128},
    "owner": {"type": ["null", "string"], "description": "Owner of the image", "maxLength": 255},
    "size": {"type": ["null", "integer"], "readOnly": True},
    "virtual_size": {"type": ["null", "integer"], "readOnly": True},
    "container_format": {
        "type": ["null", "string"],
        "description": "Format of the container",
        "enum": _CONTAINER_FORMATS,
    },
    "disk_format": {
        "type": ["null", "string"],
        "description": "Format of the disk",
        "enum": _DISK_FORMATS,
    },
    "created_at": {"type": "string", "readOnly": True},
    "updated_at": {"type": "string", "readOnly": True},
    "tags": {"type": "array", "items": {"type": "string", "maxLength": 255}},
    "direct_url": {"type": "string", "readOnly": True},
    "min_ram": {"type": "integer", "description": "Amount of ram (in MB) required to boot image."},
    "min_disk": {
        "type": "integer",
        "description": "Amount of disk space (in GB) required to boot image.",
    },
    "self": {"type": "string", "readOnly": True},
    "file": {"type": "string", "readOnly": True},
    "schema": {"type": "string", "readOnly": True},
}
"""The schema's properties."""

_PYTHON = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "null": type(None),
}


def check_body(body: dict[str, Any]) -> None:
    """Raise what Glance does for a body that does not fit the schema."""
    for name, value in body.items():
        schema = PROPERTIES.get(name, {"type": "string"})
        if schema.get("readOnly"):
            raise ForbiddenError(f"Attribute '{name}' is read-only.")
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(isinstance(value, _PYTHON[kind]) for kind in kinds):
            named = ", ".join(repr(kind) for kind in kinds)
            raise InvalidRequestError(
                f"Provided object does not match schema 'image': {value!r} is not of type {named}"
            )
        if "enum" in schema and value not in schema["enum"]:
            raise InvalidRequestError(
                f"Provided object does not match schema 'image': {value!r} is not one of {schema['enum']}"
            )
