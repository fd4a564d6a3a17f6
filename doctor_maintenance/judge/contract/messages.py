# SPDX-License-Identifier: Apache-2.0
"""What a message must say, and that everything says the same: one session ID, no message twice with other words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from doctor_maintenance.judge.contract.clause import (
    HELD,
    Findings,
    broken,
    clause,
)
from doctor_maintenance.judge.conversation import Message
from doctor_maintenance.judge.records import Notification, Record, Reply
from doctor_maintenance.judge.story import Story
from doctor_maintenance.protocol import NotificationState

_NOT_CONTENT = frozenset({"at", "source", "not_before", "message_id", "generated", "instances"})
_CONTENT = tuple(
    item.name for item in dataclasses.fields(Notification) if item.name not in _NOT_CONTENT
)


@clause(
    "message.complete",
    "planned maintenance says all that a project needs to decide",
    "2",
)
def complete(story: Story) -> Findings:
    """Judge what step 2 says: when, which type, which instances, what may be asked for, where and until when."""
    needed = (
        "type",
        "instance_ids",
        "allowed_actions",
        "actions_at",
        "reply_at",
        "reply_url",
    )
    for message in story.messages:
        if not message.to_project or not message.says(NotificationState.PLANNED_MAINTENANCE):
            continue
        missing = [name for name in needed if not getattr(message.content, name)]
        facts = story.scenario.projects.get(message.content.project_id)
        if facts is not None and not facts.only_if_agreed and not message.content.default_action:
            missing.append("default_action")
        yield (
            HELD
            if not missing
            else broken(
                f"PLANNED_MAINTENANCE to project {message.content.project_id}: expected all of what it needs to decide;"
                f" missing {', '.join(missing)}",
                *message.records,
            )
        )
        if message.content.type is not None:
            yield (
                HELD
                if message.content.type == story.scenario.type
                else broken(
                    f"PLANNED_MAINTENANCE to project {message.content.project_id}: expected type {story.scenario.type};"
                    f" found {message.content.type}",
                    *message.records,
                )
            )


@clause(
    "message.same_content",
    "no notification is sent twice with different content",
    "2, 7, 8, 11, 12",
)
def same_content(story: Story) -> Findings:
    """Judge every sighting of a message, and every message that says the same of the same host."""
    for message in story.messages:
        yield from _alike([message], f"message {message.content.message_id}")
    for part in story.rounds:
        groups: dict[tuple[str, str, str, str], list[Message]] = {}
        for message in part.told_host + part.told_projects:
            content = message.content
            key = (content.event_type, content.session_id, content.project_id, content.state)
            groups.setdefault(key, []).append(message)
        for key, messages in groups.items():
            if len(messages) > 1:
                yield from _alike(messages, f"{part.host}: {key[3]} to {key[2]}")


def _alike(messages: Iterable[Message], what: str) -> Findings:
    records = [record for message in messages for record in message.records]
    first = records[0]
    for record in records[1:]:
        differing = [name for name in _CONTENT if getattr(record, name) != getattr(first, name)]
        if differing:
            yield broken(
                f"{what}: expected the same content every time; it differs in {', '.join(differing)}",
                first,
                record,
            )
    yield HELD


@clause(
    "message.one_session_id",
    "one session ID is in every message, reply, disable reason and view of a session",
    "guideline, last paragraph",
)
def one_session_id(story: Story) -> Findings:
    """Judge that nothing names another session than the one that has the host."""
    known = set(story.sessions) or _first_named(story)
    named: list[tuple[str, Record]] = [
        (message.content.session_id, message.content) for message in story.messages
    ]
    named += [
        (seen.record.session_id, seen.record) for seen in story.seen(Reply) if seen.record.accepted
    ]
    for session_id, record in named:
        yield (
            HELD
            if session_id in known
            else broken(
                f"expected the session ID {' or '.join(sorted(known))}; found {session_id}",
                record,
            )
        )
    yield from _taken_where_asked(story)
    for part in story.rounds:
        if part.disable is None or part.session_id is None:
            continue
        reason = part.disable.record.reason or ""
        yield (
            HELD
            if part.session_id in reason
            else broken(
                f"{part.host}: expected the disable reason to name session {part.session_id}; found {reason!r}",
                part.disable.record,
            )
        )
        for message in part.told_host + part.told_projects:
            yield (
                HELD
                if message.content.session_id == part.session_id
                else broken(
                    f"{part.host}: expected every message of its maintenance to name session {part.session_id};"
                    f" {message.content.state} names {message.content.session_id}",
                    *message.records,
                )
            )


def _taken_where_asked(story: Story) -> Findings:
    """Judge that what was asked by one session is not answered by a reply to another."""
    asked = {message.content.reply_url: message.content for message in story.messages}
    asked.pop(None, None)
    for seen in story.seen(Reply):
        reply, message = seen.record, asked.get(seen.record.reply_url)
        if reply.accepted and message is not None:
            yield (
                HELD
                if reply.session_id == message.session_id
                else broken(
                    f"project {reply.project_id}: expected a reply that names session {reply.session_id} to be refused"
                    f" where session {message.session_id} had asked; it was taken (HTTP {reply.status})",
                    message,
                    reply,
                )
            )


def _first_named(story: Story) -> set[str]:
    return {message.content.session_id for message in story.messages[:1]}
