# SPDX-License-Identifier: Apache-2.0
"""Keystone's tokens: how one is got, checked and revoked, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from doctor_maintenance.exceptions import ForbiddenError, InvalidRequestError, NotFoundError
from doctor_maintenance.simulator.identity import Identity
from doctor_maintenance.simulator.identity_records import Token, UnauthorizedError
from doctor_maintenance.simulator.services.answers import base_url, empty, iso_micro_z, json_answer
from doctor_maintenance.simulator.services.auth import require_token
from doctor_maintenance.simulator.services.keystone_forms import MALFORMED, collection, project_body

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud


def token_views(views: Blueprint, cloud: SimCloud) -> None:
    """Add the views below ``/v3/auth``."""
    identity: Identity = cloud.identity

    @views.post("/v3/auth/tokens")
    def issue() -> Response:
        token = _authenticate(identity, _auth(request.get_json(force=True, silent=True)))
        return _token_answer(identity, token, 201)

    @views.get("/v3/auth/tokens")
    def validate() -> Response:
        return _token_answer(identity, _subject(cloud, "validate_token"), 200)

    @views.delete("/v3/auth/tokens")
    def revoke() -> Response:
        identity.revoke_token(_subject(cloud, "revoke_token").id)
        return empty()

    @views.get("/v3/auth/catalog")
    def auth_catalog() -> Response:
        require_token(cloud)
        return json_answer({"catalog": catalog(identity), "links": {"self": request.url}})

    @views.get("/v3/auth/projects")
    def auth_projects() -> Response:
        context = require_token(cloud)
        projects = [project_body(p) for p in identity.projects_of(context.user_id)]
        return collection("projects", projects)

    @views.get("/v3/auth/system")
    def auth_system() -> Response:
        context = require_token(cloud)
        system = [{"all": True}] if identity.system_roles(context.user_id) else []
        return collection("system", system)


def catalog(identity: Identity) -> list[dict[str, Any]]:
    """Return the catalog with addresses below the one that the caller used."""
    base = base_url()
    return [
        {
            "endpoints": [
                {
                    "id": endpoint.id,
                    "interface": endpoint.interface,
                    "region_id": endpoint.region,
                    "url": endpoint.absolute_url(base),
                    "region": endpoint.region,
                }
                for endpoint in identity.catalog.endpoints_of(service.id)
            ],
            "id": service.id,
            "type": service.type,
            "name": service.name,
        }
        for service in identity.catalog.services.values()
        if service.enabled
    ]


def _token_answer(identity: Identity, token: Token, status: int) -> Response:
    body = _token_body(identity, token)
    scoped = token.project_id is not None or token.system
    if scoped and "nocatalog" not in request.args:
        body["catalog"] = catalog(identity)
    return json_answer({"token": body}, status, {"X-Subject-Token": token.id})


def _token_body(identity: Identity, token: Token) -> dict[str, Any]:
    user = identity.users[token.user_id]
    domain = identity.domains[user.domain_id]
    body: dict[str, Any] = {
        "methods": list(token.methods),
        "user": {
            "domain": {"id": domain.id, "name": domain.name},
            "id": user.id,
            "name": user.name,
            "password_expires_at": None,
        },
        "audit_ids": list(token.audit_ids),
        "expires_at": iso_micro_z(token.expires_at),
        "issued_at": iso_micro_z(token.issued_at),
    }
    if token.project_id is not None:
        project = identity.projects[token.project_id]
        domain = identity.domains[project.domain_id]
        body["project"] = {
            "domain": {"id": domain.id, "name": domain.name},
            "id": project.id,
            "name": project.name,
        }
        body["is_domain"] = False
    roles = identity.token_roles(token)
    if roles:
        body["roles"] = [{"id": role.id, "name": role.name} for role in roles]
    if token.system:
        body["system"] = {"all": True}
    return body


def _subject(cloud: SimCloud, action: str) -> Token:
    """Return the token that the request is about, if the caller may ask about it."""
    context = require_token(cloud)
    subject_id = request.headers.get("X-Subject-Token")
    if not subject_id:
        raise NotFoundError("No token in the request")
    token = cloud.identity.token(subject_id)
    if token is None:
        revoked = cloud.identity.was_revoked(subject_id)
        raise NotFoundError(
            "Failed to validate token" if revoked else "Could not recognize Fernet token"
        )
    if not context.is_admin and token.user_id != context.user_id:
        raise ForbiddenError(
            f"You are not authorized to perform the requested action: identity:{action}."
        )
    return token


def _auth(body: object) -> dict[str, Any]:
    """Return the ``auth`` of a request for a token, checked as Keystone's schema does."""
    if not isinstance(body, dict):
        raise InvalidRequestError(f"Expecting to find valid JSON in request body. {MALFORMED}")
    auth = body.get("auth")
    if not isinstance(auth, dict):
        raise InvalidRequestError(f"Expecting to find auth in request body. {MALFORMED}")
    identity = auth.get("identity")
    if not isinstance(identity, dict):
        raise InvalidRequestError("'identity' is a required property")
    methods = identity.get("methods")
    if not isinstance(methods, list) or not all(isinstance(m, str) for m in methods):
        raise InvalidRequestError("'methods' is a required property")
    for method in methods:
        if method not in identity:
            raise InvalidRequestError(f"Expecting to find {method} in identity. {MALFORMED}")
    return auth


def _authenticate(identity: Identity, auth: dict[str, Any]) -> Token:
    methods: list[str] = auth["identity"]["methods"]
    parent: Token | None = None
    if methods == ["token"]:
        parent = identity.token(str(_mapping(auth["identity"], "token").get("id", "")))
        if parent is None:
            raise UnauthorizedError
        user_id = parent.user_id
    elif methods == ["password"]:
        user_id = _check_password(identity, _mapping(auth["identity"], "password"))
    else:
        raise UnauthorizedError
    scope = auth.get("scope")
    if isinstance(scope, dict) and "system" in scope:
        return identity.issue(user_id, system=True, parent=parent)
    if isinstance(scope, dict) and "project" in scope:
        return identity.issue(user_id, _scope_project(identity, scope), parent=parent)
    if isinstance(scope, dict) and scope:
        raise UnauthorizedError
    default = identity.users[user_id].default_project_id if scope is None else None
    return identity.issue(user_id, default, parent=parent)


def _check_password(identity: Identity, method: dict[str, Any]) -> str:
    user = _mapping(method, "user")
    password = str(user.get("password") or "")
    if user.get("id"):
        return identity.authenticate(password, user_id=str(user["id"])).id
    domain_id = _domain_of(identity, user)
    return identity.authenticate(password, user_name=str(user.get("name")), domain_id=domain_id).id


def _scope_project(identity: Identity, scope: dict[str, Any]) -> str:
    project = _mapping(scope, "project")
    if project.get("id"):
        return str(project["id"])
    found = identity.find_project(str(project.get("name")), _domain_of(identity, project))
    if found is None:
        raise UnauthorizedError
    return found.id


def _domain_of(identity: Identity, thing: dict[str, Any]) -> str:
    wanted = _mapping(thing, "domain")
    for domain in identity.domains.values():
        if wanted.get("id") == domain.id or wanted.get("name") == domain.name:
            return domain.id
    raise UnauthorizedError


def _mapping(thing: dict[str, Any], name: str) -> dict[str, Any]:
    found = thing.get(name)
    if not isinstance(found, dict):
        raise InvalidRequestError(f"'{name}' is a required property")
    return found
