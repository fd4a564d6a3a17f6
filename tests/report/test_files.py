# SPDX-License-Identifier: Apache-2.0
"""The files of a report say all of a run, and are what their readers expect."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from judge import bad_actors
from judge.scenes import SCENES
from judge.tape import Tape

from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.judge import Expected, Trace, Verdict, judge
from doctor_maintenance.report import Report, html, json_report, junit, write_report
from doctor_maintenance.report.schema import SCHEMA, schema_text

DOCS = Path(__file__).parents[2] / "docs"


def make(scene: str = "two_projects", actor: str | None = None, **more: Any) -> Report:
    tape = Tape(SCENES[scene]())
    if actor is not None:
        getattr(bad_actors, actor)(tape)
    trace = Trace.from_mappings(tape.records)
    return Report(scene, judge(trace), trace, duration_s=12.3456, **more)


def broken_off() -> Report:
    verdict = Verdict(()).with_error("run", "the run comes to its end", "no\x00 token <&>")
    return Report("nothing", verdict, Trace(()), 0.1, left=("server app-1 is still there",))


def cases(report: Report) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(junit.to_text([report]))
    return {f"{case.get('classname')}.{case.get('name')}": case for case in root.iter("testcase")}


# report.json


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_every_report_is_as_the_schema_says(scene: str) -> None:
    jsonschema.validate(json_report.to_json(make(scene)), SCHEMA)


def test_the_report_of_a_run_that_broke_off_is_as_the_schema_says() -> None:
    found = json_report.to_json(broken_off())

    jsonschema.validate(found, SCHEMA)
    assert (found["passed"], found["hosts"], found["counts"]) == (False, [], {"error": 1})


def test_the_schema_in_the_docs_is_the_schema() -> None:
    assert (DOCS / "report.schema.json").read_text(encoding="utf-8") == schema_text()


def test_the_schema_is_a_schema_and_describes_every_field() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    waiting = [SCHEMA]
    while waiting:
        node = waiting.pop()
        for name, field in node.get("properties", {}).items():
            assert field.get("description"), name
            waiting.append(field)
        if isinstance(node.get("items"), dict):
            waiting.append(node["items"])


def test_the_steps_of_a_host_are_told_in_their_order() -> None:
    report = json_report.to_json(make("reboot"))

    host = report["hosts"][0]
    numbers = list(dict.fromkeys(step["number"] for step in host["steps"]))
    assert (host["host"], host["state"]) == ("compute-1", "MAINTENANCE_OVER")
    assert numbers == ["1", "2", "3", "4", "5", "7", "8", "9", "work", "10", "11", "12", "13"]


def test_a_gap_is_told_with_its_interval_and_its_cause() -> None:
    report = json_report.to_json(make("full", "does_not_answer_for_a_while"))

    gap = report["services"][0]["gaps"][0]
    assert (gap["lower_s"], gap["upper_s"], gap["step"]) == (0.12, 0.14, "4")
    assert "switch-over" in gap["cause"]
    assert report["services"][0]["lost"] == 13


def test_what_a_service_lost_is_told_with_how_it_was_switched_over() -> None:
    report = json_report.to_json(make("full"))

    assert report["services"][0]["switch_overs"] == {"floating_ip": 3}
    assert "3 by floating_ip" in html.to_text(make("full"))


def test_a_failed_check_brings_its_records() -> None:
    report = json_report.to_json(make("full", "leaves_a_dead_service"))

    failed = [check for check in report["checks"] if check["outcome"] == "failed"]
    assert [check["id"] for check in failed] == ["hosts.compute_active"]
    assert failed[0]["evidence"][0]["records"][0]["value"] == "failed"


def test_what_was_left_behind_fails_a_run_whose_verdict_is_good() -> None:
    report = make(left=("network sim-1 is still there",))

    assert report.verdict.passed
    assert json_report.to_json(report)["passed"] is False


# junit.xml


def test_there_is_a_case_for_each_check() -> None:
    report = make()

    assert len(cases(report)) == len(report.verdict.checks)


def test_a_failure_carries_the_evidence() -> None:
    failure = cases(make("full", "leaves_a_dead_service"))["full.hosts.compute_active"].find(
        "failure"
    )

    assert failure is not None
    assert "found 'failed'" in failure.attrib["message"]
    assert '"check": "compute"' in (failure.text or "")


def test_nothing_to_judge_is_skipped_and_not_passed() -> None:
    skipped = cases(make("full"))["full.hosts.rebooted"].find("skipped")

    assert skipped is not None
    assert skipped.attrib["message"] == "there was nothing to judge"


def test_a_waived_check_is_skipped_with_the_reason() -> None:
    tape = Tape(SCENES["full"]())
    bad_actors.loses_an_alarm(tape)
    trace = Trace.from_mappings(tape.records)
    verdict = judge(trace, Expected(waive={"told.arrives": "the alarm is lost"}))

    skipped = cases(Report("full", verdict, trace, 1.0))["full.told.arrives"].find("skipped")

    assert skipped is not None
    assert "the alarm is lost" in skipped.attrib["message"]


def test_a_check_that_is_proven_nowhere_is_skipped_and_says_what_is_open() -> None:
    tape = Tape(SCENES["full"]())
    for host in ("compute-1", "compute-2", "compute-3"):
        disabled = tape.one("service", host=host, status="disabled")
        disabled.update(at=disabled["at"] + 0.2, not_before=disabled["at"])
    trace = Trace.from_mappings(tape.records)

    found = cases(Report("full", judge(trace), trace, 1.0))
    skipped = found["full.order.disable_before_planned"].find("skipped")

    assert skipped is not None
    assert skipped.attrib["message"] == "it could not be proven"
    assert "(not proven) expected compute-1" in (skipped.text or "")


def test_what_was_not_proven_is_told_in_a_passed_case() -> None:
    output = cases(make("reboot_unseen"))["reboot_unseen.order.told_before_work"].find("system-out")

    assert output is not None
    assert "(not proven)" in (output.text or "")


def test_what_was_left_behind_is_a_failed_case() -> None:
    found = cases(broken_off())

    assert found["nothing.run.left"].find("failure") is not None


def test_the_counts_of_a_suite_fit_its_cases() -> None:
    reports = [make(), make("full", "leaves_a_dead_service"), broken_off()]

    for suite in ElementTree.fromstring(junit.to_text(reports)):
        counted = {
            "failures": len(suite.findall("testcase/failure")),
            "errors": len(suite.findall("testcase/error")),
            "skipped": len(suite.findall("testcase/skipped")),
            "tests": len(suite.findall("testcase")),
        }
        assert {name: int(suite.attrib[name]) for name in counted} == counted


def test_characters_that_xml_cannot_hold_do_not_break_the_file() -> None:
    error = cases(broken_off())["nothing.run.run"].find("error")

    assert error is not None
    assert error.attrib["message"] == "no\N{REPLACEMENT CHARACTER} token <&>"


# report.html


class Page(HTMLParser):
    """Collects what a page loads and the text of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_the_page_is_whole_and_loads_nothing(scene: str) -> None:
    page = Page(html.to_text(make(scene)))

    assert page.open == []
    assert page.loads == []
    assert "order.disable_before_planned" in page.text


def test_what_a_trace_says_is_text_on_the_page_and_no_markup() -> None:
    tape = Tape(SCENES["full"]())
    tape.one("ssh", host="compute-1", check="compute", phase="after").update(
        ok=False, value="<script>alert(1)</script>"
    )
    trace = Trace.from_mappings(tape.records)

    text = html.to_text(Report("full", judge(trace), trace, 1.0))

    assert "<script>" not in text
    assert "<script>alert(1)</script>" in Page(text).text


def test_the_page_of_a_run_that_broke_off_says_why() -> None:
    page = Page(html.to_text(broken_off()))

    assert "server app-1 is still there" in page.text
    assert "token <&>" in page.text


# All of them


def test_all_files_are_written_and_the_trace_can_be_judged_again(tmp_path: Path) -> None:
    report = make()

    written = write_report(tmp_path / "new" / "folder", report)

    assert [path.name for path in written] == [
        "trace.jsonl",
        "report.json",
        "junit.xml",
        "report.html",
    ]
    assert sorted(tmp_path.rglob("*.*")) == sorted(written)
    with written[0].open(encoding="utf-8") as lines:
        assert judge(Trace.read(lines)) == report.verdict
    assert json.loads(written[1].read_text(encoding="utf-8")) == json_report.to_json(report)


def test_a_folder_that_cannot_be_written_to_is_a_wrong_invocation(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="name a folder that can be written to"):
        write_report(tmp_path / "file", make())


def test_the_same_run_gives_the_same_files_byte_for_byte() -> None:
    for write in (json_report.to_text, html.to_text, lambda report: junit.to_text([report])):
        assert write(make()) == write(make())
