# SPDX-License-Identifier: Apache-2.0
"""What Keystone keeps: domains, projects, users, roles and tokens, as plain records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from doctor_maintenance.exceptions import MaintenanceError, NotFoundError

T = TypeVar("T")


class UnauthorizedError(MaintenanceError):
    """No valid token, or credentials that are not right; which of them is not told (401).

    Not a ``RequestRefused``: a service refuses in its own form, but a 401 comes from the middleware
    before it and has the same form everywhere.
    """

    def __init__(self) -> None:
        super().__init__("The request you have made requires authentication.")


@dataclass(slots=True)
class Domain:
    """A name space of projects and users."""

    id: str
    name: str
    description: str = ""
    enabled: bool = True


@dataclass(slots=True)
class Project:
    """Who owns instances, networks and alarms."""

    id: str
    name: str
    domain_id: str = "default"
    description: str = ""
    enabled: bool = True
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class User:
    """Who asks for a token."""

    id: str
    name: str
    password: str = field(repr=False)
    domain_id: str = "default"
    enabled: bool = True
    default_project_id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Role:
    """What a user is in a project."""

    id: str
    name: str
    immutable: bool = False
    description: str | None = None


@dataclass(slots=True)
class Token:
    """A proof of identity.

    Attributes:
        project_id: its scope; None for an unscoped or a system-scoped one.
        system: whether it is scoped to the system.
        issued_at, expires_at: seconds since the epoch.
        methods: how it was got: ``password``, and ``token`` before it if rescoped.
    """

    id: str = field(repr=False)
    user_id: str
    project_id: str | None
    system: bool
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued_at: float
    expires_at: float


def look_up(table: Mapping[str, T], key: str, what: str) -> T:
    """Return what a table has under a key; raise NotFoundError with Keystone's text if it has nothing."""
    try:
        return table[key]
    except KeyError:
        raise NotFoundError(f"Could not find {what}: {key}.") from None
