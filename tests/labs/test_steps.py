# SPDX-License-Identifier: Apache-2.0
import threading
from pathlib import Path

import pytest

from doctor_maintenance.exceptions import PreconditionError
from lab.steps import Step, StepFailed, Took, check, run


def nothing(stopping: threading.Event) -> None:
    """Be a step that has nothing to do."""


def meet(meeting: threading.Barrier) -> None:
    meeting.wait()


def test_step_begins_after_those_that_it_needs() -> None:
    order: list[str] = []
    steps = [
        Step("last", lambda stopping: order.append("last"), needs=("middle", "first")),
        Step("middle", lambda stopping: order.append("middle"), needs=("first",)),
        Step("first", lambda stopping: order.append("first")),
    ]

    took = run(steps, lambda one: None)

    assert order == ["first", "middle", "last"]
    assert [one.name for one in took] == order


def test_steps_that_do_not_need_each_other_go_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=10)
    steps = [Step(name, lambda stopping: meet(meeting)) for name in "ab"]

    assert {one.name for one in run(steps, lambda one: None)} == {"a", "b"}


def test_no_more_heavy_steps_go_at_once_than_allowed() -> None:
    going, most = [0], [0]
    lock = threading.Lock()

    def work(stopping: threading.Event) -> None:
        with lock:
            going[0] += 1
            most[0] = max(most[0], going[0])
        stopping.wait(0.01)
        with lock:
            going[0] -= 1

    run([Step(f"s{n}", work, heavy=True) for n in range(6)], lambda one: None, heavy_at_once=2)

    assert most[0] <= 2


def test_failed_step_names_its_log_and_shows_its_end(tmp_path: Path) -> None:
    log = tmp_path / "database.log"
    log.write_text("line 1\nTable is broken\n")

    def fail(stopping: threading.Event) -> None:
        raise PreconditionError("exit status 1")

    with pytest.raises(StepFailed) as failure:
        run([Step("database", fail, log=log)], lambda one: None)

    assert "step `database` failed: exit status 1" in str(failure.value)
    assert str(log) in str(failure.value)
    assert "Table is broken" in str(failure.value)


def test_nothing_begins_after_a_failure_and_what_waits_is_told() -> None:
    begun: list[str] = []
    told = threading.Event()

    def fail(stopping: threading.Event) -> None:
        raise PreconditionError("no")

    def patient(stopping: threading.Event) -> None:
        if stopping.wait(30):
            told.set()

    steps = [
        Step("patient", patient),
        Step("fails", fail),
        Step("after", lambda stopping: begun.append("after"), needs=("fails",)),
    ]
    with pytest.raises(StepFailed, match="fails"):
        run(steps, lambda one: None)

    assert told.is_set()
    assert not begun


def test_time_of_each_step_is_told_when_it_is_done() -> None:
    told: list[Took] = []

    run([Step("one", nothing), Step("two", nothing, needs=("one",))], told.append)

    assert [one.name for one in told] == ["one", "two"]
    assert told[0].began_s <= told[1].began_s
    assert all(one.took_s >= 0 for one in told)


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([Step("a", nothing), Step("a", nothing)], "two steps 'a'"),
        ([Step("a", nothing, needs=("b",))], "needs 'b', which does not exist"),
        (
            [Step("a", nothing, needs=("b",)), Step("b", nothing, needs=("a",))],
            "wait for each other: a, b",
        ),
    ],
)
def test_graph_that_cannot_be_run_is_refused(steps: list[Step], problem: str) -> None:
    with pytest.raises(PreconditionError, match=problem):
        check(steps)
