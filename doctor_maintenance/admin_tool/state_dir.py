# SPDX-License-Identifier: Apache-2.0
"""The folder with what must survive a restart: one process at a time, and what a tool is known by.

The lock is the kernel's, so it ends with the process, however that ends; a file with a process ID in it was
refused, for it outlives a ``kill -9``.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.settings import Settings

JOURNAL_FILE = "journal.sqlite3"
_LOCK_FILE = "lock"


def state_dir(settings: Settings) -> Path:
    """Return the folder: as configured, else in the work folder."""
    own = settings.admin_tool.state_dir
    return Path(own) if own is not None else Path(settings.work_dir) / "admin-tool"


def tool_name(folder: Path) -> str:
    """Return what an admin tool is called: the same after a restart, and no other one is called so."""
    return f"{socket.gethostname()}:{folder.resolve()}"[-255:]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have the folder for ourselves; it is made if it is not there.

    Raises:
        PreconditionError: another process has it, or it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise PreconditionError(f"the state folder {folder} cannot be used: {error}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise PreconditionError(
                f"another admin tool uses the state folder {folder}; end it, or give this one another folder "
                "with admin_tool.state_dir"
            ) from error
        yield
    finally:
        os.close(descriptor)
