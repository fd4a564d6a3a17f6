# SPDX-License-Identifier: Apache-2.0
"""How long a service is silent while it is switched over, for each strategy that a cloud offers.

Usage: python benchmarks/switch_over.py [--cloud NAME] [--switches 10] [--rate 100] [--strategy NAME …]

For each strategy an application is deployed as a run does it, a pair of instances and an address laid out for the
strategy, and its service is switched to and fro while the probe asks it at a fixed rate (UDP, one flow). Prints, per
strategy: switches without a lost probe, probes lost of those sent, the longest gap as the interval that it lies
in, how long the call took, and what the cloud must offer. Without ``--cloud``, the embedded cloud with the durations
of profile ``realistic`` is measured. A gap that ends before a switch begins is not the switch's, but is shown
all the same: as lost probes between switches.
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import connect, connect_by, http_session
from doctor_maintenance.deployment import ApplicationSpec, DeployedApplication, Deployment, Spec
from doctor_maintenance.deployment.service_address import NEEDS
from doctor_maintenance.exceptions import MaintenanceError, PreconditionError
from doctor_maintenance.flow import Flow, start
from doctor_maintenance.leading import Reach
from doctor_maintenance.probe import Gap, LiveProbe, ProbeConfig, ProbeProtocol, ProbeReport
from doctor_maintenance.runner.live import LiveCloud, embedded_cloud, start_simulator
from doctor_maintenance.settings import CloudSettings, Settings
from doctor_maintenance.workers import ThreadWorkers
from sample_app_manager import strategies
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.policy import SwitchOver

READY_S = 120.0
ANSWER_S = 30.0
SETTLE_S = 1.5
"""What is lost later than this after the new side answered is not the switch's doing."""


@dataclass(frozen=True)
class Switch:
    """One switch-over: when it was begun and when it was over, and how long the call took, in seconds."""

    begun: float
    over: float
    call_s: float


@dataclass(frozen=True)
class Measured:
    """What was seen of one strategy."""

    reach: Reach
    switches: list[Switch]
    report: ProbeReport

    def gap_of(self, switch: Switch) -> Gap | None:
        """Return the longest gap of a switch-over, or None if no probe was lost."""
        touching = [g for g in self.report.gaps if g.end > switch.begun and g.start < switch.over]
        return max(touching, key=lambda gap: gap.lower_s, default=None)

    def row(self) -> list[str]:
        """Return its line of the table."""
        gaps = [gap for gap in map(self.gap_of, self.switches) if gap is not None]
        lost = sum(gap.lost for gap in gaps)
        longest = max(gaps, key=lambda gap: gap.lower_s, default=None)
        lower, upper = (
            (longest.lower_s, longest.upper_s) if longest else (0.0, self.report.unseen_s)
        )
        calls = [switch.call_s * 1000 for switch in self.switches]
        return [
            self.reach.value,
            f"{len(self.switches) - len(gaps)} of {len(self.switches)}",
            f"{lost} of {self.report.sent}",
            str(self.report.lost - lost),
            f"{lower * 1000:.0f} to {upper * 1000:.0f}",
            f"{statistics.median(calls):.0f} ({max(calls):.0f})",
            ", ".join(sorted(NEEDS[self.reach])) or "nothing",
        ]


class Bench:
    """Measures strategies on one cloud, which a deployment is made on for each.

    Args:
        clock: real time, started.
        workers: who blocks.
        settings: where the cloud is, and the probe.
        args: the command line.
    """

    def __init__(
        self, clock: WallClock, workers: ThreadWorkers, settings: Settings, args: argparse.Namespace
    ) -> None:
        self._clock = clock
        self._workers = workers
        self._settings = settings
        self._args = args
        self._http: requests.Session = http_session()
        self._pause = threading.Event()

    def measure(self, reach: Reach) -> Measured:
        """Deploy, switch to and fro, and remove what was deployed."""
        spec = Spec(
            run_id=secrets.token_hex(4),
            applications=(ApplicationSpec("bench", singles=0, reach=reach),),
            image=self._args.image,
            external_network=self._args.external_network,
            service_port=self._settings.probe.port,
            hosts_needed=2,
        )
        operator = connect_by(self._settings.cloud, self._http)
        cacert = self._settings.cloud.cacert
        deployment = Deployment(
            self._clock, operator, partial(connect, http=self._http, cacert=cacert), spec
        )
        try:
            (application,) = self._run(deployment.deploy({}, None))
            login = application.account.login
            cloud = ProjectCloud(connect(login, http=self._http, cacert=cacert))
            return self._to_and_fro(reach, cloud, application)
        finally:
            for left in self._run(deployment.remove()):
                print(f"left behind: {left}", file=sys.stderr)

    def _to_and_fro(
        self, reach: Reach, cloud: ProjectCloud, application: DeployedApplication
    ) -> Measured:
        config = ProbeConfig(
            application.address,
            self._settings.probe.port,
            ProbeProtocol(self._args.protocol),
            rate_hz=self._args.rate,
            timeout_s=1.0,
        )
        pair = [application.active, application.standby]
        strategy = strategies.find(reach.value)
        # Both must serve before it means anything who does: an instance is active long before its guest is.
        for who, other in ((pair[0], pair[1]), (pair[1], pair[0]), (pair[0], pair[1])):
            self._run(
                strategy.switch_over(
                    cloud, self._clock, SwitchOver(application.address, other, who)
                )
            )
            self._until(config, {who, cloud.name(who)}, READY_S)
        probe = LiveProbe(config, now=self._clock.now, nonce=f"bench-{secrets.token_hex(8)}")
        probe.start()
        try:
            self._pause.wait(SETTLE_S)
            switches = list(self._switches(reach, cloud, application.address, pair, probe))
        finally:
            report = probe.stop()
        return Measured(reach, switches, report)

    def _switches(
        self, reach: Reach, cloud: ProjectCloud, address: str, pair: list[str], probe: LiveProbe
    ) -> Iterator[Switch]:
        strategy = strategies.find(reach.value)
        for _ in range(self._args.switches):
            what = SwitchOver(address, *pair)
            begun = self._clock.now()
            self._run(strategy.switch_over(cloud, self._clock, what))
            call_s = self._clock.now() - begun
            deadline = begun + ANSWER_S
            names = {pair[1], cloud.name(pair[1])}
            while probe.snapshot().who not in names and self._clock.now() < deadline:
                self._pause.wait(0.02)
            self._pause.wait(SETTLE_S)
            yield Switch(begun, self._clock.now(), call_s)
            pair.reverse()

    def _until(self, config: ProbeConfig, who: set[str], within_s: float) -> None:
        """Wait until the service answers at all: what is lost before that is no switch's doing."""
        probe = LiveProbe(replace(config, rate_hz=10.0), now=self._clock.now, nonce="bench-warm-up")
        probe.start()
        deadline = self._clock.now() + within_s
        try:
            while probe.snapshot().who not in who:
                if self._clock.now() > deadline:
                    raise PreconditionError(
                        f"{config.address} port {config.port}: expected {' or '.join(sorted(who))} to answer the probe "
                        f"within {within_s:g} s; found {probe.snapshot().who or 'nobody'}; look whether the image "
                        "answers probes and runs its user data"
                    )
                self._pause.wait(0.1)
        finally:
            probe.stop()

    def _run(self, flow: Flow[Any]) -> Any:
        ended = threading.Event()
        task = self._clock.call(
            lambda: start(self._clock, self._workers, flow, lambda _: ended.set())
        )
        ended.wait()
        assert task.outcome is not None
        return task.outcome.get()


def main() -> None:
    """Measure and print."""
    args = _arguments()
    table = Table(title=f"switch-over, {args.protocol} at {args.rate:g} probes a second")
    for heading in (
        "strategy",
        "switches without loss",
        "lost in switches, of all sent",
        "lost between",
        "longest gap, ms",
        "call, ms: median (longest)",
        "extensions needed",
    ):
        table.add_column(heading)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clock = WallClock()
        clock.start()
        stack.callback(clock.stop)
        workers = stack.enter_context(ThreadWorkers(clock, 8))
        bench = Bench(clock, workers, _cloud(args, folder, clock, stack).settings, args)
        for reach in args.strategy:
            try:
                table.add_row(*bench.measure(Reach(reach)).row())
            except MaintenanceError as error:
                table.add_row(reach, "not measured", str(error))
    Console(width=args.width).print(table)


def _arguments() -> argparse.Namespace:
    names = [reach.value for reach in Reach]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cloud", help="a cloud of clouds.yaml; without it, the embedded one")
    parser.add_argument("--profile", default="realistic", help="of the embedded cloud")
    parser.add_argument("--image", default="cirros")
    parser.add_argument("--external-network")
    parser.add_argument("--port", type=int, default=Settings().probe.port)
    parser.add_argument("--protocol", default="udp", choices=[each.value for each in ProbeProtocol])
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--switches", type=int, default=10)
    parser.add_argument("--strategy", nargs="+", default=names, choices=names)
    parser.add_argument("--width", type=int, default=150)
    return parser.parse_args()


def _cloud(args: argparse.Namespace, folder: Path, clock: WallClock, stack: ExitStack) -> LiveCloud:
    settings = replace(Settings(), work_dir=str(folder))
    if args.cloud is not None:
        cloud = CloudSettings(kind="openstack", os_cloud=args.cloud)
        return LiveCloud(
            replace(settings, cloud=cloud, probe=replace(settings.probe, port=args.port))
        )
    settings = replace(settings, simulator=replace(settings.simulator, profile=args.profile))
    simulator = start_simulator(settings, folder, clock)
    stack.callback(simulator.stop, 10.0)
    return embedded_cloud(simulator, settings, folder)


if __name__ == "__main__":
    main()
