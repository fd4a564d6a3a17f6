# SPDX-License-Identifier: Apache-2.0
"""From probes sent and answered to how long the service was down: pure arithmetic, with its error.

A probe is a question at one moment, so an outage is seen through a grid. What is known for certain:

* An answered probe says that the service was up at some moment between sending and answer.
* A lost probe says that the service was down at some moment after sending.

Assumed is that probes reach the service in the order they were sent, and that a lost probe travelled no
longer than the last one that was answered. Then the down time behind a run of lost probes

* began after the last answered probe before the run was sent, and ended before the first answer to any
  probe after the run came back: that distance is ``upper_s``;
* lasted at least from the first lost probe's arrival to the last one's: the distance of their sending
  less a round trip is ``lower_s``. While the prober itself stood still (more than two periods without
  sending; a busy machine does that) nothing was seen, so those stretches are left out of it.

Up moments between two lost probes that are shorter than a period are not seen and count as down: no
client at that rate could have used them. When nothing was lost, the service may still have been down
unseen for as long as ``unseen_s``. Counting lost probes and dividing by the rate was refused: it
has no error bound, and takes a stall of the prober for an outage.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

_ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class Sample:
    """One probe; times in seconds since the epoch.

    Attributes:
        sent_at: when it was sent.
        answered_at: when its answer was read, or None.
        who: who answered, or None.
    """

    sent_at: float
    answered_at: float | None = None
    who: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without answers.

    Attributes:
        lower_s: the service was down for at least this long.
        upper_s: and for at most this long; it is ``end - start``.
        start: the earliest that the down time can have begun, seconds since the epoch.
        end: the latest that it can have ended.
        lost: how many probes were lost in it.
    """

    lower_s: float
    upper_s: float
    start: float
    end: float
    lost: int

    def to_fields(self) -> dict[str, Any]:
        """Return the gap as the trace has it."""
        return {
            "lower_s": round(self.lower_s, 6),
            "upper_s": round(self.upper_s, 6),
            "from": round(self.start, 6),
            "to": round(self.end, 6),
        }


@dataclass(frozen=True, slots=True)
class Answers:
    """A stretch in which one and the same instance answered.

    Attributes:
        start: when the first answered probe was sent.
        end: when the last answer was read.
        who: the instance.
    """

    start: float
    end: float
    who: str

    def to_fields(self) -> dict[str, Any]:
        """Return the stretch as the trace has it."""
        return {"from": round(self.start, 6), "to": round(self.end, 6), "who": self.who}


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What the probes saw.

    Attributes:
        sent: probes whose fate is known.
        lost: of those, the ones without an answer.
        late: answers that came after the timeout; they are not lost.
        pending: probes sent too recently to be counted.
        gaps: every run of lost probes, in order of time.
        answers: who answered when, in order of time.
        unseen_s: an outage up to this long can have passed between two answered probes.
        longest_round_trip_s: from sending to answer, of the slowest answer.
        stalls: stretches (from, to) in which the prober itself did not send.
    """

    sent: int
    lost: int
    late: int
    pending: int
    gaps: tuple[Gap, ...]
    answers: tuple[Answers, ...]
    unseen_s: float
    longest_round_trip_s: float
    stalls: tuple[tuple[float, float], ...]

    @property
    def longest_gap(self) -> Gap | None:
        """The gap with the largest lower bound (then upper bound, then the earliest), if any."""
        return max(self.gaps, key=lambda gap: (gap.lower_s, gap.upper_s, -gap.start), default=None)

    @property
    def downtime_s(self) -> tuple[float, float]:
        """The interval that the longest outage lies in; ``(0, unseen_s)`` if nothing was lost."""
        gap = self.longest_gap
        return (0.0, self.unseen_s) if gap is None else (gap.lower_s, gap.upper_s)

    def to_fields(self, address: str, project_id: str) -> Mapping[str, Any]:
        """Return the fields of a ``probe`` trace record."""
        longest = self.longest_gap
        return {
            "address": address,
            "project_id": project_id,
            "sent": self.sent,
            "lost": self.lost,
            "longest_gap": longest.to_fields() if longest else None,
            "gaps": [gap.to_fields() for gap in self.gaps],
            "answers": [stretch.to_fields() for stretch in self.answers],
        }


def analyse(
    samples: Sequence[Sample], *, period_s: float, timeout_s: float, until: float
) -> ProbeReport:
    """Return what the samples say.

    Args:
        samples: the probes in the order they were sent.
        period_s: the distance at which probes are meant to be sent (> 0).
        timeout_s: a probe without an answer for this long is lost; an answer after it is late.
        until: the time of looking, seconds since the epoch; probes sent less than ``timeout_s`` before
            it and not answered yet are pending.
    """
    settled = [s for s in samples if s.answered_at is not None or s.sent_at + timeout_s <= until]
    answered_by = _earliest_answers(settled)
    round_trips = [s.answered_at - s.sent_at for s in settled if s.answered_at is not None]
    return ProbeReport(
        sent=len(settled),
        lost=len(settled) - len(round_trips),
        late=sum(trip > timeout_s for trip in round_trips),
        pending=len(samples) - len(settled),
        gaps=_gaps(settled, answered_by, period_s, until),
        answers=_answers(settled),
        unseen_s=_unseen(settled, answered_by),
        longest_round_trip_s=max(round_trips, default=0.0),
        stalls=tuple(
            (before.sent_at, after.sent_at)
            for before, after in itertools.pairwise(samples)
            if _is_stall(before, after, period_s)
        ),
    )


def since_first_answer(report: ProbeReport) -> ProbeReport:
    """Return what was seen of a service from its first answer on; all of it if it never answered.

    A floating IP that was just made is announced a second or more later: until then there is no service that could
    be silent.
    """
    if not report.answers:
        return report
    begun = report.answers[0].start
    before = sum(gap.lost for gap in report.gaps if gap.start < begun)
    return replace(
        report,
        sent=report.sent - before,
        lost=report.lost - before,
        gaps=tuple(gap for gap in report.gaps if gap.start >= begun),
    )


def _is_stall(before: Sample, after: Sample, period_s: float) -> bool:
    return after.sent_at - before.sent_at > 2 * period_s + _ROUNDING_S


def _earliest_answers(samples: Sequence[Sample]) -> list[float | None]:
    """For each sample, when the first answer to it or to a later one came (None: never)."""
    earliest: float | None = None
    result: list[float | None] = []
    for sample in reversed(samples):
        if sample.answered_at is not None and (earliest is None or sample.answered_at < earliest):
            earliest = sample.answered_at
        result.append(earliest)
    result.reverse()
    return result


def _gaps(
    samples: Sequence[Sample], answered_by: Sequence[float | None], period_s: float, until: float
) -> tuple[Gap, ...]:
    gaps: list[Gap] = []
    index = 0
    while index < len(samples):
        first = index
        while index < len(samples) and samples[index].answered_at is None:
            index += 1
        if index > first:
            before = samples[first - 1] if first else None
            after = samples[index] if index < len(samples) else None
            start = samples[first].sent_at if before is None else before.sent_at
            back = answered_by[index] if after is not None else None
            end = max(until, samples[index - 1].sent_at) if back is None else back
            lower_s = _seen_down(samples[first:index], _transit(before, after), period_s)
            gaps.append(Gap(min(lower_s, end - start), end - start, start, end, index - first))
        index += 1
    return tuple(gaps)


def _transit(before: Sample | None, after: Sample | None) -> float:
    """The longest that a lost probe is taken to have travelled."""
    for neighbour in (before, after):
        if neighbour is not None and neighbour.answered_at is not None:
            return neighbour.answered_at - neighbour.sent_at
    return 0.0


def _seen_down(run: Sequence[Sample], transit_s: float, period_s: float) -> float:
    """The time for which a run of lost probes proves the service down, without stalls."""
    total = 0.0
    first = previous = run[0]
    for sample in run[1:]:
        if _is_stall(previous, sample, period_s):
            total += max(0.0, previous.sent_at - first.sent_at - transit_s)
            first = sample
        previous = sample
    return total + max(0.0, previous.sent_at - first.sent_at - transit_s)


def _unseen(samples: Sequence[Sample], answered_by: Sequence[float | None]) -> float:
    longest = 0.0
    for index in range(1, len(samples)):
        before, after, back = samples[index - 1], samples[index], answered_by[index]
        if before.answered_at is not None and after.answered_at is not None and back is not None:
            longest = max(longest, back - before.sent_at)
    return longest


def _answers(samples: Sequence[Sample]) -> tuple[Answers, ...]:
    stretches: list[Answers] = []
    for sample in samples:
        if sample.answered_at is None or sample.who is None:
            continue
        last = stretches[-1] if stretches else None
        if last is not None and last.who == sample.who:
            end = max(last.end, sample.answered_at)
            stretches[-1] = Answers(last.start, end, last.who)
        else:
            stretches.append(Answers(sample.sent_at, sample.answered_at, sample.who))
    return tuple(stretches)
