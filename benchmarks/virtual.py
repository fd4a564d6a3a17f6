# SPDX-License-Identifier: Apache-2.0
"""The full stack in virtual time: real admin tool, real openstacksdk, HTTP in process, judged.

Usage: python benchmarks/virtual.py [--hosts 100] [--instances 400] [--sessions 50]

Prints how long each scenario takes, how many sessions a minute (3 hosts, 6 instances, deployment and
removal included), and how long one session of many hosts takes; all on one core, in wall seconds.
"""

from __future__ import annotations

import argparse
import json
import time

from doctor_maintenance.judge import Trace, judge
from doctor_maintenance.runner.defaults import for_virtual_time
from doctor_maintenance.runner.play import play
from doctor_maintenance.runner.virtual import VirtualSettings, VirtualStage
from doctor_maintenance.scenario import Application, Scenario, load_scenarios
from doctor_maintenance.settings import Settings


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--instances", type=int, default=400)
    parser.add_argument("--sessions", type=int, default=50)
    args = parser.parse_args()
    scenarios = load_scenarios()
    begin = time.perf_counter()
    for name, scenario in scenarios.items():
        print(f"{name}: {run(scenario):.2f} s")
    print(f"all scenarios: {time.perf_counter() - begin:.1f} s")
    begin = time.perf_counter()
    for number in range(args.sessions):
        run(scenarios["full_maintenance"], seed=number)
    rate = args.sessions / (time.perf_counter() - begin) * 60
    print(f"full stack: {rate:.0f} sessions a minute")
    large = Scenario(
        summary="large",
        name="large",
        applications=(Application("app", singles=args.instances - 2),),
    )
    took_s = run(large, hosts=args.hosts)
    print(f"{args.hosts} hosts and {args.instances} instances, one session: {took_s:.1f} s")


def run(scenario: Scenario, hosts: int = 3, seed: int = 1) -> float:
    """Play a scenario and judge it; return the wall seconds it took."""
    begin = time.perf_counter()
    settings = for_virtual_time(Settings())
    stage = VirtualStage(VirtualSettings(hosts=hosts, seed=seed, settings=settings))
    stage.run(play(stage, scenario, session_timeout_s=100_000.0))
    stage.run(stage.remove())
    verdict = judge(Trace.read([json.dumps(record) for record in stage.recorder.records]))
    if not verdict.passed:
        raise SystemExit(f"{scenario.name}: {[check.check_id for check in verdict.failed]}")
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
