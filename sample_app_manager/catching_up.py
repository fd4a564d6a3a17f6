# SPDX-License-Identifier: Apache-2.0
"""Makes up for alarms that never came: asks the admin tool about the sessions that we know of.

An alarm can be lost on its way, or be posted while we were down; nobody posts it again. So as long as a
session runs, its latest announcement is looked at now and then, and what is new there is taken as if it had
been told. A session whose very first alarm is lost cannot be found this way: its default action follows.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from doctor_maintenance import flow
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import CloudError, MaintenanceError, RemoteProtocolError
from doctor_maintenance.flow import Flow
from doctor_maintenance.protocol import NotificationState, ProjectNotification
from doctor_maintenance.workers import Outcome, Workers
from sample_app_manager.conversation import Conversation
from sample_app_manager.state import Memory

LOG = logging.getLogger(__name__)

MAX_MISSED = 100
"""How many announcements of a session are made up for at a time."""

_NUMBERED = re.compile(r"(?P<base>.+)/(?P<number>[1-9][0-9]{0,5})\Z")


class CatchingUp:
    """Looks after sessions.

    Args:
        clock: for waits.
        workers: who does what blocks.
        conversation: with the admin tool.
        memory: which sessions we know of.
        project_id: the project.
        every_s: the time between two looks.
        learn: takes a notification that was missed; a known one is no error.
    """

    def __init__(
        self,
        clock: Clock,
        workers: Workers,
        conversation: Conversation,
        memory: Memory,
        *,
        project_id: str,
        every_s: float,
        learn: Callable[[ProjectNotification], None],
    ) -> None:
        self._clock = clock
        self._workers = workers
        self._conversation = conversation
        self._memory = memory
        self._project_id = project_id
        self._every_s = every_s
        self._learn = learn
        self._over: set[str] = set()
        self._task: flow.Task[None] | None = None

    def wake(self, *, at_once: bool = False) -> None:
        """Begin to look, if there is anything to look at and nobody does yet.

        Args:
            at_once: whether to look now, because we may have been away.
        """
        if self._task is not None or not self._sessions():
            return

        def done(outcome: Outcome[None]) -> None:
            self._task = None
            if outcome.error is not None and not isinstance(outcome.error, flow.FlowCancelled):
                LOG.error("looking after sessions failed", exc_info=outcome.error)

        look = self._look_on(0.0 if at_once else self._every_s)
        self._task = flow.start(self._clock, self._workers, look, done)

    def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    def _sessions(self) -> dict[str, frozenset[str]]:
        known = self._memory.open_urls(self._clock.now())
        return {key: urls for key, urls in known.items() if key not in self._over}

    def _look_on(self, first_s: float) -> Flow[None]:
        yield from flow.wait(first_s)
        while sessions := self._sessions():
            for session_id, urls in sorted(sessions.items()):
                try:
                    yield from self._look(session_id, urls)
                except CloudError as error:
                    LOG.info("session %s: %s", session_id, error)
                    if error.permanent:
                        self._over.add(session_id)
                except MaintenanceError as error:
                    LOG.info("session %s is not looked after: %s", session_id, error)
                    self._over.add(session_id)
            yield from flow.wait(self._every_s)

    def _look(self, session_id: str, open_urls: Iterable[str]) -> Flow[None]:
        base = self._base(session_id)
        if base is None:
            self._over.add(session_id)
            return
        latest = yield from self._conversation.view(base)
        number = _number(latest)
        seen = {f"{base}/{number}": latest}
        first = max(1, number - MAX_MISSED)
        missed = [f"{base}/{item}" for item in range(first, number)]
        wanted = {*open_urls, *(url for url in missed if not self._memory.knows(session_id, url))}
        for url in sorted(wanted - set(seen)):
            seen[url] = yield from self._conversation.view(url)
        for url, view in sorted(seen.items(), key=lambda item: _number(item[1])):
            self._take(session_id, url, view)
        if latest.get("session_over") is True:
            self._over.add(session_id)

    def _take(self, session_id: str, url: str, view: Mapping[str, Any]) -> None:
        """Take what a view says as if it had been told, if it asks for anything."""
        notification = _as_told(url, view)
        if (notification.session_id, notification.project_id) != (session_id, self._project_id):
            raise RemoteProtocolError(f"{url}: it is about another session or another project")
        planned = notification.state is NotificationState.PLANNED_MAINTENANCE
        if planned and view.get("reply") is not None:
            return  # it was answered, by whoever we were then
        if planned or self._memory.knows(session_id, url):
            self._learn(notification)

    def _base(self, session_id: str) -> str | None:
        """Return where a session's latest announcement is, as far as our own admin tool's URLs tell."""
        end = f"/{session_id}/{self._project_id}"
        for url in self._memory.urls(session_id):
            found = _NUMBERED.match(url)
            if found is not None and found["base"].endswith(end):
                return found["base"]
        return None


def _number(view: Mapping[str, Any]) -> int:
    number = view.get("number")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise RemoteProtocolError(f"number: expected that of an announcement; found {number!r:.80}")
    return number


def _as_told(url: str, view: Mapping[str, Any]) -> ProjectNotification:
    """Return the notification that says the same as a view does."""
    told = {**view, "instance_ids": url}
    if view.get("state") == NotificationState.PLANNED_MAINTENANCE.value:
        told["reply_url"] = url
    else:
        for name in ("allowed_actions", "default_action", "actions_at", "reply_at"):
            told.pop(name, None)
    return ProjectNotification.from_wire(told)
