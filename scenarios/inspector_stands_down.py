# SPDX-License-Identifier: Apache-2.0
"""A host fault during maintenance is expected and left alone; one after it is acted on."""

from doctor_maintenance.scenario import Application, HostFault, Scenario

SCENARIO = Scenario(
    summary="a fault during maintenance is ignored, one after it is not",
    applications=(Application("app", singles=1),),
    max_hosts=1,
    host_faults=(HostFault(during=True, acted_on=False), HostFault(during=False, acted_on=True)),
)
