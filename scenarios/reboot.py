# SPDX-License-Identifier: Apache-2.0
"""Every host is rebooted with its instances left in place; the active side is elsewhere each time."""

from doctor_maintenance.protocol import Action, MaintenanceType
from doctor_maintenance.scenario import Application, Scenario

SCENARIO = Scenario(
    summary="all hosts rebooted, instances left in place",
    type=MaintenanceType.REBOOT,
    applications=(Application("app", action=Action.LEAVE),),
)
