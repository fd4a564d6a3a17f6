# SPDX-License-Identifier: Apache-2.0
"""The app manager refuses: nothing of its project is touched and the host goes back as it was."""

from doctor_maintenance.protocol import HostState, SessionState
from doctor_maintenance.scenario import Application, Expected, Scenario

SCENARIO = Scenario(
    summary="the app manager refuses",
    applications=(Application("app", singles=1, refuses=True),),
    max_hosts=1,
    expected=Expected(SessionState.MAINTENANCE_CANCELED, HostState.MAINTENANCE_CANCELED),
)
