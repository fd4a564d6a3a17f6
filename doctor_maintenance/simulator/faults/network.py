# SPDX-License-Identifier: Apache-2.0
"""Faults of a floating IP that is moved."""

from __future__ import annotations

from doctor_maintenance.simulator.faults.kind import FaultKind

_ADDRESS = ("address", "project")

KINDS = (
    FaultKind(
        "floating_ip_late",
        "network.floating_ip",
        _ADDRESS,
        "A floating IP that is moved stays silent for so long.",
        "The judge names the gap and its length, unless the scenario allows it.",
        {"delay_s": 1.26},
    ),
    FaultKind(
        "floating_ip_stays",
        "network.floating_ip",
        _ADDRESS,
        "A floating IP that is moved leads to the old instance for so long, whatever Neutron says.",
        "The app manager agrees only once the standby answers: no gap.",
        {"delay_s": 3.0},
    ),
    FaultKind(
        "both_sides_active",
        "network.floating_ip",
        _ADDRESS,
        "After a floating IP was moved, old and new instance both answer, in turn, for so long.",
        "The app manager agrees only once the standby alone answers: no gap.",
        {"for_s": 3.0},
    ),
)
"""All of them."""
