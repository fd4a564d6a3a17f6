# SPDX-License-Identifier: Apache-2.0
"""Who told whom what: the deliveries of one notification put together, and the replies.

The same notification is seen on the bus and again by each whose alarm fired on it, perhaps more than
once. It was sent once, at a time that the earliest of these sightings bounds: the sender's own
stamp is believed only as far as it is not later than that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from doctor_maintenance.judge.lives import Seen
from doctor_maintenance.judge.moment import Moment, Point, microseconds
from doctor_maintenance.judge.records import Notification, Readable, Reply
from doctor_maintenance.protocol import EventType, NotificationState, Verdict

BUS = "bus"
ADMIN_TOOL = "admin_tool"


@dataclass(frozen=True, slots=True)
class Listing:
    """The instances that a project was told of, and where that was seen.

    Attributes:
        session_id: of which session.
        project_id: whose instances.
        state: of which state the text was, if it says.
        instances: the list.
        read: where it was read.
    """

    session_id: str
    project_id: str
    state: str | None
    instances: tuple[str, ...]
    read: Seen[Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One notification.

    Attributes:
        content: what it said.
        sent: when it was sent.
        on_bus: where it was seen on the bus, if anybody watched the bus.
        arrivals: where and when it reached somebody.
        key: where it stands in the trace: when it was sent, and the place of its first sighting.
        listed: the instances that were behind its URL, and when its receiver read them, if that was seen.
    """

    content: Notification
    sent: Moment
    on_bus: tuple[Seen[Notification], ...]
    arrivals: tuple[Seen[Notification], ...]
    key: Point
    listed: Listing | None = None

    @property
    def records(self) -> tuple[Notification, ...]:
        """Every record of it."""
        return tuple(seen.record for seen in self.on_bus + self.arrivals)

    @property
    def to_project(self) -> bool:
        """True if it is for a project and not for the inspector."""
        return self.content.event_type == EventType.PROJECT

    def says(self, state: NotificationState) -> bool:
        """Return whether it says ``state``."""
        return self.content.state == state


def messages_of(
    seen: Iterable[Seen[Notification]], texts: Iterable[Seen[Readable]]
) -> list[Message]:
    """Put the sightings of each notification together, in the order in which they were sent.

    Args:
        seen: every sighting of a notification, in order.
        texts: what projects could read, in order; among it the lists of instances.
    """
    sightings: dict[str, list[Seen[Notification]]] = {}
    for item in seen:
        sightings.setdefault(item.record.message_id, []).append(item)
    found = sorted(map(_message, sightings.values()), key=lambda message: message.key)
    listings = [item for item in map(_listing, texts) if item is not None]
    return [_with_list(message, found, listings) for message in found]


def _with_list(
    message: Message, messages: Sequence[Message], listings: Sequence[Listing]
) -> Message:
    """Return a message with its list: told with it, read at its URL, or before the project's next one."""
    content = message.content
    if not message.to_project:
        return message
    if content.instances is not None:  # also of one that got lost on its way
        listed = Listing(
            content.session_id,
            content.project_id,
            content.state,
            content.instances,
            (message.arrivals or message.on_bus)[0],
        )
        return replace(message, listed=listed)
    if not message.arrivals:
        return message
    own = [
        listing
        for listing in listings
        if (listing.session_id, listing.project_id) == (content.session_id, content.project_id)
    ]
    exact = [listing for listing in own if listing.read.record.where == content.instance_ids]
    begin = message.arrivals[0].place
    later = (
        other.arrivals[0].place
        for other in messages
        if other.arrivals and other.content.project_id == content.project_id
    )
    end = min((place for place in later if place > begin), default=math.inf)
    near = (
        listing
        for listing in own
        if begin < listing.read.place < end and listing.state in (None, content.state)
    )
    found = exact[0] if exact else next(near, None)
    return message if found is None else replace(message, listed=found)


def _listing(seen: Seen[Readable]) -> Listing | None:
    """Return the list of instances in a text, if it is what an admin tool's view of a project says."""
    record = seen.record
    if record.source == ADMIN_TOOL or '"instance_ids"' not in record.text:
        return None
    try:
        view = json.loads(record.text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(view, dict) or not isinstance(view.get("instance_ids"), list):
        return None
    instances = tuple(str(item) for item in view["instance_ids"])
    state = view.get("state")
    return Listing(
        session_id=str(view.get("session_id")),
        project_id=record.project_id,
        state=state if isinstance(state, str) else None,
        instances=instances,
        read=seen,
    )


def _message(found: Sequence[Seen[Notification]]) -> Message:
    on_bus = tuple(seen for seen in found if seen.record.source == BUS)
    arrivals = tuple(seen for seen in found if seen.record.source != BUS)
    sent = _sent(on_bus, found)
    time_us = sent.upper.time_us if sent.lower.time_us == -math.inf else sent.lower.time_us
    key = Point(time_us, min(seen.place for seen in found))
    return Message((arrivals or on_bus)[0].record, sent, on_bus, arrivals, key)


def _sent(on_bus: Sequence[Seen[Notification]], found: Sequence[Seen[Notification]]) -> Moment:
    first = min(found, key=lambda seen: seen.moment.upper)
    if on_bus and on_bus[0].moment.lower == on_bus[0].moment.upper:
        return on_bus[0].moment
    stamps = [seen.record.generated for seen in found if seen.record.generated is not None]
    upper = first.moment.upper
    if not stamps:
        return Moment(Point(-math.inf, -math.inf), upper)
    stamp = Point(microseconds(min(stamps)), -math.inf)
    lower = min(stamp, Point(upper.time_us, -math.inf))
    if on_bus:
        return Moment(lower, upper)
    return Moment(lower, min(Point(lower.time_us, math.inf), upper))


@dataclass(frozen=True, slots=True)
class Answer:
    """A project's reply, and the notification that it answers.

    Attributes:
        moment: when the admin tool had it.
        record: the reply.
        planned: what it answers; None if nothing was sent that it could answer.
    """

    moment: Moment
    record: Reply
    planned: Message | None

    @property
    def agrees(self) -> bool:
        """True if it is an ACK that the admin tool took."""
        return self.record.accepted and self._verdict == Verdict.ACK

    @property
    def may_agree(self) -> bool:
        """True if it is an ACK that the admin tool took, or may have taken before it could answer."""
        return (self.record.accepted or self.record.unanswered) and self._verdict == Verdict.ACK

    @property
    def refuses(self) -> bool:
        """True if it is a NACK that the admin tool took."""
        return self.record.accepted and self._verdict == Verdict.NACK

    @property
    def _verdict(self) -> str:
        return self.record.state.partition("_")[0]
