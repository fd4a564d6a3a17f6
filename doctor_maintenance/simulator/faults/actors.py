# SPDX-License-Identifier: Apache-2.0
"""Faults of those who act: owners, app managers, the admin tool, and the time that they all live in.

``state`` restricts a fault to a moment: when a notification of that state is published.
"""

from __future__ import annotations

from doctor_maintenance.simulator.faults.kind import FaultKind, Where

MOMENT = "moment"
"""The point of faults that happen by themselves, some time after a notification was published."""

SWITCH_OVER = "app_manager.switch_over"
"""The point of faults of an app manager that is to switch over."""

REPLY = "app_manager.reply"
"""The point of faults of an app manager that is to reply."""

_MOMENT = ("state", "host", "project")
_APP_MANAGER = ("project", "application")

KINDS = (
    FaultKind(
        "instance_deleted_by_owner",
        MOMENT,
        _MOMENT,
        "An owner deletes this instance, so long after a notification.",
        "An instance that is gone needs no move; the maintenance goes on.",
        {"instance": "", "after_s": 1.0},
        Where.PROJECT,
        once=True,
    ),
    FaultKind(
        "instance_created_by_owner",
        MOMENT,
        _MOMENT,
        "An owner builds an instance like this one, so long after a notification.",
        "It is found and announced on whatever host it is when that one's turn comes.",
        {"instance": "", "after_s": 1.0},
        Where.PROJECT,
        once=True,
    ),
    FaultKind(
        "app_manager_lies",
        SWITCH_OVER,
        _APP_MANAGER,
        "It agrees without having switched over.",
        "The judge fails the run, and names the gap and the step that caused it.",
        where=Where.APP_MANAGER,
    ),
    FaultKind(
        "app_manager_refuses",
        REPLY,
        _APP_MANAGER,
        "It refuses whatever it is asked.",
        "The host is canceled: nothing of that project is touched.",
        where=Where.APP_MANAGER,
    ),
    FaultKind(
        "app_manager_never_replies",
        REPLY,
        _APP_MANAGER,
        "It does what it should and does not say so.",
        "The announced default action follows at the deadline.",
        where=Where.APP_MANAGER,
    ),
    FaultKind(
        "app_manager_replies_late",
        REPLY,
        _APP_MANAGER,
        "It replies so much later.",
        "A reply after the deadline is refused with 409; the default action has followed.",
        {"delay_s": 90.0},
        Where.APP_MANAGER,
    ),
    FaultKind(
        "app_manager_replies_twice",
        REPLY,
        _APP_MANAGER,
        "It sends its reply, the same again, and then another one.",
        "The same is accepted without effect; the other one is refused with 409.",
        where=Where.APP_MANAGER,
    ),
    FaultKind(
        "app_manager_names_strangers",
        REPLY,
        _APP_MANAGER,
        "It asks for an action on this instance as well, which is not its own or does not exist.",
        "The reply is refused with 400 and nothing of it is done; the default action follows.",
        {"instance": "00000000-0000-4000-8000-000000000000"},
        Where.APP_MANAGER,
    ),
    FaultKind(
        "app_manager_dies",
        MOMENT,
        _MOMENT,
        "It is killed so long after a notification, and started again so much later (0: never).",
        "What it missed follows by default at the deadline; what it promised stands.",
        {"application": "app", "after_s": 0.01, "down_s": 0.0},
        Where.APP_MANAGER,
        once=True,
    ),
    FaultKind(
        "admin_tool_killed",
        MOMENT,
        _MOMENT,
        "It is killed so long after a notification, and started again so much later.",
        "It takes the session up from its journal and ends it: nothing twice, nothing forgotten.",
        {"after_s": 0.3, "down_s": 2.0},
        Where.ADMIN_TOOL,
        once=True,
    ),
    FaultKind(
        "clock_jumps",
        MOMENT,
        _MOMENT,
        "So long after a notification it is so much later at once, as after a machine was suspended.",
        "What was due meanwhile is late; every deadline is still one, and the session ends.",
        {"after_s": 0.3, "by_s": 3600.0},
        Where.TIME,
        once=True,
    ),
)
"""All of them."""
