# SPDX-License-Identifier: Apache-2.0
"""Planned maintenance with zero downtime, as the OPNFV Doctor guideline says, tested and simulated.

The guideline's 13 steps, and the module that does each:

===== ============================================== ============================================
step  what                                           where
===== ============================================== ============================================
1     nova-compute is disabled                       ``admin_tool.calls``
2     a project is told of planned maintenance       ``planning.announcement``, ``admin_tool.notifier``
3     its app manager gets the alarm                 ``sample_app_manager.api``
4     it switches over, or builds anew               ``sample_app_manager.switching``, ``.recreate``
5     it replies                                     ``sample_app_manager.conversation``
6     what it asked for is done                      ``planning.drain``, ``admin_tool.moves``
7     the inspector is told: in maintenance          ``inspector``
8, 9  a project with instances left there is told    ``planning.host_work``
work  the maintenance itself, over SSH               ``admin_tool.host_side``
10    nova-compute is enabled                        ``admin_tool.calls``
11    the inspector is told: over                    ``inspector``
12,13 projects with instances left there are told    ``planning.host_work``
===== ============================================== ============================================

The order of the steps on one host is the table of ``planning.host_work``; what must hold whoever
does it is in ``judge.contract``. The names below are what others build on; the rest may change.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from doctor_maintenance.clock import Clock, VirtualClock, WallClock
    from doctor_maintenance.exceptions import MaintenanceError
    from doctor_maintenance.judge import Trace, Verdict
    from doctor_maintenance.planning import Session, SessionRequest, SessionRules
    from doctor_maintenance.report import Report
    from doctor_maintenance.runner.run import run_live
    from doctor_maintenance.scenario import Scenario
    from doctor_maintenance.settings import Settings
    from doctor_maintenance.simulator.cloud import SimCloud

__all__ = [
    "Clock",
    "MaintenanceError",
    "Report",
    "Scenario",
    "Session",
    "SessionRequest",
    "SessionRules",
    "Settings",
    "SimCloud",
    "Trace",
    "Verdict",
    "VirtualClock",
    "WallClock",
    "run_live",
]

_HOMES = {
    "Clock": "clock",
    "MaintenanceError": "exceptions",
    "Report": "report",
    "Scenario": "scenario",
    "Session": "planning",
    "SessionRequest": "planning",
    "SessionRules": "planning",
    "Settings": "settings",
    "SimCloud": "simulator.cloud",
    "Trace": "judge",
    "Verdict": "judge",
    "VirtualClock": "clock",
    "WallClock": "clock",
    "run_live": "runner.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the command line must answer at once."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
