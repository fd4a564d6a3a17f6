# SPDX-License-Identifier: Apache-2.0
"""The judge: what was seen, the contract it is held against, and the verdict.

It is pure, knows nothing of planning and takes nobody's word: the admin tool's own log is no witness.
The same contract judges simulated runs, real runs and traces of somebody else's admin tool.
"""

from doctor_maintenance.judge.contract import CONTRACT, Clause, Finding
from doctor_maintenance.judge.reading import TraceError
from doctor_maintenance.judge.records import KINDS, Expected, Record
from doctor_maintenance.judge.trace import (
    Trace,
    dump_record,
    entry,
    read_files,
    read_record,
    to_line,
)
from doctor_maintenance.judge.verdict import Check, Evidence, Outcome, Verdict, judge

__all__ = [
    "CONTRACT",
    "KINDS",
    "Check",
    "Clause",
    "Evidence",
    "Expected",
    "Finding",
    "Outcome",
    "Record",
    "Trace",
    "TraceError",
    "Verdict",
    "dump_record",
    "entry",
    "judge",
    "read_files",
    "read_record",
    "to_line",
]
