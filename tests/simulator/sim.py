# SPDX-License-Identifier: Apache-2.0
"""A simulated cloud in virtual time, with its services mounted, and tokens for its users."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import requests

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.simulator.app import create_app
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.events import CloudEvent
from doctor_maintenance.simulator.mount import isolate, mount
from doctor_maintenance.simulator.profiles import TimingProfile, get_profile
from doctor_maintenance.simulator.topology import Topology, build_topology

BASE = "http://cloud.sim"


class Sim:
    """A cloud, its clock, what happens in it, and how to ask it.

    Args:
        profile: how long things take; durations may be replaced by name.
        topology: what it is made of.
        served: whether its services can be asked.
    """

    def __init__(
        self,
        profile: str | TimingProfile = "instant",
        topology: Topology | None = None,
        served: bool = True,
        **durations: Any,
    ) -> None:
        self.clock = VirtualClock()
        self.http = requests.Session()
        isolate(self.http)
        chosen = get_profile(profile) if isinstance(profile, str) else profile
        self.cloud = SimCloud(
            self.clock,
            random.Random(1),
            replace(chosen, **durations),
            topology or build_topology(),
            http=self.http,
        )
        self.events: list[CloudEvent] = []
        self.cloud.subscribe(self.events.append)
        if served:
            mount(self.http, BASE, create_app(self.cloud))
        self._tokens: dict[str, str] = {}

    def token(self, user: str) -> str:
        """Return a token of a user for the project of the same name."""
        if user not in self._tokens:
            self._tokens[user] = self.login(user).headers["X-Subject-Token"]
        return self._tokens[user]

    def login(self, user: str, password: str | None = None, project: str | None = None) -> Any:
        """Ask Keystone for a token."""
        domain = {"domain": {"name": "Default"}}
        who = {"name": user, "password": password or user, **domain}
        scope = {"project": {"name": project or user, **domain}}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": who}},
                "scope": scope,
            }
        }
        return self.http.post(f"{BASE}/identity/v3/auth/tokens", json=body)

    def ask(
        self, method: str, path: str, body: Any = None, user: str = "demo", **headers: str
    ) -> requests.Response:
        """Send a request as a user, and return the answer."""
        sent = {"X-Auth-Token": self.token(user), **headers}
        return self.http.request(method, f"{BASE}{path}", json=body, headers=sent)

    def project(self, name: str) -> str:
        """Return the ID of a project."""
        found = self.cloud.identity.find_project(name)
        assert found is not None
        return found.id
