# SPDX-License-Identifier: Apache-2.0
"""Runs the commands of a set-up: with a log, with the lab's mark, and ended when nobody waits for them any more."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import PreconditionError
from lab import daemons
from lab.daemons import Process
from lab.layout import Lab
from lab.service import SetUp

TIMEOUT_S = 300.0
_LOOK_S = 0.05


def run(lab: Lab, set_up: SetUp, log: Path, stopping: threading.Event) -> None:
    """Run the commands of a set-up one after the other; blocks.

    Raises:
        PreconditionError: one failed, took too long, or is not wanted any more.
    """
    for argv in set_up.commands:
        _one(lab, list(argv), dict(set_up.env), log, stopping)


def _one(
    lab: Lab, argv: list[str], env: dict[str, str], log: Path, stopping: threading.Event
) -> None:
    what = f"`{' '.join([Path(argv[0]).name, *argv[1:]])[:60]} …`"
    deadline = WallClock().now() + TIMEOUT_S
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=lab.run,
                env=daemons.environment(lab, env),
                start_new_session=True,
            )
        except OSError as error:
            raise PreconditionError(f"{what} cannot be started: {error}") from error
    while True:
        try:
            status = child.wait(_LOOK_S)
            break
        except subprocess.TimeoutExpired:
            if stopping.is_set() or WallClock().now() > deadline:
                process = Process.of(child.pid)
                if process is not None:
                    daemons.end([process, *daemons.below(process)], 1.0)
                child.wait()
                why = "was ended" if stopping.is_set() else f"took longer than {TIMEOUT_S:g} s"
                raise PreconditionError(f"{what} {why}") from None
    if status != 0:
        raise PreconditionError(f"{what} ended with exit status {status}")
