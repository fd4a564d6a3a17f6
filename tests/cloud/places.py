# SPDX-License-Identifier: Apache-2.0
"""Where the tests run: the simulator in virtual time, or a real cloud in real time; a test cannot tell.

A place is a clock, workers, a way to send requests, a way to publish notifications and a mail box that alarms are
posted to. All waiting is a flow that :meth:`Place.run` runs to its end.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import pytest
import requests
from openstack.connection import Connection

from doctor_maintenance.admin_tool.http_driver import HttpTransport
from doctor_maintenance.admin_tool.notifier import BusDriver, Driver, load_driver
from doctor_maintenance.clock import VIRTUAL_EPOCH_S, Clock, VirtualClock, WallClock
from doctor_maintenance.cloud import connect, http_session
from doctor_maintenance.flow import Flow, FlowTimeout, start
from doctor_maintenance.serving import serve
from doctor_maintenance.simulator.app import create_app
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.mount import isolate, mount
from doctor_maintenance.simulator.profiles import get_profile
from doctor_maintenance.workers import InlineWorkers, ThreadWorkers, Workers

from .mailbox import Mailbox

T = TypeVar("T")

CLOUD = "DOCTOR_MAINTENANCE_TEST_CLOUD"
PROFILE = "DOCTOR_MAINTENANCE_TEST_PROFILE"
TRANSPORT_URL = "DOCTOR_MAINTENANCE_TEST_TRANSPORT_URL"

SIMULATED = "http://cloud.sim"
MAILBOX = "http://mailbox.sim"
LOGIN = {
    "auth_url": f"{SIMULATED}/identity/v3",
    "username": "admin",
    "password": "admin",
    "project_name": "admin",
}


class Place(Protocol):
    """A cloud, and what it takes to work on it.

    Attributes:
        name: the cloud's name.
        clock: what waits.
        workers: who does blocking work.
        http: carries every request.
        admin: the operator's connection.
        mailbox: keeps what alarms post.
        look_s: the time between two looks at something that changes.
    """

    name: str
    clock: Clock
    workers: Workers
    http: requests.Session
    admin: Connection
    mailbox: Mailbox
    look_s: float

    def connect(self, login: Mapping[str, str]) -> Connection:
        """Return a connection of somebody else's."""

    def run(self, story: Flow[T], within_s: float = 600.0) -> T:
        """Run a flow to its end."""

    def driver(self) -> Driver:
        """Return what publishes notifications; skips the test where there is no way to."""

    def close(self) -> None:
        """End what was started."""


class SimulatedPlace:
    """The simulator: everything in one process, and waiting takes no time.

    Args:
        profile: how long things take.
    """

    def __init__(self, profile: str = "fast") -> None:
        self.name = "simulator"
        self.look_s = 0.01 if profile == "fast" else 0.1
        self._clock = VirtualClock(VIRTUAL_EPOCH_S + 0.123456)  # so that times have fractions
        self.clock: Clock = self._clock
        self.workers: Workers = InlineWorkers(self._clock)
        self.http = requests.Session()
        isolate(self.http)
        self.cloud = SimCloud(
            self._clock, random.Random(7), get_profile(profile), None, self.http, self.workers
        )
        mount(self.http, SIMULATED, create_app(self.cloud))
        self.mailbox = Mailbox(self.clock, MAILBOX)
        mount(self.http, MAILBOX, self.mailbox.application)
        self.admin = self.connect(LOGIN)

    def connect(self, login: Mapping[str, str]) -> Connection:
        """Return a connection that leads into the simulator."""
        return connect(login, self.http)

    def run(self, story: Flow[T], within_s: float = 600.0) -> T:
        """Run a flow to its end, in virtual time."""
        task = start(self._clock, self.workers, story)
        self._clock.run_until(lambda: not task.running, self._clock.now() + within_s)
        if task.outcome is None:
            task.cancel()
            raise FlowTimeout(f"a flow did not end within {within_s:g} s of virtual time")
        return task.outcome.get()

    def driver(self) -> Driver:
        """Return the driver that posts to the simulated bus."""
        return load_driver(
            "http", HttpTransport(f"{SIMULATED}/bus/notifications", self.admin.session)
        )

    def close(self) -> None:
        """Nothing was started."""


class RealPlace:
    """A real cloud, by the name of an operator's entry in ``clouds.yaml``."""

    look_s = 0.5
    """Each look is work for a cloud that may be on this machine; what is shorter may be missed (see ``order``)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._clock = WallClock()
        self._clock.start()
        self.clock: Clock = self._clock
        self.workers = ThreadWorkers(self._clock)
        self.http = http_session()
        self._served = serve(lambda *call: self.mailbox.application(*call))
        self.mailbox = Mailbox(self.clock, self._served.url)
        self.admin = connect(name, self.http)
        self._driver: Driver | None = None

    def connect(self, login: Mapping[str, str]) -> Connection:
        """Return a connection of somebody else's."""
        return connect(login, self.http)

    def run(self, story: Flow[T], within_s: float = 600.0) -> T:
        """Run a flow to its end, in real time."""
        ended = threading.Event()
        task = start(self._clock, self.workers, story, lambda _: ended.set())
        if not ended.wait(within_s):
            self._clock.call(task.cancel)
            raise FlowTimeout(f"a flow did not end within {within_s:g} s")
        assert task.outcome is not None
        return task.outcome.get()

    def driver(self) -> Driver:
        """Return the driver that publishes on the cloud's message bus."""
        url = os.environ.get(TRANSPORT_URL)
        if not url:
            pytest.skip(f"publishing needs the cloud's message bus; name it in {TRANSPORT_URL}")
        if self._driver is None:
            self._driver = BusDriver(url)
        return self._driver

    def close(self) -> None:
        """End the clock, the workers and the mail box's server."""
        self._served.close()
        self.workers.close()
        self._clock.stop()


def choose() -> Any:
    """Return the place that the environment names; by default the simulator."""
    name = os.environ.get(CLOUD)
    return RealPlace(name) if name else SimulatedPlace(os.environ.get(PROFILE, "fast"))
