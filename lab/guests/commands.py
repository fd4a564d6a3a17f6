# SPDX-License-Identifier: Apache-2.0
"""Programs that are called and waited for; one that fails says what it was and what it said."""

from __future__ import annotations

import subprocess
from pathlib import Path

from doctor_maintenance.exceptions import PreconditionError

_SHOWN = 400


def call(*argv: str, cwd: Path | None = None) -> None:
    """Call a program; blocks.

    Raises:
        PreconditionError: it is not there, or does not succeed.
    """
    said(*argv, cwd=cwd)


def said(*argv: str, cwd: Path | None = None) -> str:
    """Call a program and return its output; blocks.

    Raises:
        PreconditionError: it is not there, or does not succeed.
    """
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    except OSError as error:
        raise PreconditionError(f"{argv[0]} cannot be started: {error.strerror}") from error
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip()[-_SHOWN:]
        raise PreconditionError(f"{' '.join(argv)} ended with status {done.returncode}: {told}")
    return done.stdout
