# SPDX-License-Identifier: Apache-2.0
"""Aodh v2: what it consists of, its versions, capabilities and quotas; alarms are in ``aodh_alarms.py``.

Bodies and texts are those of aodh 23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from doctor_maintenance.exceptions import ForbiddenError, InvalidRequestError, RequestRefused
from doctor_maintenance.simulator.services.answers import base_url, empty, json_answer
from doctor_maintenance.simulator.services.aodh_alarms import NotYoursError, alarm_views
from doctor_maintenance.simulator.services.auth import Context, require_token

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud


class Aodh:
    """The alarming service."""

    type = "alarming"
    name = "aodh"
    path = "/alarming"
    endpoint = "/alarming"

    def blueprint(self, cloud: SimCloud) -> Blueprint:
        """Return the views of Aodh."""
        views = Blueprint("aodh", __name__)
        _version_views(views, cloud)
        _quota_views(views, cloud)
        alarm_views(views, cloud)
        views.register_error_handler(RequestRefused, _refused)
        views.app_errorhandler(HTTPException)(_not_routed)
        return views


SERVICE = Aodh()


def _refused(error: RequestRefused) -> Response:
    body = {"error_message": {"faultcode": "Client", "faultstring": str(error), "debuginfo": None}}
    headers = {}
    if isinstance(error, NotYoursError):
        headers["WWW-Authenticate"] = f'Keystone uri="{base_url()}/identity/v3"'
    return json_answer(body, error.status, headers)


def _not_routed(error: HTTPException) -> Response:
    description = None if error.code == 404 else ""
    title = error.name
    body = {"error_message": {"code": error.code, "title": title, "description": description}}
    return json_answer(
        body, error.code or 500, {k: v for k, v in error.get_headers() if k == "Allow"}
    )


def _version_views(views: Blueprint, cloud: SimCloud) -> None:
    media = "application/vnd.openstack.telemetry-v2+"

    @views.get("/")
    def versions() -> Response:
        version = {
            "id": "v2",
            "links": [
                {"href": f"{base_url()}/alarming/v2", "rel": "self"},
                {
                    "href": "https://docs.openstack.org/",
                    "rel": "describedby",
                    "type": "text/html",
                },
            ],
            "media-types": [
                {"base": "application/json", "type": f"{media}json"},
                {"base": "application/xml", "type": f"{media}xml"},
            ],
            "status": "stable",
            "updated": "2013-02-13T00:00:00Z",
        }
        return json_answer({"versions": {"values": [version]}})

    @views.get("/v2/capabilities")
    def capabilities() -> Response:
        require_token(cloud)
        kinds = ("alarms:history:query", "alarms:query")
        api = {f"{kind}:{query}": True for kind in kinds for query in ("complex", "simple")}
        return json_answer({"api": api, "alarm_storage": {"storage:production_ready": True}})

    @views.get("/v2/metrics")
    def metrics() -> Response:
        require_token(cloud)
        raise ForbiddenError("metrics endpoint is disabled")


def _quota_views(views: Blueprint, cloud: SimCloud) -> None:
    def body(project_id: str, limit: int) -> dict[str, Any]:
        return {"project_id": project_id, "quotas": [{"resource": "alarms", "limit": limit}]}

    def admin() -> Context:
        context = require_token(cloud)
        if not context.is_admin:
            raise ForbiddenError("RBAC Authorization Failed")
        return context

    @views.get("/v2/quotas")
    def quotas() -> Response:
        context = require_token(cloud)
        project_id = request.args.get("project_id", context.project_id)
        if not context.sees(project_id):
            raise ForbiddenError("RBAC Authorization Failed")
        return json_answer(body(project_id, cloud.alarms.quota(project_id)))

    @views.post("/v2/quotas")
    def set_quota() -> Response:
        admin()
        wanted = request.get_json(force=True, silent=True)
        project_id, limit = _quota(wanted)
        cloud.alarms.set_quota(project_id, limit)
        return json_answer(body(project_id, limit), 201)

    @views.delete("/v2/quotas/<project_id>")
    def delete_quota(project_id: str) -> Response:
        admin()
        cloud.alarms.delete_quota(project_id)
        return empty()


def _quota(body: object) -> tuple[str, int]:
    if isinstance(body, dict) and isinstance(body.get("project_id"), str):
        for quota in body.get("quotas") or []:
            limit = quota.get("limit") if isinstance(quota, dict) else None
            if isinstance(limit, int) and quota.get("resource") == "alarms":
                return body["project_id"], limit
    raise InvalidRequestError(f"Invalid input for quotas: {body!r:.80}")
