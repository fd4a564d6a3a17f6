# SPDX-License-Identifier: Apache-2.0
"""What those outside know of a host's present boot: who its first process is, and whether all of it runs."""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import PreconditionError
from lab.daemons import Process, below
from lab.guests.host import Host

_APPEARS_S = 10.0
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot of a host.

    Attributes:
        boot_id: its ID.
        first: its first process, as the machine knows it.
    """

    boot_id: str
    first: Process


def first_of(host: Host, above: subprocess.Popen[bytes]) -> None:
    """Find the first process of a host below the one that made its namespaces, and write down who it is; blocks.

    Raises:
        PreconditionError: it does not appear.
    """
    clock = WallClock()
    deadline = clock.now() + _APPEARS_S
    pause = threading.Event()
    while True:
        found = [process for process in below(Process(above.pid, 0)) if _is_first(process)]
        if found:
            told = {"pid": found[0].pid, "started": found[0].started}
            write(host.init, json.dumps(told))
            return
        if clock.now() > deadline or above.poll() is not None:
            raise PreconditionError(f"host {host.name}: its first process did not appear")
        pause.wait(_LOOK_S)


def running(host: Host) -> Boot | None:
    """Return the present boot of a host once all that it runs is started; None: it is down or on its way."""
    try:
        boot_id = host.boot_id.read_text(encoding="ascii").strip()
        ready = host.ready.read_text(encoding="ascii").strip()
        told = json.loads(host.init.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    first = Process(int(told["pid"]), int(told["started"]))
    return Boot(boot_id, first) if ready == boot_id and first.alive else None


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="ascii")
    new.replace(path)


def _is_first(process: Process) -> bool:
    """Return whether a process is number 1 where it lives; see NSpid in proc(5)."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
    return len(numbers) > 1 and numbers[-1] == "1"
