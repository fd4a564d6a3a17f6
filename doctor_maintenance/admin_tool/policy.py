# SPDX-License-Identifier: Apache-2.0
"""Who may do what: oslo.policy's rules, with defaults that a ``policy.yaml`` may override.

An operator has the admin role. A project's calls need a token of that very project; a token of any other
one, the operator's own included, finds nothing there, so that nobody can learn from an answer whether
a session concerns somebody else. To read is any role's right, to answer needs the role member: an
answer moves the project's instances.

The file is read once, when the tool starts: a mistake in it is found there and then, and a request never
meets rules that are half read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from oslo_config import cfg
from oslo_policy import policy as oslo

from doctor_maintenance.exceptions import ForbiddenError, NotFoundError, PreconditionError

NO_SUCH_SESSION = "no such maintenance session"
"""The one answer to whoever asks for a session that is not there, or not his."""

_SPACE = "maintenance:"


class Act(StrEnum):
    """What can be asked of the API; the names of the rules."""

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


_SESSIONS = "/v1/maintenance"
_SESSION = f"{_SESSIONS}/{{session_id}}"
_VIEW = f"{_SESSION}/{{project_id}}"


def _rule(act: Act, check: str, description: str, *operations: str) -> oslo.DocumentedRuleDefault:
    pairs: list[Any] = [
        dict(zip(("method", "path"), each.split(" "), strict=True)) for each in operations
    ]
    return oslo.DocumentedRuleDefault(act.value, check, description, pairs)


OPERATOR = "maintenance:operator"
OWNER = "maintenance:owner"


def rules() -> list[oslo.RuleDefault]:
    """Return every rule with its default; also oslo.policy's entry point, for its own tools."""
    operator, owner = f"rule:{OPERATOR}", f"rule:{OWNER}"
    return [
        oslo.RuleDefault(OPERATOR, "role:admin", "Whoever runs the cloud."),
        oslo.RuleDefault(
            OWNER, "project_id:%(project_id)s", "A token of the project that the view is about."
        ),
        _rule(Act.CREATE, operator, "Begin a maintenance session.", f"POST {_SESSIONS}"),
        _rule(Act.LIST, operator, "List all sessions.", f"GET {_SESSIONS}"),
        _rule(Act.SHOW, operator, "Show all of a session.", f"GET {_SESSION}"),
        _rule(
            Act.OPERATE,
            operator,
            "Cancel a session; continue or release a host whose maintenance failed.",
            f"POST {_SESSION}/action",
        ),
        _rule(Act.DELETE, operator, "Forget a session that is over.", f"DELETE {_SESSION}"),
        _rule(
            Act.SHOW_PROJECT,
            owner,
            "Show a project what it was told in a session: its own instances, no host.",
            f"GET {_VIEW}",
            f"GET {_VIEW}/{{number}}",
        ),
        _rule(
            Act.REPLY,
            f"{owner} and role:member",
            "Answer for a project: what is to be done with its instances.",
            f"PUT {_VIEW}/{{number}}",
        ),
    ]


class Policy:
    """The rules in force.

    Args:
        file: a ``policy.yaml`` that overrides defaults; None: there is none.

    Raises:
        PreconditionError: the file cannot be read, is malformed, or names a rule that does not exist.
    """

    def __init__(self, file: str | None = None) -> None:
        conf = cfg.ConfigOpts()
        conf([], project="doctor-maintenance", default_config_files=[], default_config_dirs=[])
        self._enforcer = oslo.Enforcer(conf)
        self._enforcer.register_defaults(rules())
        overrides = {} if file is None else _read(Path(file))
        checks = {**{rule.name: rule.check_str for rule in rules()}, **overrides}
        try:
            self._enforcer.set_rules(oslo.Rules.from_dict(checks), use_conf=False)
            self._enforcer.check_rules(raise_on_violation=True)
        except oslo.InvalidDefinitionError as error:
            raise PreconditionError(
                f"admin_tool.policy_file {file}: a rule refers to itself or to one that does not exist: {error}"
            ) from error

    def enforce(self, context: Context, act: Act, project_id: str | None = None) -> None:
        """Let the request pass, or refuse it.

        Args:
            context: who asks.
            act: for what.
            project_id: whose view it is about, if a project's.

        Raises:
            ForbiddenError: the role is missing.
            NotFoundError: this is another project's.
        """
        whose = project_id or ""
        own = bool(whose) and context.project_id == whose
        if self._allows(context, act, whose):
            return
        if project_id is not None and not own:
            raise NotFoundError(NO_SUCH_SESSION)
        raise ForbiddenError(f"{act.value} is not allowed to this role; policy.yaml decides")

    def _allows(self, context: Context, act: Act, project_id: str) -> bool:
        creds: dict[str, Any] = {"user_id": context.user_id, "roles": sorted(context.roles)}
        if context.project_id:  # what a token lacks must equal nothing, not even the word None
            creds["project_id"] = context.project_id
        return bool(self._enforcer.authorize(act.value, {"project_id": project_id}, creds))


def sample() -> str:
    """Return a ``policy.yaml`` with every rule at its default, commented out, and what it is for."""
    lines = [
        "# Who may do what with the admin tool. Uncomment a line to change it; see oslo.policy's language.",
        "",
    ]
    for rule in rules():
        lines.append(f"# {rule.description}")
        if isinstance(rule, oslo.DocumentedRuleDefault):
            lines += [f"# {each['method']} {each['path']}" for each in rule.operations]
        lines += [f'#"{rule.name}": "{rule.check_str}"', ""]
    return "\n".join(lines)


def _read(file: Path) -> Mapping[str, str]:
    """Read the overrides; a misspelt rule would leave open, or shut, what somebody meant to change."""
    where = f"admin_tool.policy_file {file}"
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PreconditionError(f"{where} cannot be read as YAML: {error}") from error
    overrides = found if found is not None else {}
    if not isinstance(overrides, dict) or not all(
        isinstance(name, str) and isinstance(check, str) for name, check in overrides.items()
    ):
        raise PreconditionError(f'{where}: expected lines of the form "RULE": "CHECK"')
    known = {rule.name for rule in rules()}
    unknown = sorted(name for name in overrides if name.startswith(_SPACE) and name not in known)
    if unknown:
        raise PreconditionError(
            f"{where}: there is no rule {unknown[0]}; there are {', '.join(sorted(known))}"
        )
    _refuse_unparsed(overrides, where)
    return overrides


def _refuse_unparsed(overrides: Mapping[str, str], where: str) -> None:
    """Refuse a check that oslo.policy cannot parse: it would log that and never let anybody pass."""
    for name, check in overrides.items():
        if check.strip() != "!" and str(oslo.RuleDefault(name, check).check) == "!":
            raise PreconditionError(f"{where}: {name}: {check!r} is no check of oslo.policy's")
