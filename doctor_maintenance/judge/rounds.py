# SPDX-License-Identifier: Apache-2.0
"""Which messages and replies belong to the maintenance of which host.

A project is never told a host, so its messages do not say which round they are about, and the judge does
not ask the admin tool. It finds out from what others saw: a round begins when Nova says that nova-compute
was disabled; a message belongs to the round in which it was sent, and where rounds overlap, to the host
that the project had instances on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from doctor_maintenance.judge.conversation import Answer, Message
from doctor_maintenance.judge.lives import Life, Seen, is_on
from doctor_maintenance.judge.moment import BEGINNING, END, Moment, Point
from doctor_maintenance.judge.records import Reply, Scenario, Service
from doctor_maintenance.protocol import NotificationState


@dataclass(slots=True)
class Round:
    """The maintenance of one host, from its disabling to its end.

    Attributes:
        host: the host.
        disable: step 1; None if it was disabled before, or nobody saw it.
        enable: step 10; None if it never came, or nobody saw it.
        told_host: steps 7 and 11, in order.
        told_projects: steps 2, 8 and 12 and cancellations, in order.
        answers: the replies, in order.
        begin: where the round begins, as far as messages are sorted by it.
        session_id: the session, if anything says so.
    """

    host: str
    disable: Seen[Service] | None = None
    enable: Seen[Service] | None = None
    told_host: list[Message] = field(default_factory=list)
    told_projects: list[Message] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    begin: Point = BEGINNING
    session_id: str | None = None

    def host_messages(self, state: NotificationState) -> list[Message]:
        """Return what the inspector was told: step 7 or 11."""
        return [message for message in self.told_host if message.says(state)]

    def project_messages(
        self, state: NotificationState, project_id: str | None = None
    ) -> list[Message]:
        """Return what projects, or one of them, were told."""
        return [
            message
            for message in self.told_projects
            if message.says(state) and project_id in (None, message.content.project_id)
        ]

    @property
    def in_maintenance(self) -> Message | None:
        """Step 7."""
        return next(iter(self.host_messages(NotificationState.IN_MAINTENANCE)), None)

    @property
    def over(self) -> Message | None:
        """Step 11."""
        return next(iter(self.host_messages(NotificationState.MAINTENANCE_OVER)), None)

    @property
    def end(self) -> Moment | None:
        """When the host was put back: step 10, or step 11 where an operator had disabled it before."""
        if self.enable is not None:
            return self.enable.moment
        return self.over.sent if self.over is not None else None

    @property
    def window(self) -> tuple[Point, Point]:
        """Return from where to where something can be part of the round."""
        return self.begin, self.end.upper if self.end is not None else END

    def project_ids(self) -> list[str]:
        """Return the projects that were told anything."""
        return sorted({message.content.project_id for message in self.told_projects})

    def answers_of(self, project_id: str) -> list[Answer]:
        """Return the replies of one project."""
        return [answer for answer in self.answers if answer.record.project_id == project_id]


def rounds_of(
    scenario: Scenario,
    services: Mapping[str, Sequence[Seen[Service]]],
    messages: Iterable[Message],
    lives: Iterable[Life],
) -> list[Round]:
    """Find the rounds and sort the messages into them.

    Args:
        scenario: what the run is about.
        services: what Nova said of each host, in order.
        messages: all notifications, in the order in which they were sent.
        lives: all instances.
    """
    messages = list(messages)
    rounds: list[Round] = []
    named = {message.content.host for message in messages if message.content.host}
    hosts = dict.fromkeys([*scenario.hosts, *sorted(named)])
    for host in hosts:
        found = _disablings(services.get(host, ()), host in scenario.operator_disabled)
        if not found and (host in named or host in scenario.operator_disabled):
            found = [Round(host)]
        rounds.extend(found)
    _sort_host_messages(rounds, messages)
    rounds = _in_order(rounds)
    by_project: dict[str, list[Life]] = {}
    for life in lives:
        by_project.setdefault(life.project_id, []).append(life)
    for message in messages:
        if message.to_project and rounds:
            _round_of(rounds, message, by_project).told_projects.append(message)
    for part in rounds:
        part.session_id = _session_of(part)
    return rounds


def _disablings(seen: Sequence[Seen[Service]], disabled_before: bool) -> list[Round]:
    rounds: list[Round] = []
    status = "disabled" if disabled_before else "enabled"
    host = seen[0].record.host if seen else ""
    for item in seen:
        if item.record.status == status:
            continue
        status = item.record.status
        if status == "disabled":
            rounds.append(Round(host, disable=item, begin=item.moment.lower))
        elif rounds:
            rounds[-1].enable = item
        else:
            rounds.append(Round(host, enable=item))
    return rounds


def _sort_host_messages(rounds: Sequence[Round], messages: Iterable[Message]) -> None:
    for message in messages:
        own = [part for part in rounds if part.host == message.content.host]
        begun = [part for part in own if part.begin <= message.sent.upper]
        if own and not message.to_project:
            (begun[-1] if begun else own[0]).told_host.append(message)


def _in_order(rounds: Iterable[Round]) -> list[Round]:
    def first_sign(part: Round) -> Point:
        signs = [message.sent.lower for message in part.told_host]
        if part.disable is not None:
            signs.append(part.disable.moment.lower)
        return min(signs, default=END)

    ordered = sorted(rounds, key=first_sign)
    before = BEGINNING
    for part in ordered:
        if part.disable is None:
            part.begin = before
        before = part.end.lower if part.end is not None else max(before, part.begin)
    return ordered


def _round_of(
    rounds: Sequence[Round], message: Message, lives: Mapping[str, Sequence[Life]]
) -> Round:
    sent = message.sent
    begun = [part for part in rounds if part.begin <= sent.upper] or [rounds[0]]
    open_ones = [part for part in begun if sent.lower <= part.window[1]]
    if len(open_ones) > 1:
        mine = lives.get(message.content.project_id, ())
        return next((part for part in open_ones if _has_instance(part, message, mine)), begun[-1])
    if open_ones:
        return open_ones[0]
    if message.says(NotificationState.PLANNED_MAINTENANCE):
        following = rounds[rounds.index(begun[-1]) + 1 :]
        return following[0] if following else begun[-1]
    return begun[-1]


def _has_instance(part: Round, message: Message, lives: Iterable[Life]) -> bool:
    listed = message.content.instances
    return any(
        life.may(is_on(part.host), message.sent.lower, message.sent.upper)
        for life in lives
        if listed is None or life.instance_id in listed
    )


def _session_of(part: Round) -> str | None:
    for message in part.told_host + part.told_projects:
        return message.content.session_id
    return None


def assign_replies(rounds: Sequence[Round], replies: Iterable[Seen[Reply]]) -> list[Answer]:
    """Sort the replies into the rounds that they answer.

    Returns:
        The replies that answer nothing that was sent before them.
    """
    orphans = []
    for seen in replies:
        asked = [
            (message, part)
            for part in rounds
            for message in part.project_messages(
                NotificationState.PLANNED_MAINTENANCE, seen.record.project_id
            )
            if message.sent.lower <= seen.moment.upper
            and message.content.session_id == seen.record.session_id
        ]
        named = set(seen.record.instance_actions)
        fitting = [
            pair
            for pair in asked
            if pair[0].content.instances is not None and named & set(pair[0].content.instances)
        ]
        latest = max(fitting or asked, key=lambda pair: pair[0].sent.lower, default=None)
        answer = Answer(seen.moment, seen.record, latest[0] if latest else None)
        if latest is None:
            orphans.append(answer)
        else:
            latest[1].answers.append(answer)
    return orphans
