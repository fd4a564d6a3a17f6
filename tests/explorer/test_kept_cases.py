# SPDX-License-Identifier: Apache-2.0
"""Cases that failed once. Each file is what the explorer kept, under a name that says what was wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from doctor_maintenance.explorer import from_data, run

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_that_failed_once_passes(path: Path) -> None:
    case = from_data(json.loads(path.read_text(encoding="utf-8")))

    assert run(case).defects == {}
