# SPDX-License-Identifier: Apache-2.0
"""The phases that a host goes through, and what a session shows of them."""

from __future__ import annotations

from enum import StrEnum

from doctor_maintenance.planning.commands import WorkStep
from doctor_maintenance.planning.settings import SessionRules
from doctor_maintenance.protocol import HostState, MaintenanceType


class Phase(StrEnum):
    """Where a host is on its way; each name says what is waited for."""

    PENDING = "PENDING"
    DISABLING = "DISABLING"
    SURVEYING = "SURVEYING"
    ANNOUNCING = "ANNOUNCING"
    REPLYING = "REPLYING"
    DRAINING = "DRAINING"
    VERIFYING = "VERIFYING"
    ENTERING = "ENTERING"
    TELLING = "TELLING"
    SETTLING = "SETTLING"
    WORKING = "WORKING"
    RESTORING = "RESTORING"
    ENABLING = "ENABLING"
    ENDING = "ENDING"
    CLOSING = "CLOSING"
    OVER = "OVER"
    STOPPING = "STOPPING"
    REVERTING = "REVERTING"
    RETRACTING = "RETRACTING"
    CANCELED = "CANCELED"
    FAILED = "FAILED"


HOST_STATES: dict[Phase, HostState] = {
    Phase.PENDING: HostState.PENDING,
    Phase.DISABLING: HostState.PLANNED_MAINTENANCE,
    Phase.SURVEYING: HostState.PLANNED_MAINTENANCE,
    Phase.ANNOUNCING: HostState.PLANNED_MAINTENANCE,
    Phase.REPLYING: HostState.PLANNED_MAINTENANCE,
    Phase.DRAINING: HostState.PLANNED_MAINTENANCE,
    Phase.VERIFYING: HostState.PLANNED_MAINTENANCE,
    Phase.ENTERING: HostState.PLANNED_MAINTENANCE,
    Phase.TELLING: HostState.IN_MAINTENANCE,
    Phase.SETTLING: HostState.IN_MAINTENANCE,
    Phase.WORKING: HostState.IN_MAINTENANCE,
    Phase.RESTORING: HostState.IN_MAINTENANCE,
    Phase.ENABLING: HostState.IN_MAINTENANCE,
    Phase.ENDING: HostState.IN_MAINTENANCE,
    Phase.CLOSING: HostState.IN_MAINTENANCE,
    Phase.OVER: HostState.MAINTENANCE_OVER,
    Phase.STOPPING: HostState.PLANNED_MAINTENANCE,
    Phase.REVERTING: HostState.PLANNED_MAINTENANCE,
    Phase.RETRACTING: HostState.PLANNED_MAINTENANCE,
    Phase.CANCELED: HostState.MAINTENANCE_CANCELED,
    Phase.FAILED: HostState.MAINTENANCE_FAILED,
}

BEFORE_MAINTENANCE = frozenset(
    {
        Phase.DISABLING,
        Phase.SURVEYING,
        Phase.ANNOUNCING,
        Phase.REPLYING,
        Phase.DRAINING,
        Phase.VERIFYING,
    }
)
"""Phases in which a host can still go back as it was."""


def work_steps(kind: MaintenanceType, rules: SessionRules) -> tuple[WorkStep, ...]:
    """Return the parts of the maintenance itself, for a type."""
    if kind is MaintenanceType.REBOOT:
        return (WorkStep.COMMANDS, WorkStep.REBOOT, WorkStep.SERVICE)
    steps = (WorkStep.COMMANDS, WorkStep.SERVICE)
    return (*steps, WorkStep.TEST) if rules.test_host else steps
