# SPDX-License-Identifier: Apache-2.0
"""The table of the mutants for the documentation, from the mutants themselves.

``python -m doctor_maintenance.explorer.mutants.table`` writes it into the page; a test compares.
"""

from __future__ import annotations

from pathlib import Path

from doctor_maintenance.explorer.mutants import MUTANTS

DOCUMENT = "docs/explorer.md"
BEGIN, END = "<!-- mutants: begin -->", "<!-- mutants: end -->"


def table() -> str:
    """Return the table, as Markdown, sorted by the clause that catches."""
    rows = sorted(MUTANTS.values(), key=lambda mutant: (mutant.clause, mutant.name))
    lines = [
        "| mutant | who | what it does wrong | caught by | really made by |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {item.name} | {item.who} | {item.what} | `{item.clause}` | {item.seen or '-'} |"
        for item in rows
    ]
    return "\n".join(lines)


def write(path: Path) -> None:
    """Put the table between its marks into a page."""
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write(Path(DOCUMENT))
