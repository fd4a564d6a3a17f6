# SPDX-License-Identifier: Apache-2.0
"""From a case that fails to the smallest one that still fails the same clause.

Greedy and deterministic: take something away or make it ordinary; if the same clause still fails, keep
that and go on, until nothing more can be taken away.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import replace

from doctor_maintenance.explorer.case import (
    Case,
    InstancePlan,
    Manner,
    ProjectPlan,
    SessionPlan,
    TimingPlan,
    Trouble,
    TroublePlan,
)
from doctor_maintenance.protocol import MaintenanceType

MAX_TRIES = 2000


def shrink(case: Case, still_fails: Callable[[Case], bool], tries: int = MAX_TRIES) -> Case:
    """Return the smallest case found.

    Args:
        case: a case that fails.
        still_fails: tells whether a smaller one fails in the same way.
        tries: how many smaller cases are tried at most.
    """
    progress = True
    while progress and tries > 0:
        progress = False
        for candidate in smaller(case):
            tries -= 1
            if tries <= 0:
                break
            if still_fails(candidate):
                case, progress = candidate, True
                break
    return case


def smaller(case: Case) -> Iterator[Case]:
    """Return the cases that are a step smaller, the largest steps first."""
    yield from _fewer_sessions(case)
    yield from _fewer_troubles(case)
    yield from _fewer_projects(case)
    yield from _fewer_hosts(case)
    yield from _fewer_instances(case)
    yield from _plainer_projects(case)
    yield from _plainer_session(case)
    if case.timing != TimingPlan():
        yield replace(case, timing=TimingPlan())
        for timing in _plainer(case.timing, TimingPlan()):
            yield replace(case, timing=timing)
    for place, trouble in enumerate(case.troubles):
        for other in _plainer_trouble(trouble):
            yield replace(case, troubles=_with(case.troubles, place, other))


def _with(items: tuple, place: int, *instead: object) -> tuple:  # type: ignore[type-arg]
    return (*items[:place], *instead, *items[place + 1 :])


def _plainer(item: object, plain: object) -> Iterator:  # type: ignore[type-arg]
    """Return copies with one field as it is by default."""
    for entry in dataclasses.fields(item):  # type: ignore[arg-type]
        ordinary = getattr(plain, entry.name)
        if getattr(item, entry.name) != ordinary:
            yield replace(item, **{entry.name: ordinary})  # type: ignore[type-var]


def _fewer_sessions(case: Case) -> Iterator[Case]:
    """Return the case without one of its sessions; what was about a session by number is then gone, too."""
    troubles = tuple(item for item in case.troubles if item.what is not Trouble.OPERATOR_CANCELS)
    for place in range(len(case.others)):
        others = _with(case.others, place)
        yield replace(case, others=others)
        yield replace(case, others=others, troubles=troubles)
    for place, other in enumerate(case.others):
        alone = replace(other, operator_disabled=case.session.operator_disabled)
        others = _with(case.others, place)
        yield replace(case, session=alone, others=others, troubles=troubles)


def _with_session(case: Case, place: int, session: SessionPlan) -> Case:
    """Return the case with another plan for one of its sessions, the first being number 0."""
    if place == 0:
        return replace(case, session=session)
    return replace(case, others=_with(case.others, place - 1, session))


def _fewer_troubles(case: Case) -> Iterator[Case]:
    if len(case.troubles) > 1:
        yield replace(case, troubles=())
    for place in range(len(case.troubles)):
        yield replace(case, troubles=_with(case.troubles, place))


def _about(case: Case, names: set[str]) -> Case:
    """Return the case without what was about things that do not exist any more."""
    affected = {
        host: tuple(name for name in items if name not in names)
        for host, items in case.session.affected.items()
        if host not in names
    }
    return replace(
        case,
        troubles=tuple(item for item in case.troubles if item.target not in names),
        session=replace(case.session, affected=affected),
    )


def _fewer_projects(case: Case) -> Iterator[Case]:
    for place, project in enumerate(case.projects):
        gone = {project.name, *(item.name for item in project.instances)}
        yield _about(replace(case, projects=_with(case.projects, place)), gone)


def _fewer_hosts(case: Case) -> Iterator[Case]:
    for number, session in enumerate(case.sessions):
        for place, host in enumerate(session.hosts):
            if len(session.hosts) > 1:
                affected = {key: value for key, value in session.affected.items() if key != host}
                hosts = _with(session.hosts, place)
                yield _with_session(case, number, replace(session, hosts=hosts, affected=affected))
    session = case.session
    used = {item.host for project in case.projects for item in project.instances}
    used.update(host for plan in case.sessions for host in plan.hosts)
    for place, plan in enumerate(case.hosts):
        if plan.name not in used:
            disabled = tuple(item for item in session.operator_disabled if item != plan.name)
            fewer = replace(
                case,
                hosts=_with(case.hosts, place),
                session=replace(session, operator_disabled=disabled),
            )
            yield _about(fewer, {plan.name})


def _fewer_instances(case: Case) -> Iterator[Case]:
    for place, project in enumerate(case.projects):
        for leaving in _groups(project):
            names = {item.name for item in leaving}
            left = tuple(item for item in project.instances if item.name not in names)
            other = replace(project, instances=left)
            yield _about(replace(case, projects=_with(case.projects, place, other)), names)


def _groups(project: ProjectPlan) -> list[list[InstancePlan]]:
    """Return what can only go together: a pair, or a single instance."""
    pairs: dict[int, list[InstancePlan]] = {}
    singles = []
    for item in project.instances:
        if item.pair is None:
            singles.append([item])
        else:
            pairs.setdefault(item.pair, []).append(item)
    return [*pairs.values(), *singles]


def _plainer_projects(case: Case) -> Iterator[Case]:
    for place, project in enumerate(case.projects):
        plain = ProjectPlan(project.name, project.instances)
        for other in _plainer(project, plain):
            yield replace(case, projects=_with(case.projects, place, other))
        if project.manner is not Manner.HONEST and project != plain:
            yield replace(case, projects=_with(case.projects, place, plain))


def _plainer_session(case: Case) -> Iterator[Case]:
    """Return the case with one plan plainer; all sessions have one type, as a trace knows one only."""
    if case.session.type is not MaintenanceType.FULL:
        full = case
        for number, session in enumerate(case.sessions):
            full = _with_session(full, number, replace(session, type=MaintenanceType.FULL))
        yield full
    for number, session in enumerate(case.sessions):
        for other in _plainer(session, SessionPlan(session.type, session.hosts)):
            yield _with_session(case, number, other)


def _plainer_trouble(trouble: TroublePlan) -> Iterator[TroublePlan]:
    if trouble.times > 1:
        yield replace(trouble, times=1)
        yield replace(trouble, times=trouble.times - 1)
    if trouble.seconds not in (0.0, 1.0):
        yield replace(trouble, seconds=1.0)
    if trouble.at > 0:
        for at in dict.fromkeys((0.0, float(trouble.at // 2), float(int(trouble.at)))):
            if at < trouble.at:
                yield replace(trouble, at=at)
