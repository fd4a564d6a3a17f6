# SPDX-License-Identifier: Apache-2.0
"""Where mutants show: a few ordinary cases in which nothing goes wrong by itself."""

from __future__ import annotations

from dataclasses import replace

from doctor_maintenance.explorer.case import (
    Case,
    HostPlan,
    InstancePlan,
    Manner,
    ProjectPlan,
    SessionPlan,
    TimingPlan,
    Trouble,
    TroublePlan,
)
from doctor_maintenance.protocol import Action, MaintenanceType

HOSTS = tuple(HostPlan(f"host-{number}", 6) for number in (1, 2, 3))
NAMES = tuple(plan.name for plan in HOSTS)

RED = ProjectPlan(
    "project-red",
    (
        InstancePlan("red-a", "host-1", pair=0),
        InstancePlan("red-b", "host-2", pair=0),
        InstancePlan("red-c", "host-1"),
    ),
    action=Action.MIGRATE,
)
BLUE = ProjectPlan("project-blue", (InstancePlan("blue-a", "host-1"),))

FULL = Case(
    seed=1,
    hosts=HOSTS,
    projects=(RED,),
    session=SessionPlan(MaintenanceType.FULL, NAMES),
)
"""Every host is emptied, one after another."""

ONE_HOST = replace(FULL, session=SessionPlan(MaintenanceType.FULL, ("host-1",)))
"""One host is emptied."""

TWO_PROJECTS = replace(ONE_HOST, projects=(RED, BLUE))
"""One host with instances of two projects."""

LEAVE = replace(
    FULL,
    projects=(replace(RED, action=Action.LEAVE),),
    session=SessionPlan(MaintenanceType.REBOOT, NAMES),
)
"""Every host is rebooted with its instances left in place."""

STOPPED = replace(LEAVE, timing=TimingPlan(resume_guests=False))
"""Every host is rebooted; guests do not start by themselves afterwards."""

REBOOT = replace(
    ONE_HOST,
    projects=(replace(RED, instances=(InstancePlan("red-b", "host-2"),)),),
    session=SessionPlan(MaintenanceType.REBOOT, ("host-1",)),
)
"""A host without any instance is rebooted."""

OWN_ACTION = replace(ONE_HOST, projects=(replace(RED, action=Action.OWN_ACTION),))
"""The app manager deletes its instances and builds them anew elsewhere."""

PART = replace(
    TWO_PROJECTS,
    session=SessionPlan(MaintenanceType.FULL, ("host-1",), affected={"host-1": ("red-a",)}),
)
"""Only a part of a host is affected."""

DISABLED_BEFORE = replace(
    FULL,
    session=SessionPlan(MaintenanceType.FULL, ("host-1",), operator_disabled=("host-1",)),
)
"""An operator had disabled the host before."""

TWO_SESSIONS = replace(
    ONE_HOST,
    projects=(
        replace(BLUE, instances=(*BLUE.instances, InstancePlan("blue-b", "host-2")), think_s=4.0),
    ),
    others=(SessionPlan(MaintenanceType.FULL, ("host-2",)),),
)
"""Two hosts are emptied at the same time, each by a session of its own."""

PAIR_APART = replace(TWO_SESSIONS, projects=(RED,))
"""Two sessions at the same time, each on a host of one of a pair."""

SAME_HOST = replace(TWO_SESSIONS, others=(SessionPlan(MaintenanceType.FULL, ("host-1",)),))
"""Two sessions want the same host."""

ON_ITS_WAY = replace(
    ONE_HOST,
    hosts=tuple(HostPlan(name, 3) for name in NAMES),
    projects=(
        replace(
            RED,
            instances=(InstancePlan("red-a", "host-1"), InstancePlan("red-b", "host-2")),
        ),
    ),
    session=SessionPlan(MaintenanceType.FULL, ("host-2",)),
    timing=TimingPlan(move_s=7.581),
    others=(SessionPlan(MaintenanceType.FULL, ("host-3",), opens_at=3.8),),
)
"""An instance is on its way to a host when the maintenance of that begins."""

SSH_FAILS = replace(ONE_HOST, troubles=(TroublePlan(Trouble.SSH_FAILS, "ssh"),))
"""The maintenance of the host fails."""

HOST_FAULTS = replace(
    ONE_HOST, troubles=(TroublePlan(Trouble.HOST_FAULT, "host-1", at=1.0, seconds=1.0, times=60),)
)
"""The host is reported as faulty before, during and after its maintenance."""


def manner(manner: Manner, case: Case = ONE_HOST, **more: object) -> Case:
    """Return a case in which the app manager behaves in a certain way."""
    red = replace(case.projects[0], manner=manner, **more)  # type: ignore[arg-type]
    return replace(case, projects=(red, *case.projects[1:]))


AGREED_ONLY = manner(Manner.SILENT, only_if_agreed=True)
"""A project that must agree says nothing."""
