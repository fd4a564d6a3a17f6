# SPDX-License-Identifier: Apache-2.0
"""The order of the steps on one host: 1 < 2 < 5 < 6 < 7 < 8 < work < 10 < 11 < 12 (the guideline's numbers)."""

from __future__ import annotations

from doctor_maintenance.judge.contract.clause import (
    HELD,
    Findings,
    broken,
    clause,
    order,
)
from doctor_maintenance.judge.contract.evidence import settled, work_on
from doctor_maintenance.judge.story import Story
from doctor_maintenance.protocol import NotificationState


@clause(
    "order.disable_before_planned",
    "nova-compute is disabled before any project is told of planned maintenance",
    "1 < 2",
)
def disable_before_planned(story: Story) -> Findings:
    """Judge step 1 against step 2."""
    for part in story.rounds:
        for message in part.project_messages(NotificationState.PLANNED_MAINTENANCE):
            if part.disable is not None:
                yield order(
                    story,
                    f"{part.host}: nova-compute disabled (step 1) before project"
                    f" {message.content.project_id} is told (step 2)",
                    part.disable.moment,
                    message.sent,
                    (part.disable.record, *message.records),
                )
    if story.services:
        yield from _never_disabled(story)


def _never_disabled(story: Story) -> Findings:
    for message in story.messages:
        host = message.content.host
        if host is None or host in story.scenario.operator_disabled or host not in story.services:
            continue
        if not any(part.host == host and part.disable is not None for part in story.rounds):
            yield broken(
                f"{host}: expected nova-compute to be disabled (step 1); the inspector was told of its maintenance,"
                " and Nova never showed it disabled",
                *message.records,
                story.services[host][-1].record,
            )


@clause(
    "order.told_before_reply",
    "a reply is taken only from a project that was told",
    "2 < 5",
)
def told_before_reply(story: Story) -> Findings:
    """Judge step 2 against step 5."""
    for part in story.rounds:
        for answer in part.answers:
            if answer.record.accepted:
                yield HELD
    for answer in story.orphans:
        if answer.record.accepted:
            yield broken(
                f"project {answer.record.project_id}: expected its reply to be refused, as nothing of session"
                f" {answer.record.session_id} had been sent to it; it was taken (HTTP {answer.record.status})",
                answer.record,
            )


@clause(
    "order.moved_before_in_maintenance",
    "every migration off the host is at its end before the host is in maintenance",
    "6 < 7",
)
def moved_before_in_maintenance(story: Story) -> Findings:
    """Judge step 6 against step 7."""
    for part in story.rounds:
        step_7 = part.in_maintenance
        for move in story.moves_in(part) if step_7 is not None else ():
            assert step_7 is not None
            end = settled(story, part, move) or story.after_the_end
            yield order(
                story,
                f"{part.host}: the migration of {move.first.instance_id} at its end (step 6) before the host is in"
                " maintenance (step 7)",
                end,
                step_7.sent,
                (*move.records, *step_7.records),
            )


@clause(
    "order.inspector_before_projects",
    "the inspector is told of the maintenance before the projects are",
    "7 < 8",
)
def inspector_before_projects(story: Story) -> Findings:
    """Judge step 7 against step 8."""
    watched = any(not message.to_project for message in story.messages)
    for part in story.rounds:
        for message in part.project_messages(NotificationState.IN_MAINTENANCE):
            if part.in_maintenance is not None:
                yield order(
                    story,
                    f"{part.host}: the inspector told (step 7) before project {message.content.project_id} (step 8)",
                    part.in_maintenance.sent,
                    message.sent,
                    (*part.in_maintenance.records, *message.records),
                )
            elif watched:
                yield broken(
                    f"{part.host}: expected the inspector to be told (step 7) before project"
                    f" {message.content.project_id} (step 8); it was never told",
                    *message.records,
                )


@clause(
    "order.told_before_work",
    "the inspector and the projects are told before the work on the host begins",
    "7, 8 < work",
)
def told_before_work(story: Story) -> Findings:
    """Judge steps 7 and 8 against the work."""
    for part in story.rounds:
        told = [*part.host_messages(NotificationState.IN_MAINTENANCE)[:1]]
        told += part.project_messages(NotificationState.IN_MAINTENANCE)
        for work in work_on(story, part):
            for message in told:
                yield order(
                    story,
                    f"{part.host}: {message.content.event_type} IN_MAINTENANCE sent before {work.what}",
                    message.sent,
                    work.moment,
                    (*message.records, *work.records),
                    work.sharp,
                )


@clause(
    "order.work_before_enable",
    "the work on the host is done, and tested, before nova-compute is enabled",
    "work < 10",
)
def work_before_enable(story: Story) -> Findings:
    """Judge the work against step 10."""
    for part in story.rounds:
        for work in work_on(story, part) if part.enable is not None else ():
            assert part.enable is not None
            yield order(
                story,
                f"{part.host}: {work.what} before nova-compute is enabled (step 10)",
                work.moment,
                part.enable.moment,
                (*work.records, part.enable.record),
                work.sharp,
            )


@clause(
    "order.in_maintenance_before_enable",
    "nova-compute is enabled only after the host was in maintenance, not before",
    "7, 8 < 10",
)
def in_maintenance_before_enable(story: Story) -> Findings:
    """Judge steps 7 and 8 against step 10."""
    for part in story.rounds:
        told = part.host_messages(NotificationState.IN_MAINTENANCE)[:1]
        told += part.project_messages(NotificationState.IN_MAINTENANCE)
        for message in told if part.enable is not None else ():
            assert part.enable is not None
            yield order(
                story,
                f"{part.host}: {message.content.event_type} IN_MAINTENANCE sent before nova-compute is enabled"
                " (step 10)",
                message.sent,
                part.enable.moment,
                (*message.records, part.enable.record),
            )


@clause(
    "order.enable_before_over",
    "nova-compute is enabled before the inspector is told that the maintenance is over",
    "10 < 11",
)
def enable_before_over(story: Story) -> Findings:
    """Judge step 10 against step 11."""
    for part in story.rounds:
        if part.over is None or part.disable is None:
            continue
        if part.enable is not None:
            yield order(
                story,
                f"{part.host}: nova-compute enabled (step 10) before the inspector is told (step 11)",
                part.enable.moment,
                part.over.sent,
                (part.enable.record, *part.over.records),
            )
        else:
            yield broken(
                f"{part.host}: expected nova-compute to be enabled (step 10) before the inspector is told that the"
                " maintenance is over (step 11); it never was",
                part.disable.record,
                *part.over.records,
            )


@clause(
    "order.inspector_over_before_projects",
    "the inspector is told that the maintenance is over before the projects are",
    "11 < 12",
)
def inspector_over_before_projects(story: Story) -> Findings:
    """Judge step 11 against step 12."""
    watched = any(not message.to_project for message in story.messages)
    for part in story.rounds:
        for message in part.project_messages(NotificationState.MAINTENANCE_OVER):
            if part.over is not None:
                yield order(
                    story,
                    f"{part.host}: the inspector told (step 11) before project {message.content.project_id} (step 12)",
                    part.over.sent,
                    message.sent,
                    (*part.over.records, *message.records),
                )
            elif watched:
                yield broken(
                    f"{part.host}: expected the inspector to be told (step 11) before project"
                    f" {message.content.project_id} (step 12); it was never told",
                    *message.records,
                )
