# SPDX-License-Identifier: Apache-2.0
"""Nova: ``POST /servers/{id}/action``: a table of actions.

To add one: a schema, a function and a line in :data:`ACTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response

from doctor_maintenance.exceptions import InvalidRequestError, NotFoundError
from doctor_maintenance.simulator.records import Instance
from doctor_maintenance.simulator.services.nova_call import (
    Call,
    Routes,
    answer,
    check,
    no_body,
    raw_body,
)
from doctor_maintenance.simulator.services.nova_servers import check_lock, within_sight
from doctor_maintenance.simulator.services.schema import Schema

BOOLEANS = [
    *(True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes"),
    *(False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no"),
]
"""What Nova takes for a yes or no."""
_TRUE = frozenset({"true", "1", "on", "yes"})
_HOST = {"type": ["string", "null"], "minLength": 1, "maxLength": 255}
_ANYTHING: Schema = {}
"""Nova does not look at the argument of many actions, which is null."""
_ASYNC_LIVE_MIGRATION = 34
"""From 2.34 on the host of a live migration is chosen after the answer."""


def _object(properties: dict[str, Schema], *required: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True)
class Action:
    """An action.

    Attributes:
        rule: the policy rule.
        admin: whether only an admin may; otherwise whoever may write in the instance's project.
        schema: what its argument must be, at a microversion.
        act: does it; what it returns is the answer's body (None: there is none).
        status: the HTTP status of success.
    """

    rule: str
    admin: bool
    schema: Callable[[int], Schema]
    act: Callable[[Call, Instance, Any], Any]
    status: int = 202


def _live_schema(minor: int) -> Schema:
    properties: dict[str, Schema] = {
        "block_migration": {"enum": BOOLEANS},
        "disk_over_commit": {"enum": BOOLEANS},
        "host": _HOST,
    }
    required = ["block_migration", "disk_over_commit", "host"]
    if minor >= 25:
        properties["block_migration"] = {"enum": [*BOOLEANS, "auto"]}
        del properties["disk_over_commit"]
        required.remove("disk_over_commit")
    if 30 <= minor < 68:
        properties["force"] = {"enum": BOOLEANS}
    return _object(properties, *required)


def _is_true(value: object) -> bool:
    return str(value).lower() in _TRUE


def _live_migrate(call: Call, instance: Instance, body: dict[str, Any]) -> None:
    host = body["host"]
    call.compute.live_migrate(
        instance.instance_id,
        host,
        force=host is not None and (call.minor < 30 or _is_true(body.get("force", False))),
        synchronous=call.minor < _ASYNC_LIVE_MIGRATION,
        caller=call.caller,
    )


def _migrate_schema(minor: int) -> Schema:
    if minor < 56:
        return _ANYTHING
    return {
        "type": ["object", "null"],
        "properties": {"host": _HOST},
        "additionalProperties": False,
    }


def _migrate(call: Call, instance: Instance, body: Any) -> None:
    named = call.minor >= 56 and isinstance(body, dict)
    host = body.get("host") if named else None
    call.compute.migrate(instance.instance_id, host, call.caller)


def _resize(call: Call, instance: Instance, body: dict[str, Any]) -> None:
    call.compute.resize(instance.instance_id, str(body["flavorRef"]), call.caller)


def _evacuate_schema(minor: int) -> Schema:
    properties: dict[str, Schema] = {
        "host": {"type": "string", "minLength": 1, "maxLength": 255},
        "adminPass": {"type": "string"},
    }
    if minor < 14:
        properties["onSharedStorage"] = {"enum": BOOLEANS}
        return _object(properties, "onSharedStorage")
    if 29 <= minor < 68:
        properties["force"] = {"enum": BOOLEANS}
    return _object(properties)


def _evacuate(call: Call, instance: Instance, body: dict[str, Any]) -> Any:
    call.compute.evacuate(instance.instance_id, body.get("host"), call.caller)
    return {"adminPass": "simulated"} if call.minor < 14 else None


def _reboot(call: Call, instance: Instance, body: dict[str, Any]) -> None:
    hard = body["type"].upper() == "HARD"
    call.compute.reboot(instance.instance_id, hard=hard, caller=call.caller)


def _reset_state(call: Call, instance: Instance, body: dict[str, Any]) -> None:
    call.compute.reset_state(instance.instance_id, body["state"])


def _lock(call: Call, instance: Instance, body: Any) -> None:
    instance.locked = True
    instance.locked_reason = body.get("locked_reason") if isinstance(body, dict) else None


def _unlock(call: Call, instance: Instance, body: Any) -> None:
    instance.locked, instance.locked_reason = False, None


def _console(call: Call, instance: Instance, body: Any) -> Any:
    lines = [
        f"{instance.name} login: ",
        f"simulated instance {instance.instance_id}",
        f"state {instance.vm_state}",
    ]
    length = body.get("length") if isinstance(body, dict) else None
    shown = lines if length in (None, -1) else lines[-int(length) :]
    return {"output": "\n".join(shown) + "\n"}


def _security_group(call: Call, instance: Instance, name: str, *, add: bool) -> None:
    groups = [group for group in instance.security_groups if group != name]
    if not add and len(groups) == len(instance.security_groups):
        raise NotFoundError(
            f"Security group {name} is not associated with the instance {instance.instance_id}"
        )
    instance.security_groups = (*groups, name) if add else tuple(groups)


_SECURITY_GROUP = _object({"name": {"type": "string"}}, "name")

ACTIONS: dict[str, Action] = {
    "os-start": Action(
        "os_compute_api:servers:start",
        False,
        lambda _: _ANYTHING,
        lambda call, instance, _: call.compute.start(instance.instance_id, call.caller),
    ),
    "os-stop": Action(
        "os_compute_api:servers:stop",
        False,
        lambda _: _ANYTHING,
        lambda call, instance, _: call.compute.stop(instance.instance_id, call.caller),
    ),
    "pause": Action(
        "os_compute_api:os-pause-server:pause",
        False,
        lambda _: _ANYTHING,
        lambda call, instance, _: call.compute.pause(instance.instance_id, call.caller),
    ),
    "unpause": Action(
        "os_compute_api:os-pause-server:unpause",
        False,
        lambda _: _ANYTHING,
        lambda call, instance, _: call.compute.unpause(instance.instance_id, call.caller),
    ),
    "reboot": Action(
        "os_compute_api:servers:reboot",
        False,
        lambda _: _object(
            {"type": {"type": "string", "enum": ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]}},
            "type",
        ),
        _reboot,
    ),
    "os-migrateLive": Action(
        "os_compute_api:os-migrate-server:migrate_live", True, _live_schema, _live_migrate
    ),
    "migrate": Action("os_compute_api:os-migrate-server:migrate", True, _migrate_schema, _migrate),
    "resize": Action(
        "os_compute_api:servers:resize",
        False,
        lambda _: {"type": "object", "required": ["flavorRef"]},
        _resize,
    ),
    "confirmResize": Action(
        "os_compute_api:servers:confirm_resize",
        False,
        lambda _: _ANYTHING,
        lambda call, instance, _: call.compute.confirm_resize(instance.instance_id, call.caller),
        204,
    ),
    "revertResize": Action(
        "os_compute_api:servers:revert_resize",
        False,
        lambda _: _ANYTHING,
        lambda call, instance, _: call.compute.revert_resize(instance.instance_id, call.caller),
    ),
    "evacuate": Action("os_compute_api:os-evacuate", True, _evacuate_schema, _evacuate),
    "os-resetState": Action(
        "os_compute_api:os-admin-actions:reset_state",
        True,
        lambda _: _object({"state": {"type": "string", "enum": ["active", "error"]}}, "state"),
        _reset_state,
    ),
    "lock": Action("os_compute_api:os-lock-server:lock", False, lambda _: _ANYTHING, _lock),
    "unlock": Action("os_compute_api:os-lock-server:unlock", False, lambda _: _ANYTHING, _unlock),
    "os-getConsoleOutput": Action(
        "os_compute_api:os-console-output", False, lambda _: _ANYTHING, _console, 200
    ),
    "addSecurityGroup": Action(
        "os_compute_api:os-security-groups:add",
        False,
        lambda _: _SECURITY_GROUP,
        lambda call, instance, body: _security_group(call, instance, body["name"], add=True),
    ),
    "removeSecurityGroup": Action(
        "os_compute_api:os-security-groups:remove",
        False,
        lambda _: _SECURITY_GROUP,
        lambda call, instance, body: _security_group(call, instance, body["name"], add=False),
    ),
}


_WHILE_LOCKED = frozenset({"lock", "unlock", "os-getConsoleOutput", "os-resetState"})


def action_views(route: Routes) -> None:
    """Add the view of actions."""

    @route("POST", "/servers/<server_id>/action")
    def act(call: Call, server_id: str) -> Response:
        body = raw_body()
        if not isinstance(body, dict) or len(body) != 1:
            raise InvalidRequestError("Malformed request body")
        ((name, argument),) = body.items()
        action = ACTIONS.get(name)
        if action is None:
            raise InvalidRequestError(f"There is no such action: {name}")
        # Nova looks at the body before it looks for the instance.
        _check_argument(body, name, action.schema(call.minor))
        instance = _find(call, server_id)
        if action.admin:
            call.admin(action.rule)
        else:
            call.member(action.rule, within_sight(call, server_id).project_id)
        if name not in _WHILE_LOCKED:
            check_lock(call, instance)
        result = action.act(call, instance, argument)
        return no_body(action.status) if result is None else answer(result, action.status)


def _find(call: Call, server_id: str) -> Instance:
    if server_id not in call.compute.instances and server_id not in call.compute.gone:
        raise NotFoundError(f"Instance {server_id} has no mapping to a cell.")
    return call.compute.get(server_id)


def _check_argument(body: dict[str, Any], name: str, schema: Schema) -> None:
    check(body, {"type": "object", "properties": {name: schema}})
