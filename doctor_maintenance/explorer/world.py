# SPDX-License-Identifier: Apache-2.0
"""A world: a cloud, an admin tool, app managers and an inspector in virtual time, run to its end.

No HTTP, no JSON, no threads: only decisions, and a cloud that they work on. Same case, same trace.
"""

from __future__ import annotations

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.exceptions import ConflictError
from doctor_maintenance.explorer.app_manager import AppManager
from doctor_maintenance.explorer.bus import INSPECTOR, Bus, Letter
from doctor_maintenance.explorer.case import Aftermath, Case, SessionPlan, Trouble, TroublePlan
from doctor_maintenance.explorer.stage import FLAVOR, CloudStage
from doctor_maintenance.explorer.tamper import HONEST, Tamper
from doctor_maintenance.planning import Session, SessionRequest, SessionRules, project_view
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
ASK_AGAIN_S = 25.0
ASKS = 40
"""How often an operator asks for a session whose hosts are in another one."""
HORIZON_S = 4 * 3600.0
MAX_CALLBACKS = 200_000


class World:
    """A world made from a case.

    Args:
        case: what it is like.
        tamper: makes the admin tool or an app manager do something wrong; by default nothing.

    Attributes:
        stage: the cloud.
        process: the admin tool.
        bus: what carries notifications.
        managers: the app managers by project.
        hurt: projects whose pair lost a member by their own owner's doing.
        inspector_listens: whether the inspector does what it is told.
    """

    def __init__(self, case: Case, tamper: Tamper = HONEST) -> None:
        self.case = case
        self.tamper = tamper
        self.session_ids = tuple(
            f"5e551011-{number:04x}-4000-8000-{case.seed & 0xFFFFFFFFFFFF:012x}"
            for number in range(len(case.sessions))
        )
        self._plans = dict(zip(self.session_ids, case.sessions, strict=True))
        self.clock = VirtualClock(START_S)
        self.stage = CloudStage(self.clock, case)
        self.bus = Bus(self.stage, self._stamp, self._listed)
        self.hurt: set[str] = set()
        subscribed = frozenset(item.name for item in case.projects if item.subscribed)
        performer = tamper.performer_class(self.stage, self._publish, subscribed)
        self.process = tamper.process_class(self.stage, performer, tamper.tool_class, self._ended)
        self.managers = {item.name: AppManager(self, item) for item in case.projects}
        for name in sorted(subscribed):
            self.bus.subscribe(name, self.managers[name].receive)
        self.bus.subscribe(INSPECTOR, self._inspect)
        self.inspector_listens = True
        self._maintained: set[str] = set()
        self._mended: set[str] = set()
        self._late_address = {
            item.target: item.seconds for item in case.troubles if item.what is Trouble.ADDRESS_LATE
        }
        tamper.begin(self)

    def run(self) -> None:
        """Run to the end: until nothing is due any more."""
        self._look_at_hosts("before")
        for trouble in self.case.troubles:
            self._schedule(trouble)
        self.clock.call_later(OPEN_S, self.process.begin)
        for session_id, plan in self._plans.items():
            self._ask_for(session_id, plan, OPEN_S + plan.opens_at, ASKS)
        step, until = self.clock.step, START_S + HORIZON_S
        for _ in range(MAX_CALLBACKS):
            if not step() or self.clock.now() > until:
                break
        self._look_at_hosts("after")
        self.stage.addresses.finish(START_S)

    def _ask_for(self, session_id: str, plan: SessionPlan, delay_s: float, left: int) -> None:
        """Ask for a session after a while, and again if it is refused, or if nobody answers."""

        def ask() -> None:
            try:
                opened = self._open(session_id, plan)
            except ConflictError:
                opened = False
            if not opened and left > 1:
                self._ask_for(session_id, plan, ASK_AGAIN_S, left - 1)

        self.clock.call_later(delay_s, ask)

    def _open(self, session_id: str, plan: SessionPlan) -> bool:
        request = SessionRequest(
            session_id=session_id,
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
        return self.process.open(self.tamper.request(request), self.tamper.rules(rules))

    # What the parts need of each other.

    def _stamp(self) -> float:
        return self.process.now()

    def _publish(self, key: str, notification: ProjectNotification | HostNotification) -> None:
        for changed in self.tamper.publish(self, key, notification):
            self.bus.publish(*changed)

    def _listed(self, notification: ProjectNotification) -> tuple[str, ...]:
        number = int(notification.instance_ids.rpartition("/")[2])
        session = self.process.tools[notification.session_id].session
        assert session is not None
        view = project_view(session, notification.project_id, number)
        return self.tamper.listed(tuple(view["instance_ids"]))

    def url(self, project: str, number: int, session_id: str | None = None) -> str:
        """Return where a project's reply goes; to the first session by default."""
        session_id = session_id or self.session_ids[0]
        return f"{BASE_URL}/v1/maintenance/{session_id}/{project}/{number}"

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
        if self.process.up:
            self.stage.happened[trouble.what] += 1
            self.process.jump(trouble.seconds)
            self.process.die(1.0)

    def _operator_cancels(self, trouble: TroublePlan) -> None:
        if self.process.up:
            self.stage.happened[trouble.what] += 1
            session_id = self.session_ids[min(int(trouble.target or 0), len(self.session_ids) - 1)]
            self.process.operate(session_id, saw.OperatorCanceled())

    def _fault_reported(self, trouble: TroublePlan) -> None:
        self.stage.happened[trouble.what] += 1
        for number in range(trouble.times):
            self.clock.call_later(
                number * trouble.seconds, lambda: self._host_fault(trouble.target)
            )

    def _ended(self, session: Session) -> None:
        session_id = session.session_id
        if session.state is SessionState.MAINTENANCE_FAILED and session_id not in self._mended:
            self._mended.add(session_id)
            if self._plans[session_id].aftermath is not Aftermath.LEAVE:
                self.clock.call_later(30.0, lambda: self._mend(session_id))

    def _mend(self, session_id: str) -> None:
        session = self.process.tools[session_id].session
        if session is None:
            return
        failed = [
            work.host
            for work in session.works.values()
            if work.state is HostState.MAINTENANCE_FAILED
        ]
        for host in failed:
            self.stage.mend(host)
        self.clock.call_later(60.0, lambda: self._go_on_with(session_id, failed))

    def _go_on_with(self, session_id: str, failed: list[str]) -> None:
        kind = (
            saw.OperatorContinued
            if self._plans[session_id].aftermath is Aftermath.CONTINUE
            else saw.OperatorReleased
        )
        for host in failed:
            self.process.operate(session_id, kind(host))

    # The runner's checks.

    def _look_at_hosts(self, phase: str) -> None:
        witness = self.stage.witness
        for name in dict.fromkeys(name for plan in self.case.sessions for name in plan.hosts):
            host = self.stage.compute.hosts[name]
            witness.ssh(name, "reachable", host.powered, None, phase)
            if host.powered:
                witness.ssh(name, "boot_id", True, host.boot_id, phase)
            if phase == "after":
                witness.ssh(name, "compute", host.service.alive, None, phase)
