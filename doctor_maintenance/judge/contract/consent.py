# SPDX-License-Identifier: Apache-2.0
"""Nothing is done to a project's instances but with its agreement, or after the deadline that it was given."""

from __future__ import annotations

from doctor_maintenance.judge.contract.clause import (
    HELD,
    Finding,
    Findings,
    broken,
    clause,
    order,
    unproven,
)
from doctor_maintenance.judge.contract.evidence import Touch, touches
from doctor_maintenance.judge.conversation import Answer, Message
from doctor_maintenance.judge.moment import Moment, Result, in_order, surely_before
from doctor_maintenance.judge.rounds import Round
from doctor_maintenance.judge.story import Story
from doctor_maintenance.protocol import NotificationState


def asked(part: Round, project_id: str) -> list[Message]:
    """Return what a project was asked to reply to in a round."""
    return part.project_messages(NotificationState.PLANNED_MAINTENANCE, project_id)


def deadline(part: Round, project_id: str) -> Moment | None:
    """Return the deadline that a project was given in a round."""
    times = [
        message.content.reply_at
        for message in asked(part, project_id)
        if message.content.reply_at is not None
    ]
    return Moment.between(min(times), min(times)) if times else None


def agreement(part: Round, project_id: str) -> Answer | None:
    """Return the first ACK of a project in a round that was taken, or may have been.

    Of a reply without an answer nobody outside knows: the admin tool may have died after it had stored it.
    So it counts where it is asked whether the project agreed, unless another reply was taken.
    """
    answers = part.answers_of(project_id)
    taken = next((answer for answer in answers if answer.agrees), None)
    for answer in answers:
        if answer.may_agree and (taken is None or _says_the_same(answer, taken)):
            return answer
    return taken


def _says_the_same(one: Answer, other: Answer) -> bool:
    return (
        one.record.state == other.record.state
        and one.record.instance_actions == other.record.instance_actions
    )


@clause(
    "consent.before_action",
    "nothing is done to an instance before its project's ACK, or its recorded deadline",
    "5 < 6",
)
def before_action(story: Story) -> Findings:
    """Judge everything that was done to an instance on a host that was to be maintained."""
    for part in story.rounds:
        for project_id, facts in story.scenario.projects.items():
            if not facts.subscribed:
                continue  # nobody listens, so nobody is waited for: the default action follows
            for touch in touches(story, part, project_id):
                yield _allowed(story, part, project_id, touch)


def _allowed(story: Story, part: Round, project_id: str, touch: Touch) -> Finding:
    until = deadline(part, project_id)
    agreed = agreement(part, project_id)
    moments = ([agreed.moment] if agreed is not None else []) + ([until] if until else [])
    results = {in_order(moment, touch.moment) for moment in moments}
    if Result.HELD in results:
        return HELD
    what = (
        f"{part.host}: {touch.what} of instance {touch.life.instance_id} {story.when(touch.moment)}"
    )
    reply = (
        f"its ACK was taken {story.when(agreed.moment)}"
        if agreed
        else "it sent no ACK that was taken"
    )
    limit = f"its deadline was {story.when(until)}" if until else "it was given no deadline"
    message = f"{what}; expected it after project {project_id} agreed or its deadline passed: {reply}; {limit}"
    records = (*touch.records, *([agreed.record] if agreed else []))
    records += tuple(record for item in asked(part, project_id) for record in item.records)
    return unproven(message, *records) if Result.OPEN in results else broken(message, *records)


@clause(
    "consent.answered_or_deadline",
    "every planned maintenance has its reply or its recorded deadline before the host is in maintenance",
    "5 < 7",
)
def answered_or_deadline(story: Story) -> Findings:
    """Judge that no project was passed over."""
    for part in story.rounds:
        for message in part.project_messages(NotificationState.PLANNED_MAINTENANCE):
            facts = story.scenario.projects.get(message.content.project_id)
            if facts is None or facts.subscribed:
                yield _waited_for(story, part, message)


def _waited_for(story: Story, part: Round, message: Message) -> Finding:
    project_id = message.content.project_id
    taken = [
        answer
        for answer in part.answers_of(project_id)
        if answer.record.accepted or answer.may_agree
    ]
    until = deadline(part, project_id)
    if not taken and until is None:
        return broken(
            f"{part.host}: expected project {project_id} to reply or to have a deadline on record; found neither",
            *message.records,
        )
    step_7 = part.in_maintenance
    if step_7 is None:
        return HELD
    moments = [taken[0].moment] if taken else []
    moments += [until] if until is not None else []
    first = min(moments, key=lambda moment: moment.upper)
    return order(
        story,
        f"{part.host}: the reply of project {project_id} (step 5), or its deadline, before the host is in"
        " maintenance (step 7)",
        first,
        step_7.sent,
        (*message.records, *(answer.record for answer in taken), *step_7.records),
    )


@clause(
    "consent.refused",
    "after a project refused, nothing of it is touched and the host is not maintained",
    "5",
)
def refused(story: Story) -> Findings:
    """Judge what follows a NACK."""
    for part in story.rounds:
        for answer in part.answers:
            if answer.refuses:
                yield from _left_alone(
                    story, part, answer.record.project_id, "refused", answer.moment, answer
                )


@clause(
    "consent.only_if_agreed",
    "a host is not maintained if a project that must agree did not",
    "5",
)
def only_if_agreed(story: Story) -> Findings:
    """Judge what follows the silence of a project that is marked *only if agreed*."""
    for part in story.rounds:
        for project_id, facts in story.scenario.projects.items():
            messages = asked(part, project_id)
            silent = not any(
                answer.record.accepted or answer.may_agree for answer in part.answers_of(project_id)
            )
            if facts.only_if_agreed and messages and silent:
                yield from _left_alone(
                    story, part, project_id, "must agree and did not", messages[0].sent, None
                )


def _left_alone(
    story: Story, part: Round, project_id: str, why: str, since: Moment, answer: Answer | None
) -> Findings:
    evidence = (answer.record,) if answer is not None else ()
    yield HELD
    if part.in_maintenance is not None:
        yield broken(
            f"{part.host}: project {project_id} {why}; expected the host not to be maintained, found it in"
            f" maintenance {story.when(part.in_maintenance.sent)}",
            *evidence,
            *part.in_maintenance.records,
        )
    for touch in touches(story, part, project_id):
        message = (
            f"{part.host}: project {project_id} {why}; expected its instances to be left alone, found"
            f" {touch.what} of {touch.life.instance_id} {story.when(touch.moment)}"
        )
        if surely_before(since, touch.moment):
            yield broken(message, *evidence, *touch.records)
        elif not surely_before(touch.moment, since) and not since.known:
            yield unproven(message, *evidence, *touch.records)


@clause(
    "consent.late_reply",
    "a reply after the deadline is refused",
    "5",
)
def late_reply(story: Story) -> Findings:
    """Judge replies against the deadline; the same reply as one that was taken in time is no new one."""
    for part in story.rounds:
        for place, answer in enumerate(part.answers):
            record = answer.record
            until = deadline(part, record.project_id)
            if until is None:
                continue
            same = any(
                (other.record.accepted or other.may_agree)
                and other.record.project_id == record.project_id
                and _says_the_same(other, answer)
                for other in part.answers[:place]
            )
            late = answer.moment.lower > until.upper
            yield (
                HELD
                if not (record.accepted and late) or same
                else broken(
                    f"{part.host}: the reply of project {record.project_id} came {story.when(answer.moment)}, after its"
                    f" deadline {story.when(until)}; expected it to be refused, found HTTP {record.status}",
                    record,
                )
            )


@clause(
    "consent.one_reply",
    "after a reply was taken, another one is refused",
    "5",
)
def one_reply(story: Story) -> Findings:
    """Judge that a project cannot be bound to two different replies for one host."""
    for part in story.rounds:
        for project_id in part.project_ids():
            taken = [
                answer.record for answer in part.answers_of(project_id) if answer.record.accepted
            ]
            for record in taken:
                yield (
                    HELD
                    if record.state == taken[0].state
                    and record.instance_actions == taken[0].instance_actions
                    else broken(
                        f"{part.host}: expected another reply of project {project_id} to be refused after one was"
                        f" taken; found HTTP {record.status} for {record.state} {dict(record.instance_actions)}",
                        taken[0],
                        record,
                    )
                )
