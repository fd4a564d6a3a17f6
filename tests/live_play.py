# SPDX-License-Identifier: Apache-2.0
"""Plays a scenario in real processes while something happens to them, and tells what came of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import http_session
from doctor_maintenance.flow import Flow, start, wait
from doctor_maintenance.judge import Trace, Verdict, judge
from doctor_maintenance.runner.defaults import for_cloud
from doctor_maintenance.runner.live import LiveStage, embedded_cloud, start_simulator
from doctor_maintenance.runner.play import play
from doctor_maintenance.runner.recorder import Recorder
from doctor_maintenance.scenario import Scenario
from doctor_maintenance.settings import Settings
from doctor_maintenance.workers import Outcome, ThreadWorkers

WITHIN_S = 120.0
_LOOK_S = 0.02

Record = Mapping[str, Any]
S = TypeVar("S", bound=LiveStage)


@dataclass(frozen=True)
class Played(Generic[S]):
    """What came of it.

    Attributes:
        stage: where it was played; closed.
        left: what is left on the cloud.
    """

    stage: S
    left: list[str]

    def verdict(self) -> Verdict:
        return judge(Trace.read([json.dumps(record) for record in self.stage.recorder.records]))

    def records(self, kind: str, **wanted: Any) -> list[Record]:
        return [
            record
            for record in self.stage.recorder.records
            if record["kind"] == kind
            and all(record.get(name) == value for name, value in wanted.items())
        ]


def play_live(
    kind: type[S],
    scenario: Scenario,
    folder: Path,
    meanwhile: Callable[[S], Flow[None]],
    afterwards: Callable[[S], Flow[None]] | None = None,
) -> Played[S]:
    """Play a scenario on a stage of some kind, and remove everything.

    Args:
        kind: the stage's class.
        scenario: what is played.
        folder: where logs go.
        meanwhile: happens at the same time.
        afterwards: happens when the session is over and nothing is removed yet.
    """
    settings = replace(for_cloud(Settings()), work_dir=str(folder))
    with ExitStack() as stack:
        clock = WallClock()
        clock.start()
        stack.callback(clock.stop)
        workers = stack.enter_context(ThreadWorkers(clock, 16))
        simulator = start_simulator(settings, folder, clock)
        stack.callback(simulator.stop, 5.0)
        cloud = embedded_cloud(simulator, settings, folder)
        stage = kind(cloud, folder, clock, workers, Recorder(clock), http_session(), simulator)
        stack.callback(stage.close)
        stage.clock.call(partial(start, clock, workers, meanwhile(stage)))
        finish(stage, play(stage, scenario, 60.0))
        if afterwards is not None:
            finish(stage, afterwards(stage))
        left = finish(stage, stage.remove())
    return Played(stage, left)


def until(stage: LiveStage, when: Callable[[Record], bool]) -> Flow[None]:
    """Wait until something is seen."""
    while not any(when(record) for record in list(stage.recorder.records)):
        yield from wait(_LOOK_S)


def finish(stage: LiveStage, flow: Flow[Any]) -> Any:
    """Run a flow to its end, and return its value."""
    over = threading.Event()
    outcomes: list[Outcome[Any]] = []

    def done(outcome: Outcome[Any]) -> None:
        outcomes.append(outcome)
        over.set()

    stage.clock.call(lambda: start(stage.clock, stage.workers, flow, done))
    assert over.wait(WITHIN_S), "the run does not end"
    return outcomes[0].get()


def explain(verdict: Verdict) -> str:
    return "\n".join(
        f"{check.check_id}: {evidence.message}"
        for check in verdict.failed
        for evidence in check.evidence
    )


def replied(record: Record) -> bool:
    return record["kind"] == "reply" and 200 <= record["status"] < 300


def in_maintenance(record: Record) -> bool:
    return record["kind"] == "notification" and record["state"] == "IN_MAINTENANCE"
