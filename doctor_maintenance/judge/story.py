# SPDX-License-Identifier: Apache-2.0
"""A trace put in order for judging: the rounds, the instances, the hosts, the services.

Clauses ask the story and not the records, so that each says its rule and nothing about finding its
evidence. It is built once for all clauses.
"""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from doctor_maintenance.judge.conversation import ADMIN_TOOL, BUS, Answer, Message, messages_of
from doctor_maintenance.judge.lives import Life, Seen, is_on, lives_of
from doctor_maintenance.judge.moment import END, MICROSECONDS, Moment, microseconds
from doctor_maintenance.judge.reading import TraceError
from doctor_maintenance.judge.records import (
    Address,
    HostPower,
    Instance,
    Migration,
    Notification,
    Probe,
    Readable,
    Record,
    Reply,
    Scenario,
    Service,
    Session,
    SshCheck,
    SwitchOver,
)
from doctor_maintenance.judge.rounds import Round, assign_replies, rounds_of
from doctor_maintenance.judge.trace import Trace
from doctor_maintenance.protocol import HostState, MaintenanceType, NotificationState

R = TypeVar("R", bound=Record)

INSTANT_WITNESSES = frozenset({"nova", "neutron", "hosts", BUS})
"""Witnesses that, in one process, write a record at the very moment when the thing happens."""

STATEMENTS = (Session, Readable)
"""What the admin tool is heard on: what its API says. In its own cause it is no witness (DESIGN 4.5)."""

ENDED = frozenset({"completed", "confirmed", "failed", "error", "cancelled", "reverted", "done"})
"""The statuses with which a migration of Nova's is at its end."""


class Move(NamedTuple):
    """One migration, all its records together.

    Attributes:
        begin: when it began.
        end: when it ended; None if it did not, as far as was seen.
        records: its records, in order.
    """

    begin: Moment
    end: Moment | None
    records: tuple[Migration, ...]

    @property
    def first(self) -> Migration:
        """Its first record."""
        return self.records[0]

    @property
    def source(self) -> str | None:
        """The host that it moves the instance off."""
        return next((record.source_host for record in self.records if record.source_host), None)


class Pair(NamedTuple):
    """An ACT-STBY pair; its members are names, as an owner may re-create one."""

    project_id: str
    names: tuple[str, ...]
    allowed: int


class Story:
    """A trace put in order.

    Args:
        trace: what was seen.

    Raises:
        TraceError: the trace does not say what the run was about.
    """

    def __init__(self, trace: Trace) -> None:
        scenario = trace.scenario
        if scenario is None:
            raise TraceError(
                "the trace has no record of kind 'scenario': expected one that names the type, the hosts and the"
                " projects, since without it nobody can say what had to happen; add it as the first line"
            )
        self.trace = trace
        self.scenario: Scenario = scenario
        self.full = self.scenario.type == MaintenanceType.FULL
        self._records: dict[type[Record], list[tuple[int, Record]]] = defaultdict(list)
        for place, record in enumerate(trace.records):
            if record.source == ADMIN_TOOL and not isinstance(record, STATEMENTS):
                continue
            self._records[type(record)].append((place, record))
        self._seen: dict[type[Record], list[Seen[Record]]] = {}
        self.lives: dict[str, Life] = lives_of(self.seen(Instance))
        self.services: dict[str, list[Seen[Service]]] = {}
        for service in self.seen(Service):
            if service.record.binary == "nova-compute":
                self.services.setdefault(service.record.host, []).append(service)
        self.messages: list[Message] = messages_of(self.seen(Notification), self.seen(Readable))
        self.rounds: list[Round] = rounds_of(
            self.scenario, self.services, self.messages, self.lives.values(), self.sessions
        )
        self.orphans: list[Answer] = assign_replies(self.rounds, self.seen(Reply))
        self.end_s = max((record.at for record in trace.records), default=0.0)

    def _when(self, record: Record, place: int) -> Moment:
        if record.not_before is not None:
            return Moment.between(record.earliest, record.at)
        if self.scenario.exact and record.source in INSTANT_WITNESSES:
            return Moment.exactly(record.at, place)
        return Moment.between(record.at, record.at)

    def seen(self, kind: type[R]) -> list[Seen[R]]:
        """Return the records of a kind with their moments, in order."""
        found = self._seen.get(kind)
        if found is None:
            found = [
                Seen(self._when(record, place), record, place)
                for place, record in self._records.get(kind, ())
            ]
            self._seen[kind] = found
        return found  # type: ignore[return-value]

    def records(self, kind: type[R]) -> list[R]:
        """Return the records of a kind, in order."""
        return [record for _, record in self._records.get(kind, ())]  # type: ignore[misc]

    @functools.cached_property
    def bus_watched(self) -> bool:
        """True if somebody watched the bus, so that what never arrived is known too."""
        return any(message.on_bus for message in self.messages)

    @functools.cached_property
    def moves(self) -> list[Move]:
        """Return all migrations, in the order of their beginning."""
        found: dict[str, list[Seen[Migration]]] = {}
        for seen in self.seen(Migration):
            found.setdefault(seen.record.migration_id, []).append(seen)
        return [
            Move(
                begin=seen[0].moment,
                end=next((item.moment for item in seen if item.record.status in ENDED), None),
                records=tuple(item.record for item in seen),
            )
            for seen in found.values()
        ]

    def moves_in(self, part: Round) -> list[Move]:
        """Return the migrations off the host of a round that began in the round."""
        lower, upper = part.window
        return [
            move
            for move in self.moves
            if move.source == part.host and lower <= move.begin.upper and move.begin.lower <= upper
        ]

    @functools.cached_property
    def sessions(self) -> dict[str, Session]:
        """Return the last that was said of each session."""
        return {seen.record.session_id: seen.record for seen in self.seen(Session)}

    def host_state(self, host: str) -> str | None:
        """Return the last state that a session gave the host."""
        found = None
        for session in self.sessions.values():
            found = session.hosts.get(host, found)
        return found

    def round_state(self, part: Round) -> str | None:
        """Return the last state that the round's session gave its host; any session's if it is not known."""
        session = self.sessions.get(part.session_id or "")
        return self.host_state(part.host) if session is None else session.hosts.get(part.host)

    def is_last(self, part: Round) -> bool:
        """Return whether a round is the last one of its host in its session."""
        own = [
            other
            for other in self.rounds
            if (other.host, other.session_id) == (part.host, part.session_id)
        ]
        return own[-1] is part

    def canceled(self, part: Round) -> bool:
        """Return whether the maintenance of the round's host was canceled."""
        if part.project_messages(NotificationState.MAINTENANCE_CANCELED):
            return True
        return (
            part.in_maintenance is None
            and self.is_last(part)
            and self.round_state(part) == HostState.MAINTENANCE_CANCELED
        )

    def affects(self, host: str, instance_id: str) -> bool:
        """Return whether the maintenance of the host is about the instance."""
        affected = self.scenario.affected
        if affected is None or host not in affected:
            return True
        return instance_id in affected[host]

    def payload(self, part: Round, project_id: str | None = None) -> list[Life]:
        """Return the affected instances that were on the host for certain when the round began."""
        lower, upper = part.begin, part.begin
        if part.disable is not None:
            lower, upper = part.disable.moment
        return [
            life
            for life in self.lives.values()
            if project_id in (None, life.project_id)
            and self.affects(part.host, life.instance_id)
            and life.must(is_on(part.host), lower, upper)
        ]

    def touched(self, part: Round, project_id: str) -> list[Life]:
        """Return the affected instances that may have been on the host at any time of the round."""
        return [
            life
            for life in self.lives.values()
            if life.project_id == project_id
            and self.affects(part.host, life.instance_id)
            and life.may(is_on(part.host), *part.window)
        ]

    @functools.cached_property
    def pairs(self) -> list[Pair]:
        """Return the ACT-STBY pairs, their members by name."""
        found = []
        for project_id, facts in self.scenario.projects.items():
            for members in facts.pairs:
                names = tuple(self._name(instance_id) for instance_id in members)
                found.append(Pair(project_id, names, facts.impacted_at_once))
        return found

    def _name(self, instance_id: str) -> str:
        life = self.lives.get(instance_id)
        return (life.name if life is not None else "") or instance_id

    def members(self, pair: Pair, name: str) -> Iterator[Life]:
        """Return every instance that was, one after the other, the member of that name."""
        for life in self.lives.values():
            if life.project_id == pair.project_id and name in (life.name, life.instance_id):
                yield life

    def addresses(self, pair: Pair) -> list[str]:
        """Return the floating IPs that led to the pair at any time."""
        own = {life.instance_id for name in pair.names for life in self.members(pair, name)}
        return sorted(
            {seen.record.address for seen in self.seen(Address) if seen.record.instance_id in own}
        )

    def checks(self, host: str, check: str) -> list[Seen[SshCheck]]:
        """Return what one kind of SSH check showed of a host, in order."""
        return self._checks.get((host, check), [])

    @functools.cached_property
    def _checks(self) -> dict[tuple[str, str], list[Seen[SshCheck]]]:
        found: dict[tuple[str, str], list[Seen[SshCheck]]] = {}
        for seen in self.seen(SshCheck):
            found.setdefault((seen.record.host, seen.record.check), []).append(seen)
        return found

    def switch_overs(self, project_id: str) -> list[Seen[SwitchOver]]:
        """Return the steps of a project's switch-overs, in order."""
        return [seen for seen in self.seen(SwitchOver) if seen.record.project_id == project_id]

    def probes(self) -> list[Seen[Probe]]:
        """Return the last report on each address."""
        return list({seen.record.address: seen for seen in self.seen(Probe)}.values())

    def powers(self, host: str) -> list[Seen[HostPower]]:
        """Return what was seen of the host itself, in order."""
        return [seen for seen in self.seen(HostPower) if seen.record.host == host]

    def when(self, moment: Moment) -> str:
        """Write a moment in seconds since the first record, for evidence."""
        start = microseconds(self.trace.records[0].at)
        if moment.upper.time_us == math.inf and moment.lower.time_us == -math.inf:
            return "at an unknown time"
        earliest, latest = (
            (point.time_us - start) / MICROSECONDS for point in (moment.lower, moment.upper)
        )
        if moment.known:
            return f"at {latest:+.3f} s"
        if earliest == -math.inf:
            return f"not after {latest:+.3f} s"
        return f"between {earliest:+.3f} s and {latest:+.3f} s"

    @property
    def the_end(self) -> Moment:
        """The end of the trace."""
        return Moment.between(self.end_s, self.end_s)

    @property
    def after_the_end(self) -> Moment:
        """When something happened that did not happen as long as anybody looked."""
        return Moment(END, END)
