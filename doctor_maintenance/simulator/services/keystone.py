# SPDX-License-Identifier: Apache-2.0
"""Keystone v3: what it consists of, and its version documents.

The views are in the ``keystone_…`` files beside this one. Bodies and texts are those of keystone 30.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response
from werkzeug.exceptions import MethodNotAllowed

from doctor_maintenance.exceptions import RequestRefused
from doctor_maintenance.simulator.identity_records import UnauthorizedError
from doctor_maintenance.simulator.services.answers import json_answer
from doctor_maintenance.simulator.services.keystone_catalog import endpoint_views, service_views
from doctor_maintenance.simulator.services.keystone_forms import refused, root_url, unauthorized
from doctor_maintenance.simulator.services.keystone_projects import project_views, user_views
from doctor_maintenance.simulator.services.keystone_roles import assignment_views, role_views
from doctor_maintenance.simulator.services.keystone_tokens import token_views

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud


class Keystone:
    """The identity service."""

    type = "identity"
    name = "keystone"
    path = "/identity"
    endpoint = "/identity/v3"

    def blueprint(self, cloud: SimCloud) -> Blueprint:
        """Return the views of Keystone."""
        views = Blueprint("keystone", __name__)
        _version_views(views)
        for add in (
            token_views,
            project_views,
            user_views,
            role_views,
            assignment_views,
            service_views,
            endpoint_views,
        ):
            add(views, cloud)
        views.register_error_handler(RequestRefused, refused)
        views.register_error_handler(UnauthorizedError, unauthorized)
        views.app_errorhandler(405)(_method_not_allowed)
        views.after_app_request(_vary)
        return views


SERVICE = Keystone()


def _method_not_allowed(error: MethodNotAllowed) -> Response:
    allowed = {"Allow": ", ".join(sorted(error.valid_methods or ()))}
    return json_answer(
        {"message": "The method is not allowed for the requested URL."}, 405, allowed
    )


def _vary(response: Response) -> Response:
    response.headers["Vary"] = "X-Auth-Token"
    return response


def _version_views(views: Blueprint) -> None:
    def version() -> dict[str, Any]:
        return {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{root_url()}/"}],
            "media-types": [
                {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}
            ],
        }

    @views.get("/")
    def versions() -> Response:
        body = {"versions": {"values": [version()]}}
        return json_answer(body, 300, {"Location": f"{root_url()}/"})

    @views.get("/v3")
    def v3() -> Response:
        return json_answer({"version": version()})
