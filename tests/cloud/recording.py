# SPDX-License-Identifier: Apache-2.0
"""Keeps what a real cloud answered in each test, and holds the simulator's answers against it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tallying import tally

from .comparing import compare
from .places import Place, SimulatedPlace
from .reasons import reason

RECORDED = Path(__file__).parent / "recorded"
RECORD = "DOCTOR_MAINTENANCE_TEST_RECORD"
"""Set to a folder: what a real cloud answers is written there, a file for each module of tests."""


def finish(node: pytest.Item, place: Place, entries: list[dict[str, Any]]) -> None:
    """End a test that has passed."""
    module = Path(str(node.path)).stem.removeprefix("test_")
    if not isinstance(place, SimulatedPlace):
        if os.environ.get(RECORD) and entries:
            _record(Path(os.environ[RECORD]) / f"{module}.json", node.name, entries)
        return
    recorded = _recorded(module).get(node.name)
    if recorded is None:
        return
    found = compare(recorded, entries)
    unexplained = [item for item in found.differences if reason(node.name, item) is None]
    tally(
        module,
        node.name,
        found.fields,
        [(item.field, reason(node.name, item) or "") for item in found.differences],
        found.answers,
        found.differing,
    )
    shown = "\n".join(str(item) for item in unexplained)
    assert not unexplained, f"a real cloud answered otherwise ({len(unexplained)} fields):\n{shown}"


def _record(path: Path, name: str, entries: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tests = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    tests[name] = entries
    lines = ",\n".join(
        f"{json.dumps(test)}: [\n"
        + ",\n".join(json.dumps(entry, sort_keys=True, ensure_ascii=False) for entry in tests[test])
        + "\n]"
        for test in sorted(tests)
    )
    path.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


def _recorded(module: str) -> dict[str, list[dict[str, Any]]]:
    path = RECORDED / f"{module}.json"
    if not path.exists():
        return {}
    found: dict[str, list[dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    return found
