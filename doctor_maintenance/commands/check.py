# SPDX-License-Identifier: Apache-2.0
"""Judge a trace, also one of somebody else's admin tool or app manager."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.settings import Settings

if TYPE_CHECKING:
    from doctor_maintenance.judge import Trace

NEEDS_SETTINGS = False

_EPILOG = """\
A trace is a file of JSON objects, one a line; one of them is of kind "scenario" and says what the run was about.
Several files, one a witness, are merged by time. docs/trace describes the kinds of records.
Exit status: 0 the contract holds, 1 it is broken, 2 a file cannot be read (the message names the line).
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("traces", nargs="+", metavar="TRACE", type=Path, help="a trace.jsonl")
    parser.add_argument(
        "--exact",
        action="store_true",
        help="one process saw everything, on one clock: what is not proven counts as broken",
    )
    parser.add_argument(
        "--report-dir",
        type=Path,
        metavar="DIR",
        help="also write report.json, junit.xml, report.html",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Judge the traces and print the verdict."""
    from rich.console import Console

    from doctor_maintenance.judge import TraceError, judge
    from doctor_maintenance.report import Report, print_verdict, write_report

    try:
        trace = _read(args.traces)
        if args.exact:
            trace = trace.with_exact_witnesses()
        verdict = judge(trace)
    except TraceError as error:
        raise UsageError(str(error)) from error
    assert trace.scenario is not None  # the judge would have refused it
    duration_s = trace.records[-1].at - trace.records[0].at
    report = Report(trace.scenario.name, verdict, trace, duration_s, cloud="unknown")
    print_verdict(Console(), report)
    if args.report_dir is not None:
        write_report(args.report_dir, report)
    return 0 if report.passed else 1


def _read(paths: list[Path]) -> Trace:
    from doctor_maintenance.judge import read_files

    files = []
    for path in paths:
        try:
            with path.open(encoding="utf-8") as file:
                files.append((str(path), file.readlines()))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{path}: expected a trace, one JSON object a line; it cannot be read: {error}"
            ) from error
    return read_files(files)
