# SPDX-License-Identifier: Apache-2.0
"""Named faults: what can be made to go wrong, as data.

A model or service asks at named points "does something happen here?", with the facts of the case, and gets a
behaviour or nothing. It knows no fault by name beyond the behaviours that it can show at that point, so a new
fault for an existing point is one entry in the file of its group, and arming one is a line of a scenario, a word
of a command line, or a request to the control API::

    cloud.faults.add("migration_fails", {"instance": "app-0"}, times=1)

Owners, app managers, the admin tool and time go wrong by the same registry: whoever stages them asks at their
points, and what happens by itself at some moment is :class:`Moments`.
"""

from doctor_maintenance.simulator.faults.armed import IN_A_CLOUD, Behaviour, Fault, Faults
from doctor_maintenance.simulator.faults.kind import FaultKind, Where
from doctor_maintenance.simulator.faults.moments import Moments
from doctor_maintenance.simulator.faults.registry import FAULT_KINDS, GROUPS
from doctor_maintenance.simulator.faults.words import FaultWords, parse_fault

__all__ = [
    "FAULT_KINDS",
    "GROUPS",
    "IN_A_CLOUD",
    "Behaviour",
    "Fault",
    "FaultKind",
    "FaultWords",
    "Faults",
    "Moments",
    "Where",
    "parse_fault",
]
