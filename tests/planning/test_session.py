# SPDX-License-Identifier: Apache-2.0
"""The session decides what the guideline says, step by step; driven here with events as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from doctor_maintenance.exceptions import ConflictError, InvalidRequestError, NotFoundError
from doctor_maintenance.planning import (
    SeenInstance,
    Session,
    SessionRequest,
    SessionRules,
    operator_view,
    project_view,
)
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import (
    Action,
    MaintenanceType,
    NotificationState,
    Reply,
    SessionState,
    Verdict,
)

NOW = 1_577_836_800.0
RULES = SessionRules(admin_project_id="admin", base_url="http://admin-tool", reply_wait_s=60.0)

A1 = SeenInstance("a1", "project-a")
A2 = SeenInstance("a2", "project-a")
B1 = SeenInstance("b1", "project-b")


class Play:
    """Plays the cloud and the projects around a session: every command is answered as told.

    Args:
        instances: what is on each host at first.
        replies: what each project answers; None: nothing.
        fail: returns the reason why a command fails, or None.
    """

    def __init__(
        self,
        session: Session,
        instances: dict[str, list[SeenInstance]],
        replies: dict[str, Callable[[saw.Event | None, tuple[str, ...]], Reply | None]]
        | None = None,
        fail: Callable[[Any], str | None] = lambda command: None,
        subscribed: Iterable[str] = ("project-a", "project-b"),
        disabled_before: Iterable[str] = (),
    ) -> None:
        self.session = session
        self.instances = {host: list(items) for host, items in instances.items()}
        self.replies = replies or {}
        self.fail = fail
        self.subscribed = frozenset(subscribed)
        self.disabled = set(disabled_before)
        self.now = NOW
        self.log: list[str] = []
        self.timers: dict[str, float] = {}
        self.ended: list[SessionState] = []

    def tell(self, event: saw.Event) -> None:
        queue = self.session.handle(event, self.now)
        while queue:
            answer = self.perform(queue.pop(0))
            if answer is not None:
                queue.extend(self.session.handle(answer, self.now))

    def run(self) -> list[str]:
        """Open the session and let time pass until nothing is due."""
        self.tell(saw.Opened())
        while self.timers:
            name = min(self.timers, key=lambda item: (self.timers[item], item))
            self.now = max(self.now, self.timers.pop(name))
            self.tell(saw.TimerFired(name))
        return self.log

    def perform(self, command: do.Command) -> saw.Event | None:
        if isinstance(command, do.SetTimer):
            self.timers[command.name] = command.at
            return None
        if isinstance(command, do.CancelTimer):
            self.timers.pop(command.name, None)
            return None
        if isinstance(command, do.EndSession):
            self.log.append(f"end {command.state.value}")
            self.ended.append(command.state)
            return None
        self.log.append(_line(command))
        reason = self.fail(command)
        if reason:
            return saw.CommandFailed(command.key, reason)
        if isinstance(command, do.DisableCompute):
            before = command.host in self.disabled
            self.disabled.add(command.host)
            return saw.ComputeDisabled(command.key, before)
        if isinstance(command, do.EnableCompute):
            self.disabled.discard(command.host)
        if isinstance(command, do.Survey):
            return saw.HostSurveyed(
                command.key, tuple(self.instances[command.host]), self.subscribed
            )
        if isinstance(command, do.MoveInstance):
            self.leave(command.host, command.instance_id)
            return saw.InstanceMoved(command.key, command.instance_id, "elsewhere")
        if isinstance(command, do.NotifyProject):
            self.reply(command)
        return saw.Done(command.key)

    def leave(self, host: str, instance_id: str) -> None:
        self.instances[host] = [
            item for item in self.instances[host] if item.instance_id != instance_id
        ]

    def reply(self, command: do.NotifyProject) -> None:
        said = command.notification
        if said.state is not NotificationState.PLANNED_MAINTENANCE:
            return
        number = int(str(said.reply_url).rsplit("/", 1)[1])
        _, told = self.session.announcement(said.project_id, number)
        answer = self.replies.get(said.project_id, move)(None, told.instance_ids)
        if answer is not None and self.session.check_reply(
            said.project_id, number, answer, self.now
        ):
            self.tell_soon(saw.ReplyReceived(said.project_id, number, answer))

    def tell_soon(self, event: saw.Event) -> None:
        self.session.handle(event, self.now)


def _line(command: Any) -> str:
    if isinstance(command, do.NotifyProject):
        return f"tell {command.notification.project_id} {command.notification.state.value}"
    if isinstance(command, do.NotifyHost):
        return f"tell inspector {command.notification.host} {command.notification.state.value}"
    if isinstance(command, do.MoveInstance):
        return f"{command.action.value} {command.instance_id}"
    if isinstance(command, do.Maintain):
        return f"{command.step.value} {command.host}"
    if isinstance(command, do.RestoreInstances):
        return f"restore {','.join(command.instance_ids)}"
    return f"{type(command).__name__} {command.host}"


def answer(verdict: Verdict, action: Action) -> Callable[[Any, tuple[str, ...]], Reply]:
    def reply(_: Any, instance_ids: tuple[str, ...]) -> Reply:
        actions = dict.fromkeys(instance_ids, action) if verdict is Verdict.ACK else {}
        return Reply("sid", verdict, NotificationState.PLANNED_MAINTENANCE, actions)

    return reply


move = answer(Verdict.ACK, Action.MIGRATE)
leave = answer(Verdict.ACK, Action.LEAVE)
refuse = answer(Verdict.NACK, Action.MIGRATE)


def silent(_: Any, __: tuple[str, ...]) -> None:
    return None


def session(
    *hosts: str,
    kind: MaintenanceType = MaintenanceType.FULL,
    rules: SessionRules = RULES,
    **more: Any,
) -> Session:
    return Session(SessionRequest("sid", hosts, kind, NOW + 10, **more), rules)


def test_full_maintenance_of_one_host_follows_the_thirteen_steps() -> None:
    play = Play(session("h1"), {"h1": [A1, B1]})

    assert play.run() == [
        "DisableCompute h1",
        "Survey h1",
        "tell project-a PLANNED_MAINTENANCE",
        "tell project-b PLANNED_MAINTENANCE",
        "MIGRATE a1",
        "MIGRATE b1",
        "Survey h1",
        "tell inspector h1 IN_MAINTENANCE",
        "COMMANDS h1",
        "SERVICE h1",
        "TEST h1",
        "EnableCompute h1",
        "tell inspector h1 MAINTENANCE_OVER",
        "end MAINTENANCE_OVER",
    ]


@pytest.mark.parametrize(
    ("status", "restored"),
    [
        ("VERIFY_RESIZE", True),
        ("MIGRATING", True),
        ("REBOOT", True),
        ("SHUTOFF", False),
        ("PAUSED", False),
        ("SUSPENDED", False),
        ("ERROR", False),
    ],
)
def test_what_ran_or_was_about_to_is_to_run_again_and_what_was_off_is_not(
    status: str, restored: bool
) -> None:
    """Seed 100354193: one that another session was moving to the host stayed off after the reboot."""
    left = replace(A1, status=status)
    play = Play(session("h1", kind=MaintenanceType.REBOOT), {"h1": [left]}, {"project-a": leave})
    assert ("restore a1" in play.run()) is restored


def test_instances_left_in_place_are_told_of_both_ends_and_run_again() -> None:
    play = Play(session("h1", kind=MaintenanceType.REBOOT), {"h1": [A1, B1]}, {"project-a": leave})

    assert play.run()[4:] == [
        "MIGRATE b1",
        "Survey h1",
        "tell inspector h1 IN_MAINTENANCE",
        "tell project-a IN_MAINTENANCE",
        "COMMANDS h1",
        "REBOOT h1",
        "SERVICE h1",
        "restore a1",
        "EnableCompute h1",
        "tell inspector h1 MAINTENANCE_OVER",
        "tell project-a MAINTENANCE_OVER",
        "end MAINTENANCE_OVER",
    ]


def test_hosts_follow_one_another() -> None:
    play = Play(session("h1", "h2"), {"h1": [A1], "h2": []})

    log = play.run()

    assert log.index("tell inspector h1 MAINTENANCE_OVER") < log.index("DisableCompute h2")
    assert log[-1] == "end MAINTENANCE_OVER"


def test_a_host_with_instances_of_too_many_projects_is_canceled_before_anybody_is_told() -> None:
    for allowed, state in ((1, "MAINTENANCE_CANCELED"), (2, "MAINTENANCE_OVER")):
        rules = replace(RULES, max_projects=allowed)
        play = Play(session("h1", rules=rules), {"h1": [A1, B1]})
        log = play.run()
        assert log[-1] == f"end {state}"
        if allowed == 1:
            assert log[:-1] == ["DisableCompute h1", "Survey h1", "EnableCompute h1"]
            reason = operator_view(play.session)["hosts"][0]["reason"]
            assert reason == "the instances on the host are of 2 projects; 1 are allowed"


def test_a_refusal_touches_nothing_and_everybody_who_was_told_is_told() -> None:
    play = Play(session("h1"), {"h1": [A1, B1]}, {"project-b": refuse})

    assert play.run() == [
        "DisableCompute h1",
        "Survey h1",
        "tell project-a PLANNED_MAINTENANCE",
        "tell project-b PLANNED_MAINTENANCE",
        "EnableCompute h1",
        "tell project-a MAINTENANCE_CANCELED",
        "tell project-b MAINTENANCE_CANCELED",
        "end MAINTENANCE_CANCELED",
    ]
    assert "project-b refused" in operator_view(play.session)["hosts"][0]["reason"]


def test_without_a_reply_the_default_action_follows_at_the_deadline_and_not_before() -> None:
    play = Play(session("h1"), {"h1": [A1]}, {"project-a": silent})
    play.tell(saw.Opened())
    play.now = NOW + 10
    play.tell(saw.TimerFired("start"))

    assert play.log[-1] == "tell project-a PLANNED_MAINTENANCE"
    assert play.timers["h1/reply"] == NOW + 70

    play.now = NOW + 70
    play.timers.pop("h1/reply")
    play.tell(saw.TimerFired("h1/reply"))

    assert "LIVE_MIGRATE a1" in play.log


def test_a_project_whose_agreement_is_needed_cancels_the_host_by_its_silence() -> None:
    rules = SessionRules("admin", "http://admin-tool", only_if_agreed=frozenset({"project-a"}))
    play = Play(session("h1", rules=rules), {"h1": [A1]}, {"project-a": silent})

    log = play.run()

    assert log[-3:] == [
        "EnableCompute h1",
        "tell project-a MAINTENANCE_CANCELED",
        "end MAINTENANCE_CANCELED",
    ]


def test_a_project_without_an_alarm_is_handled_at_once_by_its_default_action() -> None:
    play = Play(session("h1"), {"h1": [A1]}, {"project-a": silent}, subscribed=())

    play.run()

    assert "LIVE_MIGRATE a1" in play.log
    assert play.now < NOW + 60


def test_a_move_is_tried_again_and_then_the_host_is_canceled() -> None:
    rules = SessionRules("admin", "http://admin-tool", move_attempts=3)
    play = Play(
        session("h1", rules=rules),
        {"h1": [A1]},
        fail=lambda command: "no valid host" if isinstance(command, do.MoveInstance) else None,
    )

    log = play.run()

    assert log.count("MIGRATE a1") == 3
    assert log[-3:] == [
        "EnableCompute h1",
        "tell project-a MAINTENANCE_CANCELED",
        "end MAINTENANCE_CANCELED",
    ]
    assert not [line for line in log if "inspector" in line]


def test_an_owner_who_does_not_act_in_time_cancels_the_host() -> None:
    own = answer(Verdict.ACK, Action.OWN_ACTION)
    play = Play(session("h1"), {"h1": [A1]}, {"project-a": own})

    log = play.run()

    assert log[-1] == "end MAINTENANCE_CANCELED"
    assert play.now == NOW + 10 + RULES.own_action_wait_s


def test_an_owner_who_acts_is_waited_for() -> None:
    own = answer(Verdict.ACK, Action.OWN_ACTION)
    play = Play(session("h1"), {"h1": [A1]}, {"project-a": own})
    play.tell(saw.Opened())
    play.now = NOW + 10
    play.tell(saw.TimerFired("start"))
    assert play.log[-1] == "Survey h1"

    play.leave("h1", "a1")
    play.now += 1
    play.timers.pop("h1/look")
    play.tell(saw.TimerFired("h1/look"))

    assert play.log[-1] == "tell inspector h1 IN_MAINTENANCE"


def test_a_host_whose_maintenance_fails_stays_disabled_and_is_named() -> None:
    play = Play(
        session("h1", "h2"),
        {"h1": [], "h2": []},
        fail=lambda command: "exit status 1" if isinstance(command, do.Maintain) else None,
    )

    assert play.run()[-2:] == ["COMMANDS h1", "end MAINTENANCE_FAILED"]
    assert play.disabled == {"h1"}
    assert [host["state"] for host in operator_view(play.session)["hosts"]] == [
        "MAINTENANCE_FAILED",
        "PENDING",
    ]


def test_the_operator_continues_a_failed_host_with_the_step_that_failed() -> None:
    broken = {"h1"}
    play = Play(
        session("h1", "h2"),
        {"h1": [], "h2": []},
        fail=lambda command: (
            "no answer"
            if getattr(command, "step", "") == "TEST" and command.host in broken
            else None
        ),
    )
    play.run()
    broken.clear()
    play.log.clear()

    play.tell(saw.OperatorContinued("h1"))
    while play.timers:
        play.tell(saw.TimerFired(play.timers.popitem()[0]))

    assert play.log[:3] == ["TEST h1", "EnableCompute h1", "tell inspector h1 MAINTENANCE_OVER"]
    assert play.ended == [SessionState.MAINTENANCE_FAILED, SessionState.MAINTENANCE_OVER]
    assert play.disabled == set()


def test_the_operator_releases_a_failed_host_and_the_session_stops() -> None:
    play = Play(
        session("h1", "h2"),
        {"h1": [], "h2": []},
        fail=lambda command: "no answer" if isinstance(command, do.Maintain) else None,
    )
    play.run()
    play.log.clear()

    play.tell(saw.OperatorReleased("h1"))

    assert play.log == [
        "EnableCompute h1",
        "tell inspector h1 MAINTENANCE_OVER",
        "end MAINTENANCE_CANCELED",
    ]


def test_only_a_failed_host_can_be_continued_or_released() -> None:
    play = Play(session("h1"), {"h1": []})
    play.run()

    with pytest.raises(ConflictError, match="h1 has not failed"):
        play.tell(saw.OperatorContinued("h1"))


def test_a_host_that_the_operator_had_disabled_stays_disabled() -> None:
    play = Play(session("h1"), {"h1": []}, disabled_before=["h1"])

    log = play.run()

    assert "EnableCompute h1" not in log
    assert log[-1] == "end MAINTENANCE_OVER"


def test_cancelling_before_the_start_does_nothing_at_all() -> None:
    play = Play(session("h1"), {"h1": [A1]})
    play.tell(saw.Opened())

    play.tell(saw.OperatorCanceled())

    assert play.log == ["end MAINTENANCE_CANCELED"]
    assert play.timers == {}


def test_cancelling_while_a_project_thinks_retracts_what_it_was_told() -> None:
    play = Play(session("h1", "h2"), {"h1": [A1], "h2": []}, {"project-a": silent})
    play.tell(saw.Opened())
    play.tell(saw.TimerFired("start"))

    play.tell(saw.OperatorCanceled())

    assert play.log[-3:] == [
        "EnableCompute h1",
        "tell project-a MAINTENANCE_CANCELED",
        "end MAINTENANCE_CANCELED",
    ]
    assert "h1/reply" not in play.timers


def test_cancelling_waits_for_a_move_that_is_under_way() -> None:
    one = session("h1")
    play = Play(one, {"h1": [A1]}, {"project-a": move})
    play.session.handle(saw.Opened(), NOW)
    (disable,) = one.handle(saw.TimerFired("start"), NOW)
    (survey,) = one.handle(saw.ComputeDisabled(disable.key, False), NOW)  # type: ignore[union-attr]
    (tell,) = one.handle(
        saw.HostSurveyed(survey.key, (A1,), frozenset({"project-a"})),  # type: ignore[union-attr]
        NOW,
    )
    one.handle(saw.Done(tell.key), NOW)  # type: ignore[union-attr]
    reply = saw.ReplyReceived("project-a", 1, move(None, ("a1",)))
    moving = next(c for c in one.handle(reply, NOW) if isinstance(c, do.MoveInstance))

    before = one.handle(saw.OperatorCanceled(), NOW)
    after = one.handle(saw.InstanceMoved(moving.key, "a1", "h2"), NOW)

    assert not [command for command in before if isinstance(command, do.EnableCompute)]
    assert [type(command) for command in after] == [do.EnableCompute]


def test_only_the_affected_part_of_a_host_is_named_and_moved() -> None:
    play = Play(session("h1", affected={"h1": frozenset({"a2"})}), {"h1": [A1, A2, B1]})

    log = play.run()

    assert "MIGRATE a2" in log
    assert not [line for line in log if "project-b" in line or "a1" in line]
    assert log[-1] == "end MAINTENANCE_OVER"


def _waiting(kind: MaintenanceType = MaintenanceType.FULL) -> Session:
    one = session("h1", kind=kind)
    play = Play(one, {"h1": [A1, A2]}, {"project-a": silent})
    play.tell(saw.Opened())
    play.tell(saw.TimerFired("start"))
    return one


def ack(**actions: Action) -> Reply:
    return Reply("sid", Verdict.ACK, NotificationState.PLANNED_MAINTENANCE, actions)


def test_the_same_reply_again_is_accepted_without_effect() -> None:
    one = _waiting()
    reply = ack(a1=Action.MIGRATE, a2=Action.MIGRATE)
    assert one.check_reply("project-a", 1, reply, NOW)
    one.handle(saw.ReplyReceived("project-a", 1, reply), NOW)

    assert not one.check_reply("project-a", 1, reply, NOW)


def test_another_reply_after_an_accepted_one_is_a_conflict() -> None:
    one = _waiting()
    one.handle(saw.ReplyReceived("project-a", 1, ack(a1=Action.MIGRATE)), NOW)

    with pytest.raises(ConflictError, match="another reply was accepted"):
        one.check_reply("project-a", 1, ack(a1=Action.LIVE_MIGRATE), NOW)


def test_a_late_reply_is_a_conflict() -> None:
    with pytest.raises(ConflictError, match="late"):
        _waiting().check_reply("project-a", 1, ack(a1=Action.MIGRATE), NOW + 1000)


def test_leaving_an_instance_is_refused_for_full_maintenance() -> None:
    with pytest.raises(InvalidRequestError, match="LEAVE is not allowed for full"):
        _waiting().check_reply("project-a", 1, ack(a1=Action.LEAVE), NOW)

    assert _waiting(MaintenanceType.REBOOT).check_reply("project-a", 1, ack(a1=Action.LEAVE), NOW)


def test_an_instance_that_is_not_concerned_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="found 1 more"):
        _waiting().check_reply("project-a", 1, ack(b1=Action.MIGRATE), NOW)


def test_an_unknown_announcement_and_a_foreign_one_are_answered_alike() -> None:
    one = _waiting()
    with pytest.raises(NotFoundError) as unknown:
        one.check_reply("project-a", 2, ack(), NOW)
    with pytest.raises(NotFoundError) as foreign:
        one.check_reply("project-b", 1, ack(), NOW)

    assert str(unknown.value) == str(foreign.value)


def test_an_old_reply_does_not_answer_for_a_later_host() -> None:
    one = session("h1", "h2")
    play = Play(one, {"h1": [A1], "h2": [A2]})
    play.replies["project-a"] = lambda _, ids: move(None, ids) if "a1" in ids else None
    play.tell(saw.Opened())
    play.tell(saw.TimerFired("start"))
    play.tell(saw.TimerFired("h1/settle"))
    assert one.works["h2"].announcements["project-a"].waiting

    again = move(None, ("a1",))

    assert not one.check_reply("project-a", 1, again, NOW)
    with pytest.raises(InvalidRequestError):
        one.check_reply("project-a", 2, again, NOW)


def test_a_project_sees_neither_hosts_nor_other_projects() -> None:
    play = Play(session("host-one"), {"host-one": [A1, B1]})
    play.run()

    text = str(project_view(play.session, "project-a"))

    assert "host-one" not in text
    assert "project-b" not in text
    assert "b1" not in text


def test_a_session_replayed_from_its_events_is_in_the_same_state() -> None:
    events: list[tuple[saw.Event, float]] = []
    one = session("h1", "h2", kind=MaintenanceType.REBOOT)
    handle = one.handle

    def recording(event: saw.Event, now: float) -> list[do.Command]:
        events.append((event, now))
        return handle(event, now)

    one.handle = recording  # type: ignore[method-assign]
    Play(one, {"h1": [A1], "h2": [A2, B1]}, {"project-b": leave}).run()
    again = session("h1", "h2", kind=MaintenanceType.REBOOT)

    for event, now in events:
        again.handle(event, now)

    assert operator_view(again) == operator_view(one)
    assert again.outstanding == ()


def test_what_was_asked_for_and_not_answered_is_outstanding() -> None:
    one = session("h1")
    one.handle(saw.Opened(), NOW)
    one.handle(saw.TimerFired("start"), NOW)

    assert [type(command) for command in one.outstanding] == [do.DisableCompute]


def test_a_session_names_each_host_once() -> None:
    with pytest.raises(InvalidRequestError, match="found twice: h1"):
        session("h1", "h1")
