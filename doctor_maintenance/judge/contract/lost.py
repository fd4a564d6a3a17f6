# SPDX-License-Identifier: Apache-2.0
"""Nothing is lost: every instance, every nova-compute, every session comes to a good or a named end."""

from __future__ import annotations

from doctor_maintenance.judge.contract.clause import (
    HELD,
    Findings,
    broken,
    clause,
)
from doctor_maintenance.judge.lives import DELETED, Life
from doctor_maintenance.judge.records import Session
from doctor_maintenance.judge.story import Story
from doctor_maintenance.protocol import HostState, SessionState

ACTIVE = "ACTIVE"
_FINAL_SESSION = {state.value for state in SessionState if state.final}
_FINAL_HOST = {state.value for state in HostState if state.final}


@clause(
    "lost.no_instance",
    "every instance that its owner did not delete exists and is ACTIVE at the end",
    "DESIGN 5: nothing lost",
)
def no_instance(story: Story) -> Findings:
    """Judge the last state of every instance that ever was ACTIVE.

    Where nobody knows who deleted one, a re-created instance of the same name and project, ACTIVE at
    the end, shows that its owner did.
    """
    for life in story.lives.values():
        if not any(state.record.status == ACTIVE for state in life.states):
            continue
        last = life.last
        good = last.status == ACTIVE
        if last.status == DELETED:
            good = last.by_owner or (last.by_owner is None and _replaced(story, life))
        yield (
            HELD
            if good
            else broken(
                f"instance {life.instance_id} ({life.name or 'no name'}): expected it to be ACTIVE at the end; it was"
                f" {last.status}{'' if last.host is None else f' on {last.host}'}",
                last,
            )
        )


def _replaced(story: Story, gone: Life) -> bool:
    return any(
        life.project_id == gone.project_id and life.name == gone.name and life.last.status == ACTIVE
        for life in story.lives.values()
        if life is not gone and gone.name
    )


@clause(
    "lost.no_service",
    "every nova-compute that was disabled for maintenance is enabled at the end, but for a failed host's",
    "10",
)
def no_service(story: Story) -> Findings:
    """Judge the last status of each nova-compute that was disabled."""
    for part in {part.host: part for part in story.rounds if part.disable is not None}.values():
        if story.host_state(part.host) == HostState.MAINTENANCE_FAILED:
            continue
        last = story.services[part.host][-1].record
        yield (
            HELD
            if last.status == "enabled"
            else broken(
                f"{part.host}: expected nova-compute to be enabled at the end, as no session names the host as failed;"
                f" it was disabled ({last.reason or 'no reason'})",
                last,
            )
        )


@clause(
    "lost.operator_disabled_stays",
    "a nova-compute that an operator had disabled before stays disabled",
    "DESIGN 2: an operator had disabled a host before",
)
def operator_disabled_stays(story: Story) -> Findings:
    """Judge every record of such a service."""
    for host in story.scenario.operator_disabled:
        seen = story.services.get(host, [])
        if not seen:
            continue
        enabled = [item.record for item in seen if item.record.status == "enabled"]
        yield (
            HELD
            if not enabled
            else broken(
                f"{host}: expected nova-compute to stay disabled, as an operator had disabled it before;"
                " it was enabled",
                *enabled,
            )
        )


@clause(
    "session.ends",
    "every session ends in a named final state, and so does each of its hosts",
    "DESIGN 5: nothing lost",
)
def ends(story: Story) -> Findings:
    """Judge the last that the admin tool says of every session that was heard of."""
    if not story.sessions:
        return
    for session in story.sessions.values():
        yield (
            HELD
            if session.state in _FINAL_SESSION
            else broken(
                f"session {session.session_id}: expected it to end in one of {', '.join(sorted(_FINAL_SESSION))};"
                f" it was last {session.state}",
                session,
            )
        )
        if session.state in _FINAL_SESSION:
            # After a failure the session rests until the operator speaks, and so do its other hosts.
            failed = session.state == SessionState.MAINTENANCE_FAILED
            undecided = sorted(
                f"{host} {state}"
                for host, state in session.hosts.items()
                if state not in _FINAL_HOST and not (failed and state == HostState.PENDING)
            )
            yield (
                HELD
                if not undecided
                else broken(
                    f"session {session.session_id}: expected each host in a final state at its end; found"
                    f" {', '.join(undecided)}",
                    session,
                )
            )


@clause(
    "session.covers_hosts",
    "every host of the scenario is in a session",
    "DESIGN 2: several hosts",
)
def covers_hosts(story: Story) -> Findings:
    """Judge that no host was quietly left out."""
    if not story.sessions:
        return
    for host in story.scenario.hosts:
        yield (
            HELD
            if story.host_state(host) is not None
            else broken(
                f"{host}: expected a session to have it; none did",
                *story.sessions.values(),
            )
        )


@clause(
    "session.one_a_host",
    "a host is in one session at a time",
    "DESIGN 2: several hosts",
)
def one_a_host(story: Story) -> Findings:
    """Judge, whenever a session says something new, whether another one has the same host."""
    said: dict[str, Session] = {}
    for seen in story.seen(Session):
        session = seen.record
        said[session.session_id] = session
        for host in session.hosts:
            having = [other for other in said.values() if _has(other, host)]
            yield (
                HELD
                if len(having) < 2
                else broken(
                    f"{host}: expected it to be in one session at a time; {story.when(seen.moment)} it was in"
                    f" {' and '.join(other.session_id for other in having)}",
                    *having,
                )
            )


def _has(session: Session, host: str) -> bool:
    state = session.hosts.get(host)
    return state is not None and (state not in _FINAL_HOST or state == HostState.MAINTENANCE_FAILED)


@clause(
    "session.state_fits_hosts",
    "a session's final state says what became of its hosts",
    "DESIGN 2: cancel",
)
def state_fits_hosts(story: Story) -> Findings:
    """Judge the state of the session against the states of its hosts."""
    for session in story.sessions.values():
        if session.state in _FINAL_SESSION and session.hosts:
            expected = _state_of(session)
            yield (
                HELD
                if session.state == expected
                else broken(
                    f"session {session.session_id}: expected {expected} with hosts {dict(session.hosts)}; found"
                    f" {session.state}",
                    session,
                )
            )


def _state_of(session: Session) -> str:
    states = set(session.hosts.values())
    if HostState.MAINTENANCE_FAILED in states:
        return SessionState.MAINTENANCE_FAILED
    if states == {HostState.MAINTENANCE_OVER}:
        return SessionState.MAINTENANCE_OVER
    return SessionState.MAINTENANCE_CANCELED


@clause(
    "session.hosts_fit_events",
    "what a session says of a host is what others saw of it",
    "DESIGN 4.5",
)
def hosts_fit_events(story: Story) -> Findings:
    """Judge each host's final state against the messages, where the inspector's would have been seen."""
    if not story.bus_watched and all(message.to_project for message in story.messages):
        return
    known = story.sessions
    last = {
        (part.host, part.session_id if part.session_id in known else None): part
        for part in story.rounds
    }
    for session in known.values():
        for host, state in session.hosts.items():
            part = last.get((host, session.session_id)) or last.get((host, None))
            began = part is not None and part.in_maintenance is not None
            over = part is not None and part.over is not None
            if state == HostState.MAINTENANCE_OVER:
                good, expected = (
                    began and over,
                    "IN_MAINTENANCE and MAINTENANCE_OVER to the inspector",
                )
            elif state == HostState.MAINTENANCE_FAILED:
                good, expected = (
                    not over and (began or _is_disabled(story, host)),
                    "IN_MAINTENANCE and no MAINTENANCE_OVER to the inspector, or nova-compute left disabled",
                )
            else:
                continue
            evidence = part.told_host if part is not None else []
            yield (
                HELD
                if good
                else broken(
                    f"{host}: session {session.session_id} calls it {state}; expected {expected}, found"
                    f" {', '.join(message.content.state for message in evidence) or 'nothing'}",
                    session,
                    *(record for message in evidence for record in message.records),
                )
            )


def _is_disabled(story: Story, host: str) -> bool:
    seen = story.services.get(host, [])
    return bool(seen) and seen[-1].record.status == "disabled"
