# SPDX-License-Identifier: Apache-2.0
"""Named faults: what can be made to go wrong, as data.

A model or service asks at named points "does something happen here?", with the facts of the case, and gets a
behaviour or nothing. It knows no fault by name beyond the behaviours that it can show at that point, so a new
fault for an existing point is one entry in :data:`FAULT_KINDS`, and arming one is a line of a scenario::

    cloud.faults.add("migration_fails", {"instance": "app-0"}, times=1)
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from doctor_maintenance.exceptions import InvalidRequestError, NotFoundError


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault that the cloud knows.

    Attributes:
        name: what it is called.
        point: where it is decided; a trailing ``*`` is any.
        criteria: facts that a fault of this kind can be restricted by.
        parameters: the behaviour's parameters and their defaults.
        doc: what it does, in a sentence.
    """

    name: str
    point: str
    criteria: tuple[str, ...]
    parameters: Mapping[str, Any]
    doc: str


_MIGRATION = ("instance", "project", "source", "dest", "type")
_ALARM = ("event_type", "project", "url", "state")
_REQUEST = ("service", "method", "path", "project")

FAULT_KINDS: dict[str, FaultKind] = {
    kind.name: kind
    for kind in (
        FaultKind(
            "migration_fails",
            "compute.migrate",
            _MIGRATION,
            {},
            "A migration is rolled back: the instance is ACTIVE on its old host, the record says so.",
        ),
        FaultKind(
            "migration_hangs",
            "compute.migrate",
            _MIGRATION,
            {},
            "A migration never ends, until it is aborted or a host goes down.",
        ),
        FaultKind(
            "migration_ends_in_error",
            "compute.migrate",
            _MIGRATION,
            {},
            "A migration fails and leaves the instance in ERROR on its old host, its guest stopped.",
        ),
        FaultKind(
            "no_valid_host",
            "compute.schedule",
            ("instance", "project", "source", "action"),
            {},
            "The scheduler finds no host.",
        ),
        FaultKind(
            "lands_on_unmaintained_host",
            "compute.schedule",
            ("instance", "project", "source", "action"),
            {"host": ""},
            "The scheduler prefers this host wherever it is possible at all.",
        ),
        FaultKind(
            "host_does_not_come_back",
            "host.boot",
            ("host",),
            {},
            "A host that reboots stays off.",
        ),
        FaultKind(
            "service_comes_back_late",
            "host.service",
            ("host",),
            {"delay_s": 60.0},
            "After a boot the host's nova-compute needs so much longer.",
        ),
        FaultKind(
            "command_fails",
            "host.command",
            ("host", "command"),
            {"status": 1, "output": "simulated failure"},
            "A command on a host, over SSH, ends with this exit status.",
        ),
        FaultKind(
            "command_hangs",
            "host.command",
            ("host", "command"),
            {},
            "A command on a host, over SSH, never ends.",
        ),
        FaultKind("ssh_refused", "host.connect", ("host",), {}, "A host refuses SSH connections."),
        FaultKind(
            "ssh_hangs",
            "host.connect",
            ("host",),
            {},
            "A host accepts SSH connections and says nothing.",
        ),
        FaultKind(
            "ssh_host_key_changed",
            "host.connect",
            ("host",),
            {},
            "A host shows another host key than the known one.",
        ),
        FaultKind(
            "api_error",
            "api",
            _REQUEST,
            {"status": 503, "retry_after_s": None},
            "A service answers a request with this HTTP status and does nothing.",
        ),
        FaultKind(
            "floating_ip_late",
            "network.floating_ip",
            ("address", "project"),
            {"delay_s": 1.26},
            "A floating IP that is moved stays silent for so long.",
        ),
        FaultKind("alarm_lost", "aodh.post", _ALARM, {}, "An alarm's POST is never made."),
        FaultKind(
            "alarm_late",
            "aodh.post",
            _ALARM,
            {"delay_s": 5.0},
            "An alarm's POST is made so much later; others overtake it.",
        ),
        FaultKind("alarm_twice", "aodh.post", _ALARM, {}, "An alarm's POST is made twice."),
        FaultKind(
            "alarm_out_of_order",
            "aodh.post",
            _ALARM,
            {"delay_s": 0.05},
            "An alarm's POST is overtaken by the next one.",
        ),
        FaultKind(
            "alarm_cut",
            "aodh.post",
            _ALARM,
            {"bytes": 100},
            "An alarm's POST has only the first bytes of its body.",
        ),
        FaultKind(
            "alarm_dead_url",
            "aodh.post",
            _ALARM,
            {},
            "An alarm's POST goes to a port where nobody listens.",
        ),
    )
}
"""Every fault, by name."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a point is told to do.

    Attributes:
        name: the name of the fault.
        parameters: its parameters, complete with defaults.
    """

    name: str
    parameters: Mapping[str, Any]


@dataclass(slots=True)
class Fault:
    """A fault that is armed.

    Attributes:
        fault_id: its number.
        kind: what it is.
        criteria: facts that must all be as given; a value ``prefix*`` matches a beginning.
        behaviour: what it does.
        times: how often it still happens; None: always.
        happened: how often it has happened.
    """

    fault_id: int
    kind: FaultKind
    criteria: Mapping[str, str]
    behaviour: Behaviour
    times: int | None = None
    happened: int = 0

    def matches(self, point: str, facts: Mapping[str, object]) -> bool:
        """Return whether this fault happens at this point and in this case."""
        if self.times == 0 or self.kind.point != point:
            return False
        return all(_fits(wanted, facts.get(name)) for name, wanted in self.criteria.items())

    def as_dict(self) -> dict[str, Any]:
        """Return the fault as the control API shows it."""
        return {
            "id": self.fault_id,
            "name": self.kind.name,
            "criteria": dict(self.criteria),
            "parameters": dict(self.behaviour.parameters),
            "times": self.times,
            "happened": self.happened,
        }


def _fits(wanted: str, found: object) -> bool:
    values = [str(value) for value in found] if isinstance(found, (tuple, list)) else [str(found)]
    if wanted.endswith("*"):
        return any(value.startswith(wanted[:-1]) for value in values)
    return wanted in values


@dataclass(slots=True)
class Faults:
    """The faults that are armed, in order; the first that fits happens."""

    _armed: dict[int, Fault] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def add(
        self,
        name: str,
        criteria: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        times: int | None = None,
    ) -> Fault:
        """Arm a fault.

        Args:
            name: a name in :data:`FAULT_KINDS`.
            criteria: facts that must be so; an instance may be given by its name or ID.
            parameters: what differs from the kind's defaults.
            times: how often it happens; None: always.

        Raises:
            InvalidRequestError: there is no such fault, criterion or parameter.
        """
        kind = FAULT_KINDS.get(name)
        if kind is None:
            raise InvalidRequestError(
                f"there is no fault {name!r}; there are: {', '.join(sorted(FAULT_KINDS))}"
            )
        _check_known("criterion", criteria, kind.criteria, name)
        _check_known("parameter", parameters, tuple(kind.parameters), name)
        if times is not None and times < 1:
            raise InvalidRequestError(f"a fault happens at least once; times is {times}")
        behaviour = Behaviour(name, {**kind.parameters, **(parameters or {})})
        fault = Fault(next(self._numbers), kind, dict(criteria or {}), behaviour, times)
        self._armed[fault.fault_id] = fault
        return fault

    def remove(self, fault_id: int) -> None:
        """Disarm a fault.

        Raises:
            NotFoundError: there is none with this number.
        """
        if self._armed.pop(fault_id, None) is None:
            raise NotFoundError(f"no fault {fault_id} is armed; list them with GET /control/faults")

    def clear(self) -> None:
        """Disarm all faults."""
        self._armed.clear()

    def armed(self) -> list[Fault]:
        """Return the armed faults in order."""
        return list(self._armed.values())

    def decide(self, point: str, **facts: object) -> Behaviour | None:
        """Return what happens at a point, or None for nothing unusual.

        Args:
            point: where, for example ``compute.migrate``.
            facts: the case; a tuple or list fits if any of its values does.
        """
        for fault in self._armed.values():
            if fault.matches(point, facts):
                fault.happened += 1
                if fault.times is not None:
                    fault.times -= 1
                return fault.behaviour
        return None


def _check_known(
    what: str, given: Mapping[str, Any] | None, known: tuple[str, ...], fault: str
) -> None:
    for name in given or {}:
        if name not in known:
            choice = ", ".join(known) or "none"
            raise InvalidRequestError(f"fault {fault} has no {what} {name!r}; it has: {choice}")
