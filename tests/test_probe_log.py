# SPDX-License-Identifier: Apache-2.0
"""The book of probes keeps its counts right whatever the order of answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from doctor_maintenance.probe import ProbeLog, Snapshot

PERIOD_S, TIMEOUT_S = 0.01, 0.05


def test_an_empty_book_shows_nothing() -> None:
    assert ProbeLog(PERIOD_S, TIMEOUT_S).snapshot(10.0) == Snapshot()


def test_a_probe_counts_as_lost_when_its_time_is_over() -> None:
    log = ProbeLog(PERIOD_S, TIMEOUT_S)
    log.sent(10.0)

    assert log.snapshot(10.04).lost == 0
    assert log.snapshot(10.05).lost == 1


def test_a_lost_probe_that_is_answered_after_all_becomes_late() -> None:
    log = ProbeLog(PERIOD_S, TIMEOUT_S)
    seq = log.sent(10.0)
    log.snapshot(11.0)

    log.answered(seq, 11.0, "a")

    assert log.snapshot(11.0) == Snapshot(sent=1, lost=0, late=1, who="a", silent_s=0.0)


def test_a_second_answer_to_the_same_probe_changes_nothing() -> None:
    log = ProbeLog(PERIOD_S, TIMEOUT_S)
    seq = log.sent(10.0)

    assert log.answered(seq, 10.001, "a")
    assert not log.answered(seq, 10.002, "b")
    assert log.snapshot(10.1).who == "a"


def test_an_answer_to_a_probe_never_sent_is_refused() -> None:
    log = ProbeLog(PERIOD_S, TIMEOUT_S)
    log.sent(10.0)

    assert not log.answered(7, 10.001, "a")
    assert not log.answered(-1, 10.001, "a")


def test_a_silence_lasts_from_the_last_answered_probe() -> None:
    log = ProbeLog(PERIOD_S, TIMEOUT_S)
    log.answered(log.sent(10.0), 10.001, "a")
    for n in range(1, 10):
        log.sent(10.0 + n * PERIOD_S)

    assert log.snapshot(10.055).silent_s == 0.0
    assert round(log.snapshot(10.2).silent_s, 6) == 0.2
    log.answered(9, 10.201, "b")
    assert log.snapshot(10.201).silent_s == 0.0


@given(st.lists(st.one_of(st.none(), st.floats(0.0, 0.2)), max_size=50), st.floats(0.0, 1.0))
def test_counts_agree_with_the_report(delays: list[float | None], look_s: float) -> None:
    """Snapshots on the way, in any number, do not change what comes out."""
    log = ProbeLog(PERIOD_S, TIMEOUT_S)
    answers = []
    for n, delay in enumerate(delays):
        at = 100.0 + n * PERIOD_S
        seq = log.sent(at)
        if delay is not None:
            answers.append((at + delay, seq))
    for at, seq in sorted(answers):
        log.answered(seq, at, "a")
        log.snapshot(at)
    end = 200.0 + look_s

    snapshot, report = log.snapshot(end), log.report(end)

    assert (snapshot.sent, snapshot.lost, snapshot.late) == (report.sent, report.lost, report.late)
    assert snapshot.lost == delays.count(None)
    assert snapshot.late == sum(delay is not None and delay > TIMEOUT_S for delay in delays) or any(
        delay is not None and abs(delay - TIMEOUT_S) < 1e-9 for delay in delays
    )
