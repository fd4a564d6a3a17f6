# SPDX-License-Identifier: Apache-2.0
"""Steps as a graph: each begins as soon as those it needs are done, and says how long it took.

A list of phases was refused: with two cores, a phase that waits for its slowest member leaves one of them idle for
a third of the time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import MaintenanceError, PreconditionError

LOG = logging.getLogger(__name__)

_LAST_LINES = 12


@dataclass(frozen=True, slots=True)
class Step:
    """A thing to do.

    Attributes:
        name: unique in the graph.
        run: does it; blocks; is told when it is not wanted any more.
        needs: the names of the steps that come before it.
        log: where it writes; its end is shown if it fails.
        heavy: whether it keeps a core busy; not more of those go at once than there are cores.
    """

    name: str
    run: Callable[[threading.Event], None]
    needs: tuple[str, ...] = ()
    log: Path | None = None
    heavy: bool = False


@dataclass(frozen=True, slots=True)
class Took:
    """How long a step took.

    Attributes:
        name: the step.
        began_s: after the first began, in seconds.
        took_s: in seconds.
    """

    name: str
    began_s: float
    took_s: float


class StepFailed(PreconditionError):
    """A step failed; the message names its log and shows the end of it."""


def run(
    steps: Sequence[Step],
    done: Callable[[Took], None],
    *,
    heavy_at_once: int = 2,
    threads: int = 32,
) -> list[Took]:
    """Run steps, each after those it needs, and return how long each took, in the order they ended; blocks.

    Args:
        steps: the graph.
        done: told of each step that is done.
        heavy_at_once: how many heavy steps go at the same time.
        threads: how many steps go at the same time.

    Raises:
        StepFailed: one failed; those that had begun were told to end, and none was begun after it.
        PreconditionError: a step needs one that does not exist, or itself.
    """
    check(steps)
    return _Run(done, heavy_at_once).all(steps, threads)


def check(steps: Iterable[Step]) -> None:
    """Refuse a graph that cannot be run.

    Raises:
        PreconditionError: a name is twice, unknown, or part of a circle.
    """
    waiting: dict[str, set[str]] = {}
    for step in steps:
        if step.name in waiting:
            raise PreconditionError(f"there are two steps {step.name!r}")
        waiting[step.name] = set(step.needs)
    for name, needs in waiting.items():
        for unknown in sorted(needs - waiting.keys()):
            raise PreconditionError(f"step {name!r} needs {unknown!r}, which does not exist")
    while waiting:
        free = {name for name, needs in waiting.items() if not needs}
        if not free:
            raise PreconditionError(f"steps wait for each other: {', '.join(sorted(waiting))}")
        waiting = {name: needs - free for name, needs in waiting.items() if name not in free}


class _Run:
    """One run of a graph."""

    def __init__(self, done: Callable[[Took], None], heavy_at_once: int) -> None:
        self._done = done
        self._clock = WallClock()
        self._began = self._clock.now()
        self._stopping = threading.Event()
        self._heavy = threading.Semaphore(heavy_at_once)

    def all(self, steps: Sequence[Step], threads: int) -> list[Took]:
        waiting = {step.name: set(step.needs) for step in steps}
        by_name = {step.name: step for step in steps}
        took: list[Took] = []
        going: dict[Future[Took], Step] = {}
        with ThreadPoolExecutor(threads, "step") as pool:
            try:
                while waiting or going:
                    for name in [name for name, needs in waiting.items() if not needs]:
                        del waiting[name]
                        going[pool.submit(self._one, by_name[name])] = by_name[name]
                    ended, _ = wait(going, return_when=FIRST_COMPLETED)
                    for future in ended:
                        took.append(_outcome(future, going.pop(future)))
                        self._done(took[-1])
                        for needs in waiting.values():
                            needs.discard(took[-1].name)
            finally:
                self._stopping.set()
        return took

    def _one(self, step: Step) -> Took:
        if step.heavy:
            with self._heavy:
                return self._timed(step)
        return self._timed(step)

    def _timed(self, step: Step) -> Took:
        if self._stopping.is_set():
            raise PreconditionError("another step failed first")
        began = self._clock.now()
        step.run(self._stopping)
        return Took(step.name, began - self._began, self._clock.now() - began)


def _outcome(future: Future[Took], step: Step) -> Took:
    try:
        return future.result()
    except (MaintenanceError, OSError) as error:
        raise StepFailed(f"step `{step.name}` failed: {error}{_end_of(step.log)}") from error


def _end_of(log: Path | None) -> str:
    if log is None:
        return ""
    try:
        lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
    except OSError:
        lines = []
    return f"; the end of {log}:\n  " + ("\n  ".join(lines) or "(nothing)")
