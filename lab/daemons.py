# SPDX-License-Identifier: Apache-2.0
"""Daemons as data, and their lives: started, recognised, and ended with everything that they started.

A process is known by its ID and the moment it started, so an ID that the kernel gave to somebody else is never
taken for ours. Whatever a daemon starts inherits a mark in its environment; ending a lab ends whatever bears the
mark, so nothing stays behind that ran away from its session, or was started by an ``up`` that was killed before
it could write a record.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import PreconditionError
from lab.layout import Lab

MARK = "DOCTOR_MAINTENANCE_LAB_HOME"
"""The variable that every process of a lab bears; its value is the lab's home."""

GRACE_S = 5.0
"""How long a daemon may take to end when asked to, in seconds; nova-compute ignores SIGTERM at times."""

_LOOK_S = 0.25
_KEPT = ("LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Daemon:
    """A long-running process of a lab.

    Attributes:
        name: unique in the lab; of its record and its log.
        argv: the command.
        ready: whether it serves; may raise OSError for "not yet".
        needs: the steps that come before it is started; see :mod:`lab.steps`.
        env: variables besides the usual ones.
        namespace: the network namespace that it runs in; None: that of the machine.
        ready_s: how long it may take to be ready, in seconds.
        grace_s: how long it may take to end, in seconds.
    """

    name: str
    argv: Sequence[str]
    ready: Callable[[], bool]
    needs: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    namespace: str | None = None
    ready_s: float = 120.0
    grace_s: float = GRACE_S


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be mistaken for another.

    Attributes:
        pid: its ID.
        started: when it started, in the kernel's ticks since boot.
    """

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Return the process that has an ID now; None: none that runs."""
        started = _started(pid)
        return None if started is None else cls(pid, started)

    @property
    def alive(self) -> bool:
        """Whether it runs; one that ended and waits for its parent does not."""
        return _started(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def environment(lab: Lab, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of the lab's processes: nothing of the user's that could change what they do."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {
        **kept,
        "PATH": f"{lab.venv}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(lab.run / "home"),
        MARK: str(lab.home),
        "SPT_NOENV": "1",  # setproctitle would write a daemon's title over what the kernel shows of its mark
        **(more or {}),
    }


def start(lab: Lab, daemon: Daemon) -> Process:
    """Start a daemon, unless it runs; returns at once.

    Raises:
        PreconditionError: it cannot be started.
    """
    running = find(lab, daemon.name)
    if running is not None:
        return running
    argv = list(daemon.argv)
    if daemon.namespace is not None:
        argv = ["ip", "netns", "exec", daemon.namespace, *argv]
    with lab.log_of(daemon.name).open("ab") as log:
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=lab.run,
                env=environment(lab, daemon.env),
                start_new_session=True,
            )
        except OSError as error:
            raise PreconditionError(f"{daemon.name} cannot be started: {error}") from error
    threading.Thread(target=child.wait, daemon=True).start()  # or it would stay a zombie of ours
    process = Process(child.pid, _started(child.pid) or 0)
    record = _record(lab, daemon.name)
    record.parent.mkdir(parents=True, exist_ok=True)
    written = record.with_suffix(".new")
    written.write_text(json.dumps({"pid": process.pid, "started": process.started}))
    written.replace(record)
    return process


def find(lab: Lab, name: str) -> Process | None:
    """Return a daemon's process; None: it does not run."""
    try:
        told = json.loads(_record(lab, name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    process = Process(int(told["pid"]), int(told["started"]))
    return process if process.alive else None


def wait_ready(
    lab: Lab, daemon: Daemon, process: Process, stopping: threading.Event | None = None
) -> None:
    """Wait until a daemon serves; blocks.

    Args:
        lab: whose it is.
        daemon: what it is.
        process: its process.
        stopping: set when nobody wants it any more.

    Raises:
        PreconditionError: it ended, was not ready in time, or is not wanted any more.
    """
    clock = WallClock()
    deadline = clock.now() + daemon.ready_s
    pause = stopping or threading.Event()
    while True:
        with contextlib.suppress(OSError):
            if daemon.ready():
                return
        if not process.alive:
            raise PreconditionError(f"{daemon.name} ended before it was ready")
        if clock.now() > deadline:
            raise PreconditionError(f"{daemon.name} is not ready after {daemon.ready_s:g} s")
        if pause.wait(_LOOK_S):
            raise PreconditionError(f"{daemon.name} is not waited for any more")


def stop(lab: Lab, name: str, grace_s: float = GRACE_S) -> None:
    """End a daemon and all that it started, and wait for it; blocks. One that does not run is no error."""
    process = find(lab, name)
    if process is not None:
        end([process, *below(process)], grace_s)
    _record(lab, name).unlink(missing_ok=True)


def records(lab: Lab) -> list[str]:
    """Return the names of all daemons that have a record, whether they run or not."""
    return sorted(path.stem for path in (lab.run / "daemons").glob("*.json"))


def end(processes: Sequence[Process], grace_s: float) -> None:
    """End processes, the first asked to and all killed after a grace; blocks until they are gone."""
    for process in processes[:1]:
        process.signal(signal.SIGTERM)
    if not _wait_gone(processes[:1], grace_s):
        processes[0].signal(signal.SIGKILL)
    for process in processes:
        process.signal(signal.SIGKILL)
    _wait_gone(processes, GRACE_S)


def marked(lab: Lab) -> list[Process]:
    """Return every process that bears the lab's mark."""
    mark = f"{MARK}={lab.home}".encode()
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            process = Process.of(pid)
            if mark in variables and process is not None and pid != os.getpid():
                found.append(process)
    return found


def end_marked(lab: Lab, grace_s: float = GRACE_S) -> list[int]:
    """End every process that bears the lab's mark and return their IDs; blocks."""
    left = marked(lab)
    for process in left:
        process.signal(signal.SIGTERM)
    if not _wait_gone(left, grace_s):
        for process in left:
            process.signal(signal.SIGKILL)
        _wait_gone(left, GRACE_S)
    return [process.pid for process in left]


def below(process: Process) -> list[Process]:
    """Return all that a process started and what that started, as far as it still belongs to it."""
    parents: dict[int, int] = {}
    for pid in _pids():
        fields = _stat(pid)
        if fields is not None:
            parents[pid] = int(fields[1])
    family = [process.pid]
    for member in family:
        family.extend(pid for pid, parent in parents.items() if parent == member)
    return [found for pid in family[1:] if (found := Process.of(pid)) is not None]


def _wait_gone(processes: Sequence[Process], within_s: float) -> bool:
    """Wait until processes have ended; return whether they have."""
    clock = WallClock()
    deadline = clock.now() + within_s
    for process in processes:
        with contextlib.suppress(ProcessLookupError), _pidfd(process.pid) as descriptor:
            if not process.alive:
                continue
            gone = select.poll()
            gone.register(descriptor, select.POLLIN)
            if not gone.poll(max(0.0, deadline - clock.now()) * 1000):
                return False
    return True


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _record(lab: Lab, name: str) -> Path:
    return lab.run / "daemons" / f"{name}.json"


def _pids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _started(pid: int) -> int | None:
    """Return when a process started; None: it ended, even if its parent has not noticed."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def _stat(pid: int) -> list[str] | None:
    """Return the fields of ``/proc/PID/stat`` from the third, the state, on; see proc(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rsplit(") ", 1)[1].split()
