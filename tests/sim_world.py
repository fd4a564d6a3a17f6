# SPDX-License-Identifier: Apache-2.0
"""A simulated cloud in process and in virtual time, with the services mounted, for tests."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, TypeVar

import requests
from openstack.connection import Connection

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.cloud import connect
from doctor_maintenance.deployment import ApplicationSpec, DeployedApplication, Deployment, Spec
from doctor_maintenance.flow import Flow, start
from doctor_maintenance.simulator.app import create_app
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.mount import isolate, mount
from doctor_maintenance.simulator.profiles import get_profile
from doctor_maintenance.simulator.topology import Topology, build_topology
from doctor_maintenance.workers import InlineWorkers

T = TypeVar("T")

CLOUD_URL = "http://cloud.sim"
ADMIN = {
    "auth_url": f"{CLOUD_URL}/identity/v3",
    "username": "admin",
    "password": "admin",
    "project_name": "admin",
}


class World:
    """A cloud, its clock, and an operator's connection."""

    def __init__(self, topology: Topology | None = None, profile: str = "fast") -> None:
        self.clock = VirtualClock()
        self.workers = InlineWorkers(self.clock)
        self.http = requests.Session()
        isolate(self.http)
        self.cloud = SimCloud(
            self.clock,
            random.Random(7),
            get_profile(profile),
            topology or build_topology(),
            self.http,
            self.workers,
        )
        mount(self.http, CLOUD_URL, create_app(self.cloud))
        self.admin = self.connect(ADMIN)

    def connect(self, login: Mapping[str, str]) -> Connection:
        return connect(login, self.http)

    def run(self, story: Flow[T], within_s: float = 3600.0) -> T:
        """Run a flow to its end in virtual time."""
        task = start(self.clock, self.workers, story)
        self.clock.run_until(lambda: not task.running, self.clock.now() + within_s)
        assert task.outcome is not None, "the flow did not end in time"
        return task.outcome.get()

    def deployment(
        self, *applications: ApplicationSpec, run_id: str = "test1", **limits: Any
    ) -> Deployment:
        spec = Spec(run_id, applications or (ApplicationSpec("app"),), **limits)
        numbers = iter(range(1000))
        return Deployment(
            self.clock,
            self.admin,
            self.connect,
            spec,
            password=lambda: f"password-{next(numbers)}",
        )

    def deploy(self, *applications: ApplicationSpec) -> list[DeployedApplication]:
        return self.run(self.deployment(*applications).deploy({}, None))

    def answering(self, address: str) -> str | None:
        """Return who answers at an address now."""
        holder = self.cloud.network.holder(address)
        return holder if holder and self.cloud.compute.serves(holder) else None

    def host_of(self, instance_id: str) -> str:
        return str(self.cloud.compute.instances[instance_id].host)

    def get(self, service: str, path: str, **query: str) -> Any:
        """Return what an operator reads."""
        answer = getattr(self.admin, service).get(path, params=query or None)
        assert answer.ok, answer.text
        return answer.json()
