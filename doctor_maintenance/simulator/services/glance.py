# SPDX-License-Identifier: Apache-2.0
"""Glance v2: what it consists of, its versions and schemas; images are in ``glance_images.py``.

Bodies and texts are those of glance 33.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g
from werkzeug.exceptions import HTTPException

from doctor_maintenance.exceptions import NotFoundError, RequestRefused
from doctor_maintenance.simulator.identity_records import UnauthorizedError
from doctor_maintenance.simulator.services.answers import base_url, json_answer
from doctor_maintenance.simulator.services.auth import require_token
from doctor_maintenance.simulator.services.glance_images import image_views
from doctor_maintenance.simulator.services.glance_schema import PROPERTIES

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_UNAUTHORIZED = (
    "This server could not verify that you are authorized to access the document you requested. "
    "Either you supplied the wrong credentials (e.g., bad password), or your browser does not "
    "understand how to supply the credentials required."
)
_VERSIONS = (
    ("v2.15", "SUPPORTED"),
    ("v2.13", "SUPPORTED"),
    ("v2.12", "SUPPORTED"),
    ("v2.11", "SUPPORTED"),
    ("v2.10", "SUPPORTED"),
    ("v2.9", "SUPPORTED"),
    ("v2.8", "SUPPORTED"),
    ("v2.7", "SUPPORTED"),
    ("v2.6", "SUPPORTED"),
    ("v2.5", "SUPPORTED"),
    ("v2.4", "SUPPORTED"),
    ("v2.3", "SUPPORTED"),
    ("v2.2", "SUPPORTED"),
    ("v2.1", "SUPPORTED"),
    ("v2.0", "SUPPORTED"),
    ("v2.17", "CURRENT"),
)


class Glance:
    """The image service."""

    type = "image"
    name = "glance"
    path = "/image"
    endpoint = "/image"

    def blueprint(self, cloud: SimCloud) -> Blueprint:
        """Return the views of Glance."""
        views = Blueprint("glance", __name__)
        _version_views(views)
        _schema_views(views, cloud)
        image_views(views, cloud)
        views.register_error_handler(RequestRefused, _refused)
        views.register_error_handler(UnauthorizedError, _unauthorized)
        views.app_errorhandler(HTTPException)(_not_routed)
        return views


SERVICE = Glance()


def _error(status: int, message: str) -> Response:
    title = _TITLES.get(status, "Error")
    if status != 415:
        message = f"{message}<br /><br />\n\n\n"
    body = {"message": message, "code": f"{status} {title}", "title": title}
    return json_answer(body, status)


def _refused(error: RequestRefused) -> Response:
    return _error(error.status, str(error))


def _unauthorized(_: UnauthorizedError) -> Response:
    g.without_request_id = True  # it is refused before Glance gives the request its ID
    response = _error(401, _UNAUTHORIZED)
    response.headers["WWW-Authenticate"] = f'Keystone uri="{base_url()}/identity/v3"'
    return response


def _not_routed(error: HTTPException) -> Response:
    text = "The resource could not be found." if error.code == 404 else str(error.description)
    return _error(error.code or 500, text)


def _version_views(views: Blueprint) -> None:
    def versions() -> dict[str, Any]:
        link = {"rel": "self", "href": f"{base_url()}/image/v2/"}
        return {"versions": [{"id": i, "status": s, "links": [link]} for i, s in _VERSIONS]}

    @views.get("/")
    def root() -> Response:
        return json_answer(versions(), 300)

    @views.get("/versions")
    def all_versions() -> Response:
        return json_answer(versions())


def _schema_views(views: Blueprint, cloud: SimCloud) -> None:
    image: dict[str, Any] = {
        "name": "image",
        "properties": PROPERTIES,
        "additionalProperties": {"type": "string"},
        "links": [
            {"rel": "self", "href": "{self}"},
            {"rel": "enclosure", "href": "{file}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }
    images: dict[str, Any] = {
        "name": "images",
        "properties": {
            "images": {"type": "array", "items": image},
            "first": {"type": "string"},
            "next": {"type": "string"},
            "schema": {"type": "string"},
        },
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }

    @views.get("/v2/schemas/image")
    def image_schema() -> Response:
        require_token(cloud)
        return json_answer(image)

    @views.get("/v2/schemas/images")
    def images_schema() -> Response:
        require_token(cloud)
        return json_answer(images)

    @views.get("/v2")
    def nothing_there() -> Response:
        require_token(cloud)
        raise NotFoundError("The resource could not be found.")

    @views.get("/v2/info/import")
    def import_methods() -> Response:
        require_token(cloud)
        methods = {"description": "Import methods available.", "type": "array", "value": []}
        return json_answer({"import-methods": methods})

    @views.get("/v2/info/stores")
    def stores() -> Response:
        require_token(cloud)
        return json_answer({"stores": [{"id": "local", "default": "true"}]})
