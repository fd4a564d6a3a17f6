# SPDX-License-Identifier: Apache-2.0
"""Where everything that was seen comes together, whoever saw it, in the order in which it was seen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from doctor_maintenance.clock import Clock

LOG = logging.getLogger(__name__)

Observed = dict[str, Any]
Listener = Callable[[Observed], None]


class Recorder:
    """Collects records of the trace.

    Args:
        clock: tells when something was seen that has no time of its own.
        listener: is told each record at once, for a display; None: nobody.

    Attributes:
        records: everything so far, as plain data in the trace's form.
        problems: what kept a witness from seeing, a sentence each.
    """

    def __init__(self, clock: Clock, listener: Listener | None = None) -> None:
        self.records: list[Observed] = []
        self.problems: list[str] = []
        self._clock = clock
        self._listener = listener

    def add(self, source: str, kind: str, fields: Mapping[str, Any]) -> None:
        """Take a record; ``fields`` may bring its own ``at`` and ``not_before``."""
        self.take({"at": self._clock.now(), "source": source, "kind": kind, **fields})

    def take(self, record: Observed) -> None:
        """Take a record that is complete, from another process."""
        self.records.append(record)
        if self._listener is not None:
            self._listener(record)

    def problem(self, text: str) -> None:
        """Note that a witness could not see."""
        LOG.warning("%s", text)
        self.problems.append(text)

    def observer(self, source: str) -> Callable[[str, Mapping[str, Any]], None]:
        """Return what a component calls to tell what it witnesses."""
        return lambda kind, fields: self.add(source, kind, fields)
