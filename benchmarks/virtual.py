# SPDX-License-Identifier: Apache-2.0
"""The full stack in virtual time: real admin tool, real openstacksdk, HTTP in process, judged.

Usage: python benchmarks/virtual.py [--hosts 100] [--instances 400] [--sessions 50]

Prints how long each scenario takes; how many sessions a minute there are (3 hosts, 6 instances, deployment and
removal included), without faults and with two different ones in each; and how long one session of many hosts
takes. All on one core. A rate is told in wall time and in processor time: on a busy machine the two differ.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace

from doctor_maintenance.judge import Trace, judge
from doctor_maintenance.runner.defaults import for_virtual_time
from doctor_maintenance.runner.play import play
from doctor_maintenance.runner.virtual import VirtualSettings, VirtualStage
from doctor_maintenance.scenario import Application, Fault, Scenario, load_scenarios
from doctor_maintenance.settings import Settings

_NOVA = {"service": "compute"}
_LISTS = {**_NOVA, "path": "/compute/v2.1/servers/detail"}
_MIGRATE = {**_NOVA, "method": "POST", "path": "/compute/v2.1/servers/*"}
_DISABLE = {**_NOVA, "method": "PUT", "path": "/compute/v2.1/os-services/*"}
FAULTS = (
    Fault("alarm_twice"),
    Fault("alarm_late", {"state": "PLANNED_MAINTENANCE"}, {"delay_s": 2.0}, times=1),
    Fault("answer_lost", _MIGRATE, times=1),
    Fault("api_fails_but_succeeds", _DISABLE, times=1),
    Fault("api_slow", _LISTS, {"delay_s": 5.0}, times=1),
    Fault("api_too_busy", _MIGRATE, times=1),
    Fault("api_unavailable", _LISTS, times=3),
    Fault("app_manager_replies_twice"),
    Fault("both_sides_active"),
    Fault("connection_reset", _LISTS, times=2),
    Fault("lands_on_unmaintained_host", {"source": "{host0}"}, {"host": "{host2}"}),
    Fault("migration_fails", {"source": "{host0}"}, times=1),
    Fault("token_expired", _MIGRATE, times=1),
)
"""What a session that ends well can bear."""

COLLECT_EVERY = 10
"""The garbage collector looks once in so many sessions, as it does when cases are explored."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--instances", type=int, default=400)
    parser.add_argument("--sessions", type=int, default=50)
    args = parser.parse_args()
    logging.disable()  # what goes wrong is meant to
    scenarios = load_scenarios()
    begin = time.perf_counter()
    for name, scenario in scenarios.items():
        print(f"{name}: {run(scenario):.2f} s")
    print(f"all scenarios: {time.perf_counter() - begin:.1f} s")
    full = scenarios["full_maintenance"]
    measure("full stack", args.sessions, lambda seed: run(full, seed=seed))
    measure(
        "full stack with faults",
        args.sessions,
        lambda seed: run(with_faults(full, seed), seed=seed),
    )
    large = Scenario(
        summary="large",
        name="large",
        applications=(Application("app", singles=args.instances - 2),),
    )
    took_s = run(large, hosts=args.hosts)
    print(f"{args.hosts} hosts and {args.instances} instances, one session: {took_s:.1f} s")


def measure(what: str, sessions: int, one: Callable[[int], object]) -> None:
    """Play sessions, each of another seed, and print their rate."""
    gc.collect()
    gc.freeze()  # what was imported stays
    gc.disable()
    wall, processor = time.perf_counter(), time.process_time()
    for seed in range(sessions):
        one(seed)
        if seed % COLLECT_EVERY == COLLECT_EVERY - 1:
            gc.collect()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    gc.enable()
    rates = [sessions / took_s * 60 for took_s in (wall, processor)]
    print(f"{what}: {rates[0]:.0f} sessions a minute; {rates[1]:.0f} a minute of processor time")


def with_faults(scenario: Scenario, seed: int) -> Scenario:
    """Return the scenario with two faults of the seed's choice."""
    return replace(scenario, faults=tuple(random.Random(seed).sample(FAULTS, 2)))


def run(scenario: Scenario, hosts: int = 3, seed: int = 1) -> float:
    """Play a scenario and judge it; return the wall seconds it took."""
    begin = time.perf_counter()
    settings = for_virtual_time(Settings())
    stage = VirtualStage(VirtualSettings(hosts=hosts, seed=seed, settings=settings))
    stage.run(play(stage, scenario, session_timeout_s=100_000.0))
    stage.run(stage.remove())
    verdict = judge(Trace.read([json.dumps(record) for record in stage.recorder.records]))
    if not verdict.passed:
        faults = [fault.name for fault in scenario.faults]
        failed = [check.check_id for check in verdict.failed]
        raise SystemExit(f"{scenario.name} with {faults} and seed {seed}: {failed}")
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
