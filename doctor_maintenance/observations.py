# SPDX-License-Identifier: Apache-2.0
"""What a process witnesses, written down as it happens: JSON, a line each, for the trace of a run.

A component is given a function that takes a kind and its fields. In one process that function is the
recorder's own; a process of its own appends to a file that the runner reads. A log was refused as the
channel: its words change, and the judge must not depend on them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import PreconditionError

Observe = Callable[[str, Mapping[str, Any]], None]
"""Is told what was seen: a kind and its fields, as the trace has them."""


def ignore(kind: str, fields: Mapping[str, Any]) -> None:
    """Let nobody know what was seen."""


class ObservationFile:
    """Appends what is seen to a file; each record is complete in the file when ``observe`` returns.

    Args:
        path: the file; it is made if it is missing.
        clock: tells when something was seen.
        source: who sees.

    Raises:
        PreconditionError: the file cannot be written.
    """

    def __init__(self, path: Path, clock: Clock, source: str) -> None:
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise PreconditionError(
                f"what is seen cannot be written to {path}: {error}; name a file that can be made"
            ) from error
        self._clock = clock
        self._source = source
        self._writing = threading.Lock()

    def observe(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Write a record; ``fields`` may bring its own ``at`` and ``not_before``."""
        record = {"at": self._clock.now(), "source": self._source, "kind": kind, **fields}
        line = json.dumps(record, separators=(",", ":")) + "\n"
        with self._writing:
            if not self._file.closed:
                self._file.write(line)
                self._file.flush()

    def close(self) -> None:
        """Write no more."""
        with self._writing:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
