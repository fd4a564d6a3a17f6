# SPDX-License-Identifier: Apache-2.0
"""``report.html``: one page, nothing loaded from anywhere, that shows the run at a glance.

The time line of each host is drawn from the same steps as in ``report.json``; the page is for people who
do not want to read it.
"""

from __future__ import annotations

import functools
from typing import Any

from jinja2 import Environment, PackageLoader, Template

from doctor_maintenance.report import json_report
from doctor_maintenance.report.result import Report
from doctor_maintenance.report.terminal import summary

_MIN_SPAN_S = 0.001


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("doctor_maintenance.report", package_path="."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def to_text(report: Report) -> str:
    """Return the contents of ``report.html``."""
    found = json_report.to_json(report)
    return _template().render(
        report=found,
        summary=summary(report),
        lanes=[_lane(host, _span_s(found)) for host in found["hosts"]],
        span_s=_span_s(found),
    )


def _span_s(found: dict[str, Any]) -> float:
    times: list[float] = [step["at_s"] for host in found["hosts"] for step in host["steps"]]
    return max([_MIN_SPAN_S, *times]) * 1.02


def _lane(host: dict[str, Any], span_s: float) -> dict[str, Any]:
    """Return a host's time line, its steps placed in per cent of the run."""
    times = {number: _at(host, number) for number in ("1", "7", "10", "11")}
    bars = []
    for name, begin, end in (
        ("planned", times["1"], times["7"] or times["10"]),
        ("maintained", times["7"], times["10"] or times["11"] or span_s),
    ):
        if begin is not None and end is not None and end >= begin:
            bars.append(
                {
                    "name": name,
                    "left": 100 * begin / span_s,
                    "width": max(0.2, 100 * (end - begin) / span_s),
                }
            )
    marks = [{**step, "left": 100 * step["at_s"] / span_s} for step in host["steps"]]
    return {"host": host["host"], "state": host["state"], "bars": bars, "marks": marks}


def _at(host: dict[str, Any], number: str) -> float | None:
    return next((step["at_s"] for step in host["steps"] if step["number"] == number), None)
