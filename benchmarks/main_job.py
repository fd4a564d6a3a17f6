# SPDX-License-Identifier: Apache-2.0
"""The main job in real time: how long, how much memory, and how quick a notification is.

Usage: python benchmarks/main_job.py [--runs 3] [--notifications 500]

Prints, of ``doctor-maintenance run`` (3 hosts, 6 instances, all steps, real processes, SSH, probe): wall
seconds from start to exit, probes sent and lost, and the largest sum of the memory of the four
processes; and of notifications: from the publisher's stamp to the app manager having it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from doctor_maintenance.admin_tool.http_driver import HttpDriver, HttpTransport
from doctor_maintenance.admin_tool.notifier import Notifier
from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import connect_by, http_session
from doctor_maintenance.runner.live import embedded_cloud, start_simulator
from doctor_maintenance.runner.processes import Process
from doctor_maintenance.settings import Settings
from doctor_maintenance.workers import ThreadWorkers

MIB = 1024 * 1024
PARTS = ("simulator", "admin-tool", "app-manager", "inspector")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--notifications", type=int, default=500)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [measure_run(Path(folder)) for _ in range(args.runs)]
    walls = [wall_s for wall_s, _, _ in runs]
    print(
        f"run: {args.runs} runs, wall seconds min {min(walls):.1f} median {statistics.median(walls):.1f} "
        f"max {max(walls):.1f}"
    )
    print(f"run: probes {', '.join(text for _, _, text in runs)}")
    largest = max((memory for _, memory, _ in runs), key=lambda memory: sum(memory.values()))
    parts = ", ".join(f"{name} {size / MIB:.0f}" for name, size in largest.items())
    print(
        f"run: memory of the four processes, PSS in MiB: {parts}; sum {sum(largest.values()) / MIB:.0f}"
    )
    delays = sorted(measure_notifications(args.notifications))
    shown = {
        f"{share}%": delays[min(len(delays) - 1, len(delays) * share // 100)]
        for share in (50, 90, 99)
    }
    text = ", ".join(f"{name} {value * 1000:.1f}" for name, value in shown.items())
    print(
        f"notifications: {len(delays)}, from publishing to the app manager, ms: {text}, max {delays[-1] * 1000:.1f}"
    )


def measure_run(folder: Path) -> tuple[float, dict[str, int], str]:
    """Run the main job once; return wall seconds, memory by process in bytes, and what the probe says."""
    work = Path(tempfile.mkdtemp(dir=folder))
    begin = time.monotonic()
    run = subprocess.Popen(
        [sys.executable, "-m", "doctor_maintenance", "run", "--plain", "--work-dir", str(work)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with sampling(run.pid) as largest:
        output, _ = run.communicate()
    wall_s = time.monotonic() - begin
    if run.returncode != 0:
        raise SystemExit(f"the run ended with {run.returncode}:\n{output}")
    (probe,) = [line for line in output.splitlines() if line.startswith("probe of")]
    return wall_s, largest, probe.partition(": ")[2]


@contextmanager
def sampling(pid: int) -> Iterator[dict[str, int]]:
    """Sample the memory of a run's processes until it ends; the largest sum is kept."""
    largest: dict[str, int] = {}
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(0.25):
            found = memory_of(pid)
            if sum(found.values()) > sum(largest.values()):
                largest.clear()
                largest.update(found)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield largest
    finally:
        stop.set()
        thread.join()


def memory_of(pid: int) -> dict[str, int]:
    """Return the proportional set size of each part, in bytes."""
    found: dict[str, int] = {}
    try:
        for child in psutil.Process(pid).children(recursive=True):
            name = next((part for part in PARTS if part in child.cmdline()), None)
            if name is not None:
                found[name] = found.get(name, 0) + child.memory_full_info().pss
    except psutil.NoSuchProcess:
        pass
    return found


def measure_notifications(count: int) -> list[float]:
    """Publish notifications one after the other; return how long each took to arrive, in seconds."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clock = WallClock()
        clock.start()
        stack.callback(clock.stop)
        workers = stack.enter_context(ThreadWorkers(clock, 2))
        settings = replace(Settings(), work_dir=str(folder))
        simulator = start_simulator(settings, folder, clock)
        stack.callback(simulator.stop, 10.0)
        settings = embedded_cloud(simulator, settings, folder).settings
        seen = folder / "seen.jsonl"
        manager = Process(
            "app-manager", ["app-manager", "--observations", str(seen)], folder, clock, settings
        )
        stack.callback(manager.stop, 10.0)
        connection = connect_by(settings.cloud, http_session())
        project_id = connection.session.get_project_id()
        connection.alarm.post(
            "/alarms",
            json={
                "name": "benchmark",
                "type": "event",
                "repeat_actions": True,
                "event_rule": {"event_type": "maintenance.scheduled", "query": []},
                "alarm_actions": [f"{manager.url(30.0)}/maintenance"],
            },
        )
        transport = HttpTransport(str(settings.admin_tool.notification_url), connection.session)
        notifier = Notifier(clock, workers, HttpDriver(None, ["notifications"], transport))
        published = threading.Semaphore(0)
        for number in range(count):
            payload = {
                "session_id": f"benchmark-{number}",
                "project_id": project_id,
                "state": "MAINTENANCE_OVER",
                "type": "full",
                "instance_ids": "http://127.0.0.1/none",
            }
            clock.call(
                lambda key=f"benchmark/{number}", payload=payload: notifier.publish(  # type: ignore[misc]
                    key, "maintenance.scheduled", payload, lambda outcome: published.release()
                )
            )
            published.acquire()
        return arrivals(seen, count, clock.now() + 10.0, clock)


def arrivals(seen: Path, count: int, deadline: float, clock: WallClock) -> list[float]:
    """Read how long each notification took, once all are there."""
    while True:
        lines = seen.read_text(encoding="utf-8").splitlines() if seen.exists() else []
        found = [record for record in map(json.loads, lines) if record["kind"] == "notification"]
        if len(found) >= count or clock.now() > deadline:
            return [record["at"] - record["generated"] for record in found]
        threading.Event().wait(0.1)


if __name__ == "__main__":
    main()
