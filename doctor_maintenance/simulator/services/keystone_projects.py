# SPDX-License-Identifier: Apache-2.0
"""Keystone's domains, projects and users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from doctor_maintenance.simulator.identity import Identity
from doctor_maintenance.simulator.identity_records import Domain, User
from doctor_maintenance.simulator.services.answers import empty, json_answer
from doctor_maintenance.simulator.services.auth import require_token
from doctor_maintenance.simulator.services.keystone_forms import (
    body_of,
    collection,
    filtered,
    link,
    name_in,
    project_body,
    require,
)

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud


def project_views(views: Blueprint, cloud: SimCloud) -> None:
    """Add the views of domains and projects."""
    identity: Identity = cloud.identity

    @views.get("/v3/domains")
    def list_domains() -> Response:
        require(cloud, "list_domains")
        return collection(
            "domains", filtered([_domain(d) for d in identity.domains.values()], "name")
        )

    @views.get("/v3/domains/<domain_id>")
    def get_domain(domain_id: str) -> Response:
        context = require_token(cloud)
        domain = identity.get_domain(domain_id)
        own = identity.users[context.user_id].domain_id == domain_id
        require(cloud, "get_domain", own)
        return json_answer({"domain": _domain(domain)})

    @views.get("/v3/projects")
    def list_projects() -> Response:
        require(cloud, "list_projects")
        found = [project_body(p) for p in identity.projects.values()]
        return collection("projects", filtered(found, "name", "domain_id", "enabled", "parent_id"))

    @views.post("/v3/projects")
    def create_project() -> Response:
        require(cloud, "create_project")
        body = body_of("project")
        project = identity.create_project(
            name_in(body, "project"),
            identity.get_domain(body.get("domain_id", "default")).id,
            description=body.get("description", ""),
            enabled=body.get("enabled", True),
        )
        return json_answer({"project": project_body(project)}, 201)

    @views.get("/v3/projects/<project_id>")
    def get_project(project_id: str) -> Response:
        require(cloud, "get_project", own=_is_own_project(cloud, project_id))
        return json_answer({"project": project_body(identity.get_project(project_id))})

    @views.patch("/v3/projects/<project_id>")
    def update_project(project_id: str) -> Response:
        require(cloud, "update_project")
        project, body = identity.get_project(project_id), body_of("project")
        project.name = body.get("name", project.name)
        project.description = body.get("description", project.description)
        project.enabled = body.get("enabled", project.enabled)
        return json_answer({"project": {**project_body(project), "extra": {}}})

    @views.delete("/v3/projects/<project_id>")
    def delete_project(project_id: str) -> Response:
        require(cloud, "delete_project")
        identity.delete_project(project_id)
        return empty()


def _is_own_project(cloud: SimCloud, project_id: str) -> bool:
    context = require_token(cloud)
    return any(p.id == project_id for p in cloud.identity.projects_of(context.user_id))


def user_views(views: Blueprint, cloud: SimCloud) -> None:
    """Add the views of users."""
    identity: Identity = cloud.identity

    @views.get("/v3/users")
    def list_users() -> Response:
        require(cloud, "list_users")
        found = [_user(u) for u in identity.users.values()]
        return collection("users", filtered(found, "name", "domain_id", "enabled"))

    @views.post("/v3/users")
    def create_user() -> Response:
        require(cloud, "create_user")
        body = body_of("user")
        known = {"name", "password", "domain_id", "default_project_id", "enabled", "options"}
        user = identity.create_user(
            name_in(body, "user"),
            str(body.get("password") or ""),
            identity.get_domain(body.get("domain_id", "default")).id,
            default_project_id=body.get("default_project_id"),
            enabled=body.get("enabled", True),
            extra={key: value for key, value in body.items() if key not in known},
        )
        return json_answer({"user": _user(user)}, 201)

    @views.get("/v3/users/<user_id>")
    def get_user(user_id: str) -> Response:
        require(cloud, "get_user", own=require_token(cloud).user_id == user_id)
        return json_answer({"user": _user(identity.get_user(user_id))})

    @views.patch("/v3/users/<user_id>")
    def update_user(user_id: str) -> Response:
        require(cloud, "update_user")
        user, body = identity.get_user(user_id), body_of("user")
        user.name = body.get("name", user.name)
        user.password = body.get("password", user.password)
        user.default_project_id = body.get("default_project_id", user.default_project_id)
        if body.get("enabled") is False:
            identity.disable_user(user_id)
        elif body.get("enabled") is True:
            user.enabled = True
        return json_answer({"user": {**_user(user), "extra": user.extra}})

    @views.delete("/v3/users/<user_id>")
    def delete_user(user_id: str) -> Response:
        require(cloud, "delete_user")
        identity.delete_user(user_id)
        return empty()

    @views.get("/v3/users/<user_id>/projects")
    def projects_of_user(user_id: str) -> Response:
        require(cloud, "list_user_projects", own=require_token(cloud).user_id == user_id)
        identity.get_user(user_id)
        found = [project_body(p) for p in identity.projects_of(user_id)]
        return collection("projects", filtered(found, "name", "domain_id", "enabled"))


def _domain(domain: Domain) -> dict[str, Any]:
    return {
        "id": domain.id,
        "name": domain.name,
        "description": domain.description,
        "enabled": domain.enabled,
        "tags": [],
        "options": {},
        "links": link("domains", domain.id),
    }


def _user(user: User) -> dict[str, Any]:
    body = {
        **user.extra,
        "id": user.id,
        "name": user.name,
        "domain_id": user.domain_id,
        "enabled": user.enabled,
    }
    if user.default_project_id is not None:
        body["default_project_id"] = user.default_project_id
    return {
        **body,
        "password_expires_at": None,
        "options": {},
        "links": link("users", user.id),
    }
