# SPDX-License-Identifier: Apache-2.0
"""The probe of virtual time: exact, and paid for by changes instead of by seconds.

In virtual time the state of the cloud changes only in callbacks, so whoever is told of each change knows
at every moment who answers. Asking a hundred times a virtual second would cost most of a run and know
less: here a gap's lower and upper bound are the same, and one shorter than a period is seen too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from doctor_maintenance.clock import Clock
from doctor_maintenance.probe.analysis import Answers, Gap, ProbeReport
from doctor_maintenance.probe.log import Snapshot

_ROUNDING = 1e-9


@dataclass(slots=True)
class _Stretch:
    start: float
    who: str | None


class VirtualProbe:
    """Knows who answers at each moment of virtual time.

    Args:
        clock: the virtual clock.
        ask: given the number of the next probe, who would answer it now, or None.
        rate_hz: probes a second, for the counts of sent and lost.
    """

    def __init__(
        self, clock: Clock, ask: Callable[[int], str | None], rate_hz: float = 100.0
    ) -> None:
        if rate_hz <= 0:
            raise ValueError(f"rate_hz: expected above 0; found {rate_hz}")
        self._clock = clock
        self._ask = ask
        self._rate_hz = rate_hz
        self._stretches: list[_Stretch] = []
        self._until: float | None = None
        self._look_is_due = False

    def start(self) -> None:
        """Begin now."""
        self._stretches = [_Stretch(self._clock.now(), self._ask(0))]

    def changed(self, event: object = None) -> None:
        """Look again who answers; to be called at every change of the cloud (``cloud.subscribe``).

        The look is taken when the present callback is over, as a change may be told before it is
        complete.

        Args:
            event: not looked at; it is there so that this can be the subscriber itself.
        """
        if self._stretches and self._until is None and not self._look_is_due:
            self._look_is_due = True
            self._clock.call_later(0.0, self._look)

    def _look(self) -> None:
        self._look_is_due = False
        if self._until is not None:
            return
        now = self._clock.now()
        who = self._ask(self._slots(now))
        last = self._stretches[-1]
        if who == last.who:
            return
        if last.start < now:
            self._stretches.append(_Stretch(now, who))
            return
        last.who = who  # several changes at one moment: what is so after the last one counts
        if len(self._stretches) > 1 and self._stretches[-2].who == who:
            self._stretches.pop()

    def stop(self) -> ProbeReport:
        """Look no more, and return the report."""
        if self._stretches and self._until is None:
            self._look()
            self._until = self._clock.now()
        return self.report()

    def snapshot(self) -> Snapshot:
        """Return the counts of this moment."""
        if not self._stretches:
            return Snapshot()
        report, last = self.report(), self._stretches[-1]
        answered = [stretch.who for stretch in self._stretches if stretch.who is not None]
        return Snapshot(
            sent=report.sent,
            lost=report.lost,
            who=answered[-1] if answered else None,
            silent_s=self._end() - last.start if last.who is None else 0.0,
        )

    def report(self) -> ProbeReport:
        """Return what was so far."""
        gaps: list[Gap] = []
        answers: list[Answers] = []
        ends = [stretch.start for stretch in self._stretches[1:]] + [self._end()]
        for stretch, end in zip(self._stretches, ends, strict=False):
            if stretch.who is not None:
                answers.append(Answers(stretch.start, end, stretch.who))
            elif end > stretch.start:
                length = end - stretch.start
                lost = self._slots(end) - self._slots(stretch.start)
                gaps.append(Gap(length, length, stretch.start, end, lost))
        return ProbeReport(
            sent=self._slots(self._end()),
            lost=sum(gap.lost for gap in gaps),
            late=0,
            pending=0,
            gaps=tuple(gaps),
            answers=tuple(answers),
            unseen_s=0.0,
            longest_round_trip_s=0.0,
            stalls=(),
        )

    def _end(self) -> float:
        return self._clock.now() if self._until is None else self._until

    def _slots(self, before: float) -> int:
        """How many probes were due before a moment."""
        if not self._stretches:
            return 0
        return math.ceil((before - self._stretches[0].start) * self._rate_hz - _ROUNDING)
