# SPDX-License-Identifier: Apache-2.0
"""Services that are away for a while, as a broker or a database is that was killed and is started again.

It is told as one thing and not as so many refused requests: how many requests an outage costs depends on how patient
whoever asks is, and that is what is to be found out.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from doctor_maintenance.clock import Clock
from doctor_maintenance.simulator.faults import Moments
from doctor_maintenance.simulator.machines import Machines

LOG = logging.getLogger(__name__)

EVERY = "*"
"""In place of a service's name: all of them, as their database is one."""


class Outages:
    """Which services are away.

    Args:
        clock: the cloud's.
        machines: what runs a nova-compute.
    """

    def __init__(self, clock: Clock, machines: Machines) -> None:
        self._clock = clock
        self._machines = machines
        self._until: dict[str, float] = {}

    def act_at(self, moments: Moments) -> None:
        """Begin outages when faults say so."""
        moments.can("service_down", self._begin)
        moments.can("nova_compute_down", self._stop)

    def away(self, *names: str) -> bool:
        """Return whether a service is away that goes by these names."""
        now = self._clock.now()
        return any(self._until.get(name, now) > now for name in (*names, EVERY))

    def _begin(self, wanted: Mapping[str, Any]) -> None:
        LOG.info("service %s is away for %g s", wanted["service"], float(wanted["down_s"]))
        self._until[str(wanted["service"])] = self._clock.now() + float(wanted["down_s"])

    def _stop(self, wanted: Mapping[str, Any]) -> None:
        host = str(wanted["host"])
        self._machines.stop_service(host)
        self._clock.call_later(float(wanted["down_s"]), lambda: self._machines.start_service(host))
