# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of gaps, by example and against services whose down time is known."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor_maintenance.probe import (
    Answers,
    Gap,
    ProbeReport,
    Sample,
    analyse,
    since_first_answer,
)

PERIOD_S = 0.01
TRIP_S = 0.001


def grid(
    fates: str, *, trip_s: float = TRIP_S, period_s: float = PERIOD_S, start: float = 100.0
) -> list[Sample]:
    """One probe a character: a letter is who answered, ``.`` a lost probe, space a slot not sent."""
    return [
        Sample(at) if fate == "." else Sample(at, at + trip_s, fate)
        for at, fate in ((start + n * period_s, fate) for n, fate in enumerate(fates))
        if fate != " "
    ]


def report(samples: Sequence[Sample], until: float = 1000.0) -> ProbeReport:
    return analyse(samples, period_s=PERIOD_S, timeout_s=0.5, until=until)


def approx_gap(gap: Gap) -> tuple[object, ...]:
    return tuple(
        pytest.approx(value, abs=1e-9)
        for value in (gap.lower_s, gap.upper_s, gap.start, gap.end, gap.lost)
    )


def test_no_probes_say_nothing() -> None:
    result = report([])

    assert (result.sent, result.lost, result.longest_gap, result.gaps) == (0, 0, None, ())
    assert result.downtime_s == (0.0, 0.0)


def test_when_all_are_answered_an_outage_shorter_than_a_period_may_still_have_passed() -> None:
    result = report(grid("aaaa"))

    assert (result.sent, result.lost, result.gaps) == (4, 0, ())
    assert result.downtime_s == (0.0, pytest.approx(PERIOD_S + TRIP_S))


def test_a_run_of_lost_probes_bounds_the_down_time_from_both_sides() -> None:
    (gap,) = report(grid("aa...aa")).gaps

    # last answered before at 100.01, lost 100.02 to 100.04, the next one at 100.05 came back at 100.051
    assert (gap.lower_s, gap.upper_s, gap.start, gap.end, gap.lost) == approx_gap(
        Gap(0.02 - TRIP_S, 0.041, 100.01, 100.051, 3)
    )


def test_one_lost_probe_proves_no_length() -> None:
    (gap,) = report(grid("a.a")).gaps

    assert gap.lower_s == 0.0
    assert gap.upper_s == pytest.approx(0.021)


def test_the_longest_gap_is_the_one_with_the_largest_lower_bound() -> None:
    longest = report(grid("a..a...a..a")).longest_gap

    assert longest is not None
    assert (longest.lost, longest.start) == (3, pytest.approx(100.03))


def test_a_late_answer_is_late_and_not_lost() -> None:
    samples = grid("aaaa")
    samples[1] = Sample(samples[1].sent_at, samples[1].sent_at + 0.6, "a")

    result = report(samples)

    assert (result.lost, result.late, result.gaps) == (0, 1, ())
    assert result.longest_round_trip_s == pytest.approx(0.6)


def test_a_probe_that_may_still_be_answered_is_not_counted() -> None:
    result = report(grid("a.."), until=100.015 + 0.5)

    assert (result.sent, result.lost, result.pending) == (2, 1, 1)


def test_a_stall_of_the_prober_is_told_and_is_no_down_time() -> None:
    result = report(grid("aa          aa"))

    assert (result.lost, result.gaps) == (0, ())
    assert result.stalls == ((pytest.approx(100.01), pytest.approx(100.12)),)
    assert result.downtime_s[1] == pytest.approx(0.111)


def test_a_stall_inside_a_gap_is_left_out_of_the_lower_bound_only() -> None:
    (gap,) = report(grid("a...          ...a")).gaps

    assert gap.lower_s == pytest.approx(2 * (0.02 - TRIP_S))
    assert gap.upper_s == pytest.approx(0.171)


def test_the_first_answer_to_any_later_probe_ends_a_gap() -> None:
    samples = grid("aa...aa")
    samples[5] = Sample(samples[5].sent_at, samples[5].sent_at + 0.6, "a")

    (gap,) = report(samples).gaps

    assert gap.end == pytest.approx(100.061)


def test_a_gap_that_has_not_ended_lasts_until_now() -> None:
    (gap,) = report(grid("aa..."), until=100.6).gaps

    assert (gap.start, gap.end) == (pytest.approx(100.01), 100.6)


def test_a_gap_at_the_beginning_counts_from_the_first_probe() -> None:
    (gap,) = report(grid("..a")).gaps

    assert (gap.start, gap.end) == (100.0, pytest.approx(100.021))


def test_service_is_silent_only_after_it_has_answered_once() -> None:
    result = since_first_answer(report(grid("...aa..aa")))

    assert (result.sent, result.lost) == (6, 2)
    assert [gap.start for gap in result.gaps] == [pytest.approx(100.04)]
    assert result.answers == report(grid("...aa..aa")).answers


def test_service_that_never_answered_is_silent_all_the_time() -> None:
    assert since_first_answer(report(grid("..."))) == report(grid("..."))


def test_nobody_ever_answering_is_one_gap() -> None:
    result = report(grid("...."), until=101.0)

    assert result.lost == 4
    assert [(gap.start, gap.end) for gap in result.gaps] == [(100.0, 101.0)]


def test_who_answered_is_told_in_stretches() -> None:
    answers = report(grid("aab..ba")).answers

    assert [(a.who, a.start, a.end) for a in answers] == [
        ("a", pytest.approx(100.00), pytest.approx(100.011)),
        ("b", pytest.approx(100.02), pytest.approx(100.051)),
        ("a", pytest.approx(100.06), pytest.approx(100.061)),
    ]


def test_a_report_has_the_fields_of_a_trace_record() -> None:
    fields = report(grid("a...b")).to_fields("198.51.100.7", "p1")

    assert fields == {
        "address": "198.51.100.7",
        "project_id": "p1",
        "sent": 5,
        "lost": 3,
        "longest_gap": {"lower_s": 0.019, "upper_s": 0.041, "from": 100.0, "to": 100.041},
        "gaps": [{"lower_s": 0.019, "upper_s": 0.041, "from": 100.0, "to": 100.041}],
        "answers": [
            {"from": 100.0, "to": 100.001, "who": "a"},
            {"from": 100.04, "to": 100.041, "who": "b"},
        ],
    }


outages = st.lists(st.tuples(st.floats(0.0, 0.3), st.floats(0.001, 0.2)), max_size=4)


def probe_service(
    down: Sequence[tuple[float, float]], sent: Sequence[float], delays: Sequence[float]
) -> list[Sample]:
    """What a prober sees of a service that is down in the given stretches [from, to).

    Probes travel as the analysis assumes: none overtakes another, and a lost one travels no longer than
    the last answered one did both ways. Answers come back with the delay of their probe.
    """
    samples: list[Sample] = []
    last_arrival = last_trip = 0.0
    for at, delay in zip(sent, delays, strict=True):
        arrival = max(last_arrival, at + delay)
        if any(start <= arrival < end for start, end in down):
            arrival = max(last_arrival, at + min(delay, last_trip))
        if any(start <= arrival < end for start, end in down):
            samples.append(Sample(at))
        else:
            samples.append(Sample(at, arrival + delay, "a"))
            last_trip = arrival + delay - at
        last_arrival = arrival
    return samples


def lay_out(pauses_and_lengths: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    down, at = [], 0.05
    for pause, length in pauses_and_lengths:
        at += 0.06 + pause
        down.append((at, at + length))
        at += length
    return down


@settings(max_examples=300)
@given(outages, st.sets(st.integers(1, 250), max_size=40), st.randoms(use_true_random=False))
def test_the_true_down_time_lies_between_the_bounds(
    pauses: list[tuple[float, float]], skipped: set[int], chance: random.Random
) -> None:
    """The oracle knows when the service was down, and so what each gap holds of it."""
    down = lay_out(pauses)
    end = (down[-1][1] if down else 0.0) + 0.1
    slots = [n for n in range(int(end / PERIOD_S)) if n not in skipped or n == 0]
    delays = [chance.uniform(0.0, 0.015) for _ in slots]
    samples = probe_service(down, [n * PERIOD_S for n in slots], delays)

    result = report(samples, until=end + 1.0)

    for gap in result.gaps:
        inside = sum(max(0.0, min(gap.end, to) - max(gap.start, start)) for start, to in down)
        assert gap.lower_s - 1e-9 <= inside <= gap.upper_s + 1e-9
    for start, to in down:
        within = any(gap.start <= start and to <= gap.end for gap in result.gaps)
        seen_to_its_end = samples[-1].answered_at is not None and to <= samples[-1].sent_at
        assert within or to - start <= result.unseen_s + 1e-9 or not seen_to_its_end


@given(st.text(alphabet="ab. ", max_size=60))
def test_counts_and_gaps_agree_with_a_count_by_hand(fates: str) -> None:
    result = report(grid(fates))
    seen = fates.replace(" ", "")

    runs = [run for run in seen.replace("b", "a").split("a") if run]
    assert result.sent == len(seen)
    assert result.lost == seen.count(".")
    assert [gap.lost for gap in result.gaps] == [len(run) for run in runs]
    assert all(0.0 <= gap.lower_s <= gap.upper_s for gap in result.gaps)
    assert "".join(stretch.who for stretch in result.answers) == squeeze(seen.replace(".", ""))


def squeeze(text: str) -> str:
    return "".join(c for n, c in enumerate(text) if n == 0 or text[n - 1] != c)


def test_a_stretch_is_told_as_the_trace_has_it() -> None:
    assert Answers(1.0, 2.0, "x").to_fields() == {"from": 1.0, "to": 2.0, "who": "x"}
