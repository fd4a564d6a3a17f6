# SPDX-License-Identifier: Apache-2.0
"""Two projects on the same hosts: each is told its own and nothing of the other."""

from doctor_maintenance.protocol import Action
from doctor_maintenance.scenario import Application, Scenario

SCENARIO = Scenario(
    summary="two projects, each told only its own",
    applications=(
        Application("red", singles=1),
        Application("blue", singles=1, action=Action.LIVE_MIGRATE),
    ),
)
