# SPDX-License-Identifier: Apache-2.0
"""The directive ``simulator-closeness``: recorded answers of real services, asked again of the simulator, as tables.

The comparison itself is what the tests do; here they are run, and tell what they compared. A committed table was
refused: it would say what was so when somebody last thought of it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parent.parent
STORY = "story-"
"""How the sources begin that were recorded service by service, in one story each."""
TESTS = (
    "tests/simulator/test_recorded.py",
    "tests/simulator/test_nova_recorded.py",
    "tests/simulator/test_placement_recorded.py",
    "tests/cloud",
)
_LONGEST = 160


def tallies() -> dict[str, list[dict[str, Any]]]:
    """Run the tests that compare, and return what each compared, by source.

    Raises:
        ExtensionError: one of them failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "-m",
                "not slow",
                *TESTS,
            ],
            cwd=ROOT,
            env={
                **{
                    name: value
                    for name, value in os.environ.items()
                    if name != "DOCTOR_MAINTENANCE_TEST_CLOUD"
                },
                "DOCTOR_MAINTENANCE_TEST_TALLY": folder,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ExtensionError(f"the simulator could not be compared:\n{done.stdout[-3000:]}")
        return {
            path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            for path in sorted(Path(folder).glob("*.jsonl"))
        }


def closeness_lines(found: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Return the page: the counts of both sets of recordings, and every difference with its reason."""
    stories = {name: lines for name, lines in found.items() if name.startswith(STORY)}
    suite = {name: lines for name, lines in found.items() if name not in stories}
    yield from _section("Service by service", stories)
    yield from _section("Test by test", suite)
    yield from _reasons([line for lines in found.values() for line in lines])


def _section(title: str, found: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    yield from ("", f".. rubric:: {title}", "")
    yield from (".. list-table::", "   :header-rows: 1", "")
    rows = [("of", "answers", "that agree in all", "fields", "that agree")]
    rows += [_row(name, lines) for name, lines in found.items()]
    rows.append(_row("**all**", [line for lines in found.values() for line in lines]))
    for row in rows:
        for place, cell in enumerate(row):
            yield f"   {'*' if place == 0 else ' '} - {cell}"
    yield ""


def _row(name: str, lines: list[dict[str, Any]]) -> tuple[str, ...]:
    answers, fields = sum(line["answers"] for line in lines), sum(line["fields"] for line in lines)
    differing = sum(line["differing"] for line in lines)
    fields_differing = sum(len(line["differences"]) for line in lines)
    return name.removeprefix(STORY).replace("_", " "), *map(
        str, (answers, answers - differing, fields, fields - fields_differing)
    )


def _reasons(lines: list[dict[str, Any]]) -> Iterator[str]:
    yield from ("", ".. rubric:: What differs, and why", "")
    counted: dict[str, Counter[str]] = {}
    for line in lines:
        for item in line["differences"]:
            counted.setdefault(item["why"], Counter())[_shown(item["what"])] += 1
    if not counted:
        yield "Nothing."
    for why, fields in sorted(counted.items(), key=lambda pair: -pair[1].total()):
        yield from (f"* {why}:", "")
        yield from (f"  * {count} times ``{what}``" for what, count in fields.most_common())
        yield ""


def _shown(what: str) -> str:
    text = re.sub(r"\[\d+\]", "[]", " ".join(what.split())).replace("`", "'")
    return text if len(text) <= _LONGEST else text[:_LONGEST].rstrip() + " …"


class SimulatorCloseness(SphinxDirective):
    """Writes the page."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        section = nodes.Element()
        lines = StringList(list(closeness_lines(tallies())), source=self.name)
        self.state.nested_parse(lines, 0, section, match_titles=True)
        return section.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("simulator-closeness", SimulatorCloseness)
    return {"parallel_read_safe": True}
