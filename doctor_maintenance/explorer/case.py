# SPDX-License-Identifier: Apache-2.0
"""A case: one cloud, one session or more, and everything that happens to them, as plain data.

A seed alone would repeat a run only until the next change of how seeds are drawn. A case says what it
is, so it can be kept as a file, made smaller piece by piece, and read by a person.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.protocol import Action, MaintenanceType

T = TypeVar("T")


class Manner(StrEnum):
    """How an app manager behaves.

    ``HONEST``: it does what the sample's policy says.
    ``SILENT``: it never replies, and does nothing.
    ``REFUSES``: it refuses every maintenance.
    ``LATE``: it switches over and replies when the deadline is over.
    ``TWICE``: it sends its reply twice.
    ``CHANGES_MIND``: it sends another reply after the first was taken.
    ``STALE``: it sends its reply about the host before, once where that went and once to the new place.
    ``FOREIGN``: it disposes of another project's instance first, then it replies rightly.
    ``WRONG_SESSION``: it names another session first, then it replies rightly.
    ``NOT_ALLOWED``: it wants to leave instances on a host that is to be emptied first, then it replies rightly.
    ``PARTIAL``: its reply leaves an instance out.
    ``IDLE``: it promises to take its instances away itself, and does not.
    ``LIES``: it agrees without having switched over.
    """

    HONEST = "honest"
    SILENT = "silent"
    REFUSES = "refuses"
    LATE = "late"
    TWICE = "twice"
    CHANGES_MIND = "changes_mind"
    STALE = "stale"
    FOREIGN = "foreign"
    WRONG_SESSION = "wrong_session"
    NOT_ALLOWED = "not_allowed"
    PARTIAL = "partial"
    IDLE = "idle"
    LIES = "lies"


class Trouble(StrEnum):
    """What goes wrong, or is done by somebody in the middle.

    ``MIGRATION_FAILS``: an instance's migration is rolled back.
    ``MIGRATION_HANGS``: an instance's live migration never ends by itself.
    ``MIGRATION_ENDS_IN_ERROR``: an instance's migration leaves it in ERROR, stopped.
    ``NO_VALID_HOST``: the scheduler finds no host for an instance.
    ``HOST_STAYS_OFF``: a host does not come back from its reboot.
    ``SERVICE_LATE``: the nova-compute of a host comes back late.
    ``API_REFUSES``: a call to the cloud or the bus fails, and nothing is done.
    ``API_LIES``: a call to the cloud or the bus reports a failure, and is done.
    ``ALARM_LOST``: an alarm is never posted.
    ``ALARM_LATE``: an alarm is posted late, and others overtake it.
    ``ALARM_TWICE``: an alarm is posted twice.
    ``SSH_FAILS``: what is done on a host over SSH fails once.
    ``OWNER_DELETES``: an instance's owner deletes it in the middle.
    ``OWNER_CREATES``: a project's owner creates another instance in the middle.
    ``MANAGER_DIES``: an app manager dies and comes back; alarms meanwhile are lost.
    ``TOOL_DIES``: the admin tool dies at an event and comes back.
    ``CLOCK_JUMPS``: the admin tool dies and comes back with another idea of the time.
    ``ADDRESS_LATE``: a floating IP that is moved is silent for longer.
    ``OPERATOR_CANCELS``: the operator cancels the session.
    ``HOST_FAULT``: the inspector is told of a fault of a host, again and again.
    """

    MIGRATION_FAILS = "migration_fails"
    MIGRATION_HANGS = "migration_hangs"
    MIGRATION_ENDS_IN_ERROR = "migration_ends_in_error"
    NO_VALID_HOST = "no_valid_host"
    HOST_STAYS_OFF = "host_stays_off"
    SERVICE_LATE = "service_late"
    API_REFUSES = "api_refuses"
    API_LIES = "api_lies"
    ALARM_LOST = "alarm_lost"
    ALARM_LATE = "alarm_late"
    ALARM_TWICE = "alarm_twice"
    SSH_FAILS = "ssh_fails"
    OWNER_DELETES = "owner_deletes"
    OWNER_CREATES = "owner_creates"
    MANAGER_DIES = "manager_dies"
    TOOL_DIES = "tool_dies"
    CLOCK_JUMPS = "clock_jumps"
    ADDRESS_LATE = "address_late"
    OPERATOR_CANCELS = "operator_cancels"
    HOST_FAULT = "host_fault"


class Aftermath(StrEnum):
    """What the operator does about a host whose maintenance failed."""

    LEAVE = "leave"
    CONTINUE = "continue"
    RELEASE = "release"


class Moment(StrEnum):
    """Where in its handling of an event the admin tool dies.

    ``BEFORE``: the event is not stored yet. ``STORED``: it is, and nothing was done. ``DONE``: what follows
    from it was begun.
    """

    BEFORE = "before"
    STORED = "stored"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class HostPlan:
    """A compute host: its name and how many instances it can take."""

    name: str
    room: int


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """An instance at the beginning.

    Attributes:
        name: its name.
        host: where it is.
        pair: the number of the ACT-STBY pair that it serves in; None: none. The first of a pair is active.
    """

    name: str
    host: str
    pair: int | None = None


@dataclass(frozen=True, slots=True)
class ProjectPlan:
    """A project and its app manager.

    Attributes:
        name: the project's ID.
        instances: what it has.
        manner: how its app manager behaves.
        action: what that asks for.
        single_action: what it asks for instances outside pairs.
        subscribed: whether it has an alarm.
        only_if_agreed: whether nothing may be done without its agreement.
        think_s: how long its app manager takes for anything.
    """

    name: str
    instances: tuple[InstancePlan, ...]
    manner: Manner = Manner.HONEST
    action: Action = Action.LIVE_MIGRATE
    single_action: Action | None = None
    subscribed: bool = True
    only_if_agreed: bool = False
    think_s: float = 0.1


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What the operator asks for, and the rules.

    Attributes:
        type: the type of maintenance.
        hosts: the hosts, in this order.
        operator_disabled: hosts whose nova-compute an operator had disabled before.
        affected: for hosts of which a part is affected, the names of the instances on it.
        aftermath: what is done about a failed host.
        opens_at: when the operator first asks for it, in seconds after the first session.
        reply_wait_s, own_action_wait_s, drain_timeout_s, move_attempts, move_retry_s, poll_s, settle_s,
            work_attempts, default_action, test_host: as in ``SessionRules``.
    """

    type: MaintenanceType
    hosts: tuple[str, ...]
    operator_disabled: tuple[str, ...] = ()
    affected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aftermath: Aftermath = Aftermath.LEAVE
    opens_at: float = 0.0
    reply_wait_s: float = 30.0
    own_action_wait_s: float = 30.0
    drain_timeout_s: float = 120.0
    move_attempts: int = 4
    move_retry_s: float = 5.0
    poll_s: float = 2.0
    settle_s: float = 0.2
    work_attempts: int = 3
    default_action: Action = Action.LIVE_MIGRATE
    test_host: bool = True


@dataclass(frozen=True, slots=True)
class TimingPlan:
    """How long things take, in seconds.

    Attributes:
        api_s: a call to the cloud, each way.
        alarm_s: from the bus to the alarm URL.
        move_s: the whole of a migration.
        pause_s: how long a guest stands still in a live migration.
        boot_s: the start of an instance.
        delete_s: the deletion of one.
        reboot_s: a host's reboot, until SSH answers.
        service_s: from there until nova-compute is up.
        resume_guests: whether guests start with their host; if not they are SHUTOFF then.
        stale_s: how long the scheduler believes a live-migrated instance on its old host.
        switch_gap_s: how long a moved floating IP is silent.
        work_s: the operator's commands on a host.
        move_timeout_s: how long one attempt to move an instance may take.
        host_timeout_s: how long a host may take to come back.
    """

    api_s: float = 0.05
    alarm_s: float = 0.02
    move_s: float = 4.0
    pause_s: float = 0.0
    boot_s: float = 2.0
    delete_s: float = 1.0
    reboot_s: float = 20.0
    service_s: float = 2.0
    resume_guests: bool = True
    stale_s: float = 0.0
    switch_gap_s: float = 0.0
    work_s: float = 3.0
    move_timeout_s: float = 20.0
    host_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class TroublePlan:
    """One thing that goes wrong.

    Attributes:
        what: which.
        target: an instance, host or project by name, an API call, a moment of ``TOOL_DIES``, or of
            ``OPERATOR_CANCELS`` the number of the session (the first one by default).
        at: for what happens at a time, seconds after the session was opened; for ``TOOL_DIES`` the number
            of the event; for alarms, which of the target's (from 0).
        seconds: how long, or how long between one time and the next, where that is the question.
        times: how often.
    """

    what: Trouble
    target: str = ""
    at: float = 0.0
    seconds: float = 0.0
    times: int = 1


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Attributes:
        seed: of the chance that is left: IDs.
        hosts: the cloud's hosts.
        projects: who is on it.
        session: the maintenance.
        timing: how long things take.
        troubles: what goes wrong.
        others: more maintenance on the same cloud. An operator who is refused because a host is in another
            session asks again, and gives up in the end.
    """

    seed: int
    hosts: tuple[HostPlan, ...]
    projects: tuple[ProjectPlan, ...]
    session: SessionPlan
    timing: TimingPlan = TimingPlan()
    troubles: tuple[TroublePlan, ...] = ()
    others: tuple[SessionPlan, ...] = ()

    @property
    def sessions(self) -> tuple[SessionPlan, ...]:
        """All sessions; the first is the first."""
        return (self.session, *self.others)

    def project(self, name: str) -> ProjectPlan:
        """Return a project by its name."""
        return next(item for item in self.projects if item.name == name)


def to_data(item: Any) -> Any:
    """Return a case, or a part of one, as JSON data; what is as by default is left out."""
    if dataclasses.is_dataclass(item):
        return {
            entry.name: to_data(getattr(item, entry.name))
            for entry in dataclasses.fields(item)
            if getattr(item, entry.name) != _default(entry)
        }
    if isinstance(item, Mapping):
        return {key: to_data(value) for key, value in item.items()}
    if isinstance(item, tuple):
        return [to_data(value) for value in item]
    return item.value if isinstance(item, StrEnum) else item


def from_data(data: object) -> Case:
    """Read a case.

    Raises:
        UsageError: it is none; the message says where and why.
    """
    return _read(Case, data, "case")


def _default(entry: dataclasses.Field[Any]) -> Any:
    if entry.default_factory is not dataclasses.MISSING:
        return entry.default_factory()
    return entry.default


def _read(kind: type[T], data: object, where: str) -> T:
    if not isinstance(data, Mapping):
        raise UsageError(f"{where}: expected an object; found {data!r:.60}")
    hints = get_type_hints(kind)
    unknown = sorted(set(data) - set(hints))
    if unknown:
        raise UsageError(f"{where}: {unknown[0]!r} is not known; known are {', '.join(hints)}")
    try:
        return kind(**{name: _value(hints[name], data[name], f"{where}.{name}") for name in data})
    except TypeError as error:
        raise UsageError(f"{where}: {error}") from error


def _value(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple and isinstance(value, list):
        return tuple(
            _value(arguments[0], entry, f"{where}[{at}]") for at, entry in enumerate(value)
        )
    if origin is Mapping and isinstance(value, Mapping):
        return {key: _value(arguments[1], entry, f"{where}.{key}") for key, entry in value.items()}
    if type(None) in arguments:
        return None if value is None else _value(arguments[0], value, where)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _read(kind, value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        try:
            return kind(value)
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from error
    if not isinstance(kind, type) or not isinstance(value, kind):
        raise UsageError(f"{where}: expected {kind}; found {value!r:.60}")
    return value
