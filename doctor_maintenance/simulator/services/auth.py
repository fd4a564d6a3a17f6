# SPDX-License-Identifier: Apache-2.0
"""Who is asking: the token of a request, as a context that the services decide by.

The refusals are those of keystonemiddleware (checked against the recorded answers of nova 34, neutron 29 and
glance 33): the body is the same for every service, so it is written here once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Response, g, request

from doctor_maintenance.simulator.identity_records import UnauthorizedError
from doctor_maintenance.simulator.services.answers import json_answer

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud


@dataclass(frozen=True, slots=True)
class Context:
    """Who a token speaks for.

    Attributes:
        user_id: the user.
        project_id: the project that the token is scoped to; empty if it is to none.
        roles: the names of the user's roles there, implied ones included.
        is_admin: whether one of them is ``admin``.
        user_name: for logs and for bodies that carry it.
        project_name: likewise.
        token_id: the token itself.
    """

    user_id: str
    project_id: str
    roles: frozenset[str]
    is_admin: bool
    user_name: str = ""
    project_name: str = ""
    token_id: str = ""

    @property
    def can_write(self) -> bool:
        """Whether the roles allow more than reading (member, manager or admin)."""
        return self.is_admin or "member" in self.roles

    def sees(self, project_id: str) -> bool:
        """Whether something of that project is this caller's, or the caller is an admin."""
        return self.is_admin or project_id == self.project_id


def require_token(cloud: SimCloud) -> Context:
    """Return the context of the present request.

    Raises:
        UnauthorizedError: there is no token, or one that is unknown, expired or revoked. ``app.py`` answers it.
    """
    known: Context | None = g.get("context")
    if known is not None:
        return known
    token = cloud.identity.token(request.headers.get("X-Auth-Token", ""))
    if token is None:
        raise UnauthorizedError
    roles = frozenset(cloud.identity.role_names(token))
    user = cloud.identity.users[token.user_id]
    project = cloud.identity.projects.get(token.project_id or "")
    context = Context(
        user_id=user.id,
        project_id=token.project_id or "",
        roles=roles,
        is_admin="admin" in roles,
        user_name=user.name,
        project_name=project.name if project is not None else "",
        token_id=token.id,
    )
    g.context = context
    return context


def unauthorized(_: UnauthorizedError) -> Response:
    """Return the 401 that keystonemiddleware answers for every service."""
    body: dict[str, Any] = {
        "error": {
            "code": 401,
            "title": "Unauthorized",
            "message": "The request you have made requires authentication.",
        }
    }
    uri = f"{request.host_url}identity"
    return json_answer(body, 401, {"WWW-Authenticate": f'Keystone uri="{uri}"'})
