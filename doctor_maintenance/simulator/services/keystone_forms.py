# SPDX-License-Identifier: Apache-2.0
"""What Keystone's answers have in common: links, collections, refusals, and who may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, request

from doctor_maintenance.exceptions import ForbiddenError, InvalidRequestError, RequestRefused
from doctor_maintenance.simulator.identity_records import Project, UnauthorizedError
from doctor_maintenance.simulator.services.answers import base_url, json_answer
from doctor_maintenance.simulator.services.auth import Context, require_token

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
MALFORMED = (
    "The server could not comply with the request since it is either malformed or otherwise "
    "incorrect. The client is assumed to be in error."
)


def root_url() -> str:
    """Return the address of the v3 API as the caller reached it."""
    return f"{base_url()}/identity/v3"


def refused(error: RequestRefused) -> Response:
    """Return a refusal as Keystone writes it."""
    title = _TITLES.get(error.status, "Error")
    body = {"error": {"code": error.status, "message": str(error), "title": title}}
    return json_answer(body, error.status)


def unauthorized(error: UnauthorizedError) -> Response:
    """Return Keystone's 401."""
    body = {"error": {"code": 401, "message": str(error), "title": _TITLES[401]}}
    return json_answer(body, 401, {"WWW-Authenticate": f'Keystone uri="{root_url()}"'})


def require(cloud: SimCloud, action: str, own: bool = False) -> Context:
    """Return the caller; raise Keystone's 403 unless it is an admin or the thing is its own."""
    context = require_token(cloud)
    if not (context.is_admin or own):
        raise ForbiddenError(
            f"You are not authorized to perform the requested action: identity:{action}."
        )
    return context


def body_of(name: str) -> dict[str, Any]:
    """Return the object of that name in the body; raise Keystone's 400 if there is none."""
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise InvalidRequestError(f"Expecting to find valid JSON in request body. {MALFORMED}")
    if not isinstance(body.get(name), dict):
        raise InvalidRequestError(f"Expecting to find {name} in request body. {MALFORMED}")
    found: dict[str, Any] = body[name]
    return found


def name_in(body: dict[str, Any], what: str) -> str:
    """Return the name that a new thing is to have; raise Keystone's 400 if there is none."""
    if not isinstance(body.get("name"), str) or not body["name"].strip():
        raise InvalidRequestError(
            f"Invalid input for field/attribute {what}. Value: {body}. "
            "'name' is a required property"
        )
    name: str = body["name"]
    return name


def collection(name: str, items: list[dict[str, Any]]) -> Response:
    """Return a list with its links."""
    links = {"next": None, "self": request.url, "previous": None}
    return json_answer({name: items, "links": links})


def filtered(items: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    """Return the items that fit the query's parameters of those names."""
    for key in keys:
        wanted = request.args.get(key)
        if wanted is not None:
            items = [item for item in items if _text(item.get(key)) == wanted]
    return items


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def link(*parts: str) -> dict[str, str]:
    """Return the link of a thing to itself."""
    return {"self": "/".join((root_url(), *parts))}


def project_body(project: Project) -> dict[str, Any]:
    """Return a project as Keystone shows it."""
    return {
        **project.extra,
        "id": project.id,
        "name": project.name,
        "domain_id": project.domain_id,
        "description": project.description,
        "enabled": project.enabled,
        "parent_id": project.domain_id,
        "is_domain": False,
        "tags": [],
        "options": {},
        "links": link("projects", project.id),
    }
