# SPDX-License-Identifier: Apache-2.0
"""The probe of virtual time knows every moment, and costs nothing between changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.probe import ProbeReport, VirtualProbe


class Service:
    """Something that answers, and tells when that changes."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.who: str | None = "a"
        self.probe = VirtualProbe(clock, lambda seq: self.who)

    def change(self, after_s: float, who: str | None) -> None:
        self.clock.advance(after_s)
        self.who = who
        self.probe.changed()

    def stop(self, after_s: float) -> ProbeReport:
        self.clock.advance(after_s)
        return self.probe.stop()


def test_a_gap_is_exact() -> None:
    service = Service(VirtualClock(start=100.0))
    service.probe.start()
    service.change(1.0, None)
    service.change(0.255, "b")

    report = service.stop(1.0)

    (gap,) = report.gaps
    assert (round(gap.lower_s, 9), round(gap.upper_s, 9), gap.start) == (0.255, 0.255, 101.0)
    assert (report.sent, report.lost) == (226, 26)
    assert [(a.who, a.start) for a in report.answers] == [("a", 100.0), ("b", 101.255)]


def test_a_gap_shorter_than_a_period_is_seen() -> None:
    service = Service(VirtualClock(start=100.0))
    service.probe.start()
    service.change(1.001, None)
    service.change(0.004, "a")

    report = service.stop(1.0)

    assert report.lost == 0
    assert round(report.downtime_s[0], 9) == 0.004


def test_changes_at_one_moment_are_one_change() -> None:
    service = Service(VirtualClock(start=100.0))
    service.probe.start()
    service.change(1.0, None)
    service.change(0.0, "b")
    service.change(1.0, None)
    service.change(0.0, "b")

    report = service.stop(1.0)

    assert report.gaps == ()
    assert [(a.who, a.start, a.end) for a in report.answers] == [
        ("a", 100.0, 101.0),
        ("b", 101.0, 103.0),
    ]


def test_a_change_that_is_told_before_it_is_complete_is_seen() -> None:
    service = Service(VirtualClock(start=100.0))
    service.probe.start()
    service.clock.advance(1.0)
    service.probe.changed()
    service.who = None

    report = service.stop(1.0)

    assert [(gap.start, gap.end) for gap in report.gaps] == [(101.0, 102.0)]


def test_a_silence_that_goes_on_is_shown() -> None:
    service = Service(VirtualClock(start=100.0))
    service.probe.start()
    service.change(1.0, None)
    service.clock.advance(0.5)

    snapshot = service.probe.snapshot()

    assert (snapshot.sent, snapshot.lost, snapshot.who, snapshot.silent_s) == (150, 50, "a", 0.5)


def test_nothing_is_asked_before_the_start_and_after_the_stop() -> None:
    service = Service(VirtualClock(start=100.0))
    service.probe.changed()
    assert service.probe.snapshot().sent == 0
    service.probe.start()
    first = service.stop(1.0)
    service.change(1.0, None)

    assert service.probe.report() == first
    assert service.probe.stop() == first


@given(st.lists(st.tuples(st.floats(0.0, 0.5), st.sampled_from([None, "a", "b"])), max_size=12))
def test_it_agrees_with_asking_a_hundred_times_a_second(
    changes: list[tuple[float, str | None]],
) -> None:
    """The oracle is what a real prober would have seen, probe by probe."""
    service = Service(VirtualClock(start=0.0))
    service.probe.start()
    story: list[tuple[float, str | None]] = [(0.0, "a")]
    for after_s, who in changes:
        service.change(after_s, who)
        story.append((service.clock.now(), who))
    report = service.stop(0.2)

    lost = 0
    for n in range(report.sent):
        at = n * 0.01
        if min(abs(at - when) for when, _ in story[1:] or [(-1.0, None)]) < 1e-9:
            return  # on the very moment of a change either is right
        is_lost = fate(story, at) is None
        assert is_lost == any(gap.start <= at < gap.end for gap in report.gaps)
        lost += is_lost
    assert report.lost == lost


def fate(story: list[tuple[float, str | None]], at: float) -> str | None:
    return next(name for when, name in reversed(story) if when <= at)
