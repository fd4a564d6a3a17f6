# SPDX-License-Identifier: Apache-2.0
"""Nova: flavors and key pairs."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Response, request

from doctor_maintenance.exceptions import InvalidRequestError, NotFoundError
from doctor_maintenance.simulator.catalogues import Keypair
from doctor_maintenance.simulator.records import Flavor
from doctor_maintenance.simulator.services.nova_call import Call, Routes, answer, no_body
from doctor_maintenance.simulator.services.nova_server_view import iso_micro

_NUMBER = {"type": ["integer", "string"], "pattern": "^[0-9]+$", "minimum": 0}
_POSITIVE = {"type": ["integer", "string"], "pattern": "^[0-9]+$", "minimum": 1}
_STRING = {"type": "string", "minLength": 1, "maxLength": 255}
_CREATE = {
    "type": "object",
    "properties": {
        "flavor": {
            "type": "object",
            "properties": {
                "name": _STRING,
                "id": {"type": ["string", "number", "null"]},
                "ram": _POSITIVE,
                "vcpus": _POSITIVE,
                "disk": _NUMBER,
                "OS-FLV-EXT-DATA:ephemeral": _NUMBER,
                "swap": _NUMBER,
                "rxtx_factor": {"type": ["number", "string"]},
                "os-flavor-access:is_public": {"type": ["boolean", "string"]},
                "description": {"type": ["string", "null"], "maxLength": 65535},
            },
            "required": ["name", "ram", "vcpus", "disk"],
            "additionalProperties": False,
        }
    },
    "required": ["flavor"],
    "additionalProperties": False,
}
_EXTRA_SPECS = {
    "type": "object",
    "properties": {
        "extra_specs": {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
    },
    "required": ["extra_specs"],
    "additionalProperties": False,
}
_MANAGE = "os_compute_api:os-flavor-manage"


def flavor_views(route: Routes) -> None:
    """Add the views of ``/flavors``."""

    @route("GET", "/flavors")
    def index(call: Call) -> Response:
        return _flavors(call, detail=False)

    @route("GET", "/flavors/detail")
    def detail(call: Call) -> Response:
        return _flavors(call, detail=True)

    @route("POST", "/flavors")
    def create(call: Call) -> Response:
        call.admin(f"{_MANAGE}:create")
        wanted = call.body(_CREATE)["flavor"]
        flavor_id = wanted.get("id")
        public = str(wanted.get("os-flavor-access:is_public", True)).lower()
        flavor = call.compute.flavors.create(
            wanted["name"],
            int(wanted["vcpus"]),
            int(wanted["ram"]),
            int(wanted["disk"]),
            None if flavor_id in (None, "auto") else str(flavor_id),
            ephemeral_gb=int(wanted.get("OS-FLV-EXT-DATA:ephemeral", 0)),
            swap_mb=int(wanted.get("swap", 0)),
            rxtx_factor=float(wanted.get("rxtx_factor", 1.0)),
            is_public=public in ("true", "1", "yes", "on"),
            description=wanted.get("description"),
        )
        return answer({"flavor": _flavor(call, flavor)})

    @route("GET", "/flavors/<flavor_id>")
    def show(call: Call, flavor_id: str) -> Response:
        return answer({"flavor": _flavor(call, call.compute.flavors.get(flavor_id))})

    @route("PUT", "/flavors/<flavor_id>", since=55)
    def change(call: Call, flavor_id: str) -> Response:
        call.admin(f"{_MANAGE}:update")
        body = call.body({"type": "object", "required": ["flavor"]})
        flavor = call.compute.flavors.change(
            flavor_id, description=body["flavor"].get("description") or ""
        )
        return answer({"flavor": _flavor(call, flavor)})

    @route("DELETE", "/flavors/<flavor_id>")
    def delete(call: Call, flavor_id: str) -> Response:
        call.admin(f"{_MANAGE}:delete")
        call.compute.flavors.delete(flavor_id)
        return no_body(202)


def extra_spec_views(route: Routes) -> None:
    """Add the views of a flavor's extra specs and of who may use it."""

    @route("GET", "/flavors/<flavor_id>/os-extra_specs")
    def specs(call: Call, flavor_id: str) -> Response:
        flavor = call.compute.flavors.get(flavor_id)
        return answer({"extra_specs": dict(flavor.extra_specs)})

    @route("POST", "/flavors/<flavor_id>/os-extra_specs")
    def add_specs(call: Call, flavor_id: str) -> Response:
        call.admin("os_compute_api:os-flavor-extra-specs:create")
        added = call.body(_EXTRA_SPECS)["extra_specs"]
        call.compute.flavors.change(flavor_id, extra_specs=added)
        return answer({"extra_specs": added})

    @route("DELETE", "/flavors/<flavor_id>/os-extra_specs/<key>")
    def remove_spec(call: Call, flavor_id: str, key: str) -> Response:
        call.admin("os_compute_api:os-flavor-extra-specs:delete")
        call.compute.flavors.change(flavor_id, removed_spec=key)
        return no_body(200)

    @route("GET", "/flavors/<flavor_id>/os-flavor-access")
    def access(call: Call, flavor_id: str) -> Response:
        call.admin("os_compute_api:os-flavor-access")
        if call.compute.flavors.get(flavor_id).is_public:
            raise NotFoundError("Access list not available for public flavors.")
        return answer({"flavor_access": []})


def _flavors(call: Call, detail: bool) -> Response:
    flavors = call.compute.flavors.all()
    wanted = request.args.get("is_public", "").lower()
    if not call.context.is_admin or wanted not in ("none", "false"):
        flavors = [flavor for flavor in flavors if flavor.is_public]
    elif wanted == "false":
        flavors = [flavor for flavor in flavors if not flavor.is_public]
    for name in ("minRam", "minDisk"):
        text = request.args.get(name)
        if text is not None and not text.isdigit():
            raise InvalidRequestError(f"Invalid {name} filter [{text}]")
    least_mb, least_gb = int(request.args.get("minRam", 0)), int(request.args.get("minDisk", 0))
    flavors = [
        flavor for flavor in flavors if flavor.memory_mb >= least_mb and flavor.disk_gb >= least_gb
    ]
    shown, more = call.page(flavors, lambda flavor: flavor.flavor_id)
    view = _flavor if detail else _brief_flavor
    body: dict[str, Any] = {"flavors": [view(call, flavor) for flavor in shown]}
    if more:
        path = ("flavors", "detail") if detail else ("flavors",)
        body["flavors_links"] = call.next_link(shown[-1].flavor_id, *path)
    return answer(body)


def _brief_flavor(call: Call, flavor: Flavor) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": flavor.flavor_id,
        "name": flavor.name,
        "links": call.links("flavors", flavor.flavor_id),
    }
    if call.minor >= 55:
        shown["description"] = flavor.description
    return shown


def _flavor(call: Call, flavor: Flavor) -> dict[str, Any]:
    newest = call.minor >= 102
    shown: dict[str, Any] = {
        "id": flavor.flavor_id,
        "name": flavor.name,
        "ram": flavor.memory_mb,
        "disk": flavor.disk_gb,
        "swap": flavor.swap_mb or (0 if call.minor >= 75 else ""),
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral_gb,
        "vcpus": flavor.vcpus,
        "os-flavor-access:is_public": flavor.is_public,
    }
    if not newest:
        shown |= {"OS-FLV-DISABLED:disabled": flavor.disabled, "rxtx_factor": flavor.rxtx_factor}
    shown["links"] = call.links("flavors", flavor.flavor_id)
    if call.minor >= 55:
        shown["description"] = flavor.description
    if call.minor >= 61:
        shown["extra_specs"] = dict(flavor.extra_specs)
    return shown


def keypair_views(route: Routes) -> None:
    """Add the views of ``/os-keypairs``."""

    @route("GET", "/os-keypairs")
    def index(call: Call) -> Response:
        keypairs = call.compute.keypairs.of_user(_user(call))
        shown, more = keypairs, False
        if call.minor >= 35:
            shown, more = call.page(keypairs, lambda keypair: keypair.name)
        body: dict[str, Any] = {
            "keypairs": [{"keypair": _brief_keypair(call, keypair)} for keypair in shown]
        }
        if more:
            body["keypairs_links"] = call.next_link(shown[-1].name, "os-keypairs")
        return answer(body)

    @route("POST", "/os-keypairs")
    def create(call: Call) -> Response:
        body = call.body(_keypair_schema(call.minor))["keypair"]
        user_id = body.get("user_id") or call.context.user_id
        private_key, public_key = None, body.get("public_key")
        if public_key is None:
            private_key, public_key = _generate()
        keypair = call.compute.keypairs.create(
            user_id,
            body["name"],
            public_key,
            _fingerprint(public_key),
            call.cloud.clock.now(),
            body.get("type", "ssh"),
        )
        shown: dict[str, Any] = {} if private_key is None else {"private_key": private_key}
        shown |= {**_brief_keypair(call, keypair), "user_id": user_id}
        return answer({"keypair": shown}, 200 if call.minor < 2 else 201)

    @route("GET", "/os-keypairs/<name>")
    def show(call: Call, name: str) -> Response:
        keypair = call.compute.keypairs.get(_user(call), name)
        shown = {
            **_brief_keypair(call, keypair),
            "user_id": keypair.user_id,
            "created_at": iso_micro(keypair.created),
            "deleted": False,
            "deleted_at": None,
            "id": keypair.number,
            "updated_at": None,
        }
        return answer({"keypair": shown})

    @route("DELETE", "/os-keypairs/<name>")
    def delete(call: Call, name: str) -> Response:
        call.compute.keypairs.delete(_user(call), name)
        return no_body(202 if call.minor < 2 else 204)


def _user(call: Call) -> str:
    user_id = request.args.get("user_id") if call.minor >= 10 else None
    if user_id is not None and user_id != call.context.user_id:
        call.admin("os_compute_api:os-keypairs:index")
    return user_id or call.context.user_id


def _brief_keypair(call: Call, keypair: Keypair) -> dict[str, Any]:
    shown = {
        "name": keypair.name,
        "public_key": keypair.public_key,
        "fingerprint": keypair.fingerprint,
    }
    return shown if call.minor < 2 else {**shown, "type": keypair.type}


def _keypair_schema(minor: int) -> dict[str, Any]:
    properties: dict[str, Any] = {"name": _STRING, "public_key": {"type": "string"}}
    required = ["name"]
    if minor >= 2:
        properties["type"] = {"type": "string", "enum": ["ssh", "x509"]}
    if minor >= 10:
        properties["user_id"] = {"type": "string"}
    if minor >= 92:
        required.append("public_key")
    keypair = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"keypair": keypair},
        "required": ["keypair"],
        "additionalProperties": False,
    }


def _fingerprint(public_key: str) -> str:
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise InvalidRequestError(
            "Keypair data is invalid: failed to generate fingerprint"
        ) from error
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[place : place + 2] for place in range(0, 32, 2))


def _generate() -> tuple[str, str]:
    """Return a new private and public key; these come from the system's randomness, as keys must."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return private.decode(), f"{public.decode()} Generated-by-Nova"
