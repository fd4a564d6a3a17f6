# SPDX-License-Identifier: Apache-2.0
"""The directives ``maintenance-contract`` and ``maintenance-trace``: the judge's own tables, as pages."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from doctor_maintenance.judge import CONTRACT, KINDS
from doctor_maintenance.judge.reading import rules_of
from doctor_maintenance.judge.records import Answers, Expected, Gap, ProjectFacts, Record

_PARTS = {
    "A project in the scenario": ProjectFacts,
    "What a scenario expects": Expected,
    "A gap of a probe": Gap,
    "Answers of a probe": Answers,
}


class _Page(SphinxDirective):
    def lines(self) -> Iterator[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        section = nodes.Element()
        lines = StringList(list(self.lines()), source=self.name)
        self.state.nested_parse(lines, 0, section, match_titles=True)
        return section.children


class MaintenanceContract(_Page):
    """Writes a section for each area of the contract and a definition for each clause."""

    def lines(self) -> Iterator[str]:
        """Return the page."""
        area = ""
        for clause in CONTRACT.values():
            module = inspect.getmodule(clause.judge)
            title = (module.__doc__ or "").partition("\n")[0].rstrip(".") if module else ""
            if title != area:
                area = title
                yield from ("", title, "-" * len(title), "")
            yield f"``{clause.clause_id}`` ({clause.step})"
            yield f"   {clause.title}. {inspect.getdoc(clause.judge)}"
            yield ""


class MaintenanceTrace(_Page):
    """Writes a section for each kind of record and a definition for each field."""

    def lines(self) -> Iterator[str]:
        """Return the page."""
        yield from _section("Every record", Record, set())
        common = set(rules_of(Record))
        for name, kind in KINDS.items():
            yield from _section(name, kind, common)
        for title, part in _PARTS.items():
            yield from _section(title, part, set())


def _section(title: str, kind: type[object], without: set[str]) -> Iterator[str]:
    yield from ("", title, "-" * len(title), "")
    text = inspect.getdoc(kind) or ""
    yield from (text.partition("\n")[0], "")
    described = dict(re.findall(r"^    (\w+): (.+(?:\n        .+)*)", text, re.MULTILINE))
    for name, rule in rules_of(kind).items():
        if name not in without:
            yield f"``{name}``{'' if rule.required else ' (optional)'}"
            yield f"   {' '.join(described[rule.attribute].split())}"
            yield ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("maintenance-contract", MaintenanceContract)
    app.add_directive("maintenance-trace", MaintenanceTrace)
    return {"parallel_read_safe": True}
