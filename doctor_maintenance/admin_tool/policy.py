# SPDX-License-Identifier: Apache-2.0
"""Who may do what: decided from a token's facts alone, in one table.

An operator has the admin role. A project's calls need a token of that very project; a token of any other
one, the operator's own included, finds nothing there, so that nobody can learn from an answer whether
a session concerns somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from doctor_maintenance.exceptions import ForbiddenError, NotFoundError

OPERATOR_ROLE = "admin"

NO_SUCH_SESSION = "no such maintenance session"
"""The one answer to whoever asks for a session that is not there, or not his."""


class Act(StrEnum):
    """What can be asked of the API."""

    CREATE = "maintenance:create"
    LIST = "maintenance:list"
    SHOW = "maintenance:show"
    OPERATE = "maintenance:operate"
    DELETE = "maintenance:delete"
    SHOW_PROJECT = "maintenance:show_project"
    REPLY = "maintenance:reply"


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks.

    Attributes:
        user_id: the user.
        project_id: the project that the token is scoped to; empty if to none.
        roles: the user's roles there, in lower case.
        expires_at: until when the token is good, seconds since the epoch.
    """

    user_id: str
    project_id: str
    roles: frozenset[str]
    expires_at: float

    @property
    def operator(self) -> bool:
        """Whether this is an operator."""
        return OPERATOR_ROLE in self.roles


def _operator(context: Context, project_id: str | None) -> bool:
    return context.operator


def _own_project(context: Context, project_id: str | None) -> bool:
    return bool(project_id) and context.project_id == project_id


RULES: Mapping[Act, Callable[[Context, str | None], bool]] = {
    Act.CREATE: _operator,
    Act.LIST: _operator,
    Act.SHOW: _operator,
    Act.OPERATE: _operator,
    Act.DELETE: _operator,
    Act.SHOW_PROJECT: _own_project,
    Act.REPLY: _own_project,
}


def enforce(context: Context, act: Act, project_id: str | None = None) -> None:
    """Let the request pass, or refuse it.

    Args:
        context: who asks.
        act: for what.
        project_id: whose view it is about, if a project's.

    Raises:
        ForbiddenError: this is for operators.
        NotFoundError: this is another project's.
    """
    if RULES[act](context, project_id):
        return
    if RULES[act] is _own_project:
        raise NotFoundError(NO_SUCH_SESSION)
    raise ForbiddenError(f"{act.value} needs the role {OPERATOR_ROLE}")
