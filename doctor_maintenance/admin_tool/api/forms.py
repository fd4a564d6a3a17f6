# SPDX-License-Identifier: Apache-2.0
"""The bodies that operators send, checked field by field before anything is done with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from doctor_maintenance.exceptions import InvalidRequestError, RemoteProtocolError
from doctor_maintenance.planning import SessionRequest, SessionRules
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import Action, MaintenanceType, read_word, times, traits

WORKFLOWS = ("planned",)
MAX_HOSTS = 1000
MAX_INSTANCES = 10_000
MAX_NAME = 255
MAX_AHEAD_S = 366 * 86_400.0
"""How far ahead maintenance may be planned."""

_DAY_S = 86_400.0
_WEEK_S = 7 * _DAY_S

_NUMBERS: Mapping[str, tuple[float, float]] = {
    "reply_wait_s": (0.05, _WEEK_S),
    "own_action_wait_s": (0.0, _WEEK_S),
    "drain_timeout_s": (0.1, _WEEK_S),
    "move_retry_s": (0.0, _DAY_S),
    "refusal_wait_s": (0.0, _DAY_S),
    "poll_s": (0.01, 3600.0),
    "settle_s": (0.0, 3600.0),
}
_COUNTS: Mapping[str, tuple[int, int]] = {"move_attempts": (1, 100), "work_attempts": (1, 100)}
_CREATE_FIELDS = frozenset(
    {"hosts", "type", "maintenance_at", "instances", "metadata", "workflow", "rules"}
)

OperatorEvent = saw.OperatorCanceled | saw.OperatorContinued | saw.OperatorReleased


@dataclass(frozen=True, slots=True)
class CreateForm:
    """What an operator asks for, as far as it can be checked without asking the cloud.

    Attributes:
        hosts: the hosts to maintain.
        type: the type of maintenance.
        maintenance_at: when to begin; None: now.
        instances: for hosts of which only a part is affected, the instances on that part.
        metadata: told to every project.
        rules: by which rules.
    """

    hosts: tuple[str, ...]
    type: MaintenanceType
    maintenance_at: float | None
    instances: Mapping[str, frozenset[str]] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    rules: SessionRules | None = None

    def request(self, session_id: str, now: float) -> SessionRequest:
        """Return the request of a session.

        Raises:
            InvalidRequestError: its hosts contradict each other.
        """
        return SessionRequest(
            session_id=session_id,
            hosts=self.hosts,
            type=self.type,
            maintenance_at=now if self.maintenance_at is None else self.maintenance_at,
            affected=self.instances,
            metadata=self.metadata,
        )


def read_create(body: object, rules: SessionRules, now: float) -> CreateForm:
    """Read the body of ``POST /v1/maintenance``.

    Args:
        body: the decoded JSON.
        rules: the tool's own, that the body may change.
        now: the time.

    Raises:
        InvalidRequestError: a field is missing, unknown or not what it must be; the message names it.
    """
    form = _object(body, "body")
    _known(form, _CREATE_FIELDS, "body")
    workflow = form.get("workflow", WORKFLOWS[0])
    if workflow not in WORKFLOWS:
        raise InvalidRequestError(
            f"workflow: expected one of {', '.join(WORKFLOWS)}; found {workflow!r:.80}"
        )
    hosts = _texts(form.get("hosts"), "hosts", MAX_HOSTS)
    affected = {
        host: frozenset(_texts(ids, f"instances[{host:.64}]", MAX_INSTANCES))
        for host, ids in _object(form.get("instances") or {}, "instances").items()
    }
    read = CreateForm(
        hosts=tuple(hosts),
        type=_word(MaintenanceType, form.get("type"), "type"),
        maintenance_at=_start(form.get("maintenance_at"), now),
        instances=affected,
        metadata=_metadata(form.get("metadata") or {}),
        rules=_rules(form.get("rules") or {}, rules),
    )
    read.request("to be checked", now)
    return read


def read_action(body: object, failed_hosts: list[str]) -> OperatorEvent:
    """Read the body of ``POST /v1/maintenance/{session}/action``.

    Args:
        body: the decoded JSON.
        failed_hosts: the hosts whose maintenance failed: if it is one, it need not be named.

    Raises:
        InvalidRequestError: it is none of the actions.
    """
    form = _object(body, "body")
    _known(form, frozenset({"cancel", "continue", "release"}), "body")
    if len(form) != 1:
        raise InvalidRequestError(
            f"body: expected exactly one of cancel, continue and release; found {len(form)}"
        )
    name, value = next(iter(form.items()))
    if name == "cancel":
        if value not in (None, {}):
            raise InvalidRequestError(f"cancel: expected null; found {value!r:.80}")
        return saw.OperatorCanceled()
    given = _object(value if value is not None else {}, name)
    _known(given, frozenset({"host"}), name)
    host = given.get("host")
    if host is None:
        if len(failed_hosts) != 1:
            raise InvalidRequestError(
                f"{name}.host: expected a host, because {len(failed_hosts)} have failed"
            )
        host = failed_hosts[0]
    host = _text(host, f"{name}.host")
    return saw.OperatorContinued(host) if name == "continue" else saw.OperatorReleased(host)


def _start(value: object, now: float) -> float | None:
    if value is None:
        return None
    try:
        when = times.from_wire(value, "maintenance_at")
    except RemoteProtocolError as error:
        raise InvalidRequestError(str(error)) from error
    if when < math.floor(now):  # to the second, as it is written
        raise InvalidRequestError(
            f"maintenance_at: expected a time to come; found {value}, and it is {times.to_wire(now)} UTC"
        )
    if when > now + MAX_AHEAD_S:
        raise InvalidRequestError(
            f"maintenance_at: expected a time within the next {MAX_AHEAD_S / _DAY_S:g} days; found {value}"
        )
    return when


def _metadata(value: object) -> dict[str, str]:
    """Read the metadata; what a project would not get whole through Aodh is refused now."""
    found = _object(value, "metadata")
    for key, item in found.items():
        if not isinstance(item, str):
            raise InvalidRequestError(f"metadata[{key:.64}]: expected a text; found {item!r:.80}")
    try:
        survived = traits.read_mapping(str(dict(found)), "metadata") == found
    except RemoteProtocolError as error:
        raise InvalidRequestError(str(error)) from error
    if not survived:
        raise InvalidRequestError(
            "metadata: it does not survive its way through Aodh; use plain texts"
        )
    return dict(found)


def _rules(value: object, rules: SessionRules) -> SessionRules | None:
    given = _object(value, "rules")
    readers: dict[str, Callable[[object], Any]] = {
        "default_action": _default_action,
        "only_if_agreed": lambda item: frozenset(
            _texts(item, "rules.only_if_agreed", MAX_HOSTS, least=0)
        ),
        "test_host": lambda item: _flag(item, "rules.test_host"),
    }
    for name, (low, high) in _NUMBERS.items():
        readers[name] = lambda item, name=name, low=low, high=high: _number(  # type: ignore[misc]
            item, f"rules.{name}", low, high
        )
    for name, (least, most) in _COUNTS.items():
        readers[name] = lambda item, name=name, low=least, high=most: _count(  # type: ignore[misc]
            item, f"rules.{name}", low, high
        )
    _known(given, frozenset(readers), "rules")
    if not given:
        return None
    return replace(rules, **{name: readers[name](item) for name, item in given.items()})


def _default_action(value: object) -> Action:
    action: Action = _word(Action, value, "rules.default_action")
    if action not in (Action.MIGRATE, Action.LIVE_MIGRATE):
        raise InvalidRequestError(
            f"rules.default_action: expected MIGRATE or LIVE_MIGRATE; found {action.value}"
        )
    return action


def _word(vocabulary: Any, value: object, name: str) -> Any:
    try:
        return read_word(vocabulary, value, name)
    except RemoteProtocolError as error:
        raise InvalidRequestError(str(error)) from error


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"{name}: expected a JSON object; found {value!r:.80}")
    return value


def _known(given: Mapping[str, Any], known: frozenset[str], name: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise InvalidRequestError(
            f"{name}: {unknown[0]!r:.80} is not known; known are {', '.join(sorted(known))}"
        )


def _texts(value: object, name: str, most: int, least: int = 1) -> list[str]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise InvalidRequestError(
            f"{name}: expected a list of {least} to {most} names; found {value!r:.80}"
        )
    return [_text(item, f"{name}[{place}]") for place, item in enumerate(value)]


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable():
        raise InvalidRequestError(
            f"{name}: expected a name of 1 to {MAX_NAME} characters; found {value!r:.80}"
        )
    return value


def _number(value: object, name: str, low: float, high: float) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not low <= value <= high:  # type: ignore[operator]
        raise InvalidRequestError(
            f"{name}: expected a number from {low:g} to {high:g}; found {value!r:.80}"
        )
    return float(value)  # type: ignore[arg-type]


def _count(value: object, name: str, low: int, high: int) -> int:
    found = _number(value, name, low, high)
    if found != int(found):
        raise InvalidRequestError(f"{name}: expected a whole number; found {value!r:.80}")
    return int(found)


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequestError(f"{name}: expected true or false; found {value!r:.80}")
    return value
