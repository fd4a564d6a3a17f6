# SPDX-License-Identifier: Apache-2.0
"""What a project may read: nothing of hosts, nothing of other projects (the guideline's last paragraph)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields

from doctor_maintenance.judge.contract.clause import (
    HELD,
    Findings,
    broken,
    clause,
)
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
from doctor_maintenance.protocol import EventType

APP_MANAGER = "app_manager:"
_FIELDS = tuple(
    item.name for item in fields(Notification) if item.name not in ("at", "not_before", "source")
)


def _texts(story: Story) -> Iterator[tuple[str, str, Record]]:
    """Return what projects could read: who, the text, and the record."""
    for readable in story.records(Readable):
        yield readable.project_id, readable.text, readable
    for notification in story.records(Notification):
        source, _, project_id = notification.source.partition(":")
        if source + ":" == APP_MANAGER:
            values = (getattr(notification, name) for name in _FIELDS)
            yield project_id, "\n".join(str(value) for value in values if value), notification


class _Words:
    """Finds words in texts, in any case, but not as a part of a longer word."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = [word.lower() for word in sorted(words)]

    def find(self, text: str) -> str | None:
        """Return the first of the words that is in the text."""
        text = text.lower()
        for word in self._words:
            if word in text and re.search(rf"(?<![0-9a-z]){re.escape(word)}(?![0-9a-z])", text):
                return word
        return None


def _hosts(story: Story) -> set[str]:
    found: set[str | None] = set(story.scenario.hosts)
    found.update(record.host for record in story.records(Service))
    found.update(record.host for record in story.records(Instance))
    found.update(record.host for record in story.records(SshCheck))
    found.update(record.host for record in story.records(HostPower))
    for move in story.records(Migration):
        found.update((move.source_host, move.dest_host))
    return {host for host in found if host}


@clause(
    "privacy.no_host",
    "no project can read the name of a host",
    "guideline, last paragraph",
)
def no_host(story: Story) -> Findings:
    """Judge every text that a project could read."""
    hosts = _Words(_hosts(story))
    for project_id, text, record in _texts(story):
        found = hosts.find(text)
        if found is None:
            yield HELD
        else:
            yield broken(
                f"expected project {project_id} to read nothing of hosts; it could read {found!r}",
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
    foreign: dict[str, _Words] = {}
    for project_id, text, record in _texts(story):
        if project_id not in foreign:
            ids = set[str]().union(
                *(found for other, found in owned.items() if other != project_id)
            )
            ids -= owned.get(project_id, set())
            foreign[project_id] = _Words(ids | {item.replace("-", "") for item in ids})
        found = foreign[project_id].find(text)
        if found is None:
            yield HELD
        else:
            yield broken(
                f"expected project {project_id} to read nothing of other projects; it could read {found!r}",
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
            yield (
                HELD
                if record.event_type == EventType.PROJECT and record.project_id == receiver
                else broken(
                    f"expected project {receiver} to get its own {EventType.PROJECT} only; it got"
                    f" {record.event_type} for {record.project_id}",
                    record,
                )
            )
        if record.event_type == EventType.HOST:
            yield (
                HELD
                if record.project_id not in story.scenario.projects
                else broken(
                    f"expected {EventType.HOST} to belong to the admin project; it carries the ID of project"
                    f" {record.project_id}, which could have an alarm on it",
                    record,
                )
            )
