# SPDX-License-Identifier: Apache-2.0
"""What benchmarks of a deployed application share: a cloud, an application on it, and waiting until it answers."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import requests
from openstack.connection import Connection

from doctor_maintenance import config
from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import connect, connect_by, http_session
from doctor_maintenance.deployment import ApplicationSpec, DeployedApplication, Deployment, Spec
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.flow import Flow, start
from doctor_maintenance.probe import LiveProbe, ProbeConfig
from doctor_maintenance.runner.live import LiveCloud, embedded_cloud, start_simulator
from doctor_maintenance.settings import CloudSettings, Settings
from doctor_maintenance.workers import ThreadWorkers
from lab.found import settings_file


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which cloud is meant."""
    parser.add_argument(
        "--cloud",
        help="a cloud of clouds.yaml, or `lab` or `lab:NAME`; without it, the embedded one",
    )
    parser.add_argument("--profile", default="realistic", help="of the embedded cloud")
    parser.add_argument("--image", help="default: the lab's, or cirros")
    parser.add_argument("--external-network", help="default: the lab's, or the only one there is")
    parser.add_argument("--port", type=int, help="that the service answers on; default: as a run")


def settings_of(cloud: str) -> Settings:
    """Return the options of a run on a named cloud, as ``run --cloud`` has them.

    Args:
        cloud: a cloud of clouds.yaml, or ``lab`` or ``lab:NAME``.

    Raises:
        PreconditionError: the lab that is meant is not up.
    """
    file = settings_file(cloud)
    if file is None:
        return replace(Settings(), cloud=CloudSettings(kind="openstack", os_cloud=cloud))
    settings = config.load(files=(str(file),))
    return replace(settings, cloud=replace(settings.cloud, os_cloud="lab"))


class Bed:
    """A cloud to measure on.

    Args:
        args: the command line, with the options of :func:`add_options`.
        stack: ends what is begun here.
    """

    def __init__(self, args: argparse.Namespace, stack: ExitStack) -> None:
        self.clock = WallClock()
        self.clock.start()
        stack.callback(self.clock.stop)
        self._workers = stack.enter_context(ThreadWorkers(self.clock, 8))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.settings = _cloud(args, folder, self.clock, stack).settings
        self._args = args
        self._http: requests.Session = http_session()
        self._pause = threading.Event()

    @contextmanager
    def deployed(
        self, application: ApplicationSpec
    ) -> Iterator[tuple[DeployedApplication, Connection]]:
        """Deploy an application, give its project's connection, and remove it in the end; what stays is told."""
        spec = Spec(
            run_id=secrets.token_hex(4),
            applications=(application,),
            image=self._args.image or self.settings.cloud.image,
            external_network=self._args.external_network or self.settings.cloud.external_network,
            service_port=self.settings.probe.port,
            hosts_needed=2,
        )
        operator = connect_by(self.settings.cloud, self._http)
        cacert = self.settings.cloud.cacert
        deployment = Deployment(
            self.clock, operator, partial(connect, http=self._http, cacert=cacert), spec
        )
        try:
            (placed,) = self.run(deployment.deploy({}, None))
            yield placed, connect(placed.account.login, http=self._http, cacert=cacert)
        finally:
            for left in self.run(deployment.remove()):
                print(f"left behind: {left}", file=sys.stderr)

    def run(self, flow: Flow[Any]) -> Any:
        """Run a flow to its end, and return its value."""
        ended = threading.Event()
        task = self.clock.call(
            lambda: start(self.clock, self._workers, flow, lambda _: ended.set())
        )
        ended.wait()
        assert task.outcome is not None
        return task.outcome.get()

    def wait(self, seconds: float) -> None:
        """Let time pass, as a benchmark measures real time."""
        self._pause.wait(seconds)

    def until_answered(self, config: ProbeConfig, who: set[str], within_s: float) -> None:
        """Wait until somebody answers the probe.

        Raises:
            PreconditionError: nobody, or somebody else, did within that time.
        """
        probe = LiveProbe(replace(config, rate_hz=10.0), now=self.clock.now, nonce="bench-warm-up")
        probe.start()
        deadline = self.clock.now() + within_s
        try:
            while probe.snapshot().who not in who:
                if self.clock.now() > deadline:
                    raise PreconditionError(
                        f"{config.address} port {config.port}: expected {' or '.join(sorted(who))} to answer the probe "
                        f"within {within_s:g} s; found {probe.snapshot().who or 'nobody'}; look whether the image "
                        "answers probes and runs its user data"
                    )
                self.wait(0.1)
        finally:
            probe.stop()


def _cloud(args: argparse.Namespace, folder: Path, clock: WallClock, stack: ExitStack) -> LiveCloud:
    settings = Settings() if args.cloud is None else settings_of(args.cloud)
    port = args.port or settings.probe.port
    settings = replace(settings, work_dir=str(folder), probe=replace(settings.probe, port=port))
    if args.cloud is not None:
        return LiveCloud(settings)
    settings = replace(settings, simulator=replace(settings.simulator, profile=args.profile))
    simulator = start_simulator(settings, folder, clock)
    stack.callback(simulator.stop, 10.0)
    return embedded_cloud(simulator, settings, folder)
