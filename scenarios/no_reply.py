# SPDX-License-Identifier: Apache-2.0
"""The app manager never replies: the announced default action follows at the deadline, not before.

Nobody switches over, so the active side is live-migrated under load: the scenario allows a gap.
"""

from doctor_maintenance.scenario import Application, Expected, Scenario

SCENARIO = Scenario(
    summary="no reply: the announced default action at the deadline",
    applications=(Application("app", singles=1, silent=True),),
    max_hosts=1,
    rules={"reply_wait_s": 1.0},
    expected=Expected(allowed_gap_s=5.0),
)
