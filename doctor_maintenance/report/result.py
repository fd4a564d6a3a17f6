# SPDX-License-Identifier: Apache-2.0
"""What a report is about: one run, its trace and its verdict.

All writers of reports (JSON, JUnit, HTML, terminal) take this and nothing else, so they cannot differ in
what they say.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from doctor_maintenance.judge import Trace, TraceError, Verdict
from doctor_maintenance.judge.story import Story
from doctor_maintenance.protocol.times import to_iso


@dataclass(frozen=True)
class Report:
    """One run.

    Attributes:
        name: the scenario's name.
        verdict: what is to be said of it.
        trace: what was seen.
        duration_s: how long it took from start to end, in seconds of real time.
        cloud: what it ran on: ``embedded``, ``virtual`` or the name of a cloud.
        seed: the seed of a simulated run, which repeats it; None on a real cloud.
        left: what could not be removed afterwards, a sentence each.
        figures: measurements to be kept, by name; the unit is the end of the name.
    """

    name: str
    verdict: Verdict
    trace: Trace
    duration_s: float
    cloud: str = "embedded"
    seed: int | None = None
    left: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True if the verdict is good and nothing was left behind."""
        return self.verdict.passed and not self.left

    @property
    def started_at(self) -> str | None:
        """When the first thing was seen, UTC; None if nothing was."""
        return f"{to_iso(self.trace.records[0].at)}Z" if self.trace.records else None

    @functools.cached_property
    def story(self) -> Story | None:
        """What happened, in order; None if the run broke off before there was anything to tell."""
        try:
            return Story(self.trace)
        except TraceError:
            return None
