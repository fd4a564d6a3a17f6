# SPDX-License-Identifier: Apache-2.0
"""Every host is emptied and maintained, one after another; the service must not stop once."""

from doctor_maintenance.scenario import Scenario

SCENARIO = Scenario(summary="all hosts, one after another, each emptied first")
