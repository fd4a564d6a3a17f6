# SPDX-License-Identifier: Apache-2.0
"""The alarm model: event alarms as Aodh 23 keeps and evaluates them.

An event reaches the alarms of its own project only. An alarm never returns to ``ok`` by itself, so without
``repeat_actions`` only the first event fires it. The evaluator reads the list of alarms at most once in
``alarm_cache_ttl``, so a new alarm may sleep for so long. All of that is real, and all of it once cost
somebody a notification.
"""

from __future__ import annotations

import fnmatch
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import ForbiddenError, InvalidRequestError, NotFoundError
from doctor_maintenance.protocol import times
from doctor_maintenance.simulator.alarm_delivery import Delivery
from doctor_maintenance.simulator.alarm_query import check_query, hits
from doctor_maintenance.simulator.event_definitions import Event
from doctor_maintenance.simulator.faults import Faults
from doctor_maintenance.simulator.ids import new_uuid
from doctor_maintenance.simulator.profiles import TimingProfile
from doctor_maintenance.simulator.profiles.base import draw

OK, ALARM, INSUFFICIENT = "ok", "alarm", "insufficient data"
STATES = (OK, ALARM, INSUFFICIENT)
SEVERITIES = ("low", "moderate", "critical")
_HISTORY = 200


@dataclass(slots=True)
class Alarm:
    """An event alarm.

    Attributes:
        query: what an event must fit, checked.
        created_at, changed_at, state_at: seconds since the epoch.
        history: what happened to it, the newest last.
    """

    id: str
    name: str
    project_id: str
    user_id: str
    description: str
    event_type: str = "*"
    query: list[dict[str, Any]] = field(default_factory=list)
    enabled: bool = True
    repeat_actions: bool = False
    severity: str = "low"
    ok_actions: list[str] = field(default_factory=list)
    alarm_actions: list[str] = field(default_factory=list)
    insufficient_data_actions: list[str] = field(default_factory=list)
    time_constraints: list[dict[str, Any]] = field(default_factory=list)
    state: str = INSUFFICIENT
    state_reason: str = "Not evaluated yet"
    created_at: float = 0.0
    changed_at: float = 0.0
    state_at: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


class Alarms:
    """The alarms of a cloud, and their evaluator.

    Args:
        clock: the time of changes.
        rng: what IDs are drawn from.
        profile: how long the list of alarms is kept.
        delivery: makes the POSTs.
        faults: asked how old the list of alarms is that the evaluator reads.
    """

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        profile: TimingProfile,
        delivery: Delivery,
        faults: Faults,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._profile = profile
        self.delivery = delivery
        self._faults = faults
        self.alarms: dict[str, Alarm] = {}
        self._limits: dict[str, int] = {}
        self._asked: set[str] = set()
        self._cache: dict[str, tuple[float, list[str]]] = {}

    def create(self, project_id: str, user_id: str, name: str, **fields: Any) -> Alarm:
        """Add an alarm.

        Args:
            project_id: whose events fire it.
            user_id: who made it.
            name: need not be unique.
            **fields: of :class:`Alarm`.

        Raises:
            ForbiddenError: the project may have no more.
            InvalidRequestError: the query, state or severity cannot be.
        """
        limit = self._limits.get(project_id, -1)
        count = sum(1 for alarm in self.alarms.values() if alarm.project_id == project_id)
        if (project_id in self._asked and limit < 0) or 0 <= limit <= count:
            raise ForbiddenError(f"Alarm quota exceeded for user {user_id} on project {project_id}")
        now = self._clock.now()
        fields["query"] = check_query(fields.get("query") or [])
        fields.setdefault(
            "description", f"Alarm when {fields.get('event_type', '*')} event occurred."
        )
        alarm = Alarm(
            id=new_uuid(self._rng),
            name=name,
            project_id=project_id,
            user_id=user_id,
            created_at=now,
            changed_at=now,
            state_at=now,
            **fields,
        )
        self.alarms[alarm.id] = alarm
        self._record(alarm, "creation", _whole(alarm), by=(project_id, user_id))
        return alarm

    def get(self, alarm_id: str, project_id: str | None = None) -> Alarm:
        """Return an alarm; raise NotFoundError if there is none, or it is not that project's."""
        alarm = self.alarms.get(alarm_id)
        if alarm is None or project_id not in (None, alarm.project_id):
            raise NotFoundError(f"Alarm {alarm_id} not found")
        return alarm

    def update(self, alarm: Alarm, user_id: str, **fields: Any) -> None:
        """Change fields of an alarm; a query is checked."""
        if "query" in fields:
            fields["query"] = check_query(fields["query"] or [])
        changed = {k: v for k, v in fields.items() if getattr(alarm, k) != v}
        for name, value in fields.items():
            setattr(alarm, name, value)
        alarm.changed_at = self._clock.now()
        if changed:
            self._record(alarm, "rule change", changed, by=(alarm.project_id, user_id))

    def set_state(self, alarm: Alarm, state: str, user_id: str) -> None:
        """Put an alarm into a state by hand; raise InvalidRequestError if there is no such state."""
        if state not in STATES:
            raise InvalidRequestError("state invalid")
        reason = "Manually set via API"
        alarm.state, alarm.state_reason, alarm.state_at = state, reason, self._clock.now()
        detail = {"state": state, "transition_reason": reason}
        self._record(alarm, "state transition", detail, by=(alarm.project_id, user_id))

    def delete(self, alarm_id: str, project_id: str | None = None) -> None:
        """Remove an alarm; raise NotFoundError as :meth:`get` does."""
        del self.alarms[self.get(alarm_id, project_id).id]

    # Quotas

    def quota(self, project_id: str) -> int:
        """Return how many alarms a project may have; -1 is without limit.

        To ask stores the answer, and a limit of -1 that is stored lets no alarm be made at all: Aodh 23 does so.
        """
        self._asked.add(project_id)
        return self._limits.get(project_id, -1)

    def set_quota(self, project_id: str, limit: int) -> None:
        """Limit the number of a project's alarms."""
        self._limits[project_id] = limit
        self._asked.add(project_id)

    def delete_quota(self, project_id: str) -> None:
        """Forget the limit of a project."""
        if project_id not in self._asked:
            raise NotFoundError(f"Quota for project {project_id} not found")
        self._limits.pop(project_id, None)
        self._asked.discard(project_id)

    # Evaluation

    def evaluate(self, event: Event) -> None:
        """Fire the alarms that an event hits."""
        for alarm in self._watching(event.project_id):
            if not fnmatch.fnmatchcase(event.event_type, alarm.event_type):
                continue
            if alarm.state == ALARM and not alarm.repeat_actions:
                continue
            if hits(event, alarm.query):
                self._fire(alarm, event)

    def _watching(self, project_id: str) -> list[Alarm]:
        """Return the enabled alarms of a project, as the evaluator believes them to be."""
        now = self._clock.now()
        until, ids = self._cache.get(project_id, (0.0, []))
        if until <= now:
            stale = self._faults.decide("aodh.read", project=project_id)
            newest = now - float(stale.parameters["age_s"]) if stale is not None else now
            ids = [
                alarm.id
                for alarm in self.alarms.values()
                if alarm.project_id == project_id and alarm.enabled and alarm.created_at <= newest
            ]
            ttl_s = draw(self._profile.alarm_cache_ttl, self._rng)
            if ttl_s > 0:
                self._cache[project_id] = (now + ttl_s, ids)
        return [self.alarms[i] for i in ids if i in self.alarms]

    def _fire(self, alarm: Alarm, event: Event) -> None:
        query = json.dumps(alarm.query, sort_keys=True)
        reason = (
            f"Event <id={event.message_id},event_type={event.event_type}> hits the query "
            f"<query={query}>."
        )
        previous = alarm.state
        if previous != ALARM:
            alarm.state_at = self._clock.now()
        alarm.state, alarm.state_reason = ALARM, reason
        detail = {"state": ALARM, "transition_reason": reason}
        self._record(alarm, "state transition", detail)
        head = {
            "alarm_name": alarm.name,
            "alarm_id": alarm.id,
            "severity": alarm.severity,
            "previous": previous,
            "current": ALARM,
            "reason": reason,
        }
        for url in alarm.alarm_actions:
            self.delivery.post(url, head, event, alarm.project_id)

    def _record(
        self,
        alarm: Alarm,
        kind: str,
        detail: Mapping[str, Any],
        by: tuple[str | None, str | None] = (None, None),
    ) -> None:
        project_id, user_id = by
        alarm.history.append(
            {
                "event_id": new_uuid(self._rng),
                "alarm_id": alarm.id,
                "type": kind,
                "detail": json.dumps(detail),
                "project_id": project_id,
                "user_id": user_id,
                "on_behalf_of": alarm.project_id,
                "timestamp": self._clock.now(),
            }
        )
        del alarm.history[:-_HISTORY]


def _whole(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as the entry on its creation tells it, in Aodh's order (checked against aodh 23.0.0)."""
    return {
        "alarm_id": alarm.id,
        "type": "event",
        "enabled": alarm.enabled,
        "name": alarm.name,
        "description": alarm.description,
        "timestamp": times.to_iso(alarm.changed_at),
        "user_id": alarm.user_id,
        "project_id": alarm.project_id,
        "state": alarm.state,
        "state_timestamp": times.to_iso(alarm.state_at),
        "state_reason": alarm.state_reason,
        "ok_actions": alarm.ok_actions,
        "alarm_actions": alarm.alarm_actions,
        "insufficient_data_actions": alarm.insufficient_data_actions,
        "repeat_actions": alarm.repeat_actions,
        "time_constraints": alarm.time_constraints,
        "severity": alarm.severity,
        "rule": {"event_type": alarm.event_type, "query": alarm.query},
    }
