# SPDX-License-Identifier: Apache-2.0
"""Where the app manager writes down what it must not forget: one small SQLite file, one process.

A JSON file that is replaced as a whole was refused: each note of a long life would write all of it again.
The file is ours alone while we run, so a second app manager on it ends with a clear word and not with half
of the alarms.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from doctor_maintenance.exceptions import PreconditionError, RequestRefused

FORMAT = 1
"""The file's format; another one is not read."""

_BUSY_S = 1.0


class StoreError(RequestRefused):
    """Something could not be written down, so it must not be promised; it may pass."""

    status = 503


class Store(Protocol):
    """Numbered notes. What was given is stored when a method returns.

    Every method raises :class:`StoreError` if it cannot do that.
    """

    def load(self) -> list[tuple[int, Mapping[str, Any]]]:
        """Return every note with its number, in the order of numbers."""

    def save(self, number: int, note: Mapping[str, Any]) -> None:
        """Store a note, instead of the one of this number if there is one."""

    def forget(self, number: int) -> None:
        """Forget a note; one that is not there is no error."""


class NoStore:
    """Writes nothing down: all is forgotten when the process ends."""

    def load(self) -> list[tuple[int, Mapping[str, Any]]]:
        """Return nothing."""
        return []

    def save(self, number: int, note: Mapping[str, Any]) -> None:
        """Do nothing."""

    def forget(self, number: int) -> None:
        """Do nothing."""


class FileStore:
    """Notes in a file that only we may read.

    Args:
        path: the file; it and its folder are made if they are not there.

    Raises:
        PreconditionError: it cannot be used, is used by another process, or is of another release.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._file = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise PreconditionError(f"the state file {path} cannot be used: {error}") from error
        try:
            self._prepare()
        except sqlite3.OperationalError as error:
            self._file.close()
            raise PreconditionError(
                f"the state file {path} cannot be used: {error}; if another app manager uses it, give this one "
                "another file with app_manager.state_file"
            ) from error
        except (sqlite3.Error, PreconditionError) as error:
            self._file.close()
            raise PreconditionError(f"the state file {path} cannot be read: {error}") from error

    def load(self) -> list[tuple[int, Mapping[str, Any]]]:
        """Return every note with its number."""
        try:
            rows = self._file.execute("SELECT number, note FROM notes ORDER BY number").fetchall()
        except sqlite3.Error as error:
            raise self._problem(error) from error
        return [(number, json.loads(note)) for number, note in rows]

    def save(self, number: int, note: Mapping[str, Any]) -> None:
        """Store a note."""
        text = json.dumps(note, separators=(",", ":"))
        self._do("INSERT OR REPLACE INTO notes (number, note) VALUES (?, ?)", (number, text))

    def forget(self, number: int) -> None:
        """Forget a note."""
        self._do("DELETE FROM notes WHERE number = ?", (number,))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _prepare(self) -> None:
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            self._file.execute(f"PRAGMA {pragma}")
        self._file.execute("BEGIN IMMEDIATE")
        (found,) = self._file.execute("PRAGMA user_version").fetchone()
        if found == 0:
            self._file.execute(
                "CREATE TABLE notes (number INTEGER PRIMARY KEY, note TEXT NOT NULL)"
            )
            self._file.execute(f"PRAGMA user_version = {FORMAT}")
        self._file.execute("COMMIT")
        if found not in (0, FORMAT):
            raise PreconditionError(
                f"expected format {FORMAT}, found {found}; it is of another release of this project"
            )

    def _do(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._file.execute(statement, values)
        except sqlite3.Error as error:
            raise self._problem(error) from error

    def _problem(self, error: sqlite3.Error) -> StoreError:
        return StoreError(f"the state file {self._path} fails: {error}")
