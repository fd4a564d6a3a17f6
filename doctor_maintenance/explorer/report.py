# SPDX-License-Identifier: Apache-2.0
"""What an exploration says of itself: how much was tried, and above all how much of it meant something.

A million cases in which nothing went wrong would show nothing. So the summary counts what came about, and
names what never did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from doctor_maintenance.explorer.case import Manner, Trouble
from doctor_maintenance.explorer.farm import Tally
from doctor_maintenance.judge import CONTRACT

_WIDTH = 78


def progress(tally: Tally, seconds: float) -> str:
    """Return a line on how far an exploration is."""
    return (
        f"{tally.cases} sessions, {rate(tally, seconds):,.0f} a minute, "
        f"{sum(map(len, tally.failed.values()))} defects"
    )


def rate(tally: Tally, seconds: float) -> float:
    """Return how many sessions a minute that is."""
    return 60.0 * tally.cases / seconds if seconds > 0 else 0.0


def summary(tally: Tally, seconds: float) -> str:
    """Return the whole summary, several lines."""
    lines = [
        f"{tally.cases} sessions in {seconds:.1f} s: {rate(tally, seconds):,.0f} a minute",
        f"{tally.events} events",
        *_counts("ended", tally.states, ()),
        *_counts("second sessions ended", tally.others, ()),
        *_counts("app managers", tally.manners, [item.value for item in Manner]),
        *_counts("went wrong", tally.happened, [item.value for item in Trouble]),
    ]
    unjudged = [clause for clause in CONTRACT if not tally.judged[clause]]
    lines.append(f"clauses judged: {len(CONTRACT) - len(unjudged)} of {len(CONTRACT)}")
    if unjudged:
        lines.append(f"  never anything to judge: {', '.join(unjudged)}")
    return "\n".join(lines)


def _counts(title: str, counts: Counter[str], known: Iterable[str]) -> Iterator[str]:
    yield f"{title}:"
    line = " "
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        entry = f" {name} {count}"
        if len(line) + len(entry) > _WIDTH:
            yield line
            line = " "
        line += entry
    yield line
    never = sorted(set(known) - set(counts))
    if never:
        yield f"  never: {', '.join(never)}"
