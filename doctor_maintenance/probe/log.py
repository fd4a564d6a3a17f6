# SPDX-License-Identifier: Apache-2.0
"""The book of probes: what was sent and answered so far, cheap to add to and cheap to look at.

A live display looks ten times a second and a run may last for hours, so the counts are kept as it goes
and a probe costs about 30 bytes; the full analysis is made when it is asked for.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from doctor_maintenance.probe.analysis import ProbeReport, Sample, analyse

_NEVER = -1.0
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The probe at one moment, for a display.

    Attributes:
        sent: all probes sent.
        lost: probes without an answer for the timeout or longer.
        late: answers that came after it.
        who: who answered last, or None.
        silent_s: how long the present gap lasts already; 0 if there is none.
    """

    sent: int = 0
    lost: int = 0
    late: int = 0
    who: str | None = None
    silent_s: float = 0.0


class ProbeLog:
    """What became of each probe.

    Args:
        period_s: the distance at which probes are meant to be sent (> 0).
        timeout_s: a probe without an answer for this long counts as lost, until its answer comes.
    """

    def __init__(self, period_s: float, timeout_s: float) -> None:
        self._period_s = period_s
        self._timeout_s = timeout_s
        self._sent_at = array("d")
        self._answered_at = array("d")
        self._who = array("l")
        self._names: list[str] = []
        self._settled = 0
        self._lost = 0
        self._late = 0
        self._last_answered = _NOBODY

    def sent(self, at: float) -> int:
        """Note that the next probe is sent now, and return its sequence number (from 0)."""
        self._sent_at.append(at)
        self._answered_at.append(_NEVER)
        self._who.append(_NOBODY)
        return len(self._sent_at) - 1

    def answered(self, seq: int, at: float, who: str) -> bool:
        """Note an answer.

        Returns:
            False if there is no such probe, or it was answered before: nothing is changed then.
        """
        if not 0 <= seq < len(self._sent_at) or self._answered_at[seq] != _NEVER:
            return False
        self._answered_at[seq] = at
        self._who[seq] = self._name(who)
        self._last_answered = max(self._last_answered, seq)
        if seq < self._settled:
            self._lost -= 1
        self._late += at - self._sent_at[seq] > self._timeout_s
        return True

    def unanswered(self, now: float) -> int:
        """Return how many probes may still be answered in time."""
        self._settle(now)
        pending = range(self._settled, len(self._sent_at))
        return sum(self._answered_at[seq] == _NEVER for seq in pending)

    def snapshot(self, now: float) -> Snapshot:
        """Return the counts as of ``now``."""
        self._settle(now)
        last = self._last_answered
        silent_s = 0.0
        if self._settled - 1 > last:
            silent_s = now - self._sent_at[max(last, 0)]
        return Snapshot(
            sent=len(self._sent_at),
            lost=self._lost,
            late=self._late,
            who=self._names[self._who[last]] if last != _NOBODY else None,
            silent_s=silent_s,
        )

    def report(self, until: float) -> ProbeReport:
        """Return the analysis of everything up to ``until``."""
        samples = [
            Sample(sent_at)
            if answered_at == _NEVER
            else Sample(sent_at, answered_at, self._names[who])
            for sent_at, answered_at, who in zip(
                self._sent_at, self._answered_at, self._who, strict=True
            )
        ]
        return analyse(samples, period_s=self._period_s, timeout_s=self._timeout_s, until=until)

    def _settle(self, now: float) -> None:
        """Count the probes whose time is over."""
        while (
            self._settled < len(self._sent_at)
            and self._sent_at[self._settled] + self._timeout_s <= now
        ):
            self._lost += self._answered_at[self._settled] == _NEVER
            self._settled += 1

    def _name(self, who: str) -> int:
        if who not in self._names:
            self._names.append(who)
        return self._names.index(who)
