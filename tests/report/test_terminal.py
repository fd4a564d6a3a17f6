# SPDX-License-Identifier: Apache-2.0
"""A run on the terminal: a line an event in a log, a picture on a screen, and the verdict."""

from __future__ import annotations

import io

import pytest
from judge.scenes import SCENES
from judge.stage import Entry
from rich.console import Console

from doctor_maintenance.judge import Trace, Verdict, judge
from doctor_maintenance.report import (
    LiveView,
    PlainView,
    Report,
    print_verdict,
    view_for,
)
from doctor_maintenance.report.progress import STEPS, Progress

from .test_files import broken_off, make


def paper(**options: object) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=80, **options), file  # type: ignore[arg-type]


def lines_of(records: list[Entry]) -> list[str]:
    console, file = paper()
    with PlainView(console) as view:
        for record in records:
            view.update(record)
    return file.getvalue().splitlines()


def test_a_log_has_a_line_for_an_event_with_time_host_step_and_what() -> None:
    lines = lines_of(SCENES["full"]())

    assert lines[0] == (
        "     0.000  -                 -     scenario by the book: full maintenance of compute-1,"
        " compute-2, compute-3"
    )
    assert [line for line in lines if "compute-1         1 " in line] == [
        "     1.100  compute-1         1     nova-compute disabled"
    ]
    assert sum("step" not in line for line in lines) == len(lines)


def test_lines_do_not_depend_on_the_width_and_have_no_colour() -> None:
    lines = lines_of(SCENES["two_projects"]())

    assert any(len(line) > 80 for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_what_a_trace_says_is_no_markup() -> None:
    records = SCENES["full"]()
    records[0]["name"] = "[bold]x[/]"

    assert "scenario [bold]x[/]:" in lines_of(records)[0]


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_every_record_of_every_scene_can_be_shown(scene: str) -> None:
    console, file = paper(force_terminal=True)
    view = LiveView(console)
    for place, record in enumerate(SCENES[scene]()):
        view.update(record)
        if place % 10 == 0:
            console.print(view.render())

    assert "compute-1" in file.getvalue()


def test_a_host_gets_a_tick_for_every_step() -> None:
    progress = Progress()
    for record in SCENES["reboot_two_projects"]():
        progress.update(record)

    assert progress.hosts["compute-1"].steps == set(STEPS)
    assert progress.hosts["compute-4"].steps == set()
    assert progress.hosts["compute-1"].state == "MAINTENANCE_OVER"
    assert progress.session == "MAINTENANCE_OVER"


def test_steps_are_ticked_also_if_nobody_watches_the_bus() -> None:
    progress = Progress()
    for record in SCENES["without_bus"]():
        progress.update(record)

    assert {"1", "2", "3", "5", "6", "7", "10", "11"} <= progress.hosts["compute-2"].steps


def test_instances_are_shown_on_the_host_that_they_are_on() -> None:
    progress = Progress()
    for record in SCENES["full"]():
        progress.update(record)

    where = {host: sorted(seen.instances.values()) for host, seen in progress.hosts.items()}
    assert sum(map(len, where.values())) == 3
    assert {name for names in where.values() for name in names} == {"app-0", "app-1", "app-2"}


def test_what_is_told_before_nova_was_looked_at_is_ticked_for_the_next_host() -> None:
    records = SCENES["full"]()
    disabled = [
        record
        for record in records
        if record["kind"] == "service" and record["status"] == "disabled"
    ]
    for record in disabled:
        record["at"] += 0.5
    progress = Progress()
    for record in sorted(records, key=lambda record: record["at"]):
        progress.update(record)

    assert all(
        {"1", "2", "3", "5", "6", "7"} <= progress.hosts[host].steps
        for host in ("compute-1", "compute-2", "compute-3")
    )


def test_the_screen_shows_who_answers_and_how_long_a_service_is_silent() -> None:
    console, file = paper(force_terminal=True)
    view = LiveView(console)
    view.probe("10.9.0.1", who="app-1", sent=312, lost=4, silent_s=0.04)
    console.print(view.render())

    assert "answered by app-1" in file.getvalue()
    assert "4 lost" in file.getvalue()
    assert "silent for 0.04 s" in file.getvalue()


def test_the_live_view_is_for_terminals_only() -> None:
    assert isinstance(view_for(paper(force_terminal=True)[0]), LiveView)
    assert isinstance(view_for(paper(force_terminal=False)[0]), PlainView)


def test_the_live_view_leaves_its_last_picture() -> None:
    console, file = paper(force_terminal=True)
    with LiveView(console) as view:
        for record in SCENES["full"]():
            view.update(record)

    assert "MAINTENANCE_OVER" in file.getvalue()


def verdict_of(report: Report) -> str:
    console, file = paper()
    print_verdict(console, report, trace_path="reports/trace.jsonl")
    return file.getvalue()


def test_the_verdict_names_every_check_and_ends_with_one_line() -> None:
    report = make()

    text = verdict_of(report)

    for check in report.verdict.checks:
        assert f"  {check.check_id} " in text
    assert text.splitlines()[-1].startswith("PASSED  two_projects  ")
    assert "probe of 10.9.0.1: 0 of 1000 lost; switched over: " in text
    assert " by floating_ip\n" in text
    assert "trace.jsonl" not in text


def test_the_verdict_shows_the_evidence_of_what_failed() -> None:
    text = verdict_of(make("full", "does_not_answer_for_a_while"))

    assert "FAIL  service.no_gap" in text
    assert "at least 0.120 s and at most 0.140 s" in text
    assert '"kind": "switch_over"' in text
    assert "the whole trace is in reports/trace.jsonl" in text
    assert text.splitlines()[-1].startswith("FAILED  full  ")


def test_the_verdict_tells_what_was_not_proven() -> None:
    text = verdict_of(make("reboot_unseen"))

    assert "[6 of 12 not proven]" in text


def test_the_verdict_of_a_run_that_broke_off_says_why_and_what_is_left() -> None:
    text = verdict_of(broken_off())

    assert "ERR   run" in text
    assert "LEFT  server app-1 is still there" in text


def test_nothing_judged_is_told_as_failed() -> None:
    text = verdict_of(Report("nothing", Verdict(()), Trace(()), 0.0))

    assert (
        text
        == "the whole trace is in reports/trace.jsonl\nFAILED  nothing  nothing judged  0.0 s\n"
    )


def test_the_seconds_of_a_line_count_from_the_first_record() -> None:
    records = SCENES["full"]()
    trace = Trace.from_mappings(records)

    last = lines_of(records)[-1]

    assert float(last.split()[0]) == pytest.approx(
        trace.records[-1].at - trace.records[0].at, abs=0.001
    )
    assert judge(trace).passed
