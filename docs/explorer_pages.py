# SPDX-License-Identifier: Apache-2.0
"""The directives ``maintenance-mutants`` and ``maintenance-troubles``: the explorer's own tables, as pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from doctor_maintenance.explorer.case import Manner, Trouble
from doctor_maintenance.explorer.mutants import MUTANTS


class _Table(SphinxDirective):
    head: tuple[str, ...] = ()
    widths = ""

    def rows(self) -> Iterable[tuple[str, ...]]:
        raise NotImplementedError

    def lines(self) -> Iterator[str]:
        yield ".. list-table::"
        yield "   :header-rows: 1"
        yield f"   :widths: {self.widths}"
        yield ""
        for row in (self.head, *self.rows()):
            for place, cell in enumerate(row):
                yield f"   {'*' if place == 0 else ' '} - {cell}"

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        table = nodes.Element()
        self.state.nested_parse(StringList(list(self.lines()), source=self.name), 0, table)
        return table.children


class MaintenanceMutants(_Table):
    """Writes a row for each mutant, sorted by the clause that catches it."""

    head = ("mutant", "what it does wrong", "caught by", "really made by")
    widths = "20 40 22 18"

    def rows(self) -> Iterable[tuple[str, ...]]:
        """Return the rows."""
        for item in sorted(MUTANTS.values(), key=lambda mutant: (mutant.clause, mutant.name)):
            who = f"{item.name} ({item.who})"
            yield who, item.what, f"``{item.clause}``", item.seen or "\\"


class MaintenanceActors(_Table):
    """Writes a row for each manner of an app manager and for each trouble."""

    head = ("what", "is")
    widths = "30 70"

    def rows(self) -> Iterable[tuple[str, ...]]:
        """Return the rows."""
        for kind, what in ((Manner, "an app manager"), (Trouble, "a trouble")):
            described = dict(
                re.findall(r"``(\w+)``: ([^`]+)\.", " ".join((kind.__doc__ or "").split()))
            )
            for item in kind:
                yield f"``{item.value}`` ({what})", described[item.name]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("maintenance-mutants", MaintenanceMutants)
    app.add_directive("maintenance-actors", MaintenanceActors)
    return {"parallel_read_safe": True}
