# SPDX-License-Identifier: Apache-2.0
"""What a run is told as: live on the terminal, ``report.json``, ``junit.xml``, ``report.html``, ``trace.jsonl``."""

from doctor_maintenance.report.result import Report
from doctor_maintenance.report.terminal import LiveView, PlainView, View, print_verdict, view_for
from doctor_maintenance.report.write import write_report

__all__ = [
    "LiveView",
    "PlainView",
    "Report",
    "View",
    "print_verdict",
    "view_for",
    "write_report",
]
