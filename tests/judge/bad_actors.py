# SPDX-License-Identifier: Apache-2.0
"""One bad actor for every clause: a correct trace, spoilt in the one way that the clause forbids.

Where a deed cannot help breaking a second rule, ``also`` says which. To add one, write a function that
spoils a tape, and enter it with the clause that must catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .stage import SESSION, Entry, Project
from .tape import Tape

P1, P2 = Project(1), Project(2)
OTHER_SESSION = SESSION[:-1] + "2"
APP_1, APP_2 = f"app_manager:{P1.project_id}", f"app_manager:{P2.project_id}"
Spoil = Callable[[Tape], None]


@dataclass(frozen=True)
class BadActor:
    """Somebody who breaks a rule.

    Attributes:
        clause: which clause catches it.
        scene: the correct trace that it spoils.
        spoil: what it does.
        also: other clauses that it cannot help breaking.
    """

    clause: str
    scene: str
    spoil: Spoil
    also: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Its name: what it does."""
        return self.spoil.__name__


ACTORS: list[BadActor] = []


def breaks(clause: str, scene: str, also: tuple[str, ...] = ()) -> Callable[[Spoil], Spoil]:
    """Enter a bad actor."""

    def enter(spoil: Spoil) -> Spoil:
        ACTORS.append(BadActor(clause, scene, spoil, frozenset(also)))
        return spoil

    return enter


def told(
    tape: Tape, state: str, project: Project | None = None, host: str | None = None, place: int = 0
) -> Entry:
    """Return the arrival of a notification for a project, or of a host event."""
    if host is not None:
        return tape.one("notification", source="inspector", state=state, host=host)
    project = project or P1
    source = f"app_manager:{project.project_id}"
    return tape.one("notification", place, source=source, state=state)


def replied(tape: Tape, project: Project = P1, place: int = 0) -> Entry:
    return tape.one("reply", place, project_id=project.project_id)


def enabled(tape: Tape, host: str) -> Entry:
    return tape.all("service", host=host, status="enabled")[-1]


def disabled(tape: Tape, host: str) -> Entry:
    return tape.one("service", host=host, status="disabled")


def send(tape: Tape, like: Entry, after: Entry, **changes: object) -> None:
    """Publish a notification like another, a moment after something."""
    changes = {"message_id": f"extra-{len(tape.records)}", **changes}
    project = changes.get("project_id", like["project_id"])
    for name in ("instance_ids", "reply_url"):
        if name in like:
            changes[name] = like[name].replace(like["project_id"], str(project))
    arrival = {"source": f"app_manager:{project}", **changes}
    shift = after["at"] + 0.001 - like["at"]
    tape.add_after(like, shift, **{**changes, "source": "bus"})
    tape.add_after(like, shift + 0.001, generated=after["at"] + 0.001, **arrival)


def never_stopped(tape: Tape, instance_id: str) -> None:
    """Let Nova never have noticed that an instance stopped."""
    for stopped in tape.all("instance", instance_id=instance_id, status="SHUTOFF"):
        later = [
            item
            for item in tape.all("instance", instance_id=instance_id)
            if item["at"] > stopped["at"]
        ]
        tape.drop(stopped, later[0])


def tries_to_move(tape: Tape, after: Entry, instance_id: str, host: str) -> None:
    """Add a migration that fails at once."""
    fields = {
        "migration_id": "extra",
        "instance_id": instance_id,
        "type": "live-migration",
        "source_compute": host,
    }
    tape.add(after["at"] + 0.001, "nova", "migration", status="accepted", **fields)
    tape.add(after["at"] + 0.002, "nova", "migration", status="error", **fields)


# Order


@breaks("order.disable_before_planned", "full")
def tells_before_it_disables(tape: Tape) -> None:
    tape.move(disabled(tape, "compute-1"), told(tape, "PLANNED_MAINTENANCE")["at"] + 0.01)


@breaks("order.disable_before_planned", "full")
def never_disables(tape: Tape) -> None:
    tape.drop(*tape.all("service", host="compute-2", status="disabled"))
    tape.drop(tape.all("service", host="compute-2", status="enabled")[-1])


@breaks("order.told_before_reply", "full")
def takes_a_reply_to_nothing(tape: Tape) -> None:
    tape.add_after(replied(tape), disabled(tape, "compute-1")["at"] - replied(tape)["at"])


@breaks("order.moved_before_in_maintenance", "reboot_two_projects")
def goes_on_before_a_migration_is_confirmed(tape: Tape) -> None:
    later = told(tape, "IN_MAINTENANCE", host="compute-1")["at"]
    confirmed = tape.one("migration", status="confirmed")
    active = tape.one("instance", instance_id=confirmed["instance_id"], status="VERIFY_RESIZE")
    settled = [
        item
        for item in tape.all("instance", instance_id=confirmed["instance_id"], status="ACTIVE")
        if item["at"] > active["at"]
    ]
    tape.move(confirmed, later + 0.02)
    tape.move(settled[0], later + 0.01)


@breaks("order.inspector_before_projects", "reboot")
def tells_projects_before_the_inspector(tape: Tape) -> None:
    later = told(tape, "IN_MAINTENANCE")["at"]
    tape.move_message(told(tape, "IN_MAINTENANCE", host="compute-1")["message_id"], later + 0.001)
    tape.move(tape.one("inspector", host="compute-1", action="stand_down"), later + 0.01)


@breaks("order.told_before_work", "full")
def works_before_it_tells(tape: Tape) -> None:
    work = tape.one("ssh", host="compute-1", check="maintenance")
    tape.move(work, told(tape, "IN_MAINTENANCE", host="compute-1")["generated"] - 0.01)


@breaks("order.work_before_enable", "full")
def tests_after_it_enabled(tape: Tape) -> None:
    tape.move(
        tape.one("ssh", host="compute-1", check="test"), enabled(tape, "compute-1")["at"] + 0.01
    )


@breaks("order.in_maintenance_before_enable", "full")
def enables_before_the_maintenance(tape: Tape) -> None:
    tape.drop(*tape.all("ssh", check="maintenance"), *tape.all("ssh", check="test"))
    step_7 = told(tape, "IN_MAINTENANCE", host="compute-1")
    tape.move(enabled(tape, "compute-1"), step_7["generated"] - 0.01)


@breaks("order.enable_before_over", "full")
def enables_after_it_said_over(tape: Tape) -> None:
    over = told(tape, "MAINTENANCE_OVER", host="compute-1")
    tape.move(enabled(tape, "compute-1"), over["at"] + 0.01)


@breaks("order.inspector_over_before_projects", "reboot")
def tells_projects_over_before_the_inspector(tape: Tape) -> None:
    later = told(tape, "MAINTENANCE_OVER")["at"]
    over = told(tape, "MAINTENANCE_OVER", host="compute-1")
    tape.move_message(over["message_id"], later + 0.001)
    tape.move(tape.one("inspector", host="compute-1", action="resume"), later + 0.01)


# Who is told


@breaks("told.planned", "reboot_two_projects")
def forgets_a_project(tape: Tape) -> None:
    tape.drop_message(told(tape, "PLANNED_MAINTENANCE", place=2)["message_id"])
    tape.drop(replied(tape, place=2))
    never_stopped(tape, P1.instance_id(2))


@breaks("told.planned_only", "two_projects_apart")
def tells_a_project_with_nothing_there(tape: Tape) -> None:
    like = told(tape, "PLANNED_MAINTENANCE")
    send(tape, like, like, project_id=P2.project_id, instances=[])
    reply = replied(tape)
    tape.add_after(reply, source=APP_2, project_id=P2.project_id, instance_actions={})


@breaks("told.lists_instances", "full")
def leaves_an_instance_out_of_the_list(tape: Tape) -> None:
    for seen in tape.all(
        "notification", message_id=told(tape, "PLANNED_MAINTENANCE")["message_id"]
    ):
        seen["instances"] = []


@breaks("told.lists_instances", "full")
def lists_an_instance_that_is_elsewhere(tape: Tape) -> None:
    for seen in tape.all(
        "notification", message_id=told(tape, "PLANNED_MAINTENANCE")["message_id"]
    ):
        seen["instances"] = [*seen["instances"], P1.instance_id(2)]


@breaks("told.in_maintenance", "reboot")
def forgets_who_left_an_instance(tape: Tape) -> None:
    tape.drop_message(told(tape, "IN_MAINTENANCE")["message_id"])


@breaks("told.in_maintenance_only", "failed_full")
def tells_who_has_nothing_left_there(tape: Tape) -> None:
    like = told(tape, "PLANNED_MAINTENANCE", place=1)
    step_7 = told(tape, "IN_MAINTENANCE", host="compute-2")
    send(tape, like, step_7, state="IN_MAINTENANCE")


@breaks("told.over", "reboot")
def never_says_over(tape: Tape) -> None:
    tape.drop_message(told(tape, "MAINTENANCE_OVER")["message_id"])


@breaks("told.over_only", "full")
def says_over_to_who_had_nothing_there(tape: Tape) -> None:
    over = told(tape, "MAINTENANCE_OVER", host="compute-1")
    send(tape, told(tape, "PLANNED_MAINTENANCE"), over, state="MAINTENANCE_OVER")


@breaks("told.canceled", "canceled")
def cancels_in_silence(tape: Tape) -> None:
    tape.drop_message(told(tape, "MAINTENANCE_CANCELED", P2)["message_id"])


@breaks("told.canceled_only", "canceled_apart")
def cancels_what_nobody_announced(tape: Tape) -> None:
    canceled = told(tape, "MAINTENANCE_CANCELED")
    send(tape, canceled, canceled, project_id=P2.project_id)


@breaks("told.canceled_excludes_maintenance", "canceled")
def works_on_a_canceled_host(tape: Tape) -> None:
    tape.add(
        enabled(tape, "compute-2")["at"] - 0.01,
        "ssh",
        "ssh",
        host="compute-2",
        check="maintenance",
        phase="during",
        ok=True,
    )


@breaks(
    "told.canceled_excludes_maintenance",
    "canceled",
    also=("hosts.emptied", "actions.as_told", "told.in_maintenance"),
)
def tells_the_inspector_before_it_cancels(tape: Tape) -> None:
    like = tape.one("notification", source="inspector", host="compute-1", state="IN_MAINTENANCE")
    shift = enabled(tape, "compute-2")["at"] - 0.01 - like["at"]
    tape.add_after(like, shift, host="compute-2", message_id="extra", source="bus")
    tape.add_after(like, shift + 0.001, host="compute-2", message_id="extra")
    stood_down = tape.one("inspector", host="compute-1", action="stand_down")
    tape.add_after(stood_down, shift + 0.001, host="compute-2")


@breaks("told.arrives", "full")
def loses_an_alarm(tape: Tape) -> None:
    tape.drop(told(tape, "PLANNED_MAINTENANCE"))


@breaks("told.arrives", "full")
def loses_the_inspectors_alarm(tape: Tape) -> None:
    tape.drop(told(tape, "MAINTENANCE_OVER", host="compute-1"))


# What messages say


@breaks("message.complete", "full")
def does_not_say_where_to_reply(tape: Tape) -> None:
    for seen in tape.all(
        "notification", message_id=told(tape, "PLANNED_MAINTENANCE")["message_id"]
    ):
        del seen["reply_url"]


@breaks("message.complete", "full")
def says_the_wrong_type(tape: Tape) -> None:
    for seen in tape.all(
        "notification", message_id=told(tape, "PLANNED_MAINTENANCE")["message_id"]
    ):
        seen["type"] = "reboot"


@breaks("message.same_content", "full")
def says_another_time_the_second_time(tape: Tape) -> None:
    planned = told(tape, "PLANNED_MAINTENANCE")
    send(tape, planned, planned, actions_at=planned["actions_at"] + 60)


@breaks("message.same_content", "full")
def changes_a_message_on_its_way(tape: Tape) -> None:
    told(tape, "PLANNED_MAINTENANCE")["actions_at"] += 60


@breaks("message.one_session_id", "full")
def disables_without_saying_for_which_session(tape: Tape) -> None:
    disabled(tape, "compute-1")["reason"] = "maintenance"


@breaks(
    "message.one_session_id",
    "full",
    also=("consent.before_action", "consent.answered_or_deadline", "order.told_before_reply"),
)
def takes_the_reply_to_another_session(tape: Tape) -> None:
    tape.add_after(tape.all("session")[-1], session_id=OTHER_SESSION, hosts={})
    asked = told(tape, "PLANNED_MAINTENANCE", P1)
    replied(tape).update(session_id=OTHER_SESSION, reply_url=asked["reply_url"])


@breaks("message.one_session_id", "full")
def ends_with_another_session_id(tape: Tape) -> None:
    over = told(tape, "MAINTENANCE_OVER", host="compute-1")
    for seen in tape.all("notification", message_id=over["message_id"]):
        seen["session_id"] = "another"


# Consent


@breaks("consent.before_action", "full")
def migrates_before_the_ack(tape: Tape) -> None:
    reply = replied(tape)
    tape.move(tape.one("migration", status="accepted"), reply["not_before"] - 0.02)
    tape.move(tape.one("instance", status="MIGRATING"), reply["not_before"] - 0.01)


@breaks("consent.before_action", "full", also=("consent.answered_or_deadline",))
def takes_the_ack_of_the_first_host_for_the_second(tape: Tape) -> None:
    tape.drop(replied(tape, place=1))


@breaks("consent.answered_or_deadline", "reboot")
def does_not_wait_for_a_reply(tape: Tape) -> None:
    tape.drop(replied(tape, place=2))
    never_stopped(tape, P1.instance_id(2))


@breaks("consent.refused", "refused", also=("consent.before_action",))
def moves_what_was_refused(tape: Tape) -> None:
    tries_to_move(tape, replied(tape, P2), P2.instance_id(1), "compute-1")


@breaks("consent.only_if_agreed", "silent_careful")
def moves_what_nobody_agreed_to(tape: Tape) -> None:
    before = {"at": enabled(tape, "compute-1")["at"] - 0.01}
    tries_to_move(tape, before, P1.instance_id(0), "compute-1")


@breaks("consent.late_reply", "silent")
def takes_a_late_reply(tape: Tape) -> None:
    planned = told(tape, "PLANNED_MAINTENANCE")
    tape.add(
        planned["reply_at"] + 0.1,
        APP_1,
        "reply",
        session_id=SESSION,
        project_id=P1.project_id,
        state="ACK_PLANNED_MAINTENANCE",
        instance_actions={P1.instance_id(0): "LIVE_MIGRATE"},
        status=200,
    )


@breaks("consent.one_reply", "full")
def takes_another_reply(tape: Tape) -> None:
    tape.add_after(replied(tape), instance_actions={P1.instance_id(0): "MIGRATE"})


# Actions


@breaks("actions.no_leave_for_full", "full")
def offers_leave_for_full(tape: Tape) -> None:
    for seen in tape.all(
        "notification", message_id=told(tape, "PLANNED_MAINTENANCE")["message_id"]
    ):
        seen["allowed_actions"] = [*seen["allowed_actions"], "LEAVE"]


@breaks("actions.no_leave_for_full", "full", also=("actions.allowed", "actions.as_told"))
def takes_leave_for_full(tape: Tape) -> None:
    replied(tape)["instance_actions"] = {P1.instance_id(0): "LEAVE"}


@breaks("actions.allowed", "two_projects")
def takes_a_reply_for_a_foreign_instance(tape: Tape) -> None:
    replied(tape)["instance_actions"][P2.instance_id(0)] = "MIGRATE"


@breaks("actions.as_told", "full")
def migrates_cold_what_should_migrate_live(tape: Tape) -> None:
    for record in tape.all("migration", migration_id="migration-1"):
        record["type"] = "migration"


@breaks("actions.only_affected", "partial")
def moves_what_is_not_affected(tape: Tape) -> None:
    tries_to_move(tape, replied(tape), P1.instance_id(2), "compute-1")


# Hosts


@breaks("hosts.emptied", "full")
def overlooks_a_stranger(tape: Tape) -> None:
    first = tape.one("instance")
    stranger = {"instance_id": "stranger", "name": "stranger", "project_id": "9" * 32}
    tape.add_after(first, **stranger)


@breaks("hosts.emptied", "full", also=("told.in_maintenance", "told.lists_instances"))
def goes_on_with_an_instance_on_the_host(tape: Tape) -> None:
    source = tape.one("migration", migration_id="migration-1")["source_compute"]
    for record in tape.all("migration", migration_id="migration-1", status="completed"):
        record["status"] = "error"
    for record in tape.all("instance", instance_id=P1.instance_id(0)):
        record["host"] = source


@breaks("hosts.one_at_a_time", "full")
def disables_the_next_host_early(tape: Tape) -> None:
    tape.move(disabled(tape, "compute-2"), disabled(tape, "compute-1")["at"] + 0.01)


@breaks("hosts.reachable", "full")
def leaves_a_host_that_does_not_answer(tape: Tape) -> None:
    tape.one("ssh", host="compute-1", check="reachable", phase="after")["ok"] = False


@breaks("hosts.compute_active", "full")
def leaves_a_dead_service(tape: Tape) -> None:
    tape.one("ssh", host="compute-1", check="compute", phase="after").update(
        ok=False, value="failed"
    )


@breaks("hosts.no_guests", "full")
def leaves_a_guest_that_nova_does_not_know(tape: Tape) -> None:
    guests = tape.one("ssh", host="compute-1", check="guests")
    guests.update(ok=False, value=["11111111-0000-4000-8000-00000000000f"])


@breaks("hosts.rebooted", "reboot")
def does_not_reboot(tape: Tape) -> None:
    before = tape.one("ssh", host="compute-1", check="boot_id", phase="before")
    tape.one("ssh", host="compute-1", check="boot_id", phase="after")["value"] = before["value"]


@breaks("hosts.worked", "full")
def does_nothing_on_a_host(tape: Tape) -> None:
    tape.drop(*tape.all("ssh", host="compute-2", check="maintenance"))


@breaks("hosts.tested", "full")
def ignores_a_failed_test(tape: Tape) -> None:
    tape.one("ssh", host="compute-2", check="test")["ok"] = False


# The inspector


@breaks("inspector.told", "full")
def does_not_stand_down(tape: Tape) -> None:
    tape.drop(tape.one("inspector", host="compute-1", action="stand_down"))


@breaks("inspector.told", "full")
def does_not_come_back(tape: Tape) -> None:
    tape.drop(tape.one("inspector", host="compute-1", action="resume"))


@breaks("inspector.stands_down", "two_projects")
def acts_on_a_host_in_maintenance(tape: Tape) -> None:
    tape.one("inspector", host="compute-1", action="ignored")["action"] = "acted"


@breaks("inspector.acts_again", "two_projects")
def ignores_a_fault_after_maintenance(tape: Tape) -> None:
    tape.one("inspector", host="compute-2", action="acted")["action"] = "ignored"


# The service


@breaks("service.no_gap", "full")
def does_not_answer_for_a_while(tape: Tape) -> None:
    probe = tape.one("probe")
    moved = tape.one("address", place=1)
    gap = {"lower_s": 0.12, "upper_s": 0.14, "from": moved["at"] - 0.06, "to": moved["at"] + 0.08}
    probe.update(lost=13, gaps=[gap], longest_gap=gap)


@breaks("service.watched", "full")
def stops_watching(tape: Tape) -> None:
    tape.one("probe")["answers"][0]["to"] = enabled(tape, "compute-1")["at"]


@breaks("service.active_runs", "full")
def lets_the_address_go(tape: Tape) -> None:
    moved = tape.one("address", place=1)
    tape.add_after(moved, -0.02, instance_id=None)


@breaks("service.active_elsewhere", "reboot")
def leaves_the_active_instance(tape: Tape) -> None:
    tape.drop(tape.one("address", place=1))
    never_stopped(tape, P1.instance_id(0))


@breaks("service.pair_apart", "reboot")
def puts_both_on_one_host(tape: Tape) -> None:
    tape.drop(*tape.all("address"))
    tape.one("scenario")["projects"][P1.project_id]["impacted_at_once"] = 2
    step_7 = told(tape, "IN_MAINTENANCE", host="compute-1")
    standby = tape.one("instance", instance_id=P1.instance_id(1))
    begin = step_7["at"] + 0.01
    tape.add_after(standby, begin - standby["at"], host="compute-1")
    tape.add_after(standby, begin + 0.02 - standby["at"])


@breaks("service.impacted_at_once", "full")
def moves_both_at_once(tape: Tape) -> None:
    migrating = tape.one("instance", status="MIGRATING", instance_id=P1.instance_id(0))
    other = tape.one("instance", instance_id=P1.instance_id(1))
    tape.add_after(other, migrating["at"] + 0.01 - other["at"], status="MIGRATING")
    tape.add_after(other, migrating["at"] + 0.02 - other["at"], status="ACTIVE")


# Nothing lost


@breaks("lost.no_instance", "full")
def leaves_an_instance_in_error(tape: Tape) -> None:
    last = tape.all("instance", instance_id=P1.instance_id(2))[-1]
    tape.add_after(last, tape.records[-1]["at"] - last["at"], status="ERROR")


@breaks("lost.no_instance", "full")
def deletes_an_instance(tape: Tape) -> None:
    last = tape.all("instance", instance_id=P1.instance_id(2))[-1]
    tape.add_after(last, tape.records[-1]["at"] - last["at"], status="DELETED", host=None)


@breaks("lost.no_service", "canceled_last")
def forgets_to_enable_a_canceled_host(tape: Tape) -> None:
    tape.drop(enabled(tape, "compute-3"))


@breaks("lost.operator_disabled_stays", "operator_disabled")
def enables_what_an_operator_disabled(tape: Tape) -> None:
    over = told(tape, "MAINTENANCE_OVER", host="compute-2")
    tape.add_after(disabled(tape, "compute-2"), 0.0, at=over["at"] + 0.01, status="enabled")


@breaks("session.ends", "two_projects")
def never_ends(tape: Tape) -> None:
    tape.all("session")[-1]["state"] = "IN_MAINTENANCE"


@breaks("session.covers_hosts", "two_projects")
def leaves_a_host_out(tape: Tape) -> None:
    for record in tape.all("session"):
        del record["hosts"]["compute-3"]


@breaks("session.one_a_host", "full", also=("session.hosts_fit_events",))
def begins_another_session_on_a_host_of_this_one(tape: Tape) -> None:
    said = tape.all("session")
    tape.add_after(said[0], session_id=OTHER_SESSION, hosts={"compute-1": "PENDING"})
    over = {"compute-1": "MAINTENANCE_OVER"}
    tape.add_after(said[-1], session_id=OTHER_SESSION, hosts=over)


@breaks("session.state_fits_hosts", "canceled")
def calls_a_canceled_session_over(tape: Tape) -> None:
    tape.all("session")[-1]["state"] = "MAINTENANCE_OVER"


@breaks("session.hosts_fit_events", "canceled", also=("hosts.worked", "hosts.tested"))
def calls_a_skipped_host_maintained(tape: Tape) -> None:
    for record in tape.all("session"):
        record["hosts"]["compute-2"] = "MAINTENANCE_OVER"
    tape.all("session")[-1]["state"] = "MAINTENANCE_OVER"


# Privacy


@breaks("privacy.no_host", "full")
def lets_a_project_read_a_host(tape: Tape) -> None:
    tape.one("readable")["text"] = '{"instances": {"1": "moved to Compute-3"}}'


@breaks("privacy.no_other_project", "two_projects")
def lets_a_project_read_of_another(tape: Tape) -> None:
    tape.one("readable", source=APP_1)["text"] = f'{{"instances": ["{P2.instance_id(0)}"]}}'


@breaks("privacy.routing", "full")
def gives_a_host_event_to_a_project(tape: Tape) -> None:
    step_7 = told(tape, "IN_MAINTENANCE", host="compute-1")
    for seen in tape.all("notification", message_id=step_7["message_id"]):
        seen["project_id"] = P1.project_id
