# SPDX-License-Identifier: Apache-2.0
"""How much memory a daemon and all below it have: the proportional set, so that shared pages count once."""

from __future__ import annotations

import contextlib
from pathlib import Path

from lab import daemons
from lab.daemons import Process


def used_mb(process: Process) -> float:
    """Return the memory of a process and of those that it started, in MiB."""
    return sum(_pss_kb(one.pid) for one in (process, *daemons.below(process))) / 1024


def _pss_kb(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
