# SPDX-License-Identifier: Apache-2.0
"""The files of a report, each whole or not at all: a CI job may collect them at any moment."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.report import html, json_report, junit
from doctor_maintenance.report.result import Report

TRACE = "trace.jsonl"


def write_report(folder: Path, report: Report) -> list[Path]:
    """Write all files of a report.

    Args:
        folder: where to; it is made if it does not exist.
        report: the run.

    Returns:
        The files.

    Raises:
        UsageError: the folder cannot be written to.
    """
    files = {
        TRACE: report.trace.to_lines(),
        "report.json": [json_report.to_text(report)],
        "junit.xml": [junit.to_text([report])],
        "report.html": [html.to_text(report)],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(folder / name, parts) for name, parts in files.items()]
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {folder}: {error}; name a folder that can be written to"
        ) from error


def _write(path: Path, parts: Iterable[str]) -> Path:
    whole = path.with_name(f".{path.name}.part")
    with whole.open("w", encoding="utf-8") as file:
        file.writelines(parts)
    whole.replace(path)
    return path
