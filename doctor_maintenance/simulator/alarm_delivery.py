# SPDX-License-Identifier: Apache-2.0
"""The POST to an alarm's URL: made once, never again, and nobody but the log knows how it ended.

Aodh's ``rest_notifier_max_retries`` is 0 by default, so one lost POST is a lost notification; whoever
receives them must be told so by other means. What can happen to a POST on its way is a fault point.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from doctor_maintenance.clock import Clock
from doctor_maintenance.protocol import times
from doctor_maintenance.secret_words import origin
from doctor_maintenance.simulator.event_definitions import Event
from doctor_maintenance.simulator.events import Emit
from doctor_maintenance.simulator.faults import Behaviour, Faults
from doctor_maintenance.simulator.ids import new_request_id
from doctor_maintenance.simulator.profiles import TimingProfile
from doctor_maintenance.simulator.profiles.base import draw
from doctor_maintenance.workers import Outcome, Workers

LOG = logging.getLogger(__name__)

TIMEOUT_S = 10.0
"""How long an alarm URL may take to answer."""
_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Posted:
    """A POST that was made.

    Attributes:
        at: when it ended, seconds since the epoch.
        url: where it went, without the path: an alarm URL is a secret of who set the alarm.
        message_id: of the notification.
        result: the HTTP status, or the name of the error.
    """

    at: float
    url: str
    message_id: str
    result: str


class Delivery:
    """Makes the POSTs of alarms.

    Args:
        clock: when they are made.
        rng: what delays are drawn from.
        profile: how long after the notification they are made.
        faults: asked about each.
        emit: told of the text that a project gets to read.
        http: what they are sent with.
        workers: who waits for the answers.
    """

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        profile: TimingProfile,
        faults: Faults,
        emit: Emit,
        http: requests.Session,
        workers: Workers,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._profile = profile
        self._faults = faults
        self._emit = emit
        self._http = http
        self._workers = workers
        self.posted: deque[Posted] = deque(maxlen=_KEPT)

    def post(self, url: str, head: Mapping[str, Any], event: Event, project_id: str) -> None:
        """Post an alarm after the usual delay, or what a fault makes of it.

        Args:
            url: the alarm action.
            head: the body's fields about the alarm.
            event: the event that fired it.
            project_id: whose alarm it is.
        """
        body = json.dumps({**head, "reason_data": reason_data(event)}).encode()
        delay_s = draw(self._profile.alarm_delay, self._rng)
        fault = self._faults.decide(
            "aodh.post",
            event_type=event.event_type,
            project=project_id,
            url=url,
            state=event.values.get("state"),
        )
        if fault is not None:
            if fault.name in ("alarm_lost", "alarm_dead_url"):
                self._done(url, event, fault.name)
                return
            body, delay_s = _altered(fault, body, delay_s)
            if fault.name == "alarm_twice":
                self._later(delay_s, url, body, event, project_id)
        self._later(delay_s, url, body, event, project_id)

    def _later(self, delay_s: float, url: str, body: bytes, event: Event, project_id: str) -> None:
        headers = {
            "x-openstack-request-id": new_request_id(self._rng),
            "content-type": "application/json",
        }

        def send() -> int:
            answer = self._http.post(url, data=body, headers=headers, timeout=TIMEOUT_S)
            return answer.status_code

        def done(outcome: Outcome[int]) -> None:
            error = outcome.error
            self._done(url, event, str(outcome.value) if error is None else type(error).__name__)

        def start() -> None:
            text = body.decode(errors="replace")
            self._emit("readable", {"project_id": project_id, "where": "alarm", "text": text})
            self._workers.submit(send, done)

        self._clock.call_later(delay_s, start)

    def _done(self, url: str, event: Event, result: str) -> None:
        level = logging.INFO if result.startswith("2") else logging.WARNING
        where = origin(url)
        LOG.log(level, "alarm on %s: POST %s: %s", event.event_type, where, result)
        self.posted.append(Posted(self._clock.now(), where, event.message_id, result))


def reason_data(event: Event) -> dict[str, Any]:
    """Return the part of the body that carries the event."""
    fields = {
        "message_id": event.message_id,
        "event_type": event.event_type,
        "generated": times.to_iso(event.generated),
        "traits": event.traits,
        "raw": {},
    }
    signature = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    return {"type": "event", "event": {**fields, "message_signature": signature}}


def _altered(fault: Behaviour, body: bytes, delay_s: float) -> tuple[bytes, float]:
    """Return the body and the delay that a fault makes of the usual ones."""
    if "delay_s" in fault.parameters:
        delay_s += float(fault.parameters["delay_s"])
    if "bytes" in fault.parameters:
        body = body[: int(fault.parameters["bytes"])]
    return body, delay_s
