# SPDX-License-Identifier: Apache-2.0
"""Waits that suit the cloud: a simulated one answers in milliseconds, a real one does not.

Only what nobody has set is changed.
"""

from __future__ import annotations

from dataclasses import replace

from doctor_maintenance.settings import AdminToolSettings, Settings

_QUICK = {"poll_s": 0.1, "settle_s": 0.3, "move_retry_s": 0.5, "host_timeout_s": 60.0}


def for_cloud(settings: Settings) -> Settings:
    """Return the settings of a run.

    Args:
        settings: as they were read.
    """
    if settings.cloud.kind != "embedded":
        return settings
    standard = AdminToolSettings()
    own = settings.admin_tool
    unset = {
        name: value
        for name, value in _QUICK.items()
        if getattr(own, name) == getattr(standard, name)
    }
    return replace(settings, admin_tool=replace(own, **unset))  # type: ignore[arg-type]
