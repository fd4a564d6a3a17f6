# SPDX-License-Identifier: Apache-2.0
"""A whole run over HTTPS, with an authority of one's own: the API, the replies and the alarms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from security.certificates import Authority

pytestmark = pytest.mark.slow

TIMEOUT_S = 300


def run(work_dir: Path, authority: Authority, trusted: Path) -> subprocess.CompletedProcess[str]:
    """Run a scenario whose admin tool, app manager and inspector have certificates of an authority."""
    words: list[str] = []
    for part in ("admin-tool", "app-manager", "inspector"):
        issued = authority.issue("127.0.0.1")
        words += [f"--{part}-tls-certificate", str(issued.certificate)]
        words += [f"--{part}-tls-key", str(issued.key)]
    words += ["--cloud-cacert", str(trusted), "--simulator-cacert", str(trusted)]
    return subprocess.run(
        [
            *(sys.executable, "-m", "doctor_maintenance", "run", "full_maintenance", "--plain"),
            *("--work-dir", str(work_dir), "--session-timeout-s", "60", *words),
        ],
        env={  # another authority in the environment does not outweigh the configured one
            **{name: value for name, value in os.environ.items() if not name.startswith("OS_")},
            "REQUESTS_CA_BUNDLE": str(Authority(work_dir.parent, "irrelevant").file),
        },
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_a_run_passes_over_https_from_end_to_end(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    ended = run(tmp_path / "work", authority, authority.file)

    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    traces = list((tmp_path / "work").rglob("trace.jsonl"))
    records = [json.loads(line) for line in traces[0].read_text().splitlines()]
    told = [each for each in records if each["kind"] == "notification" and "reply_url" in each]
    assert {each["reply_url"].partition("//")[0] for each in told} == {"https:"}
    assert [each for each in records if each["kind"] == "reply"]
    log = next((tmp_path / "work").rglob("simulator.log")).read_text()
    assert "POST https://127.0.0.1:" in log
    assert "POST http://" not in log


def test_a_certificate_of_somebody_else_is_not_believed(tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")

    ended = run(tmp_path / "work", Authority(tmp_path), other.file)

    assert ended.returncode == 1, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert "certificate verify failed" in ended.stdout + ended.stderr
