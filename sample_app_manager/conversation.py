# SPDX-License-Identifier: Apache-2.0
"""Talking with the admin tool: asking what is affected, and replying, tried again within the deadline.

A reply that is not answered may have been taken; sending the same again is harmless, since the admin
tool accepts the same reply twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from doctor_maintenance import flow
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import CloudError, MaintenanceError
from doctor_maintenance.flow import Flow, blocking
from doctor_maintenance.observations import Observe
from doctor_maintenance.protocol import ProjectNotification, Reply
from sample_app_manager.peer import AdminTool
from sample_app_manager.seams import Waits

LOG = logging.getLogger(__name__)

_WIRE_ROUNDING_S = 1.0
"""A time on the wire is rounded up to a whole second, so a deadline may be this much nearer."""


def reply_by(notification: ProjectNotification) -> float:
    """Return when a reply must be under way to be in time, seconds since the epoch.

    It is infinite if there is no deadline.
    """
    if notification.reply_at is None:
        return float("inf")
    return notification.reply_at - 2 * _WIRE_ROUNDING_S


class Conversation:
    """What is said between one project and the admin tool.

    Args:
        clock: for waits.
        admin_tool: whom to talk to.
        project_id: the project.
        waits: limits.
        observe: is told of every reply, and of every text that was read.
    """

    def __init__(
        self,
        clock: Clock,
        admin_tool: AdminTool,
        *,
        project_id: str,
        waits: Waits,
        observe: Observe,
    ) -> None:
        self._clock = clock
        self._admin_tool = admin_tool
        self._project_id = project_id
        self._waits = waits
        self._observe = observe

    def affected(self, notification: ProjectNotification) -> Flow[tuple[str, ...]]:
        """Return the instances that a notification is about.

        Raises:
            CloudError: the admin tool refuses, or did not answer in time.
            RemoteProtocolError: its answer is no list, or the URL is not the admin tool's.
        """
        tries = self._waits.reply_retries
        while True:
            try:
                return (yield from self._ask(notification))
            except CloudError as error:
                late = self._clock.now() + self._waits.retry_s > reply_by(notification)
                if error.permanent or tries <= 0 or late:
                    raise
            tries -= 1
            yield from flow.wait(self._waits.retry_s)

    def view(self, url: str) -> Flow[Mapping[str, Any]]:
        """Return what the admin tool shows of an announcement, or of a session's latest one.

        Raises:
            CloudError: it refuses, or does not answer.
            RemoteProtocolError: it answers something else.
        """
        view, text = yield from blocking(lambda: self._admin_tool.view(url))
        self._read(url, text)
        return view

    def note(self, notification: ProjectNotification) -> Flow[None]:
        """Read once what a notification that asks for nothing is about; for the record only."""
        try:
            yield from self._ask(notification)
        except MaintenanceError as error:
            LOG.debug("session %s: %s", notification.session_id, error)

    def _ask(self, notification: ProjectNotification) -> Flow[tuple[str, ...]]:
        affected, text = yield from blocking(
            lambda: self._admin_tool.affected(notification.instance_ids)
        )
        self._read(notification.instance_ids, text)
        return affected

    def _read(self, url: str, text: str) -> None:
        seen = {"project_id": self._project_id, "where": url, "text": text}
        self._observe("readable", seen)

    def reply(self, notification: ProjectNotification, reply: Reply) -> Flow[str | None]:
        """Reply until it is answered for good, the tries are used up, or it is too late.

        Returns:
            None if the reply was accepted, else why not.
        """
        url = notification.reply_url
        if url is None:
            return "there is no reply_url to reply to"
        problem = ""
        for attempt in range(self._waits.reply_retries + 1):
            if attempt:
                yield from flow.wait(self._waits.retry_s)
            status, text, again = yield from self._send(url, reply)
            if 200 <= status < 300:
                LOG.info("session %s: replied %s", reply.session_id, reply.verdict.value)
                return None
            problem = f"the reply was answered by {status or 'nothing'}: {text:.200}"
            LOG.warning("session %s: %s", reply.session_id, problem)
            next_at = self._clock.now() + self._waits.retry_s
            if not again or (notification.reply_at is not None and next_at > notification.reply_at):
                break
        return problem

    def _send(self, url: str, reply: Reply) -> Flow[tuple[int, str, bool]]:
        """Send a reply once; return the status (0: none), the text, and whether to try again."""
        sent_at = self._clock.now()
        try:
            answer = yield from blocking(lambda: self._admin_tool.reply(url, reply))
            status, text, again = answer.status, answer.text, answer.temporary
        except CloudError as error:
            status, text, again = 0, str(error), not error.permanent
        self._observe(
            "reply",
            {
                "project_id": self._project_id,
                **reply.to_wire(),
                "reply_url": url,
                "status": status,
                "not_before": sent_at,
            },
        )
        return status, text, again
