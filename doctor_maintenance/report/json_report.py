# SPDX-License-Identifier: Apache-2.0
"""``report.json``: everything that a machine may want to know of a run, by a documented schema."""

from __future__ import annotations

import importlib.metadata
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from doctor_maintenance.judge import Check, Trace, dump_record
from doctor_maintenance.judge.attribution import cause_of
from doctor_maintenance.judge.records import SwitchOver
from doctor_maintenance.judge.story import Story
from doctor_maintenance.report.result import Report
from doctor_maintenance.report.schema import VERSION
from doctor_maintenance.report.timeline import Step, timelines


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON holds it, by :data:`~.schema.SCHEMA`."""
    story = report.story
    counts = Counter(check.outcome.value for check in report.verdict.checks)
    return {
        "schema_version": VERSION,
        "scenario": report.name,
        "passed": report.passed,
        "run": {
            "cloud": report.cloud,
            "seed": report.seed,
            "started_at": report.started_at,
            "duration_s": round(report.duration_s, 3),
            "left": list(report.left),
            "version": _version(),
        },
        "counts": dict(sorted(counts.items())),
        "checks": [_check(check) for check in report.verdict.checks],
        "sessions": [] if story is None else list(_sessions(story)),
        "hosts": [] if story is None else list(_hosts(story)),
        "services": [] if story is None else list(_services(story)),
        "figures": dict(report.figures),
    }


def to_text(report: Report) -> str:
    """Return the contents of ``report.json``."""
    return json.dumps(to_json(report), indent=2, ensure_ascii=False) + "\n"


def _version() -> str:
    try:
        return importlib.metadata.version("doctor-maintenance")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _check(check: Check) -> dict[str, Any]:
    return {
        "id": check.check_id,
        "title": check.title,
        "step": check.step,
        "outcome": check.outcome.value,
        "judged": check.judged,
        "note": check.note,
        "evidence": [
            {
                "message": item.message,
                "proven": item.proven,
                "records": [dump_record(record) for record in item.records],
            }
            for item in check.evidence
        ],
    }


def _sessions(story: Story) -> Iterator[dict[str, Any]]:
    for session in story.sessions.values():
        yield {"session_id": session.session_id, "state": session.state}


def _hosts(story: Story) -> Iterator[dict[str, Any]]:
    for timeline in timelines(story):
        steps = [_step(step) for step in timeline.steps]
        yield {"host": timeline.host, "state": timeline.state, "steps": steps}


def _step(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {"number": step.number, "at_s": step.at_s}
    if step.not_before_s is not None and step.not_before_s != step.at_s:
        found["not_before_s"] = step.not_before_s
    found["what"] = step.what
    if step.project_id is not None:
        found["project_id"] = step.project_id
    return found


def switch_overs(trace: Trace, project_id: str | None) -> dict[str, int]:
    """Return how often a project's app manager says that it has switched over, by strategy."""
    done = (
        record.strategy or "not told"
        for record in trace.of_kind(SwitchOver)
        if record.phase == "done" and record.project_id == project_id
    )
    return dict(sorted(Counter(done).items()))


def _services(story: Story) -> Iterator[dict[str, Any]]:
    begin_s = story.trace.records[0].at
    for seen in story.probes():
        probe = seen.record
        gaps = []
        for gap in probe.gaps:
            cause = cause_of(story, probe.address, gap)
            gaps.append(
                {
                    "lower_s": gap.lower_s,
                    "upper_s": gap.upper_s,
                    "begin_s": round(gap.begin - begin_s, 6),
                    "end_s": None if gap.end is None else round(gap.end - begin_s, 6),
                    "step": cause.step,
                    "cause": cause.text,
                }
            )
        yield {
            "address": probe.address,
            "project_id": probe.project_id,
            "sent": probe.sent,
            "lost": probe.lost,
            "switch_overs": switch_overs(story.trace, probe.project_id),
            "gaps": gaps,
        }
