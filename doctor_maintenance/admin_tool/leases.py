# SPDX-License-Identifier: Apache-2.0
"""Which admin tool drives which session, where several share a journal.

Every tool counts a beat in the journal. One whose beat stands still for a lease's time is buried: what it
held is free, and the others take it up. No two clocks are ever compared: the silent tool is timed by the
clock of whoever watches it, so it does not matter how wrong either is, only that both run at the same pace.

A tool that could not show its beat for three quarters of that time lets everything go before anybody can
take it. That is a courtesy; what makes it safe is the fence in every write (``journal_sql``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from doctor_maintenance.admin_tool.journal import Journal, JournalError
from doctor_maintenance.clock import Clock

LOG = logging.getLogger(__name__)

DEFAULT_LEASE_S = 15.0
"""After how long a silent admin tool is taken for dead, in seconds."""

_BEATS = 4
"""How often a tool shows that it lives in a lease's time."""


class Leases:
    """Keeps our own lease, and watches those of others; everything on the clock.

    Args:
        clock: the time.
        journal: where the beats are.
        lease_s: after how long a silent tool is taken for dead (> 0).
        take_up: takes up whatever is free; called at every beat.
        let_go: drives nothing any more, because we may be taken for dead.
    """

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        lease_s: float,
        take_up: Callable[[], None],
        let_go: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._lease_s = lease_s
        self._take_up = take_up
        self._let_go = let_go
        self._shown_at = 0.0
        self._seen: dict[str, tuple[int, float]] = {}
        self._ended = False

    @property
    def others(self) -> bool:
        """Whether there are other admin tools that seem to live."""
        return bool(self._seen)

    def begin(self) -> None:
        """Make ourselves known and take up what is free.

        Raises:
            JournalError: the journal does not answer.
        """
        self._shown_at = self._clock.now()
        self._journal.begin()
        self._watch()
        self._take_up()
        if self._journal.shared:
            self._clock.call_later(self._lease_s / _BEATS, self._beat)

    def end(self) -> None:
        """Be gone, so that others need not wait for our lease to run out."""
        if self._ended:
            return
        self._ended = True
        try:
            self._journal.end()
        except JournalError as error:
            LOG.warning("the lease is left to run out: %s", error)

    def _beat(self) -> None:
        if self._ended:
            return
        self._clock.call_later(self._lease_s / _BEATS, self._beat)
        began = self._clock.now()
        try:
            self._journal.beat()
            self._shown_at = began
            self._watch()
            self._take_up()
        except JournalError as error:
            LOG.error("the journal does not answer: %s", error)
            if began - self._shown_at >= self._lease_s * (_BEATS - 1) / _BEATS:
                self._let_go()

    def _watch(self) -> None:
        """Look at the other tools' beats; bury who has not moved for a lease's time of our clock."""
        now = self._clock.now()
        beats = self._journal.beats()
        self._seen = {tool_id: seen for tool_id, seen in self._seen.items() if tool_id in beats}
        for tool_id, beat in sorted(beats.items()):
            last, since = self._seen.get(tool_id, (None, now))
            if beat != last:
                self._seen[tool_id] = (beat, now)
            elif now - since > self._lease_s and self._journal.bury(tool_id, beat):
                LOG.warning(
                    "admin tool %s has been silent for %g s; its sessions are taken over",
                    tool_id,
                    now - since,
                )
                del self._seen[tool_id]
