# SPDX-License-Identifier: Apache-2.0
"""What a project may ask for, and that just this is done."""

from __future__ import annotations

from doctor_maintenance.judge.contract.clause import (
    HELD,
    Findings,
    broken,
    clause,
)
from doctor_maintenance.judge.contract.consent import agreement, asked, deadline
from doctor_maintenance.judge.lives import Life, is_on
from doctor_maintenance.judge.moment import surely_before
from doctor_maintenance.judge.rounds import Round
from doctor_maintenance.judge.story import Move, Story
from doctor_maintenance.protocol import Action, NotificationState

LIVE = "live-migration"
COLD = "migration"
_TYPES: dict[str, tuple[str, ...]] = {Action.MIGRATE: (COLD,), Action.LIVE_MIGRATE: (LIVE,)}


@clause(
    "actions.no_leave_for_full",
    "LEAVE is neither offered nor taken for full maintenance",
    "5",
)
def no_leave_for_full(story: Story) -> Findings:
    """Judge offers and replies (guideline: payload can be left if the type is just reboot)."""
    if not story.full:
        return
    for part in story.rounds:
        for message in part.project_messages(NotificationState.PLANNED_MAINTENANCE):
            offered = (*(message.content.allowed_actions or ()), message.content.default_action)
            yield (
                HELD
                if Action.LEAVE not in offered
                else broken(
                    f"{part.host}: expected LEAVE not to be offered for full maintenance; project"
                    f" {message.content.project_id} was offered it",
                    *message.records,
                )
            )
        for answer in part.answers:
            asked_for = answer.record.instance_actions.values()
            yield (
                HELD
                if not (answer.record.accepted and Action.LEAVE in asked_for)
                else broken(
                    f"{part.host}: expected LEAVE to be refused for full maintenance; project"
                    f" {answer.record.project_id} asked for it and got HTTP {answer.record.status}",
                    answer.record,
                )
            )


@clause(
    "actions.allowed",
    "a reply is taken only if it asks for allowed actions on the project's own instances",
    "5",
)
def allowed(story: Story) -> Findings:
    """Judge the replies that were taken."""
    for part in story.rounds:
        for answer in part.answers:
            if not answer.agrees or answer.planned is None:
                continue
            offered = answer.planned.content.allowed_actions
            wrong = sorted(
                f"{instance_id}: {action}"
                for instance_id, action in answer.record.instance_actions.items()
                if (offered is not None and action not in offered)
                or not _owns(story, answer.record.project_id, instance_id)
            )
            yield (
                HELD
                if not wrong
                else broken(
                    f"{part.host}: expected the reply of project {answer.record.project_id} to be refused, as it"
                    f" asks for what it may not; it was taken with {', '.join(wrong)}",
                    *answer.planned.records,
                    answer.record,
                )
            )


def _owns(story: Story, project_id: str, instance_id: str) -> bool:
    life = story.lives.get(instance_id)
    if life is not None:
        return life.project_id == project_id
    facts = story.scenario.projects.get(project_id)
    return facts is None or not facts.instances or instance_id in facts.instances


@clause(
    "actions.as_told",
    "to each instance is done what its project asked for, or the default action, and nothing else",
    "6",
)
def as_told(story: Story) -> Findings:
    """Judge the migrations of a round against the instructions."""
    for part in story.rounds:
        moves = story.moves_in(part)
        for project_id in story.scenario.projects:
            for life in story.touched(part, project_id):
                action = _instruction(part, project_id, life.instance_id)
                if action is not None:
                    own = [move for move in moves if move.first.instance_id == life.instance_id]
                    yield from _done_as(story, part, life, action, own)


def _instruction(part: Round, project_id: str, instance_id: str) -> str | None:
    agreed = agreement(part, project_id)
    if agreed is not None:
        if not any(answer.agrees for answer in part.answers_of(project_id)):
            return None  # nobody outside knows whether that reply was taken
        return agreed.record.instance_actions.get(instance_id)
    messages = asked(part, project_id)
    if not messages or any(answer.refuses for answer in part.answers_of(project_id)):
        return None
    until = deadline(part, project_id)
    step_7 = part.in_maintenance
    if step_7 is None or until is None or not surely_before(until, step_7.sent):
        return None
    return messages[0].content.default_action


def _done_as(story: Story, part: Round, life: Life, action: str, moves: list[Move]) -> Findings:
    expected = _TYPES.get(action, ())
    evidence = [answer.record for answer in part.answers_of(life.project_id)]
    yield HELD
    for move in moves:
        if move.first.type not in expected:
            yield broken(
                f"{part.host}: expected {action} of instance {life.instance_id}, as its project said; found its"
                f" {move.first.type} {story.when(move.begin)}",
                *evidence,
                *move.records,
            )
    step_7 = part.in_maintenance
    if step_7 is None or moves or not expected:
        return
    if life.must(is_on(part.host), part.begin, step_7.sent.upper):
        yield broken(
            f"{part.host}: expected {action} of instance {life.instance_id}, as its project said; it was still there,"
            f" and nothing was tried, when the host was in maintenance {story.when(step_7.sent)}",
            *evidence,
            *step_7.records,
        )


@clause(
    "actions.only_affected",
    "nothing is done to instances that the maintenance of the host does not affect",
    "2",
)
def only_affected(story: Story) -> Findings:
    """Judge migrations off hosts of which only a part is affected."""
    if story.scenario.affected is None:
        return
    for part in story.rounds:
        if part.host not in story.scenario.affected:
            continue
        yield HELD
        for move in story.moves_in(part):
            if not story.affects(part.host, move.first.instance_id):
                yield broken(
                    f"{part.host}: expected only {', '.join(story.scenario.affected[part.host])} to be moved; found"
                    f" the {move.first.type} of {move.first.instance_id} {story.when(move.begin)}",
                    *move.records,
                )
