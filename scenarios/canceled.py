# SPDX-License-Identifier: Apache-2.0
"""An instance cannot be moved anywhere: the maintenance is canceled and the host goes back as it was.

The instance is a member of an anti-affinity group that has one on every host, so that no cloud,
real or simulated, has a place for it.
"""

from doctor_maintenance.protocol import HostState, SessionState
from doctor_maintenance.scenario import Application, Expected, Scenario

SCENARIO = Scenario(
    summary="an instance cannot be moved",
    applications=(Application("app", singles=0, one_on_every_host=True),),
    max_hosts=1,
    rules={"move_attempts": 2, "move_retry_s": 0.5, "refusal_wait_s": 0.0},
    expected=Expected(SessionState.MAINTENANCE_CANCELED, HostState.MAINTENANCE_CANCELED),
)
