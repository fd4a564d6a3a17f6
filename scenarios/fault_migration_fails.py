# SPDX-License-Identifier: Apache-2.0
"""The first attempt to move the active side's instance is rolled back; another one empties the host."""

from doctor_maintenance.scenario import Application, Fault, Scenario

SCENARIO = Scenario(
    summary="a migration fails once and is tried again",
    applications=(Application("app", singles=1),),
    max_hosts=1,
    faults=(Fault("migration_fails", {"source": "{host0}"}, times=1),),
)
