# SPDX-License-Identifier: Apache-2.0
"""What a project may read: nothing of hosts, nothing of other projects (the guideline's last paragraph)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from doctor_maintenance.judge.contract.clause import Findings, clause, rule
from doctor_maintenance.judge.records import (
    HostPower,
    Instance,
    Migration,
    Notification,
    Readable,
    Record,
    Service,
    SshCheck,
)
from doctor_maintenance.judge.story import Story
from doctor_maintenance.judge.trace import dump_record, to_line
from doctor_maintenance.protocol import EventType

APP_MANAGER = "app_manager:"


def _texts(story: Story) -> Iterator[tuple[str, str, Record]]:
    """Return what projects could read: who, the text, and the record."""
    for seen in story.seen(Readable):
        yield seen.record.project_id, seen.record.text, seen.record
    for item in story.seen(Notification):
        source, _, project_id = item.record.source.partition(":")
        if source + ":" == APP_MANAGER:
            fields = dump_record(item.record)
            fields.pop("source")
            yield project_id, to_line(fields), item.record


def _words(words: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern that finds any of the words, not as a part of a longer one."""
    escaped = [re.escape(word) for word in sorted(set(words), key=lambda word: (-len(word), word))]
    if not escaped:
        return None
    return re.compile(rf"(?<![0-9a-zA-Z])(?:{'|'.join(escaped)})(?![0-9a-zA-Z])", re.IGNORECASE)


def _hosts(story: Story) -> set[str]:
    found: set[str | None] = set(story.scenario.hosts)
    found.update(seen.record.host for seen in story.seen(Service))
    found.update(seen.record.host for seen in story.seen(Instance))
    found.update(seen.record.host for seen in story.seen(SshCheck))
    found.update(seen.record.host for seen in story.seen(HostPower))
    for seen in story.seen(Migration):
        found.update((seen.record.source_host, seen.record.dest_host))
    return {host for host in found if host}


@clause(
    "privacy.no_host",
    "no project can read the name of a host",
    "guideline, last paragraph",
)
def no_host(story: Story) -> Findings:
    """Judge every text that a project could read."""
    pattern = _words(_hosts(story))
    for project_id, text, record in _texts(story) if pattern else ():
        assert pattern is not None
        found = pattern.search(text)
        yield rule(
            found is None,
            f"expected project {project_id} to read nothing of hosts; it could read {found.group() if found else ''!r}",
            record,
        )


@clause(
    "privacy.no_other_project",
    "no project can read another project's ID, or the ID of another project's instance",
    "guideline, last paragraph",
)
def no_other_project(story: Story) -> Findings:
    """Judge every text that a project could read."""
    owned: dict[str, set[str]] = {}
    for project_id, facts in story.scenario.projects.items():
        owned.setdefault(project_id, {project_id}).update(facts.instances)
    for life in story.lives.values():
        owned.setdefault(life.project_id, {life.project_id}).add(life.instance_id)
    patterns: dict[str, re.Pattern[str] | None] = {}
    for project_id, text, record in _texts(story):
        if project_id not in patterns:
            foreign = set[str]().union(
                *(ids for other, ids in owned.items() if other != project_id)
            )
            foreign -= owned.get(project_id, set())
            patterns[project_id] = _words(foreign | {item.replace("-", "") for item in foreign})
        pattern = patterns[project_id]
        if pattern is not None:
            found = pattern.search(text)
            yield rule(
                found is None,
                f"expected project {project_id} to read nothing of other projects; it could read"
                f" {found.group() if found else ''!r}",
                record,
            )


@clause(
    "privacy.routing",
    "a project gets its own project events and nothing else; host events carry no project's ID",
    "DESIGN 2: whose events",
)
def routing(story: Story) -> Findings:
    """Judge who got which notification."""
    for seen in story.seen(Notification):
        record = seen.record
        source, _, receiver = record.source.partition(":")
        if source + ":" == APP_MANAGER:
            yield rule(
                record.event_type == EventType.PROJECT and record.project_id == receiver,
                f"expected project {receiver} to get its own {EventType.PROJECT} only; it got {record.event_type} for"
                f" {record.project_id}",
                record,
            )
        if record.event_type == EventType.HOST:
            yield rule(
                record.project_id not in story.scenario.projects,
                f"expected {EventType.HOST} to belong to the admin project; it carries the ID of project"
                f" {record.project_id}, which could have an alarm on it",
                record,
            )
