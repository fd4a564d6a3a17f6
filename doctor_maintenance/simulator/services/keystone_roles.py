# SPDX-License-Identifier: Apache-2.0
"""Keystone's roles, and who has which one where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from doctor_maintenance.simulator.identity import Identity
from doctor_maintenance.simulator.identity_records import Role
from doctor_maintenance.simulator.services.answers import empty, json_answer
from doctor_maintenance.simulator.services.auth import require_token
from doctor_maintenance.simulator.services.keystone_forms import (
    body_of,
    collection,
    filtered,
    link,
    name_in,
    require,
)

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud


def role_views(views: Blueprint, cloud: SimCloud) -> None:
    """Add the views of roles."""
    identity: Identity = cloud.identity

    @views.get("/v3/roles")
    def list_roles() -> Response:
        require(cloud, "list_roles")
        return collection("roles", filtered([_role(r) for r in identity.roles.values()], "name"))

    @views.post("/v3/roles")
    def create_role() -> Response:
        require(cloud, "create_role")
        body = body_of("role")
        role = identity.create_role(name_in(body, "role"), description=body.get("description"))
        return json_answer({"role": _role(role)}, 201)

    @views.get("/v3/roles/<role_id>")
    def get_role(role_id: str) -> Response:
        require(cloud, "get_role")
        return json_answer({"role": _role(identity.get_role(role_id))})

    @views.delete("/v3/roles/<role_id>")
    def delete_role(role_id: str) -> Response:
        require(cloud, "delete_role")
        identity.delete_role(role_id)
        return empty()


def assignment_views(views: Blueprint, cloud: SimCloud) -> None:
    """Add the views of role assignments."""
    identity: Identity = cloud.identity
    grant = "/v3/projects/<project_id>/users/<user_id>/roles/<role_id>"

    @views.get("/v3/projects/<project_id>/users/<user_id>/roles")
    def list_grants(project_id: str, user_id: str) -> Response:
        require(cloud, "list_grants")
        identity.get_project(project_id)
        identity.get_user(user_id)
        return collection("roles", [_role(r) for r in identity.granted(project_id, user_id)])

    @views.put(grant)
    def create_grant(project_id: str, user_id: str, role_id: str) -> Response:
        require(cloud, "create_grant")
        identity.grant(project_id, user_id, role_id)
        return empty()

    @views.get(grant)
    def check_grant(project_id: str, user_id: str, role_id: str) -> Response:
        require(cloud, "check_grant")
        identity.check(project_id, user_id, role_id)
        return empty()

    @views.delete(grant)
    def revoke_grant(project_id: str, user_id: str, role_id: str) -> Response:
        require(cloud, "revoke_grant")
        identity.revoke(project_id, user_id, role_id)
        return empty()

    @views.get("/v3/role_assignments")
    def role_assignments() -> Response:
        own = request.args.get("user.id") == require_token(cloud).user_id
        require(cloud, "list_role_assignments", own)
        return collection("role_assignments", _assignments(identity))


def _assignments(identity: Identity) -> list[dict[str, Any]]:
    args = request.args
    names, effective = "include_names" in args, "effective" in args
    found = []
    for project_id, user_id in dict.fromkeys((p, u) for p, u, _ in identity.assignments()):
        if args.get("scope.project.id", project_id) != project_id:
            continue
        if args.get("user.id", user_id) != user_id:
            continue
        roles = identity.granted(project_id, user_id)
        if effective:
            roles = identity.effective_roles(project_id, user_id)
        found += [
            _assignment(identity, project_id, user_id, role, names)
            for role in roles
            if args.get("role.id", role.id) == role.id
        ]
    return found


def _assignment(
    identity: Identity, project_id: str, user_id: str, role: Role, names: bool
) -> dict[str, Any]:
    project: dict[str, Any] = {"id": project_id}
    user: dict[str, Any] = {"id": user_id}
    role_body: dict[str, Any] = {"id": role.id}
    if names:
        for body, thing in (
            (project, identity.projects[project_id]),
            (user, identity.users[user_id]),
        ):
            domain = identity.domains[thing.domain_id]
            body |= {"name": thing.name, "domain": {"id": domain.id, "name": domain.name}}
        role_body["name"] = role.name
    links = link("projects", project_id, "users", user_id, "roles", role.id)
    return {
        "links": {"assignment": links["self"]},
        "scope": {"project": project},
        "user": user,
        "role": role_body,
    }


def _role(role: Role) -> dict[str, Any]:
    return {
        "id": role.id,
        "name": role.name,
        "domain_id": None,
        "description": role.description,
        "options": {"immutable": True} if role.immutable else {},
        "links": link("roles", role.id),
    }
