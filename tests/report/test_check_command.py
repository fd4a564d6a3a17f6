# SPDX-License-Identifier: Apache-2.0
"""``doctor-maintenance check`` judges anybody's trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from judge import bad_actors
from judge.scenes import SCENES
from judge.stage import Entry
from judge.tape import Tape

from doctor_maintenance.cli import main


def write(path: Path, records: list[Entry]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def test_a_trace_by_the_book_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["check", write(tmp_path / "trace.jsonl", SCENES["full"]())])

    assert status == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("PASSED  by the book")


def test_a_broken_contract_is_exit_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tape = Tape(SCENES["full"]())
    bad_actors.migrates_before_the_ack(tape)

    status = main(["check", write(tmp_path / "trace.jsonl", tape.records)])

    assert status == 1
    assert "FAIL  consent.before_action" in capsys.readouterr().out


def test_the_traces_of_several_witnesses_are_judged_together(tmp_path: Path) -> None:
    records = SCENES["two_projects"]()
    sources = sorted({record["source"] for record in records})
    files = [
        write(tmp_path / f"{place}.jsonl", [item for item in records if item["source"] == source])
        for place, source in enumerate(sources)
    ]

    assert main(["check", *files]) == 0


def test_a_line_that_cannot_be_read_is_a_wrong_invocation_that_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = SCENES["full"]()
    del records[4]["host"]

    status = main(["check", write(tmp_path / "trace.jsonl", records)])

    assert status == 2
    assert "trace.jsonl, line 5 (service): missing host" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"not json\n", b"[1]\n"])
def test_what_is_no_trace_is_a_wrong_invocation(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(content)

    assert main(["check", str(path)]) == 2


def test_a_file_that_is_not_there_is_a_wrong_invocation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path / "nothing.jsonl")]) == 2
    assert "nothing.jsonl: expected a trace" in capsys.readouterr().err


def test_exact_witnesses_must_prove_everything(tmp_path: Path) -> None:
    tape = Tape(SCENES["full"]())
    disabled = tape.one("service", host="compute-1", status="disabled")
    disabled.update(at=disabled["at"] + 1, not_before=disabled["at"])
    path = write(tmp_path / "trace.jsonl", tape.records)

    assert main(["check", path]) == 0
    assert main(["check", path, "--exact"]) == 1


def test_a_report_is_written_on_request(tmp_path: Path) -> None:
    path = write(tmp_path / "trace.jsonl", SCENES["full"]())

    assert main(["check", path, "--report-dir", str(tmp_path / "report")]) == 0
    assert json.loads((tmp_path / "report" / "report.json").read_text())["passed"] is True
