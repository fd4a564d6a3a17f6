# SPDX-License-Identifier: Apache-2.0
"""Only a part of each host is affected: only the instances on that part are named and moved."""

from doctor_maintenance.scenario import Application, Scenario

SCENARIO = Scenario(
    summary="only a part of the host is affected",
    applications=(Application("app"), Application("bystander", singles=2)),
    max_hosts=1,
    part=True,
)
