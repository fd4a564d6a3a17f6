# SPDX-License-Identifier: Apache-2.0
"""How close the simulator is to what was recorded: a line for each comparison, for the page in the documentation."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TALLY = "DOCTOR_MAINTENANCE_TEST_TALLY"
"""Set to a folder: the lines are written there, a file for each source of recorded answers."""


def fields(value: Any) -> int:
    """Return how many fields an answer has; an empty object or list is one."""
    if isinstance(value, dict) and value:
        return sum(fields(inner) for inner in value.values())
    if isinstance(value, list) and value:
        return sum(fields(inner) for inner in value)
    return 1


def tally(
    source: str,
    name: str,
    compared: int,
    differences: Iterable[tuple[str, str]],
    answers: int = 1,
    differing: int | None = None,
) -> None:
    """Write a line, if somebody wants it.

    Args:
        source: where the recorded answers are from.
        name: which of them.
        compared: how many fields were compared.
        differences: what differs, and why.
        answers: how many answers were compared.
        differing: how many of them differ; None: the one, if there is a difference.
    """
    folder = os.environ.get(TALLY)
    if not folder:
        return
    found = [{"what": what, "why": why} for what, why in differences]
    line = {
        "name": name,
        "answers": answers,
        "differing": min(len(found), 1) if differing is None else differing,
        "fields": compared,
        "differences": found,
    }
    with (Path(folder) / f"{source}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
