# SPDX-License-Identifier: Apache-2.0
"""What the inspector does about what it is told, decided without touching anything.

A host may be in maintenance for more than one session; automatic fault management acts again only
when the last of them is over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from doctor_maintenance.exceptions import InvalidRequestError, RemoteProtocolError
from doctor_maintenance.protocol import HostNotification, NotificationState
from doctor_maintenance.protocol.times import from_wire

EVENT_TYPE = "compute.host."
"""How the type of a monitor's event begins; its status ends it (Doctor, ``PUT /events``)."""

MAX_EVENTS = 1_000
"""How many events one request may carry."""

_MAX_TEXT = 255
_MAX_OVER = 10_000
_UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)


class HostStatus(StrEnum):
    """What a monitor says of a host."""

    DOWN = "down"
    UP = "up"


@dataclass(frozen=True, slots=True)
class HostEvent:
    """What a monitor reports.

    Attributes:
        host: the host.
        status: what it is.
        monitor: who says so.
        event_id: the monitor's own identity of the event.
    """

    host: str
    status: HostStatus
    monitor: str = ""
    event_id: str = ""


@dataclass(slots=True)
class Standing:
    """For which hosts automatic fault management stands down, and on whose word.

    Attributes:
        told: the sessions that we were told of (step 7), by host.
        over: the maintenances that we were told are over (step 11), as host and session, the latest last. What is
            said of them afterwards was overtaken on its way: to believe it would be to stand down for ever.
        seen: hosts whose nova-compute was disabled for maintenance when we asked Nova, with the
            session if the reason names one. A session that is canceled tells us nothing, so this
            is only believed as long as Nova says so.
    """

    told: dict[str, set[str]] = field(default_factory=dict)
    seen: dict[str, str | None] = field(default_factory=dict)
    over: dict[tuple[str, str], None] = field(default_factory=dict)

    def notified(self, notification: HostNotification) -> bool:
        """Take note of a notification (steps 7 and 11).

        Returns:
            True if it changes whether we stand down for the host.
        """
        host, session_id = notification.host, notification.session_id
        before = self.stands_down(host)
        if notification.state is NotificationState.IN_MAINTENANCE:
            if (host, session_id) not in self.over:
                self.told.setdefault(host, set()).add(session_id)
        else:
            self._end(host, session_id)
            sessions = self.told.get(host, set())
            sessions.discard(session_id)
            if not sessions:
                self.told.pop(host, None)
            if self.seen.get(host) in (None, session_id):
                self.seen.pop(host, None)
        return self.stands_down(host) is not before

    def _end(self, host: str, session_id: str) -> None:
        self.over[host, session_id] = None
        if len(self.over) > _MAX_OVER:
            del self.over[next(iter(self.over))]

    def asked(self, disabled: Mapping[str, str]) -> None:
        """Take note of what Nova says.

        Args:
            disabled: the disable reason of each host that has one.
        """
        self.seen = {
            host: session_in(reason)
            for host, reason in disabled.items()
            if "maintenance" in reason.lower()
        }

    def stands_down(self, host: str) -> bool:
        """Return whether we stand down for a host."""
        return host in self.told or host in self.seen

    def unsure(self, host: str) -> bool:
        """Return whether only Nova's word of some time ago says that we stand down."""
        return host in self.seen and host not in self.told

    def sessions(self, host: str) -> list[str]:
        """Return the sessions for which we stand down, as far as they are known."""
        return sorted({*self.told.get(host, ()), *filter(None, [self.seen.get(host)])})

    @property
    def hosts(self) -> list[str]:
        """The hosts for which we stand down."""
        return sorted({*self.told, *self.seen})


def session_in(reason: str) -> str | None:
    """Return the session that a disable reason names, or None."""
    found = _UUID.search(reason)
    return None if found is None else found.group().lower()


def read_events(body: object) -> list[HostEvent]:
    """Read the body of ``PUT /events``: a list of events, or a single one.

    Raises:
        InvalidRequestError: it is malformed; the message names the field. No event of it is taken.
    """
    items: Iterable[Any] = body if isinstance(body, list) else [body]
    events = [_read_event(item, number) for number, item in enumerate(items)]
    if not 0 < len(events) <= MAX_EVENTS:
        raise InvalidRequestError(f"body: expected 1 to {MAX_EVENTS} events; found {len(events)}")
    return events


def _read_event(item: object, number: int) -> HostEvent:
    where = f"[{number}]"
    if not isinstance(item, Mapping):
        raise InvalidRequestError(f"{where}: expected an event object; found {item!r:.80}")
    try:
        from_wire(item.get("time"), f"{where}.time")
    except RemoteProtocolError as error:
        raise InvalidRequestError(str(error)) from error
    details = item.get("details")
    if not isinstance(details, Mapping):
        raise InvalidRequestError(f"{where}.details: expected an object; found {details!r:.80}")
    status = details.get("status")
    if status not in (HostStatus.DOWN, HostStatus.UP):
        raise InvalidRequestError(
            f"{where}.details.status: expected down or up; found {status!r:.80}"
        )
    if item.get("type") != EVENT_TYPE + status:
        raise InvalidRequestError(
            f"{where}.type: expected {EVENT_TYPE}{status}, as the status says;"
            f" found {item.get('type')!r:.80}"
        )
    return HostEvent(
        host=_text(details, "hostname", where),
        status=HostStatus(status),
        monitor=_text(details, "monitor", where, optional=True),
        event_id=_text(details, "monitor_event_id", where, optional=True),
    )


def _text(details: Mapping[str, Any], name: str, where: str, *, optional: bool = False) -> str:
    value = details.get(name, "" if optional else None)
    if not isinstance(value, str) or len(value) > _MAX_TEXT or not (value or optional):
        raise InvalidRequestError(
            f"{where}.details.{name}: expected a text of at most {_MAX_TEXT} characters;"
            f" found {value!r:.80}"
        )
    return value
