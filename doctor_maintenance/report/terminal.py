# SPDX-License-Identifier: Apache-2.0
"""A run on the terminal: live if it is one, a line an event if not, and the verdict at the end.

The lines are for logs and for grep: their form does not change with the width of a terminal, which a CI
job does not have. ``doctor-maintenance run`` hands every record to a view as it comes in.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from doctor_maintenance.judge import Check, Evidence, Outcome, dump_record, to_line
from doctor_maintenance.judge.records import Probe
from doctor_maintenance.report.json_report import switch_overs
from doctor_maintenance.report.progress import STEPS, HostProgress, Line, Progress, ServiceProgress
from doctor_maintenance.report.result import Report

_LABELS = {
    Outcome.PASSED: ("PASS", "green"),
    Outcome.FAILED: ("FAIL", "bold red"),
    Outcome.NOT_PROVEN: ("OPEN", "yellow"),
    Outcome.NOT_APPLICABLE: ("N/A ", "dim"),
    Outcome.WAIVED: ("WAIV", "yellow"),
    Outcome.ERROR: ("ERR ", "bold red"),
}
_STATE_STYLES = {
    "PENDING": "dim",
    "PLANNED_MAINTENANCE": "yellow",
    "IN_MAINTENANCE": "bold magenta",
    "MAINTENANCE_OVER": "green",
    "MAINTENANCE_CANCELED": "cyan",
    "MAINTENANCE_FAILED": "bold red",
}
_LAST_LINES = 8
_RECORDS_SHOWN = 5


class View(Protocol):
    """Shows a run while it goes."""

    def update(self, record: Mapping[str, Any]) -> None:
        """Take a record of the trace; may be called from any thread."""

    def probe(
        self, address: str, *, who: str | None, sent: int, lost: int, silent_s: float
    ) -> None:
        """Take what a probe knows at this moment; may be called from any thread."""

    def __enter__(self) -> View:
        """Begin to show."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop showing; what was shown stays."""


def view_for(console: Console) -> View:
    """Return the live view for a terminal, and the plain one for anything else."""
    return (
        LiveView(console)
        if console.is_terminal and not console.is_dumb_terminal
        else PlainView(console)
    )


def format_line(line: Line) -> str:
    """Write an event as a line: seconds, host, step, what; ``-`` where there is none."""
    return f"{line.at_s:10.3f}  {line.host or '-':<16}  {line.step or '-':<4}  {line.text}"


def _say(console: Console, text: str, style: str | None = None) -> None:
    """Print a line as it is: never wrapped, never taken for markup."""
    console.print(Text(text, style=style or ""), soft_wrap=True, highlight=False)


class PlainView:
    """A line for every event.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress()
        self._lock = threading.Lock()

    def update(self, record: Mapping[str, Any]) -> None:
        """Take a record of the trace."""
        with self._lock:
            line = self._progress.update(record)
            if line is not None:
                _say(self._console, format_line(line))

    def probe(
        self, address: str, *, who: str | None, sent: int, lost: int, silent_s: float
    ) -> None:
        """Say nothing: a log is told of the probes at the end."""

    def __enter__(self) -> PlainView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class LiveView:
    """Hosts, instances, steps and services as they are now, and the last events.

    Args:
        console: a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress()
        self._lines: list[Line] = []
        self._lock = threading.Lock()
        self._live = Live(
            console=console, get_renderable=self.render, refresh_per_second=10, transient=False
        )

    def update(self, record: Mapping[str, Any]) -> None:
        """Take a record of the trace."""
        with self._lock:
            line = self._progress.update(record)
            if line is not None:
                self._lines = [*self._lines[1 - _LAST_LINES :], line]

    def probe(
        self, address: str, *, who: str | None, sent: int, lost: int, silent_s: float
    ) -> None:
        """Take what a probe knows at this moment."""
        with self._lock:
            service = self._progress.services.setdefault(address, ServiceProgress())
            service.sent, service.lost, service.silent_s = sent, lost, silent_s
            service.who = who or service.who

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def render(self) -> Group:
        """Return what is to be shown now."""
        with self._lock:
            progress = self._progress
            title = f"{progress.scenario or 'starting'}   session: {progress.session or 'none yet'}"
            events = "\n".join(map(format_line, self._lines))
            return Group(
                Text(title, style="bold"),
                _hosts_table(progress.hosts),
                *[_service_line(*item) for item in sorted(progress.services.items())],
                Text(events, style="dim", no_wrap=True, overflow="ellipsis"),
            )


def _hosts_table(hosts: Mapping[str, HostProgress]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("host", "nova-compute", "state", "steps 1 to 13", "instances"):
        table.add_column(heading, header_style="bold", no_wrap=heading != "instances")
    for name, host in sorted(hosts.items()):
        ticks = Text(" ").join(
            Text("▣" if step == "work" else step, style="bold green")
            if step in host.steps
            else Text("·", style="dim")
            for step in STEPS
        )
        table.add_row(
            Text(name),
            Text("enabled", "green") if host.enabled else Text("disabled", "yellow"),
            Text(host.state, _STATE_STYLES.get(host.state, "")),
            ticks,
            Text(", ".join(sorted(host.instances.values()))),
        )
    return table


def _service_line(address: str, service: ServiceProgress) -> Text:
    lost = Text(f"{service.lost} lost", "bold red" if service.lost else "green")
    silence = (
        Text(f"  silent for {service.silent_s:.2f} s", "bold red") if service.silent_s else Text("")
    )
    return Text.assemble(
        f"{address}  answered by {service.who or 'nobody'}  {service.sent} probes, ", lost, silence
    )


def print_verdict(console: Console, report: Report, *, trace_path: str | None = None) -> None:
    """Print every check, the evidence of those that failed, and the verdict in one last line.

    Args:
        console: where to.
        report: the run.
        trace_path: where the trace was written to, for who wants to see more.
    """
    for check in report.verdict.checks:
        _print_check(console, check)
    for check in report.verdict.failed:
        _print_evidence(console, check)
    for sentence in report.left:
        _say(console, f"LEFT  {sentence}", "bold red")
    for probe in _last_probes(report):
        text = _describe(probe) + _switched(report, probe)
        _say(console, text, "green" if not probe.lost else "bold red")
    if trace_path is not None and not report.passed:
        _say(console, f"the whole trace is in {trace_path}")
    _say(console, summary(report), "bold green" if report.passed else "bold red")


def summary(report: Report) -> str:
    """Return the verdict in one line."""
    counts = Counter(check.outcome for check in report.verdict.checks)
    parts = [
        f"{counts[outcome]} {outcome.value.replace('_', ' ')}"
        for outcome in Outcome
        if counts[outcome]
    ]
    if report.left:
        parts.append(f"{len(report.left)} left behind")
    verdict = "PASSED" if report.passed else "FAILED"
    return f"{verdict}  {report.name}  {', '.join(parts) or 'nothing judged'}  {report.duration_s:.1f} s"


def _print_check(console: Console, check: Check) -> None:
    label, style = _LABELS[check.outcome]
    unproven = sum(not item.proven for item in check.evidence)
    notes = [check.note] if check.note else []
    if check.outcome in (Outcome.PASSED, Outcome.NOT_PROVEN) and unproven:
        notes.append(f"{unproven} of {check.judged} not proven")
    note = f"  [{'; '.join(notes)}]" if notes else ""
    line = Text.assemble((label, style), f"  {check.check_id:<38}  {check.title}{note}")
    console.print(line, soft_wrap=True, highlight=False)


def _print_evidence(console: Console, check: Check) -> None:
    _say(console, f"\n{check.check_id} ({check.step}): {check.title}", "bold")
    for item in check.evidence:
        _say(console, f"  {'' if item.proven else '(not proven) '}{item.message}")
        _print_records(console, item)
    _say(console, "")


def _print_records(console: Console, item: Evidence) -> None:
    for record in item.records[:_RECORDS_SHOWN]:
        _say(console, f"      {to_line(dump_record(record))}", "dim")
    if len(item.records) > _RECORDS_SHOWN:
        _say(console, f"      and {len(item.records) - _RECORDS_SHOWN} more records", "dim")


def _last_probes(report: Report) -> list[Probe]:
    return list({probe.address: probe for probe in report.trace.of_kind(Probe)}.values())


def _describe(probe: Probe) -> str:
    text = f"probe of {probe.address}: {probe.lost} of {probe.sent} lost"
    gap = probe.longest_gap or max(probe.gaps, key=lambda item: item.lower_s, default=None)
    if gap is None:
        return text
    longest = "an unknown time" if gap.upper_s is None else f"{gap.upper_s:.3f} s"
    return f"{text}; longest silence at least {gap.lower_s:.3f} s, at most {longest}"


def _switched(report: Report, probe: Probe) -> str:
    """Return how the service was switched over meanwhile: what was lost says little without it."""
    counts = switch_overs(report.trace, probe.project_id)
    ways = ", ".join(f"{count} by {strategy}" for strategy, count in counts.items())
    return f"; switched over: {ways}" if ways else ""
