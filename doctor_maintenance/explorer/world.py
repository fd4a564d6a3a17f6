# SPDX-License-Identifier: Apache-2.0
"""A world: a cloud, an admin tool, app managers and an inspector in virtual time, run to its end.

No HTTP, no JSON, no threads: only decisions, and a cloud that they work on. Same case, same trace.
"""

from __future__ import annotations

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.explorer.app_manager import AppManager
from doctor_maintenance.explorer.bus import INSPECTOR, Bus, Letter
from doctor_maintenance.explorer.case import Aftermath, Case, Trouble, TroublePlan
from doctor_maintenance.explorer.stage import FLAVOR, CloudStage
from doctor_maintenance.explorer.tamper import HONEST, Tamper
from doctor_maintenance.planning import SessionRequest, SessionRules, project_view
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import (
    HostNotification,
    HostState,
    NotificationState,
    ProjectNotification,
    SessionState,
)
from doctor_maintenance.simulator.records import BootRequest

ADMIN_PROJECT = "operator"
BASE_URL = "http://admin-tool"
START_S = 1_577_836_800.0
"""2020-01-01: in virtual time nobody looks at the calendar."""
OPEN_S = 1.0
HORIZON_S = 4 * 3600.0
MAX_CALLBACKS = 200_000


class World:
    """A world made from a case.

    Args:
        case: what it is like.
        tamper: makes the admin tool or an app manager do something wrong; by default nothing.

    Attributes:
        stage: the cloud.
        tool: the admin tool.
        bus: what carries notifications.
        managers: the app managers by project.
        hurt: projects whose pair lost a member by their own owner's doing.
        inspector_listens: whether the inspector does what it is told.
    """

    def __init__(self, case: Case, tamper: Tamper = HONEST) -> None:
        self.case = case
        self.tamper = tamper
        self.session_id = f"5e551011-0000-4000-8000-{case.seed & 0xFFFFFFFFFFFF:012x}"
        self.clock = VirtualClock(START_S)
        self.stage = CloudStage(self.clock, case)
        self.bus = Bus(self.stage, self._stamp, self._listed)
        self.hurt: set[str] = set()
        subscribed = frozenset(item.name for item in case.projects if item.subscribed)
        performer = tamper.performer_class(self.stage, self._publish, subscribed)
        self.tool = tamper.tool_class(self.stage, performer, self._ended)
        self.managers = {item.name: AppManager(self, item) for item in case.projects}
        for name in sorted(subscribed):
            self.bus.subscribe(name, self.managers[name].receive)
        self.bus.subscribe(INSPECTOR, self._inspect)
        self.inspector_listens = True
        self._maintained: set[str] = set()
        self._aftermath_done = False
        self._late_address = {
            item.target: item.seconds for item in case.troubles if item.what is Trouble.ADDRESS_LATE
        }
        tamper.begin(self)

    def run(self) -> None:
        """Run to the end: until nothing is due any more."""
        self._look_at_hosts("before")
        for trouble in self.case.troubles:
            self._schedule(trouble)
        self.clock.call_later(OPEN_S, self._open)
        step, until = self.clock.step, START_S + HORIZON_S
        for _ in range(MAX_CALLBACKS):
            if not step() or self.clock.now() > until:
                break
        self._look_at_hosts("after")
        self.stage.addresses.finish(START_S)

    def _open(self) -> None:
        plan = self.case.session
        request = SessionRequest(
            session_id=self.session_id,
            hosts=plan.hosts,
            type=plan.type,
            maintenance_at=self.clock.now() + 1.0,
            affected={
                host: frozenset(self.stage.ids[name] for name in names)
                for host, names in plan.affected.items()
            },
        )
        rules = SessionRules(
            admin_project_id=ADMIN_PROJECT,
            base_url=BASE_URL,
            reply_wait_s=plan.reply_wait_s,
            own_action_wait_s=plan.own_action_wait_s,
            drain_timeout_s=plan.drain_timeout_s,
            move_attempts=plan.move_attempts,
            move_retry_s=plan.move_retry_s,
            poll_s=plan.poll_s,
            settle_s=plan.settle_s,
            work_attempts=plan.work_attempts,
            default_action=plan.default_action,
            only_if_agreed=frozenset(
                item.name for item in self.case.projects if item.only_if_agreed
            ),
            test_host=plan.test_host,
        )
        self.tool.open(self.tamper.request(request), self.tamper.rules(rules))

    # What the parts need of each other.

    def _stamp(self) -> float:
        return self.tool.now()

    def _publish(self, key: str, notification: ProjectNotification | HostNotification) -> None:
        for changed in self.tamper.publish(self, key, notification):
            self.bus.publish(*changed)

    def _listed(self, notification: ProjectNotification) -> tuple[str, ...]:
        number = int(notification.instance_ids.rpartition("/")[2])
        assert self.tool.session is not None
        view = project_view(self.tool.session, notification.project_id, number)
        return self.tamper.listed(tuple(view["instance_ids"]))

    def url(self, project: str, number: int) -> str:
        """Return where a project's reply goes."""
        return f"{BASE_URL}/v1/maintenance/{self.session_id}/{project}/{number}"

    def gap_s(self, project: str) -> float:
        """Return how long an address of a project is silent when it is moved now."""
        late = self._late_address.pop(project, None)
        if late is not None:
            self.stage.happened[Trouble.ADDRESS_LATE] += 1
            return late
        return self.case.timing.switch_gap_s

    def foreign_instance(self, project: str) -> str:
        """Return an instance that is not the project's, or does not exist."""
        for instance in self.stage.compute.instances.values():
            if instance.project_id != project:
                return instance.instance_id
        return "00000000-0000-4000-8000-00000000abcd"

    # The inspector.

    def _inspect(self, letter: Letter) -> None:
        notification = letter.notification
        assert isinstance(notification, HostNotification)
        witness = self.stage.witness
        witness.host_message(INSPECTOR, letter.message_id, letter.generated, notification)
        host, session_id = notification.host, notification.session_id
        if notification.state is NotificationState.IN_MAINTENANCE:
            if self.inspector_listens:
                self._maintained.add(host)
                witness.inspector("stand_down", host, session_id)
        else:
            self._maintained.discard(host)
            witness.inspector("resume", host, session_id)

    def _host_fault(self, host: str) -> None:
        self.stage.witness.inspector("fault_received", host)
        done = "ignored" if host in self._maintained else "acted"
        self.stage.witness.inspector(self.tamper.inspector(done), host)

    # What happens in the middle.

    def _schedule(self, trouble: TroublePlan) -> None:
        acts = {
            Trouble.OWNER_DELETES: self._owner_deletes,
            Trouble.OWNER_CREATES: self._owner_creates,
            Trouble.MANAGER_DIES: self._manager_dies,
            Trouble.CLOCK_JUMPS: self._clock_jumps,
            Trouble.OPERATOR_CANCELS: self._operator_cancels,
            Trouble.HOST_FAULT: self._fault_reported,
        }
        act = acts.get(trouble.what)
        if act is not None:
            self.clock.call_later(OPEN_S + trouble.at, lambda: act(trouble))

    def _owner_deletes(self, trouble: TroublePlan) -> None:
        if self.stage.delete_for_owner(self.stage.ids[trouble.target]):
            self.stage.happened[trouble.what] += 1
            self.hurt.add(
                next(
                    project.name
                    for project in self.case.projects
                    if any(item.name == trouble.target for item in project.instances)
                )
            )

    def _owner_creates(self, trouble: TroublePlan) -> None:
        self.stage.happened[trouble.what] += 1
        name = f"{trouble.target}-more-{trouble.at:g}"
        self.stage.compute.boot(trouble.target, BootRequest(name, FLAVOR))

    def _manager_dies(self, trouble: TroublePlan) -> None:
        self.stage.happened[trouble.what] += 1
        self.managers[trouble.target].die(trouble.seconds)

    def _clock_jumps(self, trouble: TroublePlan) -> None:
        if self.tool.up:
            self.stage.happened[trouble.what] += 1
            self.tool.jump(trouble.seconds)
            self.tool.die(1.0)

    def _operator_cancels(self, trouble: TroublePlan) -> None:
        if self.tool.up:
            self.stage.happened[trouble.what] += 1
            self.tool.operate(saw.OperatorCanceled())

    def _fault_reported(self, trouble: TroublePlan) -> None:
        self.stage.happened[trouble.what] += 1
        for number in range(trouble.times):
            self.clock.call_later(
                number * trouble.seconds, lambda: self._host_fault(trouble.target)
            )

    def _ended(self, state: SessionState) -> None:
        if state is SessionState.MAINTENANCE_FAILED and not self._aftermath_done:
            self._aftermath_done = True
            if self.case.session.aftermath is not Aftermath.LEAVE:
                self.clock.call_later(30.0, self._mend)

    def _mend(self) -> None:
        session = self.tool.session
        if session is None:
            return
        failed = [
            work.host
            for work in session.works.values()
            if work.state is HostState.MAINTENANCE_FAILED
        ]
        for host in failed:
            self.stage.mend(host)
        self.clock.call_later(60.0, lambda: self._go_on_with(failed))

    def _go_on_with(self, failed: list[str]) -> None:
        kind = (
            saw.OperatorContinued
            if self.case.session.aftermath is Aftermath.CONTINUE
            else saw.OperatorReleased
        )
        for host in failed:
            self.tool.operate(kind(host))

    # The runner's checks.

    def _look_at_hosts(self, phase: str) -> None:
        witness = self.stage.witness
        for name in self.case.session.hosts:
            host = self.stage.compute.hosts[name]
            witness.ssh(name, "reachable", host.powered, None, phase)
            if host.powered:
                witness.ssh(name, "boot_id", True, host.boot_id, phase)
            if phase == "after":
                witness.ssh(name, "compute", host.service.alive, None, phase)
