# SPDX-License-Identifier: Apache-2.0
"""Many seeds on many cores: each worker runs a handful of seeds at a time and says what came of them."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from doctor_maintenance.explorer.draw import Limits, draw
from doctor_maintenance.explorer.run import run

CHUNK = 100
"""How many seeds a worker takes at a time."""


@dataclass(slots=True)
class Tally:
    """What came of many cases.

    Attributes:
        cases: how many.
        events: how many events their sessions took.
        states: how many ended in which state.
        others: how many of the sessions beside a first one ended in which state.
        happened: in how many each trouble came about.
        manners: in how many an app manager behaved in each way.
        judged: in how many each clause had something to judge.
        failed: for each clause that failed without an excuse, the seeds.
        evidence: for each such clause, what was found first.
    """

    cases: int = 0
    events: int = 0
    states: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    manners: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)
    failed: dict[str, list[int]] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Take another tally in."""
        self.cases += other.cases
        self.events += other.events
        for name in ("states", "others", "happened", "manners", "judged"):
            getattr(self, name).update(getattr(other, name))
        for clause, seeds in other.failed.items():
            self.failed[clause] = sorted(self.failed.get(clause, []) + seeds)
            self.evidence.setdefault(clause, other.evidence[clause])

    def failing_seeds(self) -> dict[int, str]:
        """Return some of the seeds that failed, each with a clause: every clause has one of them."""
        found: dict[int, str] = {}
        for clause, seeds in sorted(self.failed.items()):
            found.setdefault(seeds[0], clause)
        return found


def explore_some(seeds: range, limits: Limits) -> Tally:
    """Run the cases of some seeds in this process."""
    tally = Tally()
    enabled = gc.isenabled()
    gc.disable()  # a case makes few cycles; collecting once a handful is a fifth of the work
    try:
        for seed in seeds:
            _explore_one(seed, limits, tally)
    finally:
        gc.collect()
        if enabled:
            gc.enable()
    return tally


def settle() -> None:
    """Let the garbage collector forget what was imported: looking through it is a sixth of the work."""
    gc.collect()
    gc.freeze()


def _settle_worker() -> None:
    """Prepare a worker: Ctrl-C is for who sums up, and that one ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settle()


def _explore_one(seed: int, limits: Limits, tally: Tally) -> None:
    case = draw(seed, limits)
    result = run(case)
    tally.cases += 1
    tally.events += result.events
    tally.states[result.state] += 1
    tally.others.update(result.others)
    tally.happened.update(result.happened.keys())
    tally.manners.update({project.manner.value for project in case.projects})
    tally.judged.update(result.judged)
    for clause, message in result.defects.items():
        tally.failed.setdefault(clause, []).append(seed)
        tally.evidence.setdefault(clause, message)


def chunks(first: int, count: int | None) -> Iterator[range]:
    """Return the seeds from ``first`` on, a handful at a time; without a count they never end."""
    start = first
    while count is None or start < first + count:
        stop = start + CHUNK if count is None else min(start + CHUNK, first + count)
        yield range(start, stop)
        start = stop


def explore(parts: Iterable[range], limits: Limits, workers: int) -> Iterator[Tally]:
    """Run the cases of all seeds, and return the tallies as they come.

    Args:
        parts: the seeds, a handful each; asked for only as workers get free.
        limits: how large cases may be.
        workers: how many processes (1: this one).
    """
    if workers <= 1:
        settle()
        for part in parts:
            yield explore_some(part, limits)
        return
    with multiprocessing.get_context("spawn").Pool(workers, _settle_worker) as pool:
        waiting = iter(parts)
        pending = [
            pool.apply_async(explore_some, (part, limits))
            for part in itertools.islice(waiting, 2 * workers)
        ]
        while pending:
            yield pending.pop(0).get()
            following = next(waiting, None)
            if following is not None:
                pending.append(pool.apply_async(explore_some, (following, limits)))


__all__ = ["CHUNK", "Tally", "chunks", "explore", "explore_some"]
