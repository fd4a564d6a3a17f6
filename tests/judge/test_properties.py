# SPDX-License-Identifier: Apache-2.0
"""Whatever goes by the book passes, and what witnesses do not know accuses nobody."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doctor_maintenance.judge import Trace, judge
from doctor_maintenance.report import Report, html, json_report, junit

from .scenes import SCENES
from .stage import HOSTS, Entry, Project, Stage

LENIENT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


@st.composite
def projects(draw: st.DrawFn, kind: str) -> list[Project]:
    found = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        pair = draw(st.permutations(HOSTS))[:2]
        singles = draw(st.lists(st.sampled_from(HOSTS), max_size=3))
        actions = ["MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"] + ["LEAVE"] * (kind == "reboot")
        careful = draw(st.booleans())
        found.append(
            Project(
                number,
                action=draw(st.sampled_from(actions)),
                replies=draw(st.sampled_from(["ACK", "ACK", "ACK", "NACK", None])),
                only_if_agreed=careful,
                default_action=None if careful else "LIVE_MIGRATE",
                on=(*pair, *singles),
            )
        )
    return found


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    kind = draw(st.sampled_from(["full", "reboot"]))
    hosts = draw(st.permutations(HOSTS))[: draw(st.integers(1, 3))]
    ends = st.sampled_from(["over", "over", "over", "canceled", "failed"])
    return Stage(
        type=kind,
        projects=draw(projects(kind)),
        hosts=hosts,
        outcomes={host: draw(ends) for host in hosts},
        faults=draw(st.lists(st.sampled_from(HOSTS), max_size=2, unique=True)),
        late_faults=[],
        bus=draw(st.booleans()),
        power=draw(st.booleans()),
        tick_s=draw(st.sampled_from([0.0, 0.0001, 0.05, 3.0])),
    )


def problems(records: list[Entry]) -> list[tuple[str, str]]:
    verdict = judge(Trace.from_mappings(records))
    return [(check.check_id, check.evidence[0].message) for check in verdict.failed]


@LENIENT
@given(stages())
def test_whatever_goes_by_the_book_passes(stage: Stage) -> None:
    assert problems(stage.play()) == []


@LENIENT
@given(stages(), st.integers(0, 2**32), st.sampled_from([0.5, 4.0]))
def test_a_witness_that_looks_seldom_accuses_nobody(stage: Stage, seed: int, ticks: float) -> None:
    records = stage.play()
    rng = random.Random(seed)
    for record in records:
        if record["kind"] in ("service", "instance", "migration", "address", "session"):
            record["not_before"] = record["at"] - rng.uniform(0, ticks * stage.tick_s)

    assert problems(records) == []


@LENIENT
@given(st.sampled_from(sorted(SCENES)), st.integers(0, 2**32))
def test_the_order_of_the_lines_changes_nothing(name: str, seed: int) -> None:
    records = SCENES[name]()
    shuffled = list(records)
    random.Random(seed).shuffle(shuffled)

    assert judge(Trace.from_mappings(shuffled)) == judge(Trace.from_mappings(records))


@LENIENT
@given(st.sampled_from(sorted(SCENES)), st.integers(0, 2**32))
def test_the_order_of_witnesses_at_the_same_time_changes_nothing(name: str, seed: int) -> None:
    records = SCENES[name]()
    for record in records:
        record["at"] = round(record["at"], 1)
        if "generated" in record:
            record["generated"] = round(record["generated"], 1)
        if "not_before" in record:
            record["not_before"] = round(record["not_before"], 1)
    rng = random.Random(seed)
    turns = {(record["at"], record["source"]): rng.random() for record in records}
    mixed = sorted(
        records, key=lambda record: (record["at"], turns[record["at"], record["source"]])
    )

    before, after = (judge(Trace.from_mappings(items)) for items in (records, mixed))

    assert [check.outcome for check in after.checks] == [check.outcome for check in before.checks]


@LENIENT
@given(st.sampled_from(sorted(SCENES)), st.integers(0, 2**32), st.integers(1, 30))
def test_whatever_is_lost_repeated_or_muddled_there_is_a_verdict(
    name: str, seed: int, changes: int
) -> None:
    rng = random.Random(seed)
    scenario, *records = SCENES[name]()
    for _ in range(changes):
        muddle(rng, records)

    verdict = judge(Trace.from_mappings([scenario, *records]))

    report = Report(name, verdict, Trace.from_mappings([scenario, *records]), 1.0)
    assert json_report.to_json(report)["passed"] == verdict.passed
    assert html.to_text(report)
    assert junit.to_text([report])


def muddle(rng: random.Random, records: list[Entry]) -> None:
    """Do something to a trace that leaves records, but no story."""
    place = rng.randrange(len(records))
    record = records[place]
    match rng.randrange(5):
        case 0 if len(records) > 1:
            del records[place]
        case 1:
            records.append(dict(record))
        case 2:
            record["at"] = rng.choice(records)["at"] + rng.uniform(-100, 100)
        case 3:
            record["not_before"] = rng.choice([0.0, record["at"] - 1, record["at"] + 1, -1e12])
        case _:
            alike = [other for other in records if other["kind"] == record["kind"]]
            name = rng.choice(sorted(record))
            records[place] = {**record, name: rng.choice(alike).get(name, record[name])}
