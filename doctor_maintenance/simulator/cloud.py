# SPDX-License-Identifier: Apache-2.0
"""SimCloud: the models of one simulated cloud, on one clock and one source of chance.

This is the only place where the models meet: Nova's drives Neutron's, Aodh's listens to the bus. The
services in ``services/`` know the cloud and not each other. Same seed, same calls at the same times: same
cloud, event for event.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import requests

from doctor_maintenance.clock import Clock
from doctor_maintenance.simulator.alarm_delivery import Delivery
from doctor_maintenance.simulator.alarms import Alarms
from doctor_maintenance.simulator.bus import Bus
from doctor_maintenance.simulator.compute import Compute
from doctor_maintenance.simulator.events import CloudEvent
from doctor_maintenance.simulator.faults import Faults, Moments
from doctor_maintenance.simulator.identity import Identity
from doctor_maintenance.simulator.images import Images
from doctor_maintenance.simulator.instance_notifications import InstanceNotifications
from doctor_maintenance.simulator.network import Network
from doctor_maintenance.simulator.outages import Outages
from doctor_maintenance.simulator.owners import Owners
from doctor_maintenance.simulator.profiles import TimingProfile, get_profile
from doctor_maintenance.simulator.topology import Topology, build_topology
from doctor_maintenance.workers import InlineWorkers, Workers

Subscriber = Callable[[CloudEvent], None]


class SimCloud:
    """A simulated cloud.

    Args:
        clock: what it lives on; everything in it is touched only in callbacks of that clock or in ``clock.call``.
        rng: all its chance; two clouds with the same seed are the same.
        profile: how long things take; ``fast`` by default.
        topology: what exists from the start; three hosts by default.
        http: what alarms are posted with; a session of its own by default.
        workers: who waits for the answers to them; in virtual time, the default, nobody has to.
    """

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        profile: TimingProfile | None = None,
        topology: Topology | None = None,
        http: requests.Session | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.clock = clock
        self.rng = rng
        self.profile = profile or get_profile("fast")
        self.topology = topology or build_topology()
        self.faults = Faults()
        self._subscribers: list[Subscriber] = []
        self.identity = Identity(clock, rng, self.topology)
        admin_project_id = self.identity.admin_project.id
        self.images = Images(clock, rng, self.topology, admin_project_id)
        self.network = Network(
            clock,
            rng,
            self.profile,
            self.topology,
            self.faults,
            self.emit,
            admin_project_id,
        )
        self.compute = Compute(
            clock, rng, self.profile, self.topology, self.faults, self.network, self.emit
        )
        delivery = Delivery(
            clock,
            rng,
            self.profile,
            self.faults,
            self.emit,
            http or requests.Session(),
            workers or InlineWorkers(clock),
        )
        self.alarms = Alarms(clock, rng, self.profile, delivery, self.faults)
        self.bus = Bus(self.alarms, self.emit)
        self.moments = Moments(clock, self.faults)
        Owners(self.compute).act_at(self.moments)
        self.outages = Outages(clock, self.compute.machines)
        self.outages.act_at(self.moments)
        self._notifications = InstanceNotifications(clock, rng, self.compute, self.alarms, self.bus)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Tell callback of every change from now on, in order, while it happens.

        Returns:
            A function that ends the subscription.
        """
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    def emit(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Tell the subscribers of a change; for the models.

        Args:
            kind: one of ``events.KINDS``.
            fields: what is so now.
        """
        if self._subscribers:
            event = CloudEvent(self.clock.now(), kind, fields)
            for callback in tuple(self._subscribers):
                callback(event)
        if kind == "notification":
            self.moments.published(fields)
        if kind == "instance":
            self._notifications.changed(fields)
