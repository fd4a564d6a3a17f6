# SPDX-License-Identifier: Apache-2.0
"""Which hosts are maintained together.

One host a round, in the operator's order: the guideline's own case, and always safe. A round of
several needs proof that capacity and every project's redundancy allow it.
"""

from __future__ import annotations

Round = tuple[str, ...]


def plan_rounds(hosts: tuple[str, ...]) -> tuple[Round, ...]:
    """Return the rounds in which hosts are maintained, each a tuple of hosts."""
    return tuple((host,) for host in hosts)
