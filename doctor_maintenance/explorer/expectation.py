# SPDX-License-Identifier: Apache-2.0
"""What the contract may find broken in a world without anybody but the drawn actors being to blame.

The contract judges the whole conversation. An app manager that lies, or an alarm that was lost, breaks it,
and no admin tool can help that. Here is, clause by clause, what excuses what. Everything else that fails is
a defect; and what must fail (a silence that nobody prevented) and does not is one of the judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from doctor_maintenance.explorer.bus import INSPECTOR
from doctor_maintenance.explorer.case import Manner, Trouble
from doctor_maintenance.explorer.stage import TROUBLE_OF
from doctor_maintenance.explorer.world import World
from doctor_maintenance.judge import Check, Evidence
from doctor_maintenance.judge import records as seen
from doctor_maintenance.protocol import Action, HostState, NotificationState

SERVICE = "service."
NO_INSTANCE = "lost.no_instance"
NOT_AGREED = "consent.before_action"
ONE_AT_A_TIME = "hosts.one_at_a_time"
MISSED_GAP = "explorer.judge_missed_gap"
"""A service was silent for longer than allowed, and the contract did not see it."""

_ROUNDING_S = 1e-5
_TOLD_OVER = "told.over"
_UNTOLD = (
    "told.planned",
    "told.in_maintenance",
    _TOLD_OVER,
    "told.canceled",
    "told.canceled_only",
    "told.canceled_excludes_maintenance",
    "session.hosts_fit_events",
    "inspector.acts_again",
    "message.same_content",
)
_STILL_THERE = ("told.in_maintenance_only", "told.over_only")
_LOOK_S = 5.0
"""The longest that a look at a host can be older than what is said of it."""


def allowed_gap_s(world: World) -> float:
    """Return the longest silence that the cloud itself makes: no app manager can do better."""
    case = world.case
    late = [item.seconds for item in case.troubles if item.what is Trouble.ADDRESS_LATE]
    return max(case.timing.switch_gap_s, case.timing.pause_s, *late, 0.0) + _ROUNDING_S


def defects(world: World, failed: Iterable[Check]) -> dict[str, str]:
    """Return what failed that nothing excuses, by clause."""
    failed = list(failed)
    excused = excused_clauses(world)
    hurt = excused_projects(world)
    found: dict[str, str] = {}
    for check in failed:
        if check.check_id in excused:
            continue
        for evidence in check.evidence:
            if check.check_id.startswith(SERVICE) and _projects(world, evidence) <= hurt.keys():
                continue
            if check.check_id == NO_INSTANCE and _on_a_failed_host(world, evidence):
                continue
            if check.check_id == NOT_AGREED and _was_off_before(world, evidence):
                continue
            if check.check_id == ONE_AT_A_TIME and _TOLD_OVER in excused and _is_untold(evidence):
                continue
            if check.check_id in _STILL_THERE and _has_just_left(world, evidence):
                continue
            found[check.check_id] = evidence.message
            break
    found.update(_missed(world, {check.check_id for check in failed}))
    return found


def excused_clauses(world: World) -> dict[str, str]:
    """Return the clauses that drawn troubles break, each with the reason."""
    found: dict[str, str] = {}
    bus = world.bus
    if bus.lost:
        found["told.arrives"] = "alarms were lost on their way, or nobody was there to take them"
    if INSPECTOR in bus.lost | bus.delayed:
        reason = "the inspector was told late, twice or never"
        found.update(dict.fromkeys(("inspector.told", "inspector.stands_down"), reason))
        found["inspector.acts_again"] = reason
    if world.stage.troubled_calls["publish"] >= min(
        plan.work_attempts for plan in world.case.sessions
    ):
        found.update(dict.fromkeys(_UNTOLD, "the bus failed as often as it is tried"))
    if world.stage.troubled_calls["publish"] and world.stage.happened[Trouble.OPERATOR_CANCELS]:
        found["told.canceled_only"] = "nobody could know whether the bus had taken what is canceled"
    if world.stage.troubled_calls["enable"]:
        found["session.hosts_fit_events"] = "nobody could know whether nova-compute was enabled"
    if world.stage.happened[Trouble.CLOCK_JUMPS]:
        reason = "the admin tool's clock was wrong, and so were the deadlines that it kept"
        for name in ("before_action", "answered_or_deadline", "late_reply", "only_if_agreed"):
            found[f"consent.{name}"] = reason
    return found


def excused_projects(world: World) -> dict[str, str]:
    """Return the projects whose service may have stopped, each with the reason."""
    found: dict[str, str] = {}
    for plan in world.case.projects:
        if plan.manner is Manner.LIES:
            found[plan.name] = "its app manager said that it had switched over, and had not"
    for name in world.hurt:
        found[name] = "its owner took instances away"
    for fault in world.stage.armed:
        if TROUBLE_OF[fault.kind.name] is Trouble.MIGRATION_ENDS_IN_ERROR and fault.happened:
            owner = _owner_of(world, fault.criteria["instance"])
            found[owner] = "a migration stopped one of its instances"
    found.update(_by_default(world))
    return found


def _owner_of(world: World, instance: str) -> str:
    return next(
        project.name
        for project in world.case.projects
        if any(item.name == instance for item in project.instances)
    )


def _by_default(world: World) -> Iterator[tuple[str, str]]:
    """Return the projects that did not reply, where the default action stops an instance.

    Of two sessions that both affect a project, each does by default what it may, and nobody can tell them which
    instances serve together.
    """
    sessions = world.process.sessions()
    for session in sessions:
        live = session.rules.default_action is Action.LIVE_MIGRATE
        gentle = live and not world.case.timing.pause_s
        for project in world.case.projects:
            elsewhere = any(
                other.announcements(project.name) for other in sessions if other is not session
            )
            if gentle and not elsewhere:
                continue
            for _, announcement in session.announcements(project.name):
                if announcement.reply is None:
                    yield project.name, "it did not reply, and the default action stops instances"


def _projects(world: World, evidence: Evidence) -> set[str]:
    """Return the projects that a piece of evidence is about."""
    found = set()
    for record in evidence.records:
        if isinstance(record, seen.Probe | seen.Instance) and record.project_id:
            found.add(record.project_id)
        elif isinstance(record, seen.Address):
            found.add(world.stage.addresses.services[record.address].project)
    return found


def _on_a_failed_host(world: World, evidence: Evidence) -> bool:
    """Return whether an instance was left on a host that the operator has yet to see to.

    So is one that was put back before its nova-compute was up: until then nobody can start anything there.
    """
    failed = {
        work.host
        for session in world.process.sessions()
        for work in session.works.values()
        if work.state is HostState.MAINTENANCE_FAILED
    }
    waiting = failed | _released_too_early(world)
    return all(
        isinstance(record, seen.Instance) and record.host in waiting for record in evidence.records
    )


def _released_too_early(world: World) -> set[str]:
    """Return the hosts that their operator put back before their nova-compute was up."""
    late = {
        fault.criteria["host"]
        for fault in world.stage.armed
        if TROUBLE_OF[fault.kind.name] is Trouble.SERVICE_LATE and fault.happened
    }
    return late & {
        work.host
        for session in world.process.sessions()
        for work in session.works.values()
        if work.released
    }


def _was_off_before(world: World, evidence: Evidence) -> bool:
    """Return whether Nova only found out, late, which instances the reboot of an earlier session had stopped."""
    early = _released_too_early(world)
    changed = [record for record in evidence.records if isinstance(record, seen.Instance)]
    return (
        bool(changed)
        and changed[-1].status == "SHUTOFF"
        and all(record.host in early for record in changed)
    )


def _is_untold(evidence: Evidence) -> bool:
    """Return whether the others' ends could be seen by step 11 alone, as an operator had disabled them before."""
    began, *others = evidence.records
    return all(
        isinstance(record, seen.Notification)
        for record in others
        if getattr(record, "host", None) != getattr(began, "host", None)
    )


def _has_just_left(world: World, evidence: Evidence) -> bool:
    """Return whether an owner deleted an instance between the last look at the host and step 7."""
    told = {
        record.project_id for record in evidence.records if isinstance(record, seen.Notification)
    }
    records = world.stage.witness.records
    entered = [
        record.at
        for record in records
        if isinstance(record, seen.Notification)
        and record.host is not None
        and record.state == NotificationState.IN_MAINTENANCE
    ]
    return any(
        isinstance(record, seen.Instance)
        and record.by_owner
        and record.project_id in told
        and any(0 <= at - record.at <= _LOOK_S for at in entered)
        for record in records
    )


def _missed(world: World, failed: set[str]) -> Mapping[str, str]:
    allowed_s = allowed_gap_s(world)
    for service in world.stage.addresses.services.values():
        for gap in service.gaps:
            if gap.lower_s > allowed_s and "service.no_gap" not in failed:
                return {
                    MISSED_GAP: f"{service.address} was silent for {gap.lower_s:.3f} s, {allowed_s:.3f} s"
                    " are allowed, and service.no_gap did not fail"
                }
    return {}
