# SPDX-License-Identifier: Apache-2.0
"""How long a notification takes on a lab: oslo.messaging, RabbitMQ, ceilometer, Aodh, and HTTP to the app manager.

Usage: python benchmarks/notification_on_a_lab.py [--cloud lab:NAME] [--notifications 300] [--every 0.2]

An app manager is started, and an alarm on its project's events posts to it. Notifications are published at a fixed
rate, each when its time has come, whether or not the one before has arrived. Prints the time from the publisher's stamp
to the app manager having it: median, 90 %, 99 % and the longest, and how many came.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bed import settings_of
from openstack.connection import Connection

from doctor_maintenance.admin_tool.notifier import BusDriver, Notifier
from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import connect_by, http_session
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.protocol import EventType
from doctor_maintenance.runner.processes import Process
from doctor_maintenance.settings import Settings
from doctor_maintenance.workers import Outcome, ThreadWorkers

READY_S = 60.0
LAST_S = 30.0
WARM_UP = 10
"""The first ones also pay for connections that are made once."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cloud", default="lab", help="lab, or lab:NAME")
    parser.add_argument("--notifications", type=int, default=300)
    parser.add_argument("--every", type=float, default=0.2, help="seconds between two")
    args = parser.parse_args()
    settings = settings_of(args.cloud)
    if settings.admin_tool.transport_url is None:
        raise PreconditionError(
            f"expected lab or lab:NAME, whose bus is known; found {args.cloud!r}"
        )
    before = os.getloadavg()[0]
    delays = sorted(measure(settings, args.notifications, args.every))
    print(
        f"notifications: {len(delays)} of {args.notifications} arrived, one every {args.every:g} s; "
        f"load {before:.1f} before and {os.getloadavg()[0]:.1f} after"
    )
    print(f"from publishing to the app manager, ms: {figures(delays)}")


def figures(delays: Sequence[float]) -> str:
    """Return the figures of sorted delays in seconds, as milliseconds."""

    def at(share: int) -> float:
        return delays[min(len(delays) - 1, len(delays) * share // 100)]

    shown = {"median": statistics.median(delays), "90 %": at(90), "99 %": at(99), "max": delays[-1]}
    return ", ".join(f"{name} {value * 1000:.0f}" for name, value in shown.items())


def measure(settings: Settings, count: int, every_s: float) -> list[float]:
    """Publish notifications and return how long each took to arrive, in seconds."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = replace(settings, work_dir=str(folder))
        clock = WallClock()
        clock.start()
        stack.callback(clock.stop)
        workers = stack.enter_context(ThreadWorkers(clock, 2))
        seen = folder / "seen.jsonl"
        words = ["app-manager", "--observations", str(seen)]
        manager = Process("app-manager", words, folder, clock, settings)
        stack.callback(manager.stop, 10.0)
        cloud = connect_by(settings.cloud, http_session())
        alarm_id = create_alarm(cloud, f"{manager.url(READY_S)}/maintenance")
        stack.callback(cloud.alarm.delete, f"/alarms/{alarm_id}")
        notifier = Notifier(clock, workers, BusDriver(settings.admin_tool.transport_url))
        pause = threading.Event()
        publish(clock, notifier, str(cloud.session.get_project_id()), count, every_s, pause)
        deadline = clock.now() + LAST_S
        while len(delays := arrivals(seen)) < count and clock.now() < deadline:
            pause.wait(0.2)
        return delays


def create_alarm(cloud: Connection, url: str) -> str:
    """Create an alarm on the project's events, and return its ID."""
    rule = {"event_type": EventType.PROJECT.value, "query": []}
    body = {
        "name": "benchmark",
        "type": "event",
        "repeat_actions": True,
        "event_rule": rule,
        "alarm_actions": [url],
    }
    return str(cloud.alarm.post("/alarms", json=body).json()["alarm_id"])


def publish(
    clock: WallClock,
    notifier: Notifier,
    project_id: str,
    count: int,
    every_s: float,
    pause: threading.Event,
) -> None:
    """Publish at a fixed rate, after some that do not count; blocks."""
    begin = clock.now()
    for number in range(-WARM_UP, count):
        payload = {
            "session_id": f"benchmark-{number}",
            "project_id": project_id,
            "state": "MAINTENANCE_OVER",
            "type": "full",
            "instance_ids": "http://127.0.0.1/none",
        }
        key = f"benchmark/{begin}/{number}"
        pause.wait(max(0.0, begin + (number + WARM_UP) * every_s - clock.now()))
        clock.call(
            lambda key=key, payload=payload: notifier.publish(  # type: ignore[misc]
                key, EventType.PROJECT.value, payload, _must
            )
        )


def _must(outcome: Outcome[None]) -> None:
    if outcome.error is not None:
        raise outcome.error


def arrivals(seen: Path) -> list[float]:
    """Return how long each notification that counts took, by what the app manager wrote down."""
    lines = seen.read_text(encoding="utf-8").splitlines() if seen.exists() else []
    records = [record for record in map(json.loads, lines) if record["kind"] == "notification"]
    return [
        record["at"] - record["generated"]
        for record in records
        if int(record["session_id"].removeprefix("benchmark-")) >= 0
    ]


if __name__ == "__main__":
    main()
