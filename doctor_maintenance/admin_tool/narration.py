# SPDX-License-Identifier: Apache-2.0
"""A session in words: what the log tells of its commands and events.

INFO tells the maintenance as a story, with the guideline's steps; what only helps to find a defect is DEBUG.
"""

from __future__ import annotations

import logging

from doctor_maintenance.planning import Session
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw

LOG = logging.getLogger(__name__)


def describe(command: do.Answered) -> str:
    """Return a command in words, for the log."""
    match command:
        case do.DisableCompute():
            return f"disable nova-compute on {command.host} (step 1)"
        case do.EnableCompute():
            return f"enable nova-compute on {command.host} (step 10)"
        case do.Survey():
            return f"look at the instances on {command.host}"
        case do.NotifyProject():
            notification = command.notification
            return f"tell project {notification.project_id}: {notification.state.value}"
        case do.NotifyHost():
            notice = command.notification
            return f"tell the inspector: {notice.host} {notice.state.value}"
        case do.MoveInstance():
            return (
                f"{command.action.value} instance {command.instance_id} off {command.host} (step 6)"
            )
        case do.Maintain():
            return f"maintenance of {command.host}: {command.step.value}"
        case do.RestoreInstances():
            return f"see that {len(command.instance_ids)} instances left on {command.host} run"


def log_event(session: Session, event: saw.Event) -> None:
    """Tell what happened in a session, as its story or for debugging."""
    match event:
        case saw.CommandFailed():
            LOG.warning("session %s: %s: %s", session.session_id, event.key, event.reason)
        case saw.ReplyReceived():
            LOG.info(
                "session %s: project %s replies %s (step 5)",
                session.session_id,
                event.project_id,
                event.reply.to_wire()["state"],
            )
        case saw.InstanceMoved():
            LOG.info(
                "session %s: instance %s is on %s",
                session.session_id,
                event.instance_id,
                event.to_host,
            )
        case saw.OperatorCanceled() | saw.OperatorContinued() | saw.OperatorReleased():
            LOG.info("session %s: %s", session.session_id, event)
        case _:
            LOG.debug("session %s: %s", session.session_id, event)
