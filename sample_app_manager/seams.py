# SPDX-License-Identifier: Apache-2.0
"""What the app manager is given from outside, and its limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from doctor_maintenance.flow import Flow
from doctor_maintenance.protocol import ProjectNotification, Reply
from sample_app_manager.recreate import RecreateRules

Ask = Callable[[str], str | None]
"""Asks the service at an address once who answers: the instance's ID or name, or None."""


Send = Callable[[Reply], Flow[str | None]]
"""Sends a reply, and returns why it was not accepted; None: it was."""


class Manners(Protocol):
    """How an app manager replies; one with bad manners is for tests of admin tools."""

    def deliver(
        self, notification: ProjectNotification, reply: Reply, send: Send
    ) -> Flow[str | None]:
        """See to it that a reply is sent, and return why it was not accepted; None: it was."""


class GoodManners:
    """Says what it means, once and at once."""

    def deliver(
        self, notification: ProjectNotification, reply: Reply, send: Send
    ) -> Flow[str | None]:
        """Send the reply."""
        return (yield from send(reply))


@dataclass(frozen=True, slots=True)
class Waits:
    """How long things may take and how often they are tried; durations in seconds.

    Attributes:
        switch_over_s: until the standby answers after a switch-over.
        poll_s: between two questions.
        answers_in_a_row: how often the standby must answer, and nobody else, to be taken for the active side (≥ 1).
        reply_retries: how often a request to the admin tool is sent again.
        retry_s: between two tries.
        look_s: between two looks at the sessions that we know of, for alarms that were lost.
        queue: how many announcements may wait to be worked on; further ones are refused.
        recreate: the limits of building instances anew.
    """

    switch_over_s: float = 30.0
    poll_s: float = 0.05
    answers_in_a_row: int = 4
    reply_retries: int = 5
    retry_s: float = 0.5
    look_s: float = 10.0
    queue: int = 1000
    recreate: RecreateRules = field(default_factory=RecreateRules)
