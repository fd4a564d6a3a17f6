# SPDX-License-Identifier: Apache-2.0
"""Glance's images: list, show, create, upload, change, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from doctor_maintenance.exceptions import (
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    RequestRefused,
)
from doctor_maintenance.simulator.images import Image
from doctor_maintenance.simulator.services.answers import base_url, empty, iso_z, json_answer
from doctor_maintenance.simulator.services.auth import Context, require_token
from doctor_maintenance.simulator.services.glance_schema import PROPERTIES, check_body

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

_FIELDS = {
    "name": "name",
    "disk_format": "disk_format",
    "container_format": "container_format",
    "visibility": "visibility",
    "min_ram": "min_ram",
    "min_disk": "min_disk",
    "protected": "protected",
    "os_hidden": "hidden",
    "tags": "tags",
    "owner": "owner",
}
"""What of a body becomes a field of the record; everything else is a property."""

_PATCH_TYPES = (
    "application/openstack-images-v2.0-json-patch",
    "application/openstack-images-v2.1-json-patch",
)
_CONTROLS = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir", "member_status"})


class UnsupportedMediaError(RequestRefused):
    """The body is of a type that Glance does not take there."""

    status = 415

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(
            f"The request media type {kind} is not supported by this server.\n<br /><br />\n{text}"
        )


def image_views(views: Blueprint, cloud: SimCloud) -> None:
    """Add the views of images."""
    made = _ImageViews(cloud)
    one = "/v2/images/<image_id>"
    rules: tuple[tuple[str, str, Callable[..., Response]], ...] = (
        ("/v2/images", "GET", made.show_all),
        ("/v2/images", "POST", made.create),
        (one, "GET", made.show),
        (one, "PATCH", made.patch),
        (one, "DELETE", made.delete),
        (f"{one}/file", "PUT", made.upload),
        (f"{one}/file", "GET", made.download),
        (f"{one}/actions/<action>", "POST", made.act),
        (f"{one}/tags/<tag>", "PUT", made.add_tag),
        (f"{one}/tags/<tag>", "DELETE", made.remove_tag),
        (f"{one}/members", "GET", made.members),
    )
    for rule, method, view in rules:
        views.add_url_rule(rule, view.__name__, view, methods=[method])


class _ImageViews:
    def __init__(self, cloud: SimCloud) -> None:
        self._cloud = cloud
        self._images = cloud.images

    def show_all(self) -> Response:
        context = require_token(self._cloud)
        found = [i for i in self._images.images.values() if self._listed(i, context)]
        found.sort(key=lambda image: image.created_at, reverse=True)
        bodies = _filtered([_body(image) for image in found])
        return json_answer(_page(bodies))

    def show(self, image_id: str) -> Response:
        return json_answer(_body(self._find(image_id)))

    def create(self) -> Response:
        context = require_token(self._cloud)
        body = _json()
        check_body(body)
        _check_may(context, "add_image", context.can_write)
        self._check_publicize(context, body.get("visibility"))
        fields = {field: body[key] for key, field in _FIELDS.items() if key in body}
        owner = fields.pop("owner", None) or context.project_id
        _check_may(context, "add_image", context.sees(owner))
        if body.get("id") in self._images.images:
            raise ConflictError(f"Image ID {body['id']} already exists!")
        image = self._images.create(
            owner,
            body.get("id"),
            properties={k: v for k, v in body.items() if k not in _FIELDS and k != "id"},
            **fields,
        )
        headers = {
            "Location": f"{base_url()}/image/v2/images/{image.id}",
            "OpenStack-image-import-methods": "",
        }
        return json_answer(_body(image), 201, headers)

    def patch(self, image_id: str) -> Response:
        if request.mimetype not in _PATCH_TYPES:
            expected = ", ".join(_PATCH_TYPES)
            text = f"Image PATCH expects Content-Type one of: {expected}"
            raise UnsupportedMediaError(request.mimetype, text)
        image = self._own(image_id, "modify_image")
        operations = request.get_json(force=True, silent=True)
        if not isinstance(operations, list):
            raise InvalidRequestError("Request body must be a JSON array of operation objects.")
        changed = _patched(_body(image), operations)
        check_body({k: v for k, v in changed.items() if not PROPERTIES.get(k, {}).get("readOnly")})
        self._check_publicize(require_token(self._cloud), changed.get("visibility"))
        for key, field in _FIELDS.items():
            setattr(image, field, changed.get(key))
        image.properties = {
            k: v for k, v in changed.items() if k not in PROPERTIES and k != "stores"
        }
        self._images.touch(image)
        return json_answer(_body(image))

    def delete(self, image_id: str) -> Response:
        if image_id not in self._images.images:
            require_token(self._cloud)
            raise NotFoundError(f"Failed to find image {image_id} to delete")
        image = self._own(image_id, "delete_image")
        if image.protected:
            raise ForbiddenError(f"Image {image_id} is protected and cannot be deleted.")
        self._images.delete(image_id)
        return Response(status=204, content_type="text/html; charset=UTF-8")

    def upload(self, image_id: str) -> Response:
        if request.mimetype != "application/octet-stream":
            text = f"Invalid content type {request.mimetype}"
            raise UnsupportedMediaError(request.mimetype, text)
        image = self._own(image_id, "upload_image")
        if image.status != "queued":
            raise ConflictError(
                f"Image status transition from {image.status} to saving is not allowed"
            )
        self._images.upload(image_id, request.get_data())
        return Response(status=204, content_type="text/html; charset=UTF-8")

    def download(self, image_id: str) -> Response:
        image = self._find(image_id)
        if image.data is None:
            return empty()
        headers = {"Content-MD5": image.checksum or ""}
        return Response(image.data, headers=headers, mimetype="application/octet-stream")

    def act(self, image_id: str, action: str) -> Response:
        states = {"deactivate": "deactivated", "reactivate": "active"}
        context = require_token(self._cloud)
        image = self._find(image_id)
        if action not in states:
            raise NotFoundError("The resource could not be found.")
        _check_may(context, action, context.is_admin)
        image.status = states[action]
        self._images.touch(image)
        return empty()

    def add_tag(self, image_id: str, tag: str) -> Response:
        image = self._own(image_id, "modify_image")
        if tag not in image.tags:
            image.tags.append(tag)
        return empty()

    def remove_tag(self, image_id: str, tag: str) -> Response:
        image = self._own(image_id, "modify_image")
        if tag not in image.tags:
            raise NotFoundError("The resource could not be found.")
        image.tags.remove(tag)
        return empty()

    def members(self, image_id: str) -> Response:
        self._find(image_id)
        return json_answer({"members": [], "schema": "/v2/schemas/members"})

    def _find(self, image_id: str) -> Image:
        context = require_token(self._cloud)
        image = self._images.get(image_id)
        if not self._images.visible(image, context.project_id, context.is_admin):
            raise NotFoundError(f"No image found with ID {image_id}")
        return image

    def _own(self, image_id: str, action: str) -> Image:
        context, image = require_token(self._cloud), self._find(image_id)
        _check_may(context, action, context.can_write and context.sees(image.owner))
        return image

    def _listed(self, image: Image, context: Context) -> bool:
        if image.hidden and request.args.get("os_hidden", "").lower() != "true":
            return False
        return self._images.visible(image, context.project_id, context.is_admin)

    def _check_publicize(self, context: Context, visibility: Any) -> None:
        _check_may(context, "publicize_image", visibility != "public" or context.is_admin)


def _check_may(context: Context, action: str, allowed: bool) -> None:
    if not allowed:
        raise ForbiddenError(f"You are not authorized to complete {action} action.")


def _json() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise InvalidRequestError("Malformed JSON in request body.")
    return body


def _patched(body: dict[str, Any], operations: list[Any]) -> dict[str, Any]:
    """Return what becomes of a body under a JSON patch of single attributes."""
    changed = dict(body)
    for operation in operations:
        if not isinstance(operation, dict) or not str(operation.get("path", "")).startswith("/"):
            raise InvalidRequestError(
                f"Unable to find 'path' in JSON Schema change: {operation!r:.80}"
            )
        name = operation["path"][1:].replace("~1", "/").replace("~0", "~")
        if PROPERTIES.get(name, {}).get("readOnly"):
            raise ForbiddenError(f"Attribute '{name}' is read-only.")
        act = operation.get("op")
        if act == "remove":
            if name in PROPERTIES or name not in changed:
                raise ConflictError(f"Property {name} does not exist.")
            del changed[name]
        elif act in ("add", "replace") and "value" in operation:
            if act == "replace" and name not in changed:
                raise ConflictError(f"Property {name} does not exist.")
            changed[name] = operation["value"]
        else:
            raise InvalidRequestError(f"Operations must be JSON objects: {operation!r:.80}")
    return changed


def _filtered(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for name, wanted in request.args.items():
        if name in _CONTROLS or (name == "visibility" and wanted == "all"):
            continue
        if name == "tag":
            bodies = [body for body in bodies if wanted in body["tags"]]
            continue
        words = wanted.removeprefix("in:").split(",") if wanted.startswith("in:") else [wanted]
        bodies = [body for body in bodies if _text(body.get(name)) in words]
    return bodies


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _page(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    query = [(key, value) for key, value in request.args.items(multi=True) if key != "marker"]
    marker = request.args.get("marker")
    if marker is not None:
        ids = [body["id"] for body in bodies]
        if marker not in ids:
            raise InvalidRequestError(f"No image found with ID {marker}")
        bodies = bodies[ids.index(marker) + 1 :]
    first = "/v2/images" + (f"?{urlencode(query)}" if query else "")
    answer: dict[str, Any] = {"images": bodies, "first": first, "schema": "/v2/schemas/images"}
    limit = request.args.get("limit")
    if limit is not None:
        if not limit.isdigit():
            raise InvalidRequestError("limit param must be an integer")
        answer["images"] = bodies[: int(limit)]
        if len(bodies) > int(limit) > 0:
            last = answer["images"][-1]["id"]
            answer["next"] = f"/v2/images?{urlencode([*query, ('marker', last)])}"
    return answer


def _body(image: Image) -> dict[str, Any]:
    body: dict[str, Any] = {
        **image.properties,
        "name": image.name,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "visibility": image.visibility,
        "size": image.size,
        "virtual_size": image.size,
        "status": image.status,
        "checksum": image.checksum,
        "protected": image.protected,
        "min_ram": image.min_ram,
        "min_disk": image.min_disk,
        "owner": image.owner,
        "os_hidden": image.hidden,
        "os_hash_algo": None if image.data is None else "sha512",
        "os_hash_value": image.hash_value,
        "id": image.id,
        "created_at": iso_z(image.created_at),
        "updated_at": iso_z(image.updated_at),
        "tags": list(image.tags),
        "self": f"/v2/images/{image.id}",
        "file": f"/v2/images/{image.id}/file",
        "schema": "/v2/schemas/image",
    }
    if image.data is not None:
        body["stores"] = "local"
    return body
