# SPDX-License-Identifier: Apache-2.0
"""Makes traces of maintenance that goes by the book: what honest witnesses write when everybody is honest.

It knows the guideline and nothing of the judge, so that a correct trace which the judge condemns, or a
spoilt one which it passes, is the judge's mistake. A bad actor is a change to such a trace.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

START = 1_600_000_000.0
SESSION = "5e551017-0000-4000-8000-000000000001"
ADMIN_PROJECT = "ad" * 16
HOSTS = ("compute-1", "compute-2", "compute-3", "compute-4")
ALLOWED = {
    "full": ["MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"],
    "reboot": ["MIGRATE", "LIVE_MIGRATE", "LEAVE", "OWN_ACTION"],
}

Entry = dict[str, Any]


@dataclass
class Guest:
    """An instance, as the stage keeps it."""

    instance_id: str
    name: str
    project_id: str
    host: str


@dataclass
class Project:
    """A project with an ACT-STBY pair, single instances and an app manager.

    Attributes:
        number: 1, 2, …: IDs follow from it.
        action: what its app manager asks for.
        replies: ``ACK``, ``NACK`` or None (silent).
        only_if_agreed: whether silence cancels.
        default_action: what is done without a reply.
        on: the hosts of active, standby and the single instances.
    """

    number: int = 1
    action: str = "LIVE_MIGRATE"
    replies: str | None = "ACK"
    only_if_agreed: bool = False
    default_action: str | None = "MIGRATE"
    on: Sequence[str] = ("compute-1", "compute-2", "compute-3")
    guests: list[Guest] = field(default_factory=list, repr=False)
    active: Guest | None = field(default=None, repr=False)

    @property
    def project_id(self) -> str:
        return f"{self.number:x}" * 32

    @property
    def address(self) -> str:
        return f"10.9.0.{self.number}"

    def instance_id(self, place: int) -> str:
        return f"{self.number:08x}-0000-4000-8000-{place:012x}"


@dataclass
class Stage:
    """One session over some hosts, step by step.

    Attributes:
        type: ``full`` or ``reboot``.
        projects: who is on the cloud.
        hosts: which hosts are maintained.
        outcomes: for hosts that end otherwise than well: ``canceled`` or ``failed``.
        operator_disabled: hosts that an operator had disabled before.
        faults: hosts of which a fault is reported during maintenance.
        bus: whether somebody watches the bus.
        tick_s: how far apart things happen.
        affected: the affected instances of each host, if only parts of hosts are.
        exact: what the scenario record says of the witnesses.
        power: whether somebody sees the hosts themselves go down and come up.
    """

    type: str = "full"
    projects: list[Project] = field(default_factory=lambda: [Project()])
    hosts: Sequence[str] = HOSTS[:3]
    outcomes: Mapping[str, str] = field(default_factory=dict)
    operator_disabled: Sequence[str] = ()
    faults: Sequence[str] = ()
    late_faults: Sequence[str] = ()
    bus: bool = True
    tick_s: float = 0.05
    affected: Mapping[str, list[str]] | None = None
    exact: bool = False
    power: bool = True
    expect: Mapping[str, Any] = field(default_factory=dict, repr=False)
    records: list[Entry] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.now = START
        self.messages = 0
        self.migrations = 0
        self.created = 100
        self.patience_s = max(30.0, 200 * self.tick_s)
        self.host_states = dict.fromkeys(self.hosts, "PENDING")
        self.boots = dict.fromkeys(HOSTS, 1)
        for project in self.projects:
            project.guests = [
                Guest(project.instance_id(place), f"app-{place}", project.project_id, host)
                for place, host in enumerate(project.on)
            ]
            project.active = project.guests[0]
        if self.affected == {}:
            pair = [guest for project in self.projects for guest in project.guests[:2]]
            self.affected = {
                host: [guest.instance_id for guest in pair if guest.host == host]
                for host in self.hosts
            }

    # What witnesses write

    def add(self, source: str, kind: str, **fields: Any) -> Entry:
        self.now += self.tick_s
        entry = {"at": self.now, "source": source, "kind": kind, **fields}
        self.records.append(entry)
        return entry

    def service(self, host: str, status: str, reason: str | None = None) -> None:
        self.add("nova", "service", host=host, status=status, state="up", reason=reason)

    def instance(self, guest: Guest, status: str, **fields: Any) -> None:
        told = {
            "instance_id": guest.instance_id,
            "name": guest.name,
            "project_id": guest.project_id,
            "host": guest.host,
            "status": status,
        }
        self.add("nova", "instance", **{**told, **fields})

    def ssh(self, host: str, check: str, phase: str, value: object, ok: bool = True) -> None:
        self.add("ssh", "ssh", host=host, check=check, phase=phase, value=value, ok=ok)

    def session(self, state: str) -> None:
        self.add(
            "admin_tool",
            "session",
            session_id=SESSION,
            state=state,
            hosts=dict(self.host_states),
        )

    def publish(self, receiver: str, **content: Any) -> None:
        """Send a notification: seen on the bus, and where it arrives."""
        self.messages += 1
        content = {
            "message_id": f"message-{self.messages}",
            "generated": self.now + self.tick_s,
            "session_id": SESSION,
            **content,
        }
        if self.bus:
            self.add("bus", "notification", **content)
        else:
            self.now += self.tick_s
        self.add(receiver, "notification", **content)

    def tell_host(self, host: str, state: str, action: str) -> None:
        self.publish(
            "inspector",
            event_type="maintenance.host",
            project_id=ADMIN_PROJECT,
            host=host,
            state=state,
            service="admin_tool",
        )
        self.add("inspector", "inspector", action=action, host=host, session_id=SESSION)

    def tell_project(self, project: Project, number: str, state: str, **content: Any) -> None:
        url = f"http://admin.tool/v1/maintenance/{SESSION}/{project.project_id}/{number}"
        self.publish(
            f"app_manager:{project.project_id}",
            event_type="maintenance.scheduled",
            project_id=project.project_id,
            state=state,
            type=self.type,
            instance_ids=url,
            **content,
        )
        text = json.dumps({"state": state, "session_id": SESSION, "project": project.project_id})
        self.add(
            f"app_manager:{project.project_id}",
            "readable",
            project_id=project.project_id,
            where="alarm",
            text=text,
        )

    # The play

    def play(self) -> list[Entry]:
        """Play it all and return what was written."""
        self._begin()
        for place, host in enumerate(self.hosts):
            self._maintain(host, str(place))
            if self.outcomes.get(host) == "failed":
                break
        self._end()
        return self.records

    def _begin(self) -> None:
        self.add(
            "runner",
            "scenario",
            name="by the book",
            type=self.type,
            hosts=list(self.hosts),
            operator_disabled=list(self.operator_disabled),
            projects={
                project.project_id: {
                    "pairs": [[guest.instance_id for guest in project.guests[:2]]],
                    "instances": [guest.instance_id for guest in project.guests],
                    "only_if_agreed": project.only_if_agreed,
                }
                for project in self.projects
            },
            affected=self.affected,
            exact=self.exact,
            expect=dict(self.expect),
        )
        for host in HOSTS:
            disabled = host in self.operator_disabled
            self.service(
                host, "disabled" if disabled else "enabled", "broken" if disabled else None
            )
        for project in self.projects:
            for guest in project.guests:
                self.instance(guest, "ACTIVE")
            self._lead(project, project.guests[0])
        for host in self.hosts:
            self._power(host, on=True)
            self._look(host, "before")
        self.probes_from = self.now
        self.session("SCHEDULED")

    def _lead(self, project: Project, guest: Guest) -> None:
        project.active = guest
        self.add("nova", "address", address=project.address, instance_id=guest.instance_id)

    def _look(self, host: str, phase: str) -> None:
        self.ssh(host, "reachable", phase, "")
        self.ssh(host, "boot_id", phase, f"boot-{self.boots[host]}")
        self.ssh(host, "compute", phase, "active")

    def there(self, project: Project, host: str) -> list[Guest]:
        affected = self.affected.get(host) if self.affected is not None else None
        return [
            guest
            for guest in project.guests
            if guest.host == host and (affected is None or guest.instance_id in affected)
        ]

    def _maintain(self, host: str, number: str) -> None:
        if host not in self.operator_disabled:
            self.service(host, "disabled", f"maintenance {SESSION}")
        told = [project for project in self.projects if self.there(project, host)]
        self.host_states[host] = "PLANNED_MAINTENANCE"
        for project in told:
            self._plan(project, host, number)
        silent_last = sorted(told, key=lambda project: project.replies is None)
        replies = [self._reply(project, host, number) for project in silent_last]
        agreed = all(replies)
        canceled = self.outcomes.get(host) == "canceled" or not agreed
        if agreed and not self._move_all(told, host, fails=canceled):
            canceled = True
        if canceled:
            self._cancel(told, host, number)
            return
        self._work(told, host, number)

    def _plan(self, project: Project, host: str, number: str) -> None:
        url = f"http://admin.tool/v1/maintenance/{SESSION}/{project.project_id}/{number}"
        self.tell_project(
            project,
            number,
            "PLANNED_MAINTENANCE",
            instances=[guest.instance_id for guest in self.there(project, host)],
            allowed_actions=ALLOWED[self.type],
            default_action=project.default_action,
            actions_at=self.now + 2 * self.patience_s,
            reply_at=self.now + self.patience_s,
            reply_url=url,
        )

    def _reply(self, project: Project, host: str, number: str) -> bool:
        if project.replies is None:
            self.now += self.patience_s + 1
            return not project.only_if_agreed
        if project.replies == "ACK":
            self._prepare(project, host)
        actions = {}
        if project.replies == "ACK":
            actions = {guest.instance_id: project.action for guest in self.there(project, host)}
        self.now += self.tick_s
        self.add(
            f"app_manager:{project.project_id}",
            "reply",
            not_before=self.now,
            session_id=SESSION,
            project_id=project.project_id,
            state=f"{project.replies}_PLANNED_MAINTENANCE",
            instance_actions=actions,
            status=200,
        )
        return project.replies == "ACK"

    def _prepare(self, project: Project, host: str) -> None:
        active = project.active
        assert active is not None
        if active in self.there(project, host):
            standby = next(guest for guest in project.guests[:2] if guest is not active)
            told = {
                "project_id": project.project_id,
                "from_instance": active.instance_id,
                "to_instance": standby.instance_id,
                "strategy": "floating_ip",
            }
            source = f"app_manager:{project.project_id}"
            self.add(source, "switch_over", phase="start", **told)
            self._lead(project, standby)
            self.add(source, "switch_over", phase="done", **told)
        if project.action == "OWN_ACTION":
            for guest in self.there(project, host):
                self._recreate(project, guest)

    def _recreate(self, project: Project, guest: Guest) -> None:
        target = self._target(project, guest)
        self.instance(guest, "DELETED", by_owner=True)
        self.created += 1
        new = Guest(project.instance_id(self.created), guest.name, guest.project_id, target)
        project.guests[project.guests.index(guest)] = new
        self.instance(new, "BUILD", by_owner=True)
        self.instance(new, "ACTIVE", by_owner=True)

    def _target(self, project: Project, guest: Guest) -> str:
        siblings = {other.host for other in project.guests[:2] if guest in project.guests[:2]}
        return next(
            host
            for host in HOSTS
            if host != guest.host and host not in siblings and host not in self.operator_disabled
        )

    def _move_all(self, told: Sequence[Project], host: str, fails: bool) -> bool:
        for project in told:
            action = project.action if project.replies == "ACK" else project.default_action
            for guest in self.there(project, host):
                if action in ("MIGRATE", "LIVE_MIGRATE"):
                    self._move(project, guest, live=action == "LIVE_MIGRATE", fails=fails)
                    if fails:
                        return False
        return True

    def _move(self, project: Project, guest: Guest, live: bool, fails: bool) -> None:
        self.migrations += 1
        source, dest = guest.host, self._target(project, guest)
        told = {
            "migration_id": f"migration-{self.migrations}",
            "instance_id": guest.instance_id,
            "type": "live-migration" if live else "migration",
            "source_compute": source,
        }
        self.add("nova", "migration", status="accepted", **told)
        self.instance(guest, "MIGRATING" if live else "RESIZE")
        if fails:
            self.add("nova", "migration", status="error", **told)
            self.instance(guest, "ACTIVE")
            return
        told["dest_compute"] = dest
        self.add("nova", "migration", status="running", **told)
        guest.host = dest
        if not live:
            self.instance(guest, "VERIFY_RESIZE")
        self.instance(guest, "ACTIVE")
        self.add("nova", "migration", status="completed" if live else "confirmed", **told)

    def _cancel(self, told: Sequence[Project], host: str, number: str) -> None:
        if host not in self.operator_disabled:
            self.service(host, "enabled")
        for project in told:
            self.tell_project(project, number, "MAINTENANCE_CANCELED")
        self.host_states[host] = "MAINTENANCE_CANCELED"
        self.session("PLANNED_MAINTENANCE")

    def _work(self, told: Sequence[Project], host: str, number: str) -> None:
        self.tell_host(host, "IN_MAINTENANCE", "stand_down")
        self.host_states[host] = "IN_MAINTENANCE"
        left = [project for project in told if self.there(project, host)]
        for project in left:
            self.tell_project(project, number, "IN_MAINTENANCE")
        self.session("IN_MAINTENANCE")
        if self.type == "full":
            here = [item.instance_id for item in self._all() if item.host == host]
            self.ssh(host, "guests", "during", here, ok=not here)
        if host in self.faults:
            self.add("inspector", "inspector", action="fault_received", host=host)
            self.add("inspector", "inspector", action="ignored", host=host)
        self.ssh(host, "maintenance", "during", "done")
        if self.type == "reboot":
            self._reboot(host)
        if self.outcomes.get(host) == "failed":
            self.host_states[host] = "MAINTENANCE_FAILED"
            return
        if self.type == "full":
            self.ssh(host, "test", "during", "ok")
        if host not in self.operator_disabled:
            self.service(host, "enabled")
        self.tell_host(host, "MAINTENANCE_OVER", "resume")
        for project in left:
            self.tell_project(project, number, "MAINTENANCE_OVER")
        self.host_states[host] = "MAINTENANCE_OVER"
        self.session("PLANNED_MAINTENANCE")

    def _all(self) -> list[Guest]:
        return [guest for project in self.projects for guest in project.guests]

    def _reboot(self, host: str) -> None:
        left = [guest for guest in self._all() if guest.host == host]
        for guest in left:
            self.instance(guest, "SHUTOFF")
        self._power(host, on=False)
        self.now += 5
        self.boots[host] += 1
        self._power(host, on=True)
        for guest in left:
            self.instance(guest, "ACTIVE")

    def _power(self, host: str, on: bool) -> None:
        if self.power:
            self.add("nova", "host", host=host, powered=on, boot_id=f"boot-{self.boots[host]}")

    def _end(self) -> None:
        for host, state in self.host_states.items():
            if state == "PENDING":
                self.host_states[host] = "MAINTENANCE_CANCELED"
        states = set(self.host_states.values())
        final = "MAINTENANCE_OVER" if states == {"MAINTENANCE_OVER"} else "MAINTENANCE_CANCELED"
        final = "MAINTENANCE_FAILED" if "MAINTENANCE_FAILED" in states else final
        self.session(final)
        for host in self.hosts:
            if self.host_states[host] != "MAINTENANCE_FAILED":
                self._look(host, "after")
        for host in self.late_faults:
            self.add("inspector", "inspector", action="fault_received", host=host)
            self.add("inspector", "inspector", action="acted", host=host)
        until = self.now + self.tick_s
        for project in self.projects:
            assert project.active is not None
            self.add(
                "probe",
                "probe",
                address=project.address,
                project_id=project.project_id,
                sent=1000,
                lost=0,
                gaps=[],
                answers=[
                    {"from": self.probes_from, "to": until, "who": project.active.instance_id}
                ],
            )
