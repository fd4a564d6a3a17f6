# SPDX-License-Identifier: Apache-2.0
"""What a run is about and what must come of it: the one record that no witness can give.

Without it nobody could say who had to be told, or what was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from doctor_maintenance.judge import reading
from doctor_maintenance.judge.base import Record
from doctor_maintenance.judge.reading import may, need


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFacts:
    """What the scenario says of a project.

    Attributes:
        pairs: the ACT-STBY pairs, as two instance IDs each.
        instances: all its instances when the scenario begins.
        only_if_agreed: no reply means that the host is canceled.
        default_action: what is done with its instances without a reply; None: as the admin tool says.
        subscribed: whether it has an alarm on the project event type, so that it can be reached.
        impacted_at_once: how many members of a pair may be impacted at the same time.
    """

    pairs: tuple[tuple[str, ...], ...] = may(reading.texts_of_texts, ())
    instances: tuple[str, ...] = may(reading.texts, ())
    only_if_agreed: bool = may(reading.flag, False)
    default_action: str | None = may(reading.text)
    subscribed: bool = may(reading.flag, True)
    impacted_at_once: int = may(reading.whole, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a scenario expects to come out.

    Attributes:
        session: the session's final state; None: any that the contract allows.
        hosts: the final state of each host; hosts that are not named may end in any.
        require: clauses that must have had something to judge.
        waive: clauses that this scenario breaks on purpose, each with the reason.
    """

    session: str | None = may(reading.text)
    hosts: Mapping[str, str] = may(reading.text_by_text, {})
    require: tuple[str, ...] = may(reading.texts, ())
    waive: Mapping[str, str] = may(reading.text_by_text, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(Record):
    """What the run is about: told once, before it begins.

    Attributes:
        name: the scenario's name.
        type: ``full`` or ``reboot``.
        hosts: the hosts that are to be maintained.
        operator_disabled: hosts whose nova-compute an operator had disabled before.
        projects: the projects whose app managers take part, by ID.
        allowed_gap_s: the longest silence of a service that the scenario allows, in seconds.
        affected: the affected instances of each host if only parts of hosts are; None: whole hosts.
        expect: what must come out.
        exact: all witnesses ran in one process on one clock: what is not proven counts as broken.
        hosts_at_once: how many hosts a session may work on at the same time.
        sessions_at_once: how many sessions may run at the same time.
    """

    KIND: ClassVar[str] = "scenario"

    name: str = need(reading.text)
    type: str = need(reading.text)
    hosts: tuple[str, ...] = need(reading.texts)
    operator_disabled: tuple[str, ...] = may(reading.texts, ())
    projects: Mapping[str, ProjectFacts] = may(reading.by_text(reading.one(ProjectFacts)), {})
    allowed_gap_s: float = may(reading.number, 0.0)
    affected: Mapping[str, tuple[str, ...]] | None = may(reading.by_text(reading.texts))
    expect: Expected = may(reading.one(Expected), Expected())  # noqa: RUF009 (frozen)
    exact: bool = may(reading.flag, False)
    hosts_at_once: int = may(reading.whole, 1)
    sessions_at_once: int = may(reading.whole, 1)
