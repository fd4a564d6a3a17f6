# SPDX-License-Identifier: Apache-2.0
"""A run from its first process to its verdict, and the way back whatever happens in between.

Ctrl-C, a failure and a success leave by the same door: sessions that run are canceled, so that what
was disabled is enabled; what was deployed is removed; every process is ended.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import http_session
from doctor_maintenance.exceptions import MaintenanceError, PreconditionError
from doctor_maintenance.flow import Flow, Task, blocking, start, wait
from doctor_maintenance.interruptible import InterruptibleEvent
from doctor_maintenance.judge import Trace, Verdict, judge
from doctor_maintenance.protocol import SessionState
from doctor_maintenance.report import Report
from doctor_maintenance.runner.live import LiveCloud, LiveStage, embedded_cloud, start_simulator
from doctor_maintenance.runner.play import play
from doctor_maintenance.runner.recorder import Recorder
from doctor_maintenance.scenario import Scenario
from doctor_maintenance.settings import CloudSettings, Settings
from doctor_maintenance.workers import Outcome, ThreadWorkers

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_CLEAN_UP_S = 60.0
_THREADS = 16


class Display(Protocol):
    """Shows a run while it goes; may be called from any thread."""

    def update(self, record: Mapping[str, Any]) -> None:
        """Take a record of the trace."""

    def probe(
        self, address: str, *, who: str | None, sent: int, lost: int, silent_s: float
    ) -> None:
        """Take what a probe knows at this moment."""


def run_live(
    scenario: Scenario,
    settings: Settings,
    folder: Path,
    *,
    session_timeout_s: float,
    display: Display | None = None,
) -> Report:
    """Play a scenario in real time on the cloud that the settings name; blocks.

    Args:
        scenario: what to play.
        settings: the options.
        folder: where logs, keys and observations go; it exists.
        session_timeout_s: how long the maintenance session may take.
        display: shows what is seen, at once.

    Raises:
        PreconditionError: the cloud is not fit, or a process does not start.
        KeyboardInterrupt: Ctrl-C; everything is cleaned up by then.
    """
    # A run is not to take up what another one left in a journal.
    settings = replace(settings, work_dir=str(folder))
    with ExitStack() as stack:
        clock = WallClock()
        began = clock.now()
        clock.start()
        stack.callback(clock.stop)
        workers = stack.enter_context(ThreadWorkers(clock, _THREADS))
        recorder = Recorder(clock, None if display is None else display.update)
        simulator = None
        cloud = LiveCloud(settings)
        if settings.cloud.kind == "embedded":
            simulator = start_simulator(settings, folder, clock)
            stack.callback(simulator.stop, 5.0)
            cloud = embedded_cloud(simulator, settings, folder)
        stage = LiveStage(cloud, folder, clock, workers, recorder, http_session(), simulator)
        stack.callback(stage.close)
        if display is not None:
            stage.show_probes_on(display)
        error: MaintenanceError | None = None
        try:
            _finish(stage, play(stage, scenario, session_timeout_s))
        except PreconditionError:
            _clean_up(stage)
            raise
        except MaintenanceError as broken:
            LOG.debug("the run broke off", exc_info=True)
            error = broken
        except KeyboardInterrupt:
            LOG.warning("interrupted; cleaning up (a second Ctrl-C leaves at once)")
            _clean_up(stage)
            raise
        left = _clean_up(stage)
    trace = Trace.read([json.dumps(record) for record in recorder.records])
    embedded = settings.cloud.kind == "embedded"
    return Report(
        name=scenario.name,
        verdict=_verdict(trace, error),
        trace=trace,
        duration_s=clock.now() - began,
        cloud="embedded" if embedded else _named(settings.cloud),
        seed=settings.seed if embedded else None,
        left=tuple(left),
    )


def _named(cloud: CloudSettings) -> str:
    name = cloud.os_cloud or "openstack"
    return name if cloud.note is None else f"{name} ({cloud.note})"


def _verdict(trace: Trace, error: MaintenanceError | None) -> Verdict:
    if error is None:
        return judge(trace)
    try:
        verdict = judge(trace)
    except MaintenanceError as unreadable:
        LOG.debug("there is nothing to judge: %s", unreadable)
        verdict = Verdict(())
    return verdict.with_error("run.complete", "the run came to its end", str(error))


def _clean_up(stage: LiveStage) -> list[str]:
    """End sessions and remove what was deployed; return what is left."""
    try:
        return _finish(stage, _back(stage))
    except MaintenanceError as error:
        return [f"cleaning up failed: {error}"]


def _back(stage: LiveStage) -> Flow[list[str]]:
    problems = yield from _end_sessions(stage)
    return problems + (yield from stage.remove())


def _end_sessions(stage: LiveStage) -> Flow[list[str]]:
    """Cancel what runs, and wait until no host is worked on."""
    asked: set[str] = set()
    deadline = stage.clock.now() + _CLEAN_UP_S
    while True:
        answer = yield from blocking(lambda: stage.admin_tool("GET", "/v1/maintenance"))
        running = [
            view["session_id"]
            for view in answer["sessions"]
            if not SessionState(view["state"]).final
        ]
        if not running:
            return []
        if stage.clock.now() > deadline:
            return [f"session {session_id} still runs" for session_id in running]
        for session_id in set(running) - asked:
            asked.add(session_id)
            yield from blocking(_canceller(stage, session_id))
        yield from wait(stage.poll_s)


def _canceller(stage: LiveStage, session_id: str) -> Callable[[], Any]:
    path = f"/v1/maintenance/{session_id}/action"
    return lambda: stage.admin_tool("POST", path, {"cancel": None})


def _finish(stage: LiveStage, flow: Flow[T]) -> T:
    """Run a flow to its end while this thread waits; cancel it if this thread is interrupted."""
    outcomes: list[Outcome[T]] = []
    with InterruptibleEvent() as ended:

        def done(outcome: Outcome[T]) -> None:
            outcomes.append(outcome)
            ended.set()

        task: Task[T] = stage.clock.call(lambda: start(stage.clock, stage.workers, flow, done))
        try:
            ended.wait()
        except KeyboardInterrupt:
            stage.clock.call(task.cancel)
            raise
    return outcomes[0].get()
