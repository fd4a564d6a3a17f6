# SPDX-License-Identifier: Apache-2.0
"""What operator and project may see of a session.

The project's view names no host, no other project and no reason that could (requirements S-13 to
S-15).
"""

from __future__ import annotations

from typing import Any

from doctor_maintenance.planning.announcement import Announcement, allowed_actions
from doctor_maintenance.planning.host_work import HostWork
from doctor_maintenance.planning.session import Session
from doctor_maintenance.protocol import NotificationState, times


def operator_view(session: Session) -> dict[str, Any]:
    """Return all of a session."""
    request = session.request
    return {
        "session_id": request.session_id,
        "state": session.state.value,
        "type": request.type.value,
        "maintenance_at": times.to_wire(request.maintenance_at),
        "metadata": dict(request.metadata),
        "hosts": [_host(work) for work in session.works.values()],
    }


def project_view(session: Session, project_id: str, number: int | None = None) -> dict[str, Any]:
    """Return what a project may see of a session: one announcement, the latest by default.

    Raises:
        NotFoundError: the session does not concern the project.
    """
    if number is None:
        told = session.announcements(project_id)
        number = told[-1][1].number if told else 0
    work, announcement = session.announcement(project_id, number)
    here = [item for item in announcement.instance_ids if _concerned(work, announcement, item)]
    return {
        "session_id": session.session_id,
        "project_id": project_id,
        "number": number,
        "session_over": session.state.final,
        "state": announcement.state.value,
        "type": session.request.type.value,
        "instance_ids": here,
        "allowed_actions": [action.value for action in allowed_actions(session.request.type)],
        "default_action": announcement.default_action.value
        if announcement.default_action
        else None,
        "reply_at": times.to_wire(announcement.reply_at),
        "actions_at": times.to_wire(announcement.reply_at),
        "reply": announcement.reply.to_wire() if announcement.reply else None,
        "metadata": dict(session.request.metadata),
    }


def _concerned(work: HostWork, announcement: Announcement, instance_id: str) -> bool:
    told_at_first = announcement.state is NotificationState.PLANNED_MAINTENANCE
    return told_at_first or instance_id in work.remaining


def _host(work: HostWork) -> dict[str, Any]:
    return {
        "host": work.host,
        "state": work.state.value,
        "reason": work.reason,
        "disabled_by_operator": work.disabled_by_operator,
        "instance_ids": sorted(work.remaining),
        "projects": [
            {
                "project_id": item.project_id,
                "state": item.state.value,
                "instance_ids": list(item.instance_ids),
                "subscribed": item.subscribed,
                "reply_at": times.to_wire(item.reply_at),
                "default_action": item.default_action.value if item.default_action else None,
                "reply": item.reply.to_wire() if item.reply else None,
                "expired": item.expired,
            }
            for item in work.announcements.values()
        ],
    }
