# SPDX-License-Identifier: Apache-2.0
"""The hosts: emptied, worked on one at a time, rebooted, tested, and back; as Nova and SSH show it."""

from __future__ import annotations

from collections.abc import Iterator

from doctor_maintenance.judge.contract.clause import (
    HELD,
    Finding,
    Findings,
    broken,
    clause,
    unproven,
)
from doctor_maintenance.judge.lives import Seen, is_bound_to
from doctor_maintenance.judge.moment import Moment, Result, in_order, surely_before
from doctor_maintenance.judge.records import Record, SshCheck
from doctor_maintenance.judge.rounds import Round
from doctor_maintenance.judge.story import Story
from doctor_maintenance.protocol import HostState, MaintenanceType


@clause(
    "hosts.emptied",
    "a host is in full maintenance only when no affected instance is on it",
    "7",
)
def emptied(story: Story) -> Findings:
    """Judge what Nova says of every instance at step 7."""
    for part in story.rounds if story.full else ():
        step_7 = part.in_maintenance
        if step_7 is None or not story.lives:
            continue
        sent = step_7.sent
        yield HELD
        for life in story.lives.values():
            if not story.affects(part.host, life.instance_id):
                continue
            bound = is_bound_to(part.host)
            if not life.may(bound, sent.lower, sent.upper):
                continue
            message = (
                f"{part.host}: expected no affected instance on it when it is in full maintenance (step 7)"
                f" {story.when(sent)}; found {life.instance_id}"
            )
            evidence = tuple(state.record for state in life.possible(sent.lower, sent.upper))
            if life.must(bound, sent.lower, sent.upper):
                yield broken(message, *step_7.records, *evidence)
            elif not sent.known:
                yield unproven(f"not proven: {message}", *step_7.records, *evidence)


@clause(
    "hosts.one_at_a_time",
    "no more hosts are in maintenance at the same time than the scenario allows",
    "DESIGN 2: several hosts",
)
def one_at_a_time(story: Story) -> Findings:
    """Judge the rounds against each other, each from its disabling to its end.

    Rounds of one session are held against what a session may do, all of them against what all may do together.
    Where Nova was not looked at often enough for that, from step 7 to step 11, which carry the time.
    """
    kept = [
        part
        for part in story.rounds
        if story.round_state(part) != HostState.MAINTENANCE_FAILED
        and (part.disable is not None or part.in_maintenance is not None)
    ]
    allowed, sessions = story.scenario.hosts_at_once, story.scenario.sessions_at_once
    for place, part in enumerate(kept):
        others = [other for other in kept[:place] if other.host != part.host]
        own = [other for other in others if other.session_id == part.session_id]
        if own:
            yield _at_once(story, part, own, allowed)
        if len(others) > len(own):
            yield _at_once(story, part, others, allowed * sessions)


def _at_once(story: Story, part: Round, others: list[Round], allowed: int) -> Finding:
    begin = _begin(part)
    surely = [other for other in others if surely_before(begin, other.end or story.after_the_end)]
    perhaps = [other for other in others if not _apart(story, other, part)]
    found = surely if len(surely) >= allowed else perhaps
    if len(found) < allowed:
        return HELD
    message = (
        f"{part.host}: expected at most {allowed} at a time in maintenance; when it began {story.when(begin)},"
        f" {', '.join(other.host for other in found)} had not ended"
    )
    records = [record for item in (part, *found) for record in _begun_by(item)]
    if found is surely:
        return broken(message, *records)
    return unproven(f"not proven: {message}", *records)


def _begin(part: Round) -> Moment:
    if part.disable is not None:
        return part.disable.moment
    assert part.in_maintenance is not None
    return part.in_maintenance.sent


def _begun_by(part: Round) -> tuple[Record, ...]:
    """Return what shows that a round began: its disabling, or step 7 where an operator had done that before."""
    if part.disable is not None:
        return (part.disable.record,)
    return () if part.in_maintenance is None else part.in_maintenance.records


def _apart(story: Story, earlier: Round, later: Round) -> bool:
    """Return whether two hosts are proven not to have been in maintenance at the same time."""
    end = earlier.end or story.after_the_end
    if in_order(end, _begin(later)) is Result.HELD:
        return True
    if earlier.in_maintenance is None or later.in_maintenance is None:
        return True
    over = earlier.over.sent if earlier.over is not None else story.after_the_end
    return in_order(over, later.in_maintenance.sent) is Result.HELD


def _ended_well(story: Story) -> Iterator[Round]:
    """Return the rounds that ended in the host being maintained, each host's last."""
    last = {(part.host, part.session_id): part for part in story.rounds}
    for part in last.values():
        state = story.round_state(part)
        over = part.over is not None if state is None else state == HostState.MAINTENANCE_OVER
        if over:
            yield part


def _phase(story: Story, host: str, check: str, phase: str) -> list[Seen[SshCheck]]:
    return [seen for seen in story.checks(host, check) if seen.record.phase == phase]


def _failed(story: Story, host: str) -> bool:
    return story.host_state(host) == HostState.MAINTENANCE_FAILED


@clause(
    "hosts.reachable",
    "every host answers over SSH before its maintenance and after it",
    "SSH",
)
def reachable(story: Story) -> Findings:
    """Judge the last look before and the last look after."""
    for host in story.scenario.hosts:
        for phase in ("before", "after"):
            seen = _phase(story, host, "reachable", phase)
            if seen and not (phase == "after" and _failed(story, host)):
                yield (
                    HELD
                    if seen[-1].record.ok
                    else broken(
                        f"{host}: expected it to answer over SSH {phase} the maintenance; found"
                        f" {seen[-1].record.value!r}",
                        seen[-1].record,
                    )
                )


@clause(
    "hosts.compute_active",
    "nova-compute is active on every host after its maintenance",
    "SSH",
)
def compute_active(story: Story) -> Findings:
    """Judge what the host itself says of its service."""
    for host in story.scenario.hosts:
        seen = _phase(story, host, "compute", "after")
        if seen and not _failed(story, host):
            yield (
                HELD
                if seen[-1].record.ok
                else broken(
                    f"{host}: expected nova-compute to be active after the maintenance;"
                    f" found {seen[-1].record.value!r}",
                    seen[-1].record,
                )
            )


@clause(
    "hosts.no_guests",
    "no guest of an affected instance runs on a host in full maintenance",
    "SSH",
)
def no_guests(story: Story) -> Findings:
    """Judge what the hypervisor itself says while the host is in maintenance."""
    for host in story.scenario.hosts if story.full else ():
        for seen in _phase(story, host, "guests", "during"):
            value = seen.record.value
            guests = [str(item) for item in value] if isinstance(value, list | tuple) else []
            left = [item for item in guests if story.affects(host, item)]
            yield (
                HELD
                if not left and (seen.record.ok or bool(guests))
                else broken(
                    f"{host}: expected no affected guest on it in full maintenance; found {left or value!r}",
                    seen.record,
                )
            )


@clause(
    "hosts.rebooted",
    "a host that was maintained with type reboot has booted again",
    "SSH",
)
def rebooted(story: Story) -> Findings:
    """Judge the boot ID before against the one after."""
    if story.scenario.type != MaintenanceType.REBOOT:
        return
    for part in _ended_well(story):
        before = [item for item in _phase(story, part.host, "boot_id", "before") if item.record.ok]
        after = [item for item in _phase(story, part.host, "boot_id", "after") if item.record.ok]
        if before and after:
            yield (
                HELD
                if before[-1].record.value != after[-1].record.value
                else broken(
                    f"{part.host}: expected another boot ID after the reboot;"
                    f" found {after[-1].record.value!r} both times",
                    before[-1].record,
                    after[-1].record,
                )
            )


@clause(
    "hosts.worked",
    "the maintenance was really done on every host that the session calls maintained",
    "work",
)
def worked(story: Story) -> Findings:
    """Judge the traces that the maintenance commands leave on a host, where somebody looked for them."""
    looked = any(seen.record.check == "maintenance" for seen in story.seen(SshCheck))
    for part in _ended_well(story) if looked else ():
        checks = story.checks(part.host, "maintenance")
        yield (
            HELD
            if any(seen.record.ok for seen in checks)
            else broken(
                f"{part.host}: expected the maintenance commands to have run on it; nothing shows that they did",
                *(seen.record for seen in checks),
                *(part.over.records if part.over is not None else ()),
            )
        )


@clause(
    "hosts.tested",
    "the operator's test passes on every host after full maintenance",
    "work < 10",
)
def tested(story: Story) -> Findings:
    """Judge the last test of each host (guideline: admin might need to test the resource)."""
    looked = any(seen.record.check == "test" for seen in story.seen(SshCheck))
    for part in _ended_well(story) if looked and story.full else ():
        checks = story.checks(part.host, "test")
        yield (
            HELD
            if bool(checks) and checks[-1].record.ok
            else broken(
                f"{part.host}: expected the operator's test to pass after full maintenance; found"
                f" {checks[-1].record.value if checks else 'no test'!r}",
                *(seen.record for seen in checks),
            )
        )
