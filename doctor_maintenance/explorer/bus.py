# SPDX-License-Identifier: Apache-2.0
"""From the admin tool to the app managers and the inspector: the bus, the alarms, and how alarms go astray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from doctor_maintenance.explorer.case import Trouble, TroublePlan
from doctor_maintenance.explorer.stage import CloudStage
from doctor_maintenance.explorer.witness import BUS
from doctor_maintenance.protocol import HostNotification, NotificationState, ProjectNotification

INSPECTOR = "inspector"


@dataclass(frozen=True, slots=True)
class Letter:
    """A notification on its way.

    Attributes:
        message_id: its identity, the same if it is published again.
        generated: the sender's stamp.
        notification: what it says.
        instances: the list behind its URL, where that matters.
    """

    message_id: str
    generated: float
    notification: ProjectNotification | HostNotification
    instances: tuple[str, ...] | None


Receive = Callable[[Letter], None]


class Bus:
    """The bus and the alarms on it.

    Args:
        stage: the cloud, for time and troubles.
        stamp: the sender's time.
        listed: returns the list behind a notification's URL.

    Attributes:
        lost: receivers that something never reached.
        delayed: receivers that something reached late.
    """

    def __init__(
        self,
        stage: CloudStage,
        stamp: Callable[[], float],
        listed: Callable[[ProjectNotification], tuple[str, ...]],
    ) -> None:
        self.lost: set[str] = set()
        self.delayed: set[str] = set()
        self._stage = stage
        self._stamp = stamp
        self._listed = listed
        self._receivers: dict[str, Receive] = {}
        self._count: dict[str, int] = {}
        self._ids: dict[str, str] = {}
        self._alarms: dict[tuple[str, int], TroublePlan] = {
            (trouble.target, int(trouble.at)): trouble
            for trouble in stage.case.troubles
            if trouble.what in (Trouble.ALARM_LOST, Trouble.ALARM_LATE, Trouble.ALARM_TWICE)
        }

    def subscribe(self, receiver: str, receive: Receive) -> None:
        """Set an alarm for a project, or for the inspector."""
        self._receivers[receiver] = receive

    def receiver(self, receiver: str) -> Receive:
        """Return who takes what is for a receiver."""
        return self._receivers[receiver]

    def publish(self, key: str, notification: ProjectNotification | HostNotification) -> None:
        """Take a notification from the admin tool."""
        message_id = self._message_id(key.partition("#")[0])
        witness = self._stage.witness
        if isinstance(notification, HostNotification):
            letter = Letter(message_id, self._stamp(), notification, None)
            witness.host_message(BUS, message_id, letter.generated, notification)
            self._deliver(INSPECTOR, letter)
            return
        planned = notification.state is NotificationState.PLANNED_MAINTENANCE
        instances = self._listed(notification) if planned else None
        letter = Letter(message_id, self._stamp(), notification, instances)
        witness.project_message(BUS, message_id, letter.generated, notification, instances)
        self._deliver(notification.project_id, letter)

    def _message_id(self, key: str) -> str:
        """Return the identity of a command's notification: the same whenever it is published again."""
        return self._ids.setdefault(key, f"0e55a6e0-0000-4000-8000-{len(self._ids):012x}")

    def _deliver(self, receiver: str, letter: Letter) -> None:
        receive = self._receivers.get(receiver)
        if receive is None:
            return
        number = self._count[receiver] = self._count.get(receiver, -1) + 1
        trouble = self._alarms.get((receiver, number))
        delay_s = self._stage.case.timing.alarm_s
        call_later = self._stage.clock.call_later
        if trouble is not None:
            self._stage.happened[trouble.what] += 1
            if trouble.what is Trouble.ALARM_LOST:
                self.lost.add(receiver)
                return
            self.delayed.add(receiver)
            if trouble.what is Trouble.ALARM_LATE:
                delay_s += trouble.seconds
            else:
                call_later(delay_s + trouble.seconds, lambda: receive(letter))
        call_later(delay_s, lambda: receive(letter))


def readable(notification: ProjectNotification) -> str:
    """Return a notification as its receiver could read it; JSON says no more, and takes longer."""
    return str(notification.to_wire())
