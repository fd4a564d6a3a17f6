# SPDX-License-Identifier: Apache-2.0
"""The directive ``maintenance-faults``: the simulator's registry of faults, as a page."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from doctor_maintenance.simulator.faults import GROUPS, FaultKind


def fault_lines() -> Iterator[str]:
    """Return the page: a section for each group and a definition for each fault."""
    for group in GROUPS:
        title = (inspect.getdoc(group) or "").partition("\n")[0].rstrip(".")
        yield from ("", title, "-" * len(title), "")
        for kind in group.KINDS:
            yield from _fault(kind)


def _fault(kind: FaultKind) -> Iterator[str]:
    yield f"``{kind.name}`` ({kind.where.value})"
    yield f"   {kind.doc}"
    yield ""
    yield f"   *What must come of it*: {kind.outcome}"
    yield ""
    yield f"   Restricted by: {_words(kind.criteria)}. Parameters: {_parameters(kind)}."
    yield ""


def _parameters(kind: FaultKind) -> str:
    return _words(f"{name}={value}" for name, value in kind.parameters.items())


def _words(found: object) -> str:
    return ", ".join(f"``{word}``" for word in found) or "nothing"  # type: ignore[attr-defined]


class MaintenanceFaults(SphinxDirective):
    """Writes the page."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        section = nodes.Element()
        lines = StringList(list(fault_lines()), source=self.name)
        self.state.nested_parse(lines, 0, section, match_titles=True)
        return section.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("maintenance-faults", MaintenanceFaults)
    return {"parallel_read_safe": True}
