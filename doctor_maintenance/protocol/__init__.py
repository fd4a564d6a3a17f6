# SPDX-License-Identifier: Apache-2.0
"""The maintenance conversation on the wire: its words, its messages, its order. No I/O.

Everything that travels between the admin tool, Aodh, the app managers and the inspector is spelled
here and nowhere else (Doctor guideline, steps 1 to 13).
"""

from doctor_maintenance.protocol.alarm import Alarm, parse_alarm
from doctor_maintenance.protocol.messages import (
    HostNotification,
    Notification,
    ProjectNotification,
    Reply,
    notification_from_wire,
)
from doctor_maintenance.protocol.words import (
    Action,
    EventType,
    HostState,
    MaintenanceType,
    NotificationState,
    SessionState,
    Verdict,
    read_word,
)

__all__ = [
    "Action",
    "Alarm",
    "EventType",
    "HostNotification",
    "HostState",
    "MaintenanceType",
    "Notification",
    "NotificationState",
    "ProjectNotification",
    "Reply",
    "SessionState",
    "Verdict",
    "notification_from_wire",
    "parse_alarm",
    "read_word",
]
