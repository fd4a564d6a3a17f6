# SPDX-License-Identifier: Apache-2.0
"""Faults of a host: its boot, its nova-compute, its SSH and what is run over it."""

from __future__ import annotations

from doctor_maintenance.simulator.faults.actors import MOMENT
from doctor_maintenance.simulator.faults.kind import FaultKind

_FAILED = (
    "MAINTENANCE_FAILED names the host, which stays disabled and in maintenance; the operator "
    "continues or releases it."
)

KINDS = (
    FaultKind(
        "host_does_not_come_back",
        "host.boot",
        ("host",),
        "A host that reboots stays off.",
        _FAILED,
    ),
    FaultKind(
        "service_comes_back_late",
        "host.service",
        ("host",),
        "After a boot the host's nova-compute needs so much longer.",
        "It is waited for; only when the host's time is over its maintenance has failed.",
        {"delay_s": 60.0},
    ),
    FaultKind(
        "nova_compute_down",
        MOMENT,
        ("state", "host", "project"),
        "So long after a notification the nova-compute of this host reports to nobody for so long, as after its "
        "message broker was away; its guests run on.",
        "Nova refuses to migrate its instances meanwhile; they are moved when it is back.",
        {"host": "", "after_s": 0.01, "down_s": 60.0},
        once=True,
    ),
    FaultKind(
        "command_fails",
        "host.command",
        ("host", "command"),
        "A command on a host, over SSH, ends with this exit status.",
        _FAILED,
        {"status": 1, "output": "simulated failure"},
    ),
    FaultKind(
        "command_hangs",
        "host.command",
        ("host", "command"),
        "A command on a host, over SSH, never ends.",
        f"It is given up when its time is over. {_FAILED}",
    ),
    FaultKind("ssh_refused", "host.connect", ("host",), "A host refuses SSH connections.", _FAILED),
    FaultKind(
        "ssh_hangs",
        "host.connect",
        ("host",),
        "A host accepts SSH connections and says nothing.",
        f"It is given up when its time is over. {_FAILED}",
    ),
    FaultKind(
        "ssh_host_key_changed",
        "host.connect",
        ("host",),
        "A host shows another host key than the known one.",
        f"Nothing is run there. {_FAILED}",
    ),
)
"""All of them."""
