# SPDX-License-Identifier: Apache-2.0
"""``junit.xml``: a test case for each check, for whatever CI shows test results.

A check with nothing to judge, one that could not be proven and one that its scenario waives are *skipped*
with the reason: counted as passed, they would look like evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree

from doctor_maintenance.judge import Check, Evidence, Outcome, dump_record, to_line
from doctor_maintenance.report.result import Report

_SKIPPED = (Outcome.NOT_PROVEN, Outcome.NOT_APPLICABLE, Outcome.WAIVED)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_text(reports: Iterable[Report]) -> str:
    """Return the contents of ``junit.xml``: a test suite for each run."""
    root = ElementTree.Element("testsuites")
    for report in reports:
        root.append(_suite(report))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(report: Report) -> ElementTree.Element:
    checks = [*report.verdict.checks]
    if report.left:
        evidence = tuple(Evidence(sentence) for sentence in report.left)
        title = "everything that was deployed is removed"
        checks.append(Check("run.left", title, "run", Outcome.FAILED, 1, evidence))
    count = {outcome: sum(check.outcome is outcome for check in checks) for outcome in Outcome}
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": report.name,
            "tests": str(len(checks)),
            "failures": str(count[Outcome.FAILED]),
            "errors": str(count[Outcome.ERROR]),
            "skipped": str(sum(count[outcome] for outcome in _SKIPPED)),
            "time": f"{report.duration_s:.3f}",
        },
    )
    if report.started_at is not None:
        suite.set("timestamp", report.started_at.rstrip("Z"))
    for check in checks:
        suite.append(_case(report, check))
    return suite


def _case(report: Report, check: Check) -> ElementTree.Element:
    area, _, rule = check.check_id.partition(".")
    case = ElementTree.Element(
        "testcase", {"classname": f"{report.name}.{area}", "name": rule or area, "time": "0"}
    )
    match check.outcome:
        case Outcome.FAILED | Outcome.ERROR:
            name = "failure" if check.outcome is Outcome.FAILED else "error"
            first = check.evidence[0].message if check.evidence else check.title
            problem = ElementTree.SubElement(
                case, name, {"message": _clean(first), "type": check.check_id}
            )
            problem.text = _clean(_explain(check))
        case Outcome.NOT_APPLICABLE:
            ElementTree.SubElement(case, "skipped", {"message": "there was nothing to judge"})
        case Outcome.NOT_PROVEN:
            skipped = ElementTree.SubElement(case, "skipped", {"message": "it could not be proven"})
            skipped.text = _clean(_explain(check))
        case Outcome.WAIVED:
            ElementTree.SubElement(case, "skipped", {"message": _clean(check.note)})
        case Outcome.PASSED if check.evidence:
            ElementTree.SubElement(case, "system-out").text = _clean(_explain(check))
    return case


def _explain(check: Check) -> str:
    lines = [f"{check.title} ({check.step})"]
    for item in check.evidence:
        lines.append(item.message if item.proven else f"(not proven) {item.message}")
        lines.extend(f"    {to_line(dump_record(record))}" for record in item.records)
    if check.note:
        lines.append(check.note)
    return "\n".join(lines)


def _clean(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
