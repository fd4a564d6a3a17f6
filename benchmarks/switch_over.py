# SPDX-License-Identifier: Apache-2.0
"""How long a service is silent while it is switched over, for each strategy that a cloud offers.

Usage: python benchmarks/switch_over.py [--cloud NAME|lab|lab:NAME] [--switches 10] [--rate 100] [--strategy NAME …]

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
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from bed import Bed, add_options
from rich.console import Console
from rich.table import Table

from doctor_maintenance.deployment import ApplicationSpec, DeployedApplication
from doctor_maintenance.deployment.service_address import NEEDS
from doctor_maintenance.exceptions import MaintenanceError
from doctor_maintenance.leading import Reach
from doctor_maintenance.probe import Gap, LiveProbe, ProbeConfig, ProbeProtocol, ProbeReport
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
        bed: the cloud.
        args: the command line.
    """

    def __init__(self, bed: Bed, args: argparse.Namespace) -> None:
        self._bed = bed
        self._args = args

    def measure(self, reach: Reach) -> Measured:
        """Deploy, switch to and fro, and remove what was deployed."""
        pair = ApplicationSpec("bench", singles=0, reach=reach)
        with self._bed.deployed(pair) as (application, connection):
            return self._to_and_fro(reach, ProjectCloud(connection), application)

    def _to_and_fro(
        self, reach: Reach, cloud: ProjectCloud, application: DeployedApplication
    ) -> Measured:
        config = ProbeConfig(
            application.address,
            self._bed.settings.probe.port,
            ProbeProtocol(self._args.protocol),
            rate_hz=self._args.rate,
            timeout_s=1.0,
        )
        pair = [application.active, application.standby]
        strategy = strategies.find(reach.value)
        # Both must serve before it means anything who does: an instance is active long before its guest is.
        for who, other in ((pair[0], pair[1]), (pair[1], pair[0]), (pair[0], pair[1])):
            self._bed.run(
                strategy.switch_over(
                    cloud, self._bed.clock, SwitchOver(application.address, other, who)
                )
            )
            self._bed.until_answered(config, {who, cloud.name(who)}, READY_S)
        probe = LiveProbe(config, now=self._bed.clock.now, nonce=f"bench-{secrets.token_hex(8)}")
        probe.start()
        try:
            self._bed.wait(SETTLE_S)
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
            begun = self._bed.clock.now()
            self._bed.run(strategy.switch_over(cloud, self._bed.clock, what))
            call_s = self._bed.clock.now() - begun
            deadline = begun + ANSWER_S
            names = {pair[1], cloud.name(pair[1])}
            while probe.snapshot().who not in names and self._bed.clock.now() < deadline:
                self._bed.wait(0.02)
            self._bed.wait(SETTLE_S)
            yield Switch(begun, self._bed.clock.now(), call_s)
            pair.reverse()


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
        bench = Bench(Bed(args, stack), args)
        for reach in args.strategy:
            try:
                table.add_row(*bench.measure(Reach(reach)).row())
            except MaintenanceError as error:
                table.add_row(reach, "not measured", str(error))
    Console(width=args.width).print(table)


def _arguments() -> argparse.Namespace:
    names = [reach.value for reach in Reach]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--protocol", default="udp", choices=[each.value for each in ProbeProtocol])
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--switches", type=int, default=10)
    parser.add_argument("--strategy", nargs="+", default=names, choices=names)
    parser.add_argument("--width", type=int, default=150)
    return parser.parse_args()


if __name__ == "__main__":
    main()
