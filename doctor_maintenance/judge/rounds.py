# SPDX-License-Identifier: Apache-2.0
"""Which messages and replies belong to the maintenance of which host.

A project is never told a host, so its messages do not say which round they are about, and the judge does
not ask the admin tool. It finds out from what others saw: a round begins when Nova says that nova-compute
was disabled, steps 7 and 11 name their host, and a message belongs to the round in which it can have
been sent. Where that leaves several, it is the host that the project had the listed instances on.

Several sessions may run at the same time. The disable reason and steps 7 and 11 say which one has a host,
and a message of another one is not about it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
        in_maintenance: step 7.
        over: step 11.
        told_projects: steps 2, 8 and 12 and cancellations, in order.
        answers: the replies, in order.
        begin: the earliest moment at which something can be part of the round.
        key: where the round begins in the trace; by it messages are sorted.
        session_id: the session, if anything says so.
    """

    host: str
    disable: Seen[Service] | None = None
    enable: Seen[Service] | None = None
    told_host: list[Message] = field(default_factory=list)
    in_maintenance: Message | None = None
    over: Message | None = None
    told_projects: list[Message] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    begin: Point = BEGINNING
    key: Point = BEGINNING
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
    def end(self) -> Moment | None:
        """When the host was put back: step 10, or step 11 where an operator had disabled it before."""
        if self.enable is not None:
            return self.enable.moment
        return self.over.sent if self.over is not None else None

    @property
    def end_key(self) -> Point:
        """Where the round ends in the trace."""
        if self.enable is not None:
            return Point(self.enable.moment.upper.time_us, self.enable.place)
        return self.over.key if self.over is not None else END

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
    session_ids: Iterable[str] = (),
) -> list[Round]:
    """Find the rounds and sort the messages into them.

    Args:
        scenario: what the run is about.
        services: what Nova said of each host, in order.
        messages: all notifications, in the order in which they were sent.
        lives: all instances.
        session_ids: the sessions that were heard of otherwise.
    """
    messages = list(messages)
    rounds: list[Round] = []
    named = {message.content.host for message in messages if message.content.host}
    hosts = dict.fromkeys([*scenario.hosts, *sorted(named)])
    for host in hosts:
        found = _disablings(services.get(host, ()), host in scenario.operator_disabled)
        if not found and (host in named or host in scenario.operator_disabled):
            found = _never_disabled(host, messages)
        rounds.extend(found)
    heard_of = [*session_ids, *(message.content.session_id for message in messages)]
    _know_sessions(rounds, dict.fromkeys(heard_of))
    _sort_host_messages(rounds, messages)
    rounds = _in_order(rounds)
    by_project: dict[str, list[Life]] = {}
    for life in lives:
        by_project.setdefault(life.project_id, []).append(life)
    canceled = {
        _subject(message)
        for message in messages
        if message.says(NotificationState.MAINTENANCE_CANCELED)
    }
    for message in messages:
        if message.to_project and rounds:
            mine = by_project.get(message.content.project_id, ())
            part = _round_of(rounds, message, mine, _subject(message) in canceled)
            part.told_projects.append(message)
            if part.disable is None:  # nothing else says when the round of such a host begins
                part.begin = min(part.begin, message.sent.lower)
                part.key = min(part.key, message.key)
    for part in rounds:
        part.session_id = part.session_id or _session_of(part)
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
            rounds.append(Round(host, disable=item, begin=item.moment.lower, key=item.key))
        elif rounds:
            rounds[-1].enable = item
        else:
            rounds.append(Round(host, enable=item))
    return rounds


def _never_disabled(host: str, messages: Iterable[Message]) -> list[Round]:
    """Return the rounds of a host that nobody saw disabled: one for each session that named it."""
    named = [item.content.session_id for item in messages if item.content.host == host]
    return [Round(host, session_id=session_id) for session_id in dict.fromkeys(named)] or [
        Round(host)
    ]


def _know_sessions(rounds: Iterable[Round], session_ids: Collection[str]) -> None:
    """Find out from the disable reasons which session has which host."""
    for part in rounds:
        if part.disable is not None:
            reason = part.disable.record.reason or ""
            part.session_id = next((item for item in session_ids if item in reason), None)


def _of_its_session(rounds: Iterable[Round], message: Message) -> list[Round]:
    """Return the rounds that may be of a message's session; all if it names one that none can be of."""
    known = list(rounds)
    return [
        part for part in known if part.session_id in (None, message.content.session_id)
    ] or known


def _sort_host_messages(rounds: Sequence[Round], messages: Iterable[Message]) -> None:
    for message in messages:
        own = [part for part in rounds if part.host == message.content.host]
        own = _of_its_session(own, message)
        begun = [part for part in own if part.key <= message.key]
        if own and not message.to_project:
            part = begun[-1] if begun else own[0]
            part.told_host.append(message)
            if message.says(NotificationState.IN_MAINTENANCE):
                part.in_maintenance = part.in_maintenance or message
            else:
                part.over = part.over or message


def _in_order(rounds: Iterable[Round]) -> list[Round]:
    def first_sign(part: Round) -> Point:
        if part.disable is not None:
            return part.key
        return min((message.key for message in part.told_host), default=END)

    ordered = sorted(rounds, key=first_sign)
    last: dict[str | None, tuple[Point, Point]] = {}
    left: dict[str, tuple[Point, Point]] = {}
    for part in ordered:
        begin, key = last.get(part.session_id, (BEGINNING, BEGINNING))
        if part.disable is None:
            on_host, on_host_key = left.get(part.host, (BEGINNING, BEGINNING))
            part.begin, part.key = max(begin, on_host), max(key, on_host_key)
        if part.end is not None:
            left[part.host] = part.end.lower, part.end_key
        begin = part.end.lower if part.end is not None else max(begin, part.begin)
        key = part.end_key if part.end is not None else max(key, part.key)
        last[part.session_id] = begin, key
    return ordered


def _subject(message: Message) -> tuple[str, str, str | None]:
    """Return what the messages about one host have in common, as far as a project is told."""
    content = message.content
    return content.session_id, content.project_id, content.instance_ids


def _round_of(
    rounds: Sequence[Round], message: Message, mine: Iterable[Life], canceled: bool
) -> Round:
    """Return the round of a message; the messages before it are sorted already.

    Args:
        rounds: all of them.
        message: what is sorted.
        mine: the project's instances.
        canceled: whether the project was told that what the message announces is canceled.
    """
    rounds = _of_its_session(rounds, message)
    fitting = [part for part in rounds if _fits(part, message)]
    if canceled:  # then the host never was in maintenance
        fitting = [part for part in fitting if part.in_maintenance is None] or fitting
    if not fitting:
        return _by_time(rounds, message)
    if not message.says(NotificationState.PLANNED_MAINTENANCE):
        of_one = [part for part in fitting if _is_about_the_same(part, message)]
        return (of_one or fitting)[-1]
    likely = [part for part in fitting if _has_instance(part, message, mine)] or fitting
    return next((part for part in likely if not _is_of_another(part, message)), likely[0])


def _is_of_another(part: Round, message: Message) -> bool:
    """Return whether a round has messages of other sessions only, as one of a host that an operator disabled may."""
    told = {other.content.session_id for other in part.told_host + part.told_projects}
    return bool(told) and message.content.session_id not in told


def _is_about_the_same(part: Round, message: Message) -> bool:
    """Return whether a message names the list of instances that the round's first message named."""
    planned = part.project_messages(
        NotificationState.PLANNED_MAINTENANCE, message.content.project_id
    )
    return any(item.content.instance_ids == message.content.instance_ids for item in planned)


def _fits(part: Round, message: Message) -> bool:
    project_id, step_7, step_11 = message.content.project_id, part.in_maintenance, part.over
    match message.content.state:
        case NotificationState.IN_MAINTENANCE.value:
            return (
                step_7 is not None
                and step_7.key <= message.key
                and (step_11 is None or message.key <= step_11.key)
            )
        case NotificationState.MAINTENANCE_OVER.value:
            return step_11 is not None and step_11.key <= message.key
        case NotificationState.MAINTENANCE_CANCELED.value:
            planned = part.project_messages(NotificationState.PLANNED_MAINTENANCE, project_id)
            return step_7 is None and bool(planned)
    planned = part.project_messages(NotificationState.PLANNED_MAINTENANCE, project_id)
    canceled = part.project_messages(NotificationState.MAINTENANCE_CANCELED, project_id)
    until = step_7.key if step_7 is not None else part.end_key
    begun = part.disable is None or part.begin <= message.sent.upper
    return begun and message.key <= until and not (planned and canceled)


def _by_time(rounds: Sequence[Round], message: Message) -> Round:
    """Return the round in which a message was sent that does not go by the book."""
    begun = [part for part in rounds if part.key <= message.key] or [rounds[0]]
    late = begun[-1].end_key < message.key
    if late and message.says(NotificationState.PLANNED_MAINTENANCE):
        return rounds[min(rounds.index(begun[-1]) + 1, len(rounds) - 1)]
    return begun[-1]


def _has_instance(part: Round, message: Message, lives: Iterable[Life]) -> bool:
    listed = message.listed.instances if message.listed is not None else None
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
            if message.sent.lower.time_us <= seen.moment.upper.time_us
            and message.content.session_id == seen.record.session_id
        ]
        found = _answered(asked, seen)
        answer = Answer(seen.moment, seen.record, found[0] if found else None)
        if found is None:
            orphans.append(answer)
        else:
            found[1].answers.append(answer)
    return orphans


def _answered(
    asked: list[tuple[Message, Round]], seen: Seen[Reply]
) -> tuple[Message, Round] | None:
    """Return what a reply answers: what its URL says, or the latest message that names its instances."""
    key = Point(seen.moment.upper.time_us, seen.place)
    url = seen.record.reply_url
    if url is not None:
        asked = [pair for pair in asked if pair[0].content.reply_url == url] or asked
    named = set(seen.record.instance_actions)
    fitting = [
        pair
        for pair in asked
        if pair[0].listed is not None and named & set(pair[0].listed.instances)
    ]
    candidates = fitting or asked
    before = [pair for pair in candidates if pair[0].key <= key]
    return max(before or candidates, key=lambda pair: pair[0].key, default=None)
