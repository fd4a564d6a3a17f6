# SPDX-License-Identifier: Apache-2.0
"""A host fault during maintenance is expected and left alone; one after it is acted on."""

from doctor_maintenance.scenario import (
    ALWAYS_JUDGED,
    Application,
    Expected,
    HostFault,
    Scenario,
)

SCENARIO = Scenario(
    summary="a fault during maintenance is ignored, one after it is not",
    applications=(Application("app", singles=1),),
    max_hosts=1,
    host_faults=(HostFault(during=True), HostFault(during=False)),
    expected=Expected(clauses=(*ALWAYS_JUDGED, "inspector.stands_down", "inspector.acts_again")),
)
