# SPDX-License-Identifier: Apache-2.0
"""From a seed to a case: what exists, who behaves how, how long things take and what goes wrong.

Most of what is drawn is ordinary, with one or two things wrong: a world in which everything fails at once
ends early and tells little. The weights say what deserves the time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from doctor_maintenance.explorer.case import (
    Aftermath,
    Case,
    HostPlan,
    InstancePlan,
    Manner,
    Moment,
    ProjectPlan,
    SessionPlan,
    TimingPlan,
    Trouble,
    TroublePlan,
)
from doctor_maintenance.protocol import Action, MaintenanceType

T = TypeVar("T")

INSPECTOR = "inspector"
_SECOND = 0.25
"""How many of the cases have two sessions."""
_CALLS = ("disable", "enable", "survey", "migrate", "publish")


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a case may be.

    Attributes:
        hosts: the most hosts (3 or more; there are always at least 3).
        projects: the most projects (≥ 1).
        instances: about how many instances there are at most (≥ 2).
        troubles: the most things that go wrong.
    """

    hosts: int = 3
    projects: int = 3
    instances: int = 6
    troubles: int = 3


def draw(seed: int, limits: Limits = Limits()) -> Case:
    """Return the case of a seed."""
    chance = random.Random(seed)
    count = chance.randint(3, limits.hosts) if limits.hosts > 3 else 3
    names = [f"host-{number}" for number in range(1, count + 1)]
    projects = _projects(chance, names, limits)
    used = dict.fromkeys(names, 0)
    for project in projects:
        for instance in project.instances:
            used[instance.host] += 1
    total = sum(used.values())
    spare = -(-total // (count - 1)) + chance.choice((0, 1, 1, 2, 4))
    hosts = tuple(HostPlan(name, max(used[name], spare, 1)) for name in names)
    session = _session(chance, names, projects)
    timing = _timing(chance)
    others: tuple[SessionPlan, ...] = ()
    if chance.random() < _SECOND:
        session, second = _two_sessions(chance, names, session)
        others = (second,)
    troubles = _troubles(chance, limits.troubles, hosts, projects, (session, *others))
    return Case(seed, hosts, projects, session, timing, troubles, others)


def _often(chance: random.Random, *choices: tuple[T, int]) -> T:
    return chance.choices([item for item, _ in choices], [weight for _, weight in choices])[0]


def _projects(
    chance: random.Random, hosts: Sequence[str], limits: Limits
) -> tuple[ProjectPlan, ...]:
    left = chance.randint(max(2, limits.instances - 2), limits.instances)
    projects = []
    for number in range(1, chance.randint(1, limits.projects) + 1):
        if left <= 0:
            break
        name = f"project-{number}"
        instances = []
        pairs = 0
        if left >= 2 and (number == 1 or chance.random() < 0.7):
            pairs = 1 if chance.random() < 0.9 or left < 4 else 2
        for pair in range(pairs):
            first, second = chance.sample(list(hosts), 2)
            instances.append(InstancePlan(f"app-{number}-{pair}a", first, pair))
            instances.append(InstancePlan(f"app-{number}-{pair}b", second, pair))
        left -= 2 * pairs
        most = min(left, 3)
        for single in range(chance.randint(0 if pairs else min(1, most), most)):
            instances.append(InstancePlan(f"app-{number}-s{single}", chance.choice(hosts)))
            left -= 1
        projects.append(_project(chance, name, tuple(instances)))
    return tuple(projects)


def _project(chance: random.Random, name: str, instances: tuple[InstancePlan, ...]) -> ProjectPlan:
    actions = (
        (Action.LIVE_MIGRATE, 3),
        (Action.MIGRATE, 4),
        (Action.OWN_ACTION, 3),
        (Action.LEAVE, 2),
    )
    manner = Manner.HONEST
    if chance.random() < 0.25:
        manner = chance.choice([item for item in Manner if item is not Manner.HONEST])
    return ProjectPlan(
        name=name,
        instances=instances,
        manner=manner,
        action=_often(chance, *actions),
        single_action=_often(chance, *actions) if chance.random() < 0.3 else None,
        subscribed=chance.random() < 0.93,
        only_if_agreed=chance.random() < 0.12,
        think_s=round(chance.choice((0.05, 0.2, 1.0, 4.0)) * (0.5 + chance.random()), 3),
    )


def _session(
    chance: random.Random, hosts: Sequence[str], projects: Sequence[ProjectPlan]
) -> SessionPlan:
    kind = _often(chance, (MaintenanceType.FULL, 3), (MaintenanceType.REBOOT, 2))
    many = min(len(hosts), _often(chance, (len(hosts), 6), (1, 1), (2, 2)))
    chosen = chance.sample(list(hosts), many)
    affected: dict[str, tuple[str, ...]] = {}
    if kind is MaintenanceType.FULL and chance.random() < 0.2:
        here = [
            instance.name
            for project in projects
            for instance in project.instances
            if instance.host == chosen[0]
        ]
        affected[chosen[0]] = tuple(chance.sample(here, chance.randint(0, len(here))))
    defaults = [(Action.LIVE_MIGRATE, 6), (Action.MIGRATE, 2)]
    if kind is MaintenanceType.REBOOT:
        defaults.append((Action.LEAVE, 1))
    return SessionPlan(
        type=kind,
        hosts=tuple(chosen),
        operator_disabled=tuple(host for host in hosts if chance.random() < 0.04),
        affected=affected,
        aftermath=chance.choice(list(Aftermath)),
        reply_wait_s=chance.choice((8.0, 20.0, 60.0)),
        own_action_wait_s=chance.choice((10.0, 30.0)),
        drain_timeout_s=chance.choice((30.0, 90.0, 300.0)),
        move_attempts=chance.randint(1, 5),
        move_retry_s=chance.choice((2.0, 10.0)),
        poll_s=chance.choice((1.0, 2.0, 4.0)),
        settle_s=chance.choice((0.2, 1.0)),
        work_attempts=chance.randint(1, 3),
        default_action=_often(chance, *defaults),
        test_host=chance.random() < 0.8,
    )


def _two_sessions(
    chance: random.Random, hosts: Sequence[str], first: SessionPlan
) -> tuple[SessionPlan, SessionPlan]:
    """Return a session and a second one beside it: on other hosts mostly, else on some that both want."""
    mixed = chance.sample(list(hosts), len(hosts))
    at = chance.randint(1, len(hosts) - 1)
    mine, other = mixed[:at], mixed[at:]
    affected = {host: names for host, names in first.affected.items() if host in mine}
    if chance.random() < 0.3:
        wanted = [
            host for host in mine if host not in affected and host not in first.operator_disabled
        ]
        other = chance.sample(other + wanted, chance.randint(1, len(other) + len(wanted)))
    second = _session(chance, other, ())
    second = replace(
        second,
        type=first.type,
        hosts=tuple(other),
        operator_disabled=(),
        affected={},
        test_host=first.test_host,
        opens_at=round(chance.choice((0.0, 2.0, 30.0, 150.0)) * chance.random(), 2),
    )
    if first.type is MaintenanceType.FULL and second.default_action is Action.LEAVE:
        second = replace(second, default_action=Action.LIVE_MIGRATE)
    return replace(first, hosts=tuple(mine), affected=affected), second


def _timing(chance: random.Random) -> TimingPlan:
    def about(seconds: float) -> float:
        return round(seconds * (0.5 + chance.random()), 3)

    return TimingPlan(
        api_s=about(chance.choice((0.01, 0.1))),
        alarm_s=about(chance.choice((0.01, 0.06))),
        move_s=about(chance.choice((1.0, 6.0))),
        pause_s=_often(chance, (0.0, 5), (about(0.05), 1)),
        boot_s=about(chance.choice((1.0, 5.0))),
        delete_s=about(chance.choice((0.2, 2.0))),
        reboot_s=about(20.0),
        service_s=about(chance.choice((1.0, 5.0))),
        resume_guests=chance.random() < 0.7,
        stale_s=_often(chance, (0.0, 3), (about(10.0), 1), (about(60.0), 1)),
        switch_gap_s=_often(chance, (0.0, 5), (about(1.0), 1)),
        work_s=about(3.0),
        move_timeout_s=chance.choice((20.0, 40.0)),
        host_timeout_s=60.0,
    )


_WEIGHTS: dict[Trouble, int] = {
    Trouble.MIGRATION_FAILS: 4,
    Trouble.MIGRATION_HANGS: 3,
    Trouble.MIGRATION_ENDS_IN_ERROR: 3,
    Trouble.NO_VALID_HOST: 4,
    Trouble.HOST_STAYS_OFF: 2,
    Trouble.SERVICE_LATE: 2,
    Trouble.API_REFUSES: 5,
    Trouble.API_LIES: 4,
    Trouble.ALARM_LOST: 3,
    Trouble.ALARM_LATE: 3,
    Trouble.ALARM_TWICE: 3,
    Trouble.SSH_FAILS: 2,
    Trouble.OWNER_DELETES: 3,
    Trouble.OWNER_CREATES: 3,
    Trouble.MANAGER_DIES: 3,
    Trouble.TOOL_DIES: 12,
    Trouble.CLOCK_JUMPS: 2,
    Trouble.ADDRESS_LATE: 1,
    Trouble.OPERATOR_CANCELS: 3,
    Trouble.HOST_FAULT: 3,
}


def _troubles(
    chance: random.Random,
    most: int,
    hosts: Sequence[HostPlan],
    projects: Sequence[ProjectPlan],
    sessions: Sequence[SessionPlan],
) -> tuple[TroublePlan, ...]:
    kinds, weights = list(_WEIGHTS), list(_WEIGHTS.values())
    chosen = chance.choices(kinds, weights, k=chance.choice((0, *range(1, most + 1))))
    choose = _Choose(chance, hosts, projects, sessions)
    return tuple(_TROUBLES[kind](choose, kind) for kind in chosen)


class _Choose:
    """Chooses what a trouble is about, among what there is."""

    def __init__(
        self,
        chance: random.Random,
        hosts: Sequence[HostPlan],
        projects: Sequence[ProjectPlan],
        sessions: Sequence[SessionPlan],
    ) -> None:
        self.chance = chance
        self.hosts = [plan.name for plan in hosts]
        self.maintained = [host for session in sessions for host in session.hosts]
        self.sessions = len(sessions)
        self.projects = [project.name for project in projects]
        self.instances = [item.name for project in projects for item in project.instances]
        self.most_s = 60.0 * len(self.maintained)

    def _when(self) -> float:
        return round(self.chance.uniform(0.0, self.most_s), 2)

    def _few(self) -> int:
        return self.chance.choice((1, 1, 2, 6))

    def migration(self, what: Trouble) -> TroublePlan:
        return TroublePlan(what, self.chance.choice(self.instances), times=self._few())

    def host(self, what: Trouble) -> TroublePlan:
        late = self.chance.choice((10.0, 50.0, 200.0))
        seconds = late if what is Trouble.SERVICE_LATE else 0.0
        return TroublePlan(what, self.chance.choice(self.maintained), seconds=seconds)

    def call(self, what: Trouble) -> TroublePlan:
        return TroublePlan(what, self.chance.choice(_CALLS), times=self._few())

    def alarm(self, what: Trouble) -> TroublePlan:
        target = INSPECTOR if self.chance.random() < 0.2 else self.chance.choice(self.projects)
        late = self.chance.choice((0.5, 5.0, 40.0))
        return TroublePlan(what, target, at=self.chance.randint(0, 5), seconds=late)

    def ssh(self, what: Trouble) -> TroublePlan:
        return TroublePlan(what, "ssh")

    def instance(self, what: Trouble) -> TroublePlan:
        return TroublePlan(what, self.chance.choice(self.instances), at=self._when())

    def project(self, what: Trouble) -> TroublePlan:
        seconds = 1.26 if what is Trouble.ADDRESS_LATE else 0.0
        name = self.chance.choice(self.projects)
        return TroublePlan(what, name, at=self._when(), seconds=seconds)

    def manager(self, what: Trouble) -> TroublePlan:
        down_s = self.chance.choice((2.0, 20.0, 300.0))
        return TroublePlan(what, self.chance.choice(self.projects), at=self._when(), seconds=down_s)

    def tool(self, what: Trouble) -> TroublePlan:
        moment = self.chance.choice(list(Moment)).value
        down_s = self.chance.choice((0.05, 1.0, 10.0, 100.0))
        return TroublePlan(what, moment, at=self.chance.randint(0, 60), seconds=down_s)

    def clock(self, what: Trouble) -> TroublePlan:
        jump_s = self.chance.choice((-30.0, -2.0, 2.0, 30.0))
        return TroublePlan(what, at=self._when(), seconds=jump_s)

    def faulty_host(self, what: Trouble) -> TroublePlan:
        name = self.chance.choice(self.hosts)
        return TroublePlan(
            what, name, at=self._when(), seconds=9.0, times=self.chance.randint(1, 9)
        )

    def session(self, what: Trouble) -> TroublePlan:
        target = str(self.chance.randrange(self.sessions)) if self.sessions > 1 else ""
        return TroublePlan(what, target, at=self._when())


_TROUBLES: dict[Trouble, Callable[[_Choose, Trouble], TroublePlan]] = {
    Trouble.MIGRATION_FAILS: _Choose.migration,
    Trouble.MIGRATION_HANGS: _Choose.migration,
    Trouble.MIGRATION_ENDS_IN_ERROR: _Choose.migration,
    Trouble.NO_VALID_HOST: _Choose.migration,
    Trouble.HOST_STAYS_OFF: _Choose.host,
    Trouble.SERVICE_LATE: _Choose.host,
    Trouble.API_REFUSES: _Choose.call,
    Trouble.API_LIES: _Choose.call,
    Trouble.ALARM_LOST: _Choose.alarm,
    Trouble.ALARM_LATE: _Choose.alarm,
    Trouble.ALARM_TWICE: _Choose.alarm,
    Trouble.SSH_FAILS: _Choose.ssh,
    Trouble.OWNER_DELETES: _Choose.instance,
    Trouble.OWNER_CREATES: _Choose.project,
    Trouble.ADDRESS_LATE: _Choose.project,
    Trouble.MANAGER_DIES: _Choose.manager,
    Trouble.TOOL_DIES: _Choose.tool,
    Trouble.CLOCK_JUMPS: _Choose.clock,
    Trouble.HOST_FAULT: _Choose.faulty_host,
    Trouble.OPERATOR_CANCELS: _Choose.session,
}
