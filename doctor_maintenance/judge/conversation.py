# SPDX-License-Identifier: Apache-2.0
"""Who told whom what: the deliveries of one notification put together, and the replies.

The same notification is seen on the bus and again by each whose alarm fired on it, perhaps more than
once. It was sent once, at a time that the earliest of these sightings bounds: the sender's own
stamp is believed only as far as it is not later than that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from doctor_maintenance.judge.lives import Seen
from doctor_maintenance.judge.moment import Moment, Point, microseconds
from doctor_maintenance.judge.records import Notification, Reply
from doctor_maintenance.protocol import EventType, NotificationState, Verdict

BUS = "bus"


@dataclass(frozen=True, slots=True)
class Message:
    """One notification.

    Attributes:
        content: what it said.
        sent: when it was sent.
        on_bus: where it was seen on the bus, if anybody watched the bus.
        arrivals: where and when it reached somebody.
        key: where it stands in the trace: when it was sent, and the place of its first sighting.
    """

    content: Notification
    sent: Moment
    on_bus: tuple[Seen[Notification], ...]
    arrivals: tuple[Seen[Notification], ...]
    key: Point

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


def messages_of(seen: Iterable[Seen[Notification]]) -> list[Message]:
    """Put the sightings of each notification together, in the order in which they were sent."""
    sightings: dict[str, list[Seen[Notification]]] = {}
    for item in seen:
        sightings.setdefault(item.record.message_id, []).append(item)
    return sorted(map(_message, sightings.values()), key=lambda message: message.key)


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
