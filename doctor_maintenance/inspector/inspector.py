# SPDX-License-Identifier: Apache-2.0
"""The inspector's shell: it is told of maintenance and of faults, and does what the policy says.

Acting on a fault is Doctor's: nova-compute is forced down, so that Nova does not wait for its report
to be missed; the instances are set to error; their projects are told. A host that is up again undoes
what was done for it, no more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from doctor_maintenance import flow
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import (
    CloudError,
    LimitError,
    MaintenanceError,
    RemoteProtocolError,
)
from doctor_maintenance.flow import Flow, blocking, callback
from doctor_maintenance.inspector.actions import Affected, OperatorCloud
from doctor_maintenance.inspector.policy import HostEvent, HostStatus, Standing
from doctor_maintenance.observations import Observe, ignore
from doctor_maintenance.protocol import Alarm, HostNotification, NotificationState, parse_alarm
from doctor_maintenance.workers import Outcome, Workers

LOG = logging.getLogger(__name__)

INSTANCE_UPDATE = "compute.instance.update"
"""The event type by which projects learn of their instances (Doctor, Nova's own notifications)."""

Done = Callable[[Outcome[None]], None]

Publish = Callable[[str, str, Mapping[str, Any], Done], None]
"""Publishes a notification: its identity, event type, payload, and who is told when it is done."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How often things are tried; durations in seconds.

    Attributes:
        attempts: how often a call to the cloud is tried (≥ 1).
        retry_s: between two tries.
        at_once: how many instances are dealt with at the same time.
        queue: how many reported events may be worked on; further ones are refused.
    """

    attempts: int = 3
    retry_s: float = 0.5
    at_once: int = 8
    queue: int = 1000


class Inspector:
    """The inspector.

    Args:
        clock: where it runs.
        workers: who does what blocks.
        cloud: the cloud, as an operator.
        publish: tells projects of their instances.
        limits: how often things are tried.
        observe: is told what was done; see the trace's kinds.
    """

    def __init__(
        self,
        clock: Clock,
        workers: Workers,
        cloud: OperatorCloud,
        publish: Publish,
        *,
        limits: Limits | None = None,
        observe: Observe = ignore,
    ) -> None:
        self._clock = clock
        self._workers = workers
        self._cloud = cloud
        self._publish = publish
        self._limits = limits or Limits()
        self._observe = observe
        self._standing = Standing()
        self._down: dict[str, list[Affected]] = {}
        self._tasks: dict[int, flow.Task[None]] = {}
        self._started = 0
        self._identity = f"inspector/{clock.now():.6f}"

    @property
    def idle(self) -> bool:
        """True if nothing is being worked on."""
        return not self._tasks

    def state(self) -> dict[str, Any]:
        """Return what is known, for tests and people."""
        return {
            "idle": self.idle,
            "in_maintenance": {
                host: self._standing.sessions(host) for host in self._standing.hosts
            },
            "down": {
                host: [item.instance_id for item in instances]
                for host, instances in sorted(self._down.items())
            },
        }

    def begin(self) -> None:
        """Ask Nova which hosts are in maintenance already; call it once, on the clock."""
        self._run(self._ask_nova(), "asking which hosts are in maintenance")

    def found(self, disabled: Mapping[str, str]) -> None:
        """Take note of what Nova said; call it on the clock.

        Args:
            disabled: the disable reason of each host whose nova-compute is disabled.
        """
        before = self._standing.hosts
        self._standing.asked(disabled)
        for host in self._standing.hosts:
            if host not in before:
                self._tell("stand_down", host, *self._standing.sessions(host)[:1])

    def receive(self, body: object) -> bool:
        """Take note of what Aodh posted; call it on the clock.

        Returns:
            Whether it changed for which hosts we stand down.

        Raises:
            RemoteProtocolError: it is malformed, cut, or none of the inspector's.
        """
        alarm = parse_alarm(body)
        notification = alarm.notification()
        if not isinstance(notification, HostNotification):
            raise RemoteProtocolError(
                f"event_type: the inspector takes no {alarm.event_type}; it is for app managers"
            )
        self._observe("notification", _seen(alarm, notification))
        changed = self._standing.notified(notification)
        if changed:
            down = notification.state is NotificationState.IN_MAINTENANCE
            self._tell(
                "stand_down" if down else "resume", notification.host, notification.session_id
            )
        return changed

    def report(self, events: Sequence[HostEvent]) -> None:
        """Take note of what monitors report; call it on the clock.

        Raises:
            LimitError: too much is being worked on; none of it is taken.
        """
        if len(self._tasks) + len(events) > self._limits.queue:
            raise LimitError(f"{len(self._tasks)} events are being worked on; try again later")
        for event in events:
            if event.status is HostStatus.DOWN:
                self._tell("fault_received", event.host)
            self._run(self._handle(event), f"{event.host} is reported {event.status.value}")

    def close(self) -> None:
        """Do nothing more; call it on the clock."""
        for task in list(self._tasks.values()):
            task.cancel()

    def _run(self, story: Flow[None], what: str) -> None:
        self._started += 1
        number = self._started

        def done(outcome: Outcome[None]) -> None:
            del self._tasks[number]
            if outcome.error is not None and not isinstance(outcome.error, flow.FlowCancelled):
                LOG.error("%s: %s", what, outcome.error, exc_info=outcome.error)

        self._tasks[number] = flow.start(self._clock, self._workers, story, done)

    def _ask_nova(self) -> Flow[None]:
        self.found((yield from self._try(self._cloud.disabled_hosts)))

    def _handle(self, event: HostEvent) -> Flow[None]:
        if event.status is HostStatus.UP:
            yield from self._recovered(event.host)
            return
        if self._standing.unsure(event.host):
            yield from self._ask_nova()
        if self._standing.stands_down(event.host):
            self._tell("ignored", event.host, *self._standing.sessions(event.host)[:1])
            return
        yield from self._act(event.host)
        self._tell("acted", event.host)

    def _act(self, host: str) -> Flow[None]:
        """Force the host down, set its instances to error and tell their projects."""
        yield from self._try(lambda: self._cloud.force_down(host, True))
        instances = yield from self._try(lambda: self._cloud.instances_on(host))
        healthy = [item for item in instances if item.status != "ERROR"]
        self._down.setdefault(host, []).extend(healthy)
        yield from flow.together([self._fail(item) for item in healthy], self._limits.at_once)

    def _fail(self, instance: Affected) -> Flow[None]:
        """Tell the project first: its switch-over must not wait for Nova."""
        payload = {
            "tenant_id": instance.project_id,
            "project_id": instance.project_id,
            "instance_id": instance.instance_id,
            "state": "error",
        }
        key = f"{self._identity}/{self._started}/{instance.instance_id}"

        def begin(done: Done) -> None:
            self._publish(key, INSTANCE_UPDATE, payload, done)

        try:
            yield from callback(begin)
        except MaintenanceError as error:
            LOG.error(
                "project %s is not told of instance %s: %s",
                instance.project_id,
                instance.instance_id,
                error,
            )
        yield from self._try(lambda: self._cloud.reset_state(instance.instance_id, "error"))

    def _recovered(self, host: str) -> Flow[None]:
        """Undo what was done for a host that is up again."""
        if host not in self._down:
            return
        yield from self._try(lambda: self._cloud.force_down(host, False))
        for item in self._down.pop(host):
            yield from self._try(partial(self._cloud.reset_state, item.instance_id, "active"))

    def _try(self, ask: Callable[[], flow.T]) -> Flow[flow.T]:
        """Call the cloud, again if it may help."""
        attempt = 1
        while True:
            try:
                return (yield from blocking(ask))
            except CloudError as error:
                if error.permanent or attempt >= self._limits.attempts:
                    raise
                LOG.warning("again in %g s: %s", self._limits.retry_s, error)
            attempt += 1
            yield from flow.wait(self._limits.retry_s)

    def _tell(self, action: str, host: str, session_id: str | None = None) -> None:
        LOG.info("%s: %s (session %s)", host, action, session_id or "-")
        fields = {"action": action, "host": host}
        if session_id is not None:
            fields["session_id"] = session_id
        self._observe("inspector", fields)


def _seen(alarm: Alarm, notification: HostNotification) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "event_type": alarm.event_type,
        "message_id": alarm.message_id,
        "generated": alarm.generated,
        **notification.to_wire(),
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}
