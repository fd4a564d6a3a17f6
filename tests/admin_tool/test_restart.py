# SPDX-License-Identifier: Apache-2.0
"""The admin tool is killed at every event of a session, started again on its journal, and goes on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

DOWN_S = 0.2
"""How long the tool is down."""


def until_killed(world: Any, act: Callable[[], Any]) -> Any:
    """Do something; the tool may be killed meanwhile, and is then started again."""
    try:
        return act()
    except BaseException as error:
        if type(error).__name__ != "Killed":
            raise
        return None
    finally:
        if world.down:
            restart(world)


def play(world: Any, body: dict[str, Any], kill_after: int | None) -> dict[str, Any]:
    """Play a session, with the tool killed after so many events; return how it ended."""
    world.journal.kill_after = kill_after
    deadline = world.clock.now() + 600.0
    until_killed(world, lambda: world.begin(**body))
    (session_id,) = world.journal.session_ids()
    while not world.tool.engine.find(session_id).state.final:
        session = world.tool.engine.find(session_id)
        over = partial(lambda session: session.state.final or world.down, session)
        until_killed(world, lambda over=over: world.clock.run_until(over, deadline))
        assert world.clock.now() < deadline
    world.clock.advance(1.0)
    return dict(world.show(session_id))


def restart(world: Any) -> None:
    world.clock.advance(DOWN_S)
    world.start_tool()


def migrating(world: Any) -> dict[str, Any]:
    world.project("blue")
    world.instance = world.boot("a", "blue", "compute1")
    return {"hosts": ["compute1"]}


def live_migrating(world: Any) -> dict[str, Any]:
    world.project("blue", lambda notification, ids: dict.fromkeys(ids, "LIVE_MIGRATE"))
    world.instance = world.boot("a", "blue", "compute1")
    return {"hosts": ["compute1"]}


def rebooting(world: Any) -> dict[str, Any]:
    world.project("blue", lambda notification, ids: dict.fromkeys(ids, "LEAVE"))
    world.instance = world.boot("a", "blue", "compute1")
    return {"hosts": ["compute1"], "type": "reboot"}


def refusing(world: Any) -> dict[str, Any]:
    world.project("blue", lambda notification, ids: {"verdict": "NACK"})
    world.instance = world.boot("a", "blue", "compute1")
    return {"hosts": ["compute1"]}


PLAYS: dict[str, tuple[Callable[[Any], dict[str, Any]], str]] = {
    "migrating": (migrating, "MAINTENANCE_OVER"),
    "live migrating": (live_migrating, "MAINTENANCE_OVER"),
    "rebooting": (rebooting, "MAINTENANCE_OVER"),
    "refusing": (refusing, "MAINTENANCE_CANCELED"),
}


@pytest.mark.parametrize("name", PLAYS)
def test_a_tool_that_is_killed_at_any_event_finishes_its_session(
    name: str, make_world: Any
) -> None:
    prepare, state = PLAYS[name]
    world = make_world()
    play(world, prepare(world), None)
    events = world.journal.count

    for index in range(1, events + 1):
        world = make_world()
        view = play(world, prepare(world), index)

        place = f"killed after event {index} of {events}"
        assert view["state"] == state, place
        assert world.service("compute1") == (False, None), place
        assert world.status_of(world.instance) == "ACTIVE", place
        stayed = world.host_of(world.instance) == "compute1"
        assert stayed == (name in ("rebooting", "refusing")), place
        assert len(world.cloud.compute.migrations) <= 1, place
        expected = [("compute1", "IN_MAINTENANCE"), ("compute1", "MAINTENANCE_OVER")]
        found = list(dict.fromkeys(world.inspector))
        assert found == ([] if name == "refusing" else expected), place


def test_an_instance_that_its_migration_left_in_error_meanwhile_is_mended(make_world: Any) -> None:
    world = make_world()
    world.project("blue")
    instance = world.boot("a", "blue", "compute1")
    world.cloud.faults.add("migration_ends_in_error", {"instance": instance}, times=1)
    session_id = world.begin(hosts=["compute1"])
    world.clock.run_until(lambda: world.status_of(instance) == "RESIZE", world.clock.now() + 60)
    world.journal.kill()
    world.clock.run_until(lambda: world.status_of(instance) == "ERROR", world.clock.now() + 60)

    world.start_tool()
    view = world.finish(session_id)

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.status_of(instance) == "ACTIVE"
    assert world.host_of(instance) != "compute1"


def test_a_host_is_rebooted_once_though_the_tool_was_killed_meanwhile(make_world: Any) -> None:
    world = make_world()
    session_id = world.begin(hosts=["compute1"], type="reboot")
    reboots: list[str] = []
    world.cloud.subscribe(
        lambda event: reboots.append(str(event.fields)) if event.kind == "host" else None
    )
    world.clock.run_until(
        lambda: not world.cloud.compute.hosts["compute1"].powered, world.clock.now() + 60
    )
    boot_id = world.cloud.compute.hosts["compute1"].boot_id
    world.journal.kill()
    world.clock.advance(DOWN_S)

    world.start_tool()
    view = world.finish(session_id)

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.cloud.compute.hosts["compute1"].boot_id != boot_id
    assert len([item for item in reboots if "'powered': True" in item]) == 1


def test_a_session_that_waits_for_its_start_is_taken_up(make_world: Any) -> None:
    world = make_world()
    session_id = world.begin(hosts=["compute1"], maintenance_at="2100-01-01 01:00:00")
    world.journal.kill()

    world.clock.advance(1800.0)
    world.start_tool()
    assert world.show(session_id)["state"] == "SCHEDULED"
    world.clock.advance(1900.0)

    assert world.show(session_id)["state"] == "MAINTENANCE_OVER"


def test_a_deadline_that_passed_while_the_tool_was_down_is_taken_up(make_world: Any) -> None:
    world = make_world()
    world.project("blue", lambda notification, ids: None)
    instance = world.boot("a", "blue", "compute1")
    session_id = world.begin(hosts=["compute1"])
    world.clock.advance(1.0)
    world.journal.kill()

    world.clock.advance(3600.0)
    world.start_tool()
    view = world.finish(session_id)

    assert view["state"] == "MAINTENANCE_OVER"
    assert world.host_of(instance) != "compute1"
