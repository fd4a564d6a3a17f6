# SPDX-License-Identifier: Apache-2.0
"""Options that suit a simulated cloud: it answers in milliseconds, and its hosts do what they are told.

Only what nobody has set is changed. The commands have names of their own, so that a witness can tell
the maintenance from a look whether the host is there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from doctor_maintenance.settings import AdminToolSettings, Settings
from doctor_maintenance.simulator.profiles import get_profile

_COMMANDS = {
    "maintenance_commands": ("sudo /usr/local/sbin/maintain-host",),
    "test_command": "sudo /usr/local/sbin/test-host",
}
_QUICK = {"poll_s": 0.1, "settle_s": 0.3, "move_retry_s": 0.5, "host_timeout_s": 60.0}
_AT_ONCE = {"refusal_wait_s": 0.0}
"""Where a scheduler is never behind, what it refuses it will refuse again."""

_VIRTUAL = {"poll_s": 0.2, "settle_s": 0.5}


def for_cloud(settings: Settings) -> Settings:
    """Return the settings of a run in real time; those for a real cloud are left as they are."""
    if settings.cloud.kind != "embedded":
        return settings
    return _where_unset(settings, {**_COMMANDS, **_QUICK, **_patience(settings)})


def for_virtual_time(settings: Settings) -> Settings:
    """Return the settings of a run in virtual time: it may look seldom, as waiting costs nothing."""
    return _where_unset(settings, {**_COMMANDS, **_VIRTUAL, **_patience(settings)})


def _patience(settings: Settings) -> dict[str, float]:
    behind = get_profile(settings.simulator.profile).group_view_stale != 0.0
    return {} if behind else _AT_ONCE


def _where_unset(settings: Settings, values: dict[str, Any]) -> Settings:
    own, standard = settings.admin_tool, AdminToolSettings()
    unset = {
        name: value
        for name, value in values.items()
        if getattr(own, name) == getattr(standard, name)
    }
    return replace(settings, admin_tool=replace(own, **unset))
