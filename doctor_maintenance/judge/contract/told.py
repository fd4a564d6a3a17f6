# SPDX-License-Identifier: Apache-2.0
"""Who must be told what, and who must not: steps 2, 3, 8, 9, 12, 13 and cancellations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from doctor_maintenance.judge.contract.clause import (
    HELD,
    Finding,
    Findings,
    broken,
    clause,
)
from doctor_maintenance.judge.contract.evidence import work_on
from doctor_maintenance.judge.conversation import Message
from doctor_maintenance.judge.lives import Life, is_on
from doctor_maintenance.judge.moment import Point
from doctor_maintenance.judge.records import Inspector
from doctor_maintenance.judge.rounds import Round
from doctor_maintenance.judge.story import Story
from doctor_maintenance.protocol import NotificationState


def _subscribed(story: Story) -> Iterator[str]:
    return (name for name, facts in story.scenario.projects.items() if facts.subscribed)


def _names(lives: Iterable[Life]) -> str:
    return ", ".join(sorted(life.instance_id for life in lives)) or "none"


@clause(
    "told.planned",
    "every project with affected instances on a host is told of its planned maintenance",
    "2",
)
def planned(story: Story) -> Findings:
    """Judge that nobody was forgotten in step 2."""
    for part in story.rounds:
        told = part.project_messages(NotificationState.PLANNED_MAINTENANCE)
        sign = told[0] if told else part.in_maintenance
        if sign is None:
            continue
        for project_id in _subscribed(story):
            there = [
                life
                for life in story.payload(part, project_id)
                if life.must(is_on(part.host), sign.sent.lower, sign.sent.upper)
            ]
            if there:
                yield (
                    HELD
                    if any(message.content.project_id == project_id for message in told)
                    else broken(
                        f"{part.host}: expected project {project_id} to be told of planned maintenance, as it had"
                        f" {_names(there)} there; it never was",
                        *(life.states[0].record for life in there),
                        *sign.records,
                    )
                )


@clause(
    "told.planned_only",
    "only projects with instances on the host are told of planned maintenance",
    "2",
)
def planned_only(story: Story) -> Findings:
    """Judge that nobody was told of what does not concern them.

    An instance may leave while its project is being told: whoever looked after step 1 saw it there, or, where an
    operator had disabled the host before, after the round before it had ended.
    """
    for part in story.rounds:
        for message in part.project_messages(NotificationState.PLANNED_MAINTENANCE):
            if story.lives:
                yield _with_instances(story, part, message, message, part.begin)


@clause(
    "told.lists_instances",
    "planned maintenance lists exactly the project's affected instances on the host",
    "2",
)
def lists_instances(story: Story) -> Findings:
    """Judge the list that a project is told (guideline: containers or VMs on the host or the part of it)."""
    for part in story.rounds:
        for message in part.project_messages(NotificationState.PLANNED_MAINTENANCE):
            if message.listed is None:
                continue
            listed = message.listed.instances
            project_id = message.content.project_id
            begin = part.disable.moment.upper if part.disable else message.sent.lower
            read_at = message.listed.read.moment.upper
            must = {
                life.instance_id
                for life in story.payload(part, project_id)
                if life.must(is_on(part.host), begin, read_at)
            }
            may = {life.instance_id for life in story.touched(part, project_id)}
            missing, foreign = sorted(must - set(listed)), sorted(set(listed) - may)
            yield (
                HELD
                if not missing and not foreign
                else broken(
                    f"{part.host}: expected the list for project {project_id} to hold its affected instances there;"
                    f" missing {', '.join(missing) or 'none'}; not affected {', '.join(foreign) or 'none'}",
                    *message.records,
                    message.listed.read.record,
                )
            )


@clause(
    "told.in_maintenance",
    "every project with instances still on the host is told that it is in maintenance",
    "8",
)
def in_maintenance(story: Story) -> Findings:
    """Judge that nobody was forgotten in step 8."""
    for part in story.rounds:
        step_7 = part.in_maintenance
        if step_7 is None:
            continue
        told = {
            message.content.project_id
            for message in part.project_messages(NotificationState.IN_MAINTENANCE)
        }
        for project_id in _subscribed(story):
            still = [
                life
                for life in story.touched(part, project_id)
                if life.must(is_on(part.host), step_7.sent.lower, step_7.sent.upper)
            ]
            if still:
                yield (
                    HELD
                    if project_id in told
                    else broken(
                        f"{part.host}: expected project {project_id} to be told that the host is in maintenance"
                        f" (step 8), as {_names(still)} was still there at step 7; it was not",
                        *step_7.records,
                        *(life.last for life in still),
                    )
                )


@clause(
    "told.in_maintenance_only",
    "only projects with instances still on the host are told that it is in maintenance",
    "8",
)
def in_maintenance_only(story: Story) -> Findings:
    """Judge that step 8 went to nobody else."""
    yield from _only_with_instances(story, NotificationState.IN_MAINTENANCE)


@clause(
    "told.over",
    "every project that was told of the maintenance of the host is told that it is over",
    "12",
)
def over(story: Story) -> Findings:
    """Judge that nobody was forgotten in step 12."""
    for part in story.rounds:
        told = {
            message.content.project_id
            for message in part.project_messages(NotificationState.MAINTENANCE_OVER)
        }
        for message in part.project_messages(NotificationState.IN_MAINTENANCE):
            if part.over is not None:
                yield (
                    HELD
                    if message.content.project_id in told
                    else broken(
                        f"{part.host}: expected project {message.content.project_id} to be told that the maintenance is"
                        " over (step 12), as it was told of it (step 8); it was not",
                        *message.records,
                        *part.over.records,
                    )
                )


@clause(
    "told.over_only",
    "only projects that had instances on the host in maintenance are told that it is over",
    "12",
)
def over_only(story: Story) -> Findings:
    """Judge that step 12 went to nobody else."""
    yield from _only_with_instances(story, NotificationState.MAINTENANCE_OVER)


def _only_with_instances(story: Story, state: NotificationState) -> Findings:
    for part in story.rounds:
        for message in part.project_messages(state):
            if story.lives:
                yield _with_instances(story, part, message, part.in_maintenance or message)


def _with_instances(
    story: Story, part: Round, message: Message, moment: Message, since: Point | None = None
) -> Finding:
    begin = moment.sent.lower if since is None else min(since, moment.sent.lower)
    there = [
        life
        for life in story.lives.values()
        if life.project_id == message.content.project_id
        and life.may(is_on(part.host), begin, moment.sent.upper)
    ]
    return (
        HELD
        if bool(there)
        else broken(
            f"{part.host}: expected {message.content.state} to go only to projects with instances there; project"
            f" {message.content.project_id} got it and had none",
            *message.records,
        )
    )


@clause(
    "told.canceled",
    "every project that was told of planned maintenance is told when it is canceled",
    "8",
)
def canceled(story: Story) -> Findings:
    """Judge that a cancellation reaches everybody who prepared for the maintenance."""
    for part in story.rounds:
        if not story.canceled(part):
            continue
        told = {
            message.content.project_id
            for message in part.project_messages(NotificationState.MAINTENANCE_CANCELED)
        }
        for message in part.project_messages(NotificationState.PLANNED_MAINTENANCE):
            yield (
                HELD
                if message.content.project_id in told
                else broken(
                    f"{part.host}: expected project {message.content.project_id} to be told that the maintenance is"
                    " canceled, as it had been told of it; it was not",
                    *message.records,
                )
            )


@clause(
    "told.canceled_only",
    "only projects that were told of planned maintenance are told that it is canceled",
    "8",
)
def canceled_only(story: Story) -> Findings:
    """Judge that nobody hears of the end of what they never heard of."""
    for part in story.rounds:
        told = {
            message.content.project_id
            for message in part.project_messages(NotificationState.PLANNED_MAINTENANCE)
        }
        for message in part.project_messages(NotificationState.MAINTENANCE_CANCELED):
            yield (
                HELD
                if message.content.project_id in told
                else broken(
                    f"{part.host}: expected only projects that were told of planned maintenance to be told that it is"
                    f" canceled; project {message.content.project_id} was, and had not been told of it",
                    *message.records,
                )
            )


@clause(
    "told.canceled_excludes_maintenance",
    "a host whose maintenance is canceled is neither announced to the inspector nor worked on",
    "8",
)
def canceled_excludes_maintenance(story: Story) -> Findings:
    """Judge that a cancellation is decided before step 7."""
    for part in story.rounds:
        if not story.canceled(part):
            continue
        yield HELD
        for message in part.told_host:
            yield broken(
                f"{part.host}: its maintenance was canceled; expected no word of it to the inspector, found"
                f" {message.content.state}",
                *message.records,
            )
        for work in work_on(story, part):
            yield broken(
                f"{part.host}: its maintenance was canceled; expected no work on it, found {work.what}"
                f" {story.when(work.moment)}",
                *work.records,
            )


@clause(
    "told.arrives",
    "what is published reaches the app manager or the inspector that it is for",
    "3, 9, 13",
)
def arrives(story: Story) -> Findings:
    """Judge that everything that must reach somebody reached it, where the bus was watched."""
    inspector = bool(story.seen(Inspector)) or any(
        seen.record.source == "inspector" for message in story.messages for seen in message.arrivals
    )
    subscribed = set(_subscribed(story))
    for message in story.messages if story.bus_watched else ():
        if message.to_project and message.content.project_id in subscribed:
            receiver = f"app_manager:{message.content.project_id}"
        elif not message.to_project and inspector:
            receiver = "inspector"
        else:
            continue
        yield (
            HELD
            if any(seen.record.source == receiver for seen in message.arrivals)
            else broken(
                f"expected {message.content.state} (message {message.content.message_id}) to reach {receiver}; it was"
                f" published {story.when(message.sent)} and never arrived",
                *message.records,
            )
        )
