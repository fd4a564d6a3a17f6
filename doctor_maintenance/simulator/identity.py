# SPDX-License-Identifier: Apache-2.0
"""Who may do what: domains, projects, users, roles and tokens, as Keystone 30 has them.

Pure: no HTTP, no threads; time from the Clock and chance from the simulation's Random. Keystone's
tokens carry their content (Fernet); here a token is a random word and its content stays in this table,
which looks the same from outside and can be revoked without a second table.
"""

from __future__ import annotations

import hmac
import random
from collections.abc import Iterable
from typing import Any

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import ConflictError, NotFoundError
from doctor_maintenance.simulator.catalog import Catalog
from doctor_maintenance.simulator.identity_records import (
    Domain,
    Project,
    Role,
    Token,
    UnauthorizedError,
    User,
    look_up,
)
from doctor_maintenance.simulator.ids import new_hex
from doctor_maintenance.simulator.topology import ProjectSpec, Topology

TOKEN_LIFE_S = 3600.0
"""How long a token is valid, in seconds: keystone's default."""
_SWEEP_AT = 1000
_IMPLIED = {
    "admin": ("admin", "manager", "member", "reader"),
    "manager": ("manager", "member", "reader"),
    "member": ("member", "reader"),
}
_BOOTSTRAPPED = "Bootstrap project for initializing the cloud."


class Identity:
    """The identity model.

    Args:
        clock: what tokens expire by.
        rng: what IDs and tokens are drawn from.
        topology: the projects and users that exist from the start; the first one's user is an admin
            of the system, too.

    Attributes:
        token_rng: what tokens are drawn from; where strangers can reach the cloud it is replaced by the
            operating system's chance, for a seed is no secret.
    """

    def __init__(self, clock: Clock, rng: random.Random, topology: Topology) -> None:
        self._clock = clock
        self._rng = rng
        self.token_rng: random.Random = rng
        self.domains: dict[str, Domain] = {
            "default": Domain("default", "Default", "The default domain")
        }
        self.projects: dict[str, Project] = {}
        self.users: dict[str, User] = {}
        self.roles: dict[str, Role] = {}
        self.catalog = Catalog(rng)
        self._tokens: dict[str, Token] = {}
        self._revoked: set[str] = set()
        self._assignments: dict[tuple[str, str, str], None] = {}
        self._system_assignments: dict[tuple[str, str], None] = {}
        for name in (*_IMPLIED, "reader", "service"):
            self.create_role(name, immutable=True)
        for spec in topology.projects:
            self._bootstrap(spec)
        self.projects[next(iter(self.projects))].description = _BOOTSTRAPPED
        self.service_project = self.create_project("service")
        first = topology.projects[0]
        self.admin_user = next(u for u in self.users.values() if u.name == first.user)
        self.admin_project = next(p for p in self.projects.values() if p.name == first.name)
        self._system_assignments[self.admin_user.id, self.role_named("admin").id] = None

    def _bootstrap(self, spec: ProjectSpec) -> None:
        project = self.find_project(spec.name) or self.create_project(spec.name)
        user = self.find_user(spec.user) or self.create_user(spec.user, spec.password)
        for role in spec.roles:
            self.grant(project.id, user.id, self.role_named(role).id)

    # Projects, users and roles

    def create_project(self, name: str, domain_id: str = "default", **fields: Any) -> Project:
        """Add a project; raise ConflictError if the domain has one of that name."""
        found = self.find_project(name, domain_id)
        if found is not None:
            raise ConflictError(
                "Conflict occurred attempting to store project - it is not permitted to have two projects with"
                " either the same name or same id in the same domain: "
                f"name is {name}, project id {new_hex(self._rng)}."
            )
        project = Project(new_hex(self._rng), name, domain_id, **fields)
        self.projects[project.id] = project
        return project

    def find_project(self, name: str, domain_id: str = "default") -> Project | None:
        """Return the project of that name in the domain, or None."""
        return next(
            (p for p in self.projects.values() if p.name == name and p.domain_id == domain_id), None
        )

    def delete_project(self, project_id: str) -> None:
        """Remove a project, its role assignments and the tokens for it."""
        look_up(self.projects, project_id, "project")
        del self.projects[project_id]
        self._drop_assignments(lambda key: key[0] == project_id)
        self._drop_tokens(lambda token: token.project_id == project_id)

    def create_user(
        self, name: str, password: str, domain_id: str = "default", **fields: Any
    ) -> User:
        """Add a user; raise ConflictError if the domain has one of that name."""
        if self.find_user(name, domain_id) is not None:
            raise ConflictError(
                "Conflict occurred attempting to store user - "
                f"Duplicate entry found with name {name} at domain ID {domain_id}."
            )
        user = User(new_hex(self._rng), name, password, domain_id, **fields)
        self.users[user.id] = user
        return user

    def find_user(self, name: str, domain_id: str = "default") -> User | None:
        """Return the user of that name in the domain, or None."""
        return next(
            (u for u in self.users.values() if u.name == name and u.domain_id == domain_id), None
        )

    def delete_user(self, user_id: str) -> None:
        """Remove a user, the role assignments and the tokens."""
        look_up(self.users, user_id, "user")
        del self.users[user_id]
        self._drop_assignments(lambda key: key[1] == user_id)
        self._drop_tokens(lambda token: token.user_id == user_id)

    def disable_user(self, user_id: str) -> None:
        """Refuse the user from now on, tokens that exist included."""
        self.get_user(user_id).enabled = False
        self._drop_tokens(lambda token: token.user_id == user_id)

    def create_role(
        self, name: str, immutable: bool = False, description: str | None = None
    ) -> Role:
        """Add a role; raise ConflictError if there is one of that name."""
        if any(role.name == name for role in self.roles.values()):
            raise ConflictError(
                f"Conflict occurred attempting to store role - Duplicate entry found with name {name}."
            )
        role = Role(new_hex(self._rng), name, immutable, description)
        self.roles[role.id] = role
        return role

    def role_named(self, name: str) -> Role:
        """Return the role of that name; raise NotFoundError if there is none."""
        for role in self.roles.values():
            if role.name == name:
                return role
        raise NotFoundError(f"Could not find role: {name}.")

    def delete_role(self, role_id: str) -> None:
        """Remove a role from everybody who has it."""
        self.get_role(role_id)
        del self.roles[role_id]
        self._drop_assignments(lambda key: key[2] == role_id)

    def get_project(self, project_id: str) -> Project:
        """Return a project; raise NotFoundError with Keystone's text."""
        return look_up(self.projects, project_id, "project")

    def get_domain(self, domain_id: str) -> Domain:
        """Return a domain; raise NotFoundError with Keystone's text."""
        return look_up(self.domains, domain_id, "domain")

    def get_user(self, user_id: str) -> User:
        """Return a user; raise NotFoundError with Keystone's text."""
        return look_up(self.users, user_id, "user")

    def get_role(self, role_id: str) -> Role:
        """Return a role; raise NotFoundError with Keystone's text."""
        return look_up(self.roles, role_id, "role")

    # Role assignments

    def grant(self, project_id: str, user_id: str, role_id: str) -> None:
        """Give a user a role in a project; giving it twice is no error."""
        self.get_role(role_id)
        self.get_project(project_id)
        self.get_user(user_id)
        self._assignments[project_id, user_id, role_id] = None

    def revoke(self, project_id: str, user_id: str, role_id: str) -> None:
        """Take a role away; raise NotFoundError if the user does not have it."""
        self.check(project_id, user_id, role_id)
        del self._assignments[project_id, user_id, role_id]

    def check(self, project_id: str, user_id: str, role_id: str) -> None:
        """Raise NotFoundError, with Keystone's text, unless the user was given the role."""
        self.get_role(role_id)
        self.get_project(project_id)
        self.get_user(user_id)
        if (project_id, user_id, role_id) not in self._assignments:
            raise NotFoundError(
                f"Could not find role assignment with role: {role_id}, user or group: {user_id}, "
                f"project, domain, or system: {project_id}."
            )

    def assignments(self) -> list[tuple[str, str, str]]:
        """Return (project, user, role) IDs in the order in which they were given."""
        return list(self._assignments)

    def projects_of(self, user_id: str) -> list[Project]:
        """Return the projects in which a user has a role."""
        ids = dict.fromkeys(p for p, user, _ in self._assignments if user == user_id)
        return [self.projects[i] for i in ids]

    def granted(self, project_id: str, user_id: str) -> list[Role]:
        """Return the roles that were given, without those that they imply."""
        return [self.roles[r] for p, u, r in self._assignments if (p, u) == (project_id, user_id)]

    def effective_roles(self, project_id: str, user_id: str) -> list[Role]:
        """Return the roles in a project, with those that they imply."""
        return self._implied(role.name for role in self.granted(project_id, user_id))

    def system_roles(self, user_id: str) -> list[Role]:
        """Return the roles on the system, with those that they imply."""
        return self._implied(
            self.roles[r].name for u, r in self._system_assignments if u == user_id
        )

    def _implied(self, names: Iterable[str]) -> list[Role]:
        wanted = dict.fromkeys(n for name in names for n in _IMPLIED.get(name, (name,)))
        return [self.role_named(name) for name in wanted]

    # Tokens

    def authenticate(
        self, password: str, user_id: str = "", user_name: str = "", domain_id: str = "default"
    ) -> User:
        """Return the user whose password it is, or raise UnauthorizedError."""
        user = self.users.get(user_id) if user_id else self.find_user(user_name, domain_id)
        if user is None or not user.enabled:
            raise UnauthorizedError
        if not hmac.compare_digest(user.password.encode(), password.encode()):
            raise UnauthorizedError
        return user

    def issue(
        self,
        user_id: str,
        project_id: str | None = None,
        system: bool = False,
        parent: Token | None = None,
        life_s: float = TOKEN_LIFE_S,
    ) -> Token:
        """Return a new token.

        Args:
            user_id: who it speaks for; authenticated by the caller.
            project_id: its scope, if it is a project.
            system: scope it to the system instead.
            parent: the token that it was got with: it does not live longer than that.
            life_s: how long it is valid, in seconds.

        Raises:
            UnauthorizedError: the user has no role there, or the project is disabled or unknown.
        """
        if project_id is not None:
            project = self.projects.get(project_id)
            if project is None or not project.enabled or not self.granted(project_id, user_id):
                raise UnauthorizedError
        if system and not self.system_roles(user_id):
            raise UnauthorizedError
        now = self._clock.now()
        audit = (_word(self.token_rng, 16),)
        token = Token(
            id=_word(self.token_rng, 132),
            user_id=user_id,
            project_id=project_id,
            system=system,
            methods=("token", "password") if parent else ("password",),
            audit_ids=audit + parent.audit_ids[-1:] if parent else audit,
            issued_at=now,
            expires_at=parent.expires_at if parent else now + life_s,
        )
        if len(self._tokens) >= _SWEEP_AT:
            self._drop_tokens(lambda old: old.expires_at <= now)
        self._tokens[token.id] = token
        return token

    def token(self, token_id: str) -> Token | None:
        """Return a valid token, or None if it is unknown, expired or revoked."""
        token = self._tokens.get(token_id)
        if token is None or token.expires_at <= self._clock.now():
            return None
        return token

    def revoke_token(self, token_id: str) -> None:
        """Refuse a token from now on."""
        if self._tokens.pop(token_id, None) is not None:
            self._revoked.add(token_id)

    def was_revoked(self, token_id: str) -> bool:
        """Whether a token once was valid and was revoked."""
        return token_id in self._revoked

    def token_roles(self, token: Token) -> list[Role]:
        """Return the roles that a token carries."""
        if token.project_id is not None:
            return self.effective_roles(token.project_id, token.user_id)
        return self.system_roles(token.user_id) if token.system else []

    def role_names(self, token: Token) -> list[str]:
        """Return the names of the roles that a token carries."""
        return [role.name for role in self.token_roles(token)]

    def _drop_tokens(self, unwanted: Any) -> None:
        for token in [t for t in self._tokens.values() if unwanted(t)]:
            del self._tokens[token.id]

    def _drop_assignments(self, unwanted: Any) -> None:
        for key in [k for k in self._assignments if unwanted(k)]:
            del self._assignments[key]


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _word(rng: random.Random, octets: int) -> str:
    """Return URL-safe letters for that many random octets."""
    bits = rng.getrandbits(octets * 8)
    return "".join(_LETTERS[(bits >> shift) & 63] for shift in range(0, octets * 8, 6))
