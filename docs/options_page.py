# SPDX-License-Identifier: Apache-2.0
"""The directive ``maintenance-options``: every option of the configuration, from the code that declares them."""

from __future__ import annotations

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from doctor_maintenance.options import describe, groups, options, written
from doctor_maintenance.settings import Settings


class MaintenanceOptions(SphinxDirective):
    """Writes a section for each group and a definition for each option."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        lines: list[str] = []
        for group, owner in groups(Settings).items():
            title = f"[{group}]"
            lines += ["", title, "-" * len(title), "", (owner.__doc__ or "").split("\n", 1)[0], ""]
            for option in options(Settings):
                if option.group == group:
                    lines += [f"``{option.name}`` ({option.kind.__name__}, ``{option.flag}``)"]
                    lines += [f"   {line}" for line in describe(option)]
                    if option.default not in (None, ()):
                        default = ", ".join(f"``{value}``" for value in written(option))
                        lines += [f"   Default: {default}."]
                    lines += [""]
        section = nodes.Element()
        self.state.nested_parse(StringList(lines, source="options"), 0, section, match_titles=True)
        return section.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("maintenance-options", MaintenanceOptions)
    return {"parallel_read_safe": True}
