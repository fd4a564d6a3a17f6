# SPDX-License-Identifier: Apache-2.0
"""A scheduler that refuses may be behind; a migration that fails is another matter."""

from __future__ import annotations

from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.planning.drain import Drain
from doctor_maintenance.planning.settings import SessionRules
from doctor_maintenance.protocol import Action

RULES = SessionRules(
    "admin", "http://admin-tool", move_attempts=2, move_retry_s=15.0, refusal_wait_s=130.0
)


def give(name: str, instance: str, project: str, action: Action) -> do.MoveInstance:
    return do.MoveInstance(name, "h1", instance, project, action)


def drained(rules: SessionRules, *, refused: bool, works_after_s: float) -> tuple[str, int]:
    """Return why a host could not be emptied, and how many attempts were made."""
    drain = Drain("h1", rules, give)
    commands = drain.begin({"a": Action.LIVE_MIGRATE}, {"a": "project-a"}, 0.0)
    now, attempts = 0.0, 0
    while commands and not drain.over:
        command = commands[0]
        if isinstance(command, do.SetTimer):
            now = command.at
            commands = drain.timer(command.name)
            continue
        assert isinstance(command, do.MoveInstance)
        attempts += 1
        if now >= works_after_s:
            drain.moved("a")
        else:
            failed = saw.CommandFailed(command.key, "No valid host", refused=refused)
            commands = drain.failed(command, failed, now)
    return drain.failure, attempts


def test_move_that_a_scheduler_refuses_is_tried_until_it_may_know_better() -> None:
    assert drained(RULES, refused=True, works_after_s=120.0) == ("", 9)


def test_scheduler_that_refuses_for_good_is_believed_after_a_while() -> None:
    failure, attempts = drained(RULES, refused=True, works_after_s=1e9)

    assert "could not be moved: No valid host" in failure
    assert attempts == 9


def test_migration_that_fails_is_tried_as_often_as_the_rules_say() -> None:
    failure, attempts = drained(RULES, refused=False, works_after_s=1e9)

    assert failure
    assert attempts == 2


def test_refusals_count_as_attempts_where_no_patience_is_asked_for() -> None:
    rules = SessionRules("admin", "http://admin-tool", move_attempts=3)

    assert drained(rules, refused=True, works_after_s=1e9)[1] == 3
