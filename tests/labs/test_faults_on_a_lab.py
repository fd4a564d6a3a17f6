# SPDX-License-Identifier: Apache-2.0
"""Faults that only reality has: what is killed on a real cloud in the middle of a maintenance, and what comes of that.

Each plays a small scenario whose verdict is the contract's, so that "it passed" says: the session ended in its named
state, no probe was lost, no instance was lost, every nova-compute is enabled again. What is killed is started again as
an init system would.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from doctor_maintenance.protocol import Action, SessionState
from doctor_maintenance.report import Report
from doctor_maintenance.scenario import Application, Scenario
from lab.layout import Kind, Lab
from lab.services import mariadb, rabbitmq
from lab.services.nova import compute
from labs.outages import Playing, Record, kill, mend, start, why

pytestmark = [pytest.mark.slow, pytest.mark.outage]

ONE_HOST = Scenario(
    name="one_host",
    summary="one host is emptied; the active side is on it",
    applications=(Application("app", singles=0),),
    max_hosts=1,
    rules={"move_retry_s": 8.0, "settle_s": 2.0},
)
TWO_HOSTS_LIVE = Scenario(
    name="two_hosts_live",
    summary="two hosts are emptied by live migrations of an anti-affinity group",
    applications=(Application("app", singles=0, action=Action.LIVE_MIGRATE),),
    max_hosts=2,
    rules={"move_retry_s": 5.0},
)
NOTIFIER = "aodh-notifier"


@pytest.fixture(scope="module", autouse=True)
def quick(running: Lab) -> None:
    """Leave out the kind of lab that takes longer for the same."""
    if running.kind is not Kind.CONTROL_PLANE:
        pytest.skip("what is killed here is the same on both kinds, and quicker on the other one")


def disabled(record: Record) -> bool:
    return record["kind"] == "service" and record["status"] == "disabled"


def replied(record: Record) -> bool:
    return record["kind"] == "reply"


def assert_passed(report: Report) -> None:
    assert report.passed, why(report)
    assert report.left == ()


def in_maintenance(record: Record) -> bool:
    return record["kind"] == "session" and record["state"] == SessionState.IN_MAINTENANCE


def test_a_scheduler_that_is_behind_is_waited_for_and_nothing_is_forced(
    broken: Lab, tmp_path: Path
) -> None:
    with Playing(broken, TWO_HOSTS_LIVE, tmp_path) as play:
        assert_passed(play.report())

        moves = {record["migration_id"]: record for record in play.records("migration")}
        refused = [move for move in moves.values() if not move["dest_compute"]]
        assert len(moves) == 2 + len(refused)
        assert all(move["status"] == "error" for move in refused)
    if not refused:
        pytest.skip("nova-compute happened to tell the scheduler in the moment between two moves")


def test_a_nova_compute_that_is_killed_before_its_part_of_a_migration_loses_nothing(
    broken: Lab, tmp_path: Path
) -> None:
    with Playing(broken, ONE_HOST, tmp_path) as play:
        host = play.moment("the first step", disabled)["host"]
        play.moment("the reply", replied)
        kill(broken, compute(host))
        play.moment("a migration that waits for it", _waits)
        start(broken, compute(host))

        assert_passed(play.report())
        # What is left of the first attempt depends on when its part is taken up; it never comes to a good end.
        assert "expected it to leave" in play.log("admin-tool")


def _waits(record: Record) -> bool:
    return record["kind"] == "migration" and bool(record["dest_compute"])


@pytest.fixture(scope="module")
def outlived(running: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playing]:
    """A session during which the message broker, the database and the notifier were killed, one after another."""
    lab = running
    try:
        with Playing(lab, ONE_HOST, tmp_path_factory.mktemp("outlived")) as play:
            for what, moment, killed in (
                ("the first step", disabled, rabbitmq.READY),
                ("the reply", replied, mariadb.READY),
                ("the host in maintenance", in_maintenance, NOTIFIER),
            ):
                play.moment(what, moment)
                kill(lab, killed)
                start(lab, killed)
            play.report()
            yield play
    finally:
        mend(lab)


def test_a_session_outlives_its_broker_its_database_and_its_notifier(outlived: Playing) -> None:
    assert_passed(outlived.report())


def test_an_announcement_waits_for_a_broker_that_was_killed(outlived: Playing) -> None:
    assert [reply["state"] for reply in outlived.records("reply")] == ["ACK_PLANNED_MAINTENANCE"]


def test_an_instance_is_moved_once_though_the_database_was_away_meanwhile(
    outlived: Playing,
) -> None:
    moves = {record["migration_id"]: record["status"] for record in outlived.records("migration")}
    assert list(moves.values()).count("confirmed") == 1


def test_the_inspector_hears_of_the_end_though_the_notifier_was_away_meanwhile(
    outlived: Playing,
) -> None:
    told = [record["state"] for record in outlived.records("notification", source="inspector")]
    assert told == ["IN_MAINTENANCE", "MAINTENANCE_OVER"]
