# SPDX-License-Identifier: Apache-2.0
"""Every fault that there is, by name; a group of them is a file."""

from __future__ import annotations

from doctor_maintenance.simulator.faults import actors, alarms, compute, hosts, network, requests
from doctor_maintenance.simulator.faults.kind import FaultKind

GROUPS = (alarms, requests, compute, hosts, network, actors)
"""The modules that have faults, in the order in which they are told."""

FAULT_KINDS: dict[str, FaultKind] = {kind.name: kind for group in GROUPS for kind in group.KINDS}
"""Every fault, by name."""
