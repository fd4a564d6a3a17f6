# SPDX-License-Identifier: Apache-2.0
"""The service: no gap on the wire, always a running active instance, never both of a pair at risk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from doctor_maintenance.judge.attribution import cause_of
from doctor_maintenance.judge.contract.clause import (
    HELD,
    Finding,
    Findings,
    broken,
    clause,
    unproven,
)
from doctor_maintenance.judge.lives import BEING_MOVED, DELETED, Life, Span, runs
from doctor_maintenance.judge.moment import (
    MICROSECONDS,
    Moment,
    Point,
    seconds_between,
)
from doctor_maintenance.judge.records import Address, Gap, Probe, Record
from doctor_maintenance.judge.rounds import Round
from doctor_maintenance.judge.story import Pair, Story


@clause(
    "service.no_gap",
    "no service is silent for longer than the scenario allows",
    "DESIGN 5: service",
)
def no_gap(story: Story) -> Findings:
    """Judge every silence that a probe noticed, by the least that it can have lasted."""
    allowed_s = story.scenario.allowed_gap_s
    for seen in story.probes():
        probe = seen.record
        gaps = probe.gaps or ((probe.longest_gap,) if probe.longest_gap is not None else ())
        if not gaps:
            yield (
                HELD
                if probe.sent > 0 and (probe.lost == 0 or allowed_s > 0)
                else broken(
                    f"{probe.address}: expected every probe to be answered; {probe.lost} of {probe.sent} were lost",
                    probe,
                )
            )
        for gap in gaps:
            yield _silence(story, probe, gap, allowed_s)


def _silence(story: Story, probe: Probe, gap: Gap, allowed_s: float) -> Finding:
    if gap.upper_s is not None and gap.upper_s <= allowed_s:
        return HELD
    if gap.lower_s <= allowed_s and allowed_s > 0:
        return unproven(_describe(story, probe, gap, allowed_s), probe)
    cause = cause_of(story, probe.address, gap)
    return broken(
        f"{_describe(story, probe, gap, allowed_s)}; {cause.text}",
        probe,
        *cause.records,
    )


def _describe(story: Story, probe: Probe, gap: Gap, allowed_s: float) -> str:
    start_s = story.trace.records[0].at
    longest = "an unknown time" if gap.upper_s is None else f"{gap.upper_s:.3f} s"
    until = "the end" if gap.end is None else f"{gap.end - start_s:+.3f} s"
    return (
        f"{probe.address}: expected no silence longer than {allowed_s:g} s; it was silent for at least"
        f" {gap.lower_s:.3f} s and at most {longest}, from {gap.begin - start_s:+.3f} s to {until}"
    )


@clause(
    "service.watched",
    "every pair's service was watched from before the first step until after the last",
    "DESIGN 5: service",
)
def watched(story: Story) -> Findings:
    """Judge the probes themselves: silence of a probe is no proof of a service."""
    probes = {seen.record.address: seen.record for seen in story.probes()}
    begins = [part.disable.moment for part in story.rounds if part.disable is not None]
    ends = [part.end for part in story.rounds if part.end is not None]
    for pair in story.pairs if probes and begins and ends else ():
        for address in story.addresses(pair):
            probe = probes.get(address)
            if probe is None or not probe.answers:
                yield broken(f"{address}: expected a probe to watch it; none did", *probes.values())
                continue
            first = min(answers.begin for answers in probe.answers)
            last = max(answers.end for answers in probe.answers)
            yield (
                HELD
                if first <= begins[0].latest_s and last >= max(end.earliest_s for end in ends)
                else broken(
                    f"{address}: expected answers from before the first step until after the last; the first was"
                    f" {story.when(Moment.between(first, first))}, the last {story.when(Moment.between(last, last))}",
                    probe,
                )
            )


class _Holding(NamedTuple):
    """Who an address led to, and until when."""

    begin: Moment
    end: Moment
    record: Address


def _holdings(story: Story, address: str) -> Iterator[_Holding]:
    seen = [item for item in story.seen(Address) if item.record.address == address]
    for place, item in enumerate(seen):
        following = seen[place + 1 : place + 2]
        end = following[0].moment if following else story.after_the_end
        yield _Holding(item.moment, end, item.record)


class _Stretch(NamedTuple):
    """A stretch in which an address led to a running instance, or did not."""

    begin: Moment
    end: Moment
    good: bool
    what: str
    records: tuple[Record, ...]


@clause(
    "service.active_runs",
    "at no moment is a pair's address without a running instance",
    "DESIGN 5: service",
)
def active_runs(story: Story) -> Findings:
    """Judge what Nova and Neutron say: the address leads to an instance, and that instance runs."""
    for pair in story.pairs:
        for address in story.addresses(pair):
            yield HELD
            yield from _interruptions(story, address)


def _interruptions(story: Story, address: str) -> Findings:
    allowed_s = story.scenario.allowed_gap_s
    bad: list[_Stretch] = []
    begun = False
    for stretch in [*_stretches(story, address), None]:
        if stretch is not None and not stretch.good:
            bad += [stretch] if begun else []
            continue
        begun = True
        if bad:
            end = bad[-1].end if bad[-1].end != story.after_the_end else story.the_end
            shortest_s, longest_s = seconds_between(bad[0].begin, end)
            message = (
                f"{address}: expected it to lead to a running instance; {bad[0].what} for at least"
                f" {shortest_s:.3f} s and at most {longest_s:.3f} s, {story.when(bad[0].begin)}"
            )
            evidence = tuple(record for item in bad for record in item.records)
            if shortest_s > allowed_s:
                yield broken(message, *evidence)
            elif longest_s > allowed_s:
                yield unproven(f"not proven: {message}", *evidence)
        bad = []


def _stretches(story: Story, address: str) -> Iterator[_Stretch]:
    """Return, in order, how it was with an address, cut at every change of the address or its instance."""
    for holding in _holdings(story, address):
        instance_id = holding.record.instance_id
        life = story.lives.get(instance_id) if instance_id is not None else None
        if life is None:
            what = f"it led to {instance_id or 'nobody'}"
            yield _Stretch(holding.begin, holding.end, False, what, (holding.record,))
            continue
        for span in life.spans:
            if span.end.upper <= holding.begin.lower or span.begin.lower >= holding.end.upper:
                continue
            begin = max(span.begin, holding.begin)
            end = min(span.end, holding.end)
            what = f"it led to {instance_id}, which was {span.state.record.status},"
            records = (holding.record, span.state.record)
            yield _Stretch(begin, end, runs(span.state), what, records)


def _maintained(story: Story, part: Round) -> tuple[Point, Point] | None:
    """Return from where to where the host of a round was in maintenance for certain."""
    if part.in_maintenance is None:
        return None
    end = part.end.lower if part.end is not None else story.the_end.lower
    return part.in_maintenance.sent.upper, end


def _certain(span: Span, lower: Point, upper: Point) -> tuple[Point, Point] | None:
    """Return the part of an interval in which a state held for certain, if it is longer than nothing."""
    begin, end = max(span.begin.upper, lower), min(span.end.lower, upper)
    return (begin, end) if begin.time_us < end.time_us else None


def _stays(story: Story, part: Round, life: Life) -> Iterator[tuple[Point, Point, Record]]:
    """Return when an affected instance was on the round's host in maintenance for certain."""
    window = _maintained(story, part)
    if window is None or not story.affects(part.host, life.instance_id):
        return
    for span in life.spans:
        record = span.state.record
        if record.host == part.host and record.status != DELETED:
            found = _certain(span, *window)
            if found is not None:
                yield (*found, record)


@clause(
    "service.active_elsewhere",
    "the active instance of a pair is not on a host in maintenance",
    "4, 7 to 10",
)
def active_elsewhere(story: Story) -> Findings:
    """Judge where the address led while a host was in maintenance (it counts most for LEAVE)."""
    for part in story.rounds:
        for pair in story.pairs if part.in_maintenance is not None else ():
            for address in story.addresses(pair):
                yield HELD
                yield from _active_on(story, part, address)


def _active_on(story: Story, part: Round, address: str) -> Findings:
    for holding in _holdings(story, address):
        life = story.lives.get(holding.record.instance_id or "")
        for begin, end, record in _stays(story, part, life) if life is not None else ():
            since, until = max(begin, holding.begin.upper), min(end, holding.end.lower)
            if since.time_us < until.time_us:
                yield broken(
                    f"{part.host}: expected the active instance elsewhere while it is in maintenance; {address} led to"
                    f" {holding.record.instance_id} on it {story.when(Moment(since, since))}",
                    holding.record,
                    record,
                    *(part.in_maintenance.records if part.in_maintenance is not None else ()),
                )


@clause(
    "service.pair_apart",
    "never are both instances of a pair on a host in maintenance",
    "7 to 10",
)
def pair_apart(story: Story) -> Findings:
    """Judge where both members of each pair were while a host was in maintenance."""
    for part in story.rounds:
        for pair in story.pairs if part.in_maintenance is not None else ():
            yield HELD
            stays = [
                [stay for life in story.members(pair, name) for stay in _stays(story, part, life)]
                for name in pair.names
            ]
            for first in stays[0]:
                for second in stays[1] if len(stays) > 1 else ():
                    if max(first[0], second[0]).time_us < min(first[1], second[1]).time_us:
                        yield broken(
                            f"{part.host}: expected at most one of {' and '.join(pair.names)} on it in maintenance;"
                            " found both",
                            first[2],
                            second[2],
                        )


@clause(
    "service.impacted_at_once",
    "never are more members of a pair impacted at the same time than its project allows",
    "DESIGN 5: service",
)
def impacted_at_once(story: Story) -> Findings:
    """Judge migrations, stops and maintenance of the members' hosts against each other."""
    for pair in story.pairs:
        hurt = [list(_impacts(story, pair, name)) for name in pair.names]
        if any(hurt):
            yield _too_many(story, pair, hurt)


_Impact = tuple[Point, Point, Record]


def _impacts(story: Story, pair: Pair, name: str) -> Iterator[_Impact]:
    for life in story.members(pair, name):
        for span in life.spans:
            record = span.state.record
            stopped = not runs(span.state) and record.status not in (DELETED, "BUILD")
            if record.by_owner or not (stopped or record.status in BEING_MOVED):
                continue
            found = _certain(span, span.begin.upper, story.the_end.lower)
            if found is not None:
                yield (*found, record)
        for part in story.rounds:
            yield from _stays(story, part, life)


def _too_many(story: Story, pair: Pair, hurt: list[list[_Impact]]) -> Finding:
    edges = sorted(
        [
            (begin, 1, place, record)
            for place, found in enumerate(hurt)
            for begin, _, record in found
        ]
        + [(end, 0, place, record) for place, found in enumerate(hurt) for _, end, record in found],
        key=lambda edge: (edge[0].time_us, edge[1]),
    )
    now = [0] * len(hurt)
    for point, opens, place, record in edges:
        now[place] += 1 if opens else -1
        if sum(count > 0 for count in now) > pair.allowed:
            seconds = point.time_us / MICROSECONDS
            return broken(
                f"expected at most {pair.allowed} of {' and '.join(pair.names)} impacted at the same time; more were"
                f" {story.when(Moment.between(seconds, seconds))}",
                record,
            )
    return HELD
