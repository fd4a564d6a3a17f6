# SPDX-License-Identifier: Apache-2.0
"""A whole run in one process and in virtual time, the same byte for byte for the same seed.

Only the cloud is simulated: admin tool, app manager, inspector, openstacksdk and all JSON are the real
ones. What is missing are sockets and processes.
"""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from doctor_maintenance.admin_tool.assembly import BUS_PATH, AdminTool, assemble, rules_by
from doctor_maintenance.admin_tool.http_driver import HttpDriver, HttpTransport
from doctor_maintenance.admin_tool.journal import MemoryJournal
from doctor_maintenance.admin_tool.notifier import Notifier
from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.cloud import connect
from doctor_maintenance.deployment import Account, Spec
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.flow import Flow, blocking, start, wait
from doctor_maintenance.inspector.actions import OperatorCloud
from doctor_maintenance.inspector.api import alarm_url as inspector_alarm_url
from doctor_maintenance.inspector.api import create_app as create_inspector_app
from doctor_maintenance.inspector.inspector import Inspector
from doctor_maintenance.probe import VirtualProbe
from doctor_maintenance.runner.actors import ADMIN_TOOL, Actors
from doctor_maintenance.runner.common import CommonStage
from doctor_maintenance.runner.exact import record_of
from doctor_maintenance.runner.recorder import Listener, Recorder
from doctor_maintenance.runner.stage import Placed, Probes, SshSettings, Watch
from doctor_maintenance.runner.watch import first_look
from doctor_maintenance.scenario import Application, Fault
from doctor_maintenance.settings import Settings
from doctor_maintenance.simulator.app import create_app
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.events import CloudEvent
from doctor_maintenance.simulator.hosts import CommandTable
from doctor_maintenance.simulator.mount import InProcessSession, isolate, mount
from doctor_maintenance.simulator.profiles import get_profile
from doctor_maintenance.simulator.sim_remote import SimRemote
from doctor_maintenance.simulator.topology import build_topology
from doctor_maintenance.workers import InlineWorkers
from sample_app_manager import strategies
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.api import alarm_url as app_manager_alarm_url
from sample_app_manager.api import create_app as create_manager_app
from sample_app_manager.manager import Manager
from sample_app_manager.peer import AdminTool as AdminToolClient
from sample_app_manager.policy import Rules

CLOUD_URL = "http://cloud.sim"
ADMIN_TOOL_URL = "http://admin-tool.sim"
INSPECTOR_URL = "http://inspector.sim"


@dataclass(frozen=True, slots=True)
class VirtualSettings:
    """A simulated cloud in virtual time.

    Attributes:
        hosts: how many compute hosts.
        vcpus: of each host.
        profile: how long things take.
        seed: where all chance comes from.
        settings: the options of the parts.
    """

    hosts: int = 3
    vcpus: int = 8
    profile: str = "fast"
    seed: int = 1
    settings: Settings = field(default_factory=Settings)


class VirtualStage(CommonStage):
    """A stage in virtual time.

    Args:
        wanted: what it is like.
        listener: is told every record as it is made.

    Attributes:
        cloud: the simulated cloud.
        tool: the admin tool.
        inspector: the inspector.
        managers: the app managers, by application.
        actors: what becomes of admin tool and app managers if a fault says so.
    """

    exact = True
    clock: VirtualClock

    def __init__(self, wanted: VirtualSettings, listener: Listener | None = None) -> None:
        settings = wanted.settings
        clock = VirtualClock()
        workers = InlineWorkers(clock)
        rng = random.Random(wanted.seed)
        http = InProcessSession()
        isolate(http)
        topology = build_topology(wanted.hosts, vcpus=wanted.vcpus)
        self.cloud = SimCloud(clock, rng, get_profile(wanted.profile), topology, http, workers)
        mount(http, CLOUD_URL, create_app(self.cloud))
        first = topology.projects[0]
        operator = connect(
            {
                "auth_url": f"{CLOUD_URL}/identity/v3",
                "username": first.user,
                "password": first.password,
                "project_name": first.name,
            },
            http,
        )
        commands = [*settings.admin_tool.maintenance_commands, settings.admin_tool.test_command]
        table = CommandTable.succeeding([item for item in commands if item is not None])
        super().__init__(
            clock=clock,
            workers=workers,
            recorder=Recorder(clock, listener),
            remote=SimRemote(self.cloud, table),
            http=http,
            operator=operator,
            connect=lambda login: connect(login, http),
            ssh=SshSettings(test_command=settings.admin_tool.test_command),
            ssh_port=settings.ssh.port,
            spec=Spec(run_id="virtual", applications=()),
            poll_s=0.2,
            password=lambda: f"{rng.getrandbits(64):016x}",
        )
        self.settings = settings
        self._rng = rng
        self._probes: list[tuple[Placed, VirtualProbe]] = []
        self.managers: dict[str, Manager] = {}
        self._transport = HttpTransport(CLOUD_URL + BUS_PATH, operator.session)
        self.actors = Actors(clock, self.cloud)
        self._journal = MemoryJournal()
        self._turns = itertools.count()
        self.tool = self._admin_tool()
        self.inspector = self._inspector()

    @property
    def admin_tool_url(self) -> str:
        """Where the admin tool is mounted."""
        return ADMIN_TOOL_URL

    @property
    def inspector_url(self) -> str:
        """Where the inspector is mounted."""
        return INSPECTOR_URL

    def inspector_alarm_url(self) -> str:
        """Return where the alarm on hosts posts to."""
        return inspector_alarm_url(INSPECTOR_URL, None)

    def start_app_manager(self, account: Account, application: Application) -> Flow[str]:
        """Mount the app manager of a project."""
        yield from wait(0.0)
        url = f"http://app-manager-{application.name}.sim"
        self._start_manager(account, application, url)
        return app_manager_alarm_url(url, None)

    def _start_manager(self, account: Account, application: Application, url: str) -> None:
        name, project_id = application.name, account.project_id
        life = self.actors.born(name, lambda: self._start_manager(account, application, url))
        cloud = ProjectCloud(self._connect(account.login), self.user_data(application))
        strategy = application.strategy or self.settings.app_manager.strategy
        manager = Manager(
            life,
            InlineWorkers(life),
            cloud,
            AdminToolClient(self._http, cloud.token, 10.0, ADMIN_TOOL_URL),
            project_id=project_id,
            strategy=self.actors.strategy(strategies.find(strategy), name, project_id),
            strategy_name=strategy,
            rules=Rules(
                action=application.action,
                single_action=application.single_action,
                refuse=application.refuses,
                silent=application.silent,
            ),
            ask=lambda address: self.who_answers(address, next(self._turns)),
            manners=self.actors.manners(name, project_id),
            observe=self.recorder.observer(f"app_manager:{project_id}"),
        )
        mount(self._http, url, life.serve(create_manager_app(manager, life)))
        self.managers[name] = manager

    def stop_app_managers(self) -> Flow[None]:
        """End every app manager."""
        yield from wait(0.0)
        for manager in self.managers.values():
            manager.close()

    def who_answers(self, address: str, turn: int = 0) -> str | None:
        """Return the instance that would answer at an address now.

        Args:
            address: the floating IP.
            turn: whose turn it is, where several instances share the address.
        """
        sharing = self.cloud.network.answerers(address)
        who = sharing[turn % len(sharing)] if sharing else None
        return who if who is not None and self.cloud.compute.serves(who) else None

    def service(self, address: str) -> str | None:
        """Return who answers at an address now, or None if any question would get no answer."""
        sharing = self.cloud.network.answerers(address)
        answers = [self.who_answers(address, turn) for turn in range(len(sharing))]
        return answers[0] if answers and None not in answers else None

    def probe(self, placed: Sequence[Placed]) -> Probes:
        """Know from now on who answers at each moment."""
        return _VirtualProbes(self, placed, self.settings.probe.rate_hz)

    def watch(self, placed: Sequence[Placed]) -> Watch:
        """Return the exact watch over the cloud."""
        return _ExactWatch(self, placed)

    def inject(self, faults: Sequence[Fault]) -> None:
        """Make the cloud, or whoever acts on it, fail."""
        for fault in faults:
            self.cloud.faults.add(fault.name, fault.criteria, fault.parameters, fault.times)

    def run(self, flow: Flow[Any], within_s: float = 86_400.0) -> Any:
        """Run a flow to its end in virtual time, and return its value.

        Raises:
            CloudError: it does not end; everything waits for everything.
        """
        task = start(self.clock, self.workers, flow)
        deadline = self.clock.now() + within_s
        if not self.clock.run_until(lambda: not task.running, deadline):
            raise CloudError(f"nothing more happens, and the run is not over after {within_s:g} s")
        assert task.outcome is not None
        return task.outcome.get()

    def _admin_tool(self) -> AdminTool:
        rules = rules_by(self.settings, self.cloud.identity.admin_project.id, ADMIN_TOOL_URL)
        life = self.actors.born(ADMIN_TOOL, self._start_tool_again)
        tool = assemble(
            clock=life,
            workers=InlineWorkers(life),
            connection=self._operator,
            driver=HttpDriver(None, ["notifications"], self._transport),
            remote=self.remote,
            rules=rules,
            journal=self._journal,
            observe=self.recorder.observer("admin_tool"),
            new_id=lambda: str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
        )
        mount(self._http, ADMIN_TOOL_URL, life.serve(tool.app))
        tool.engine.recover()
        return tool

    def _start_tool_again(self) -> None:
        self.tool = self._admin_tool()

    def _inspector(self) -> Inspector:
        driver = HttpDriver(None, ["notifications"], self._transport)
        notifier = Notifier(self.clock, self.workers, driver, publisher_id="inspector")
        inspector = Inspector(
            self.clock,
            self.workers,
            OperatorCloud(self._operator),
            notifier.publish,
            observe=self.recorder.observer("inspector"),
        )
        mount(self._http, INSPECTOR_URL, create_inspector_app(inspector, self.clock))
        inspector.begin()
        return inspector


class _VirtualProbes:
    def __init__(self, stage: VirtualStage, placed: Sequence[Placed], rate_hz: float) -> None:
        self._probes: list[tuple[Placed, VirtualProbe]] = []
        self._unsubscribe: list[Callable[[], None]] = []
        for item in placed:
            probe = VirtualProbe(stage.clock, _asker(stage, item.address), rate_hz)
            self._unsubscribe.append(stage.cloud.subscribe(probe.changed))
            probe.start()
            self._probes.append((item, probe))
        self._stage = stage

    def answering(self) -> bool:
        return all(self._stage.who_answers(item.address) for item, _ in self._probes)

    def stop(self) -> None:
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        for _, probe in self._probes:
            probe.stop()

    def records(self) -> list[dict[str, Any]]:
        now = self._stage.clock.now()
        return [
            {
                "at": now,
                "source": "probe",
                "kind": "probe",
                **probe.report().to_fields(item.address, item.project_id),
            }
            for item, probe in self._probes
        ]


def _asker(stage: VirtualStage, address: str) -> Callable[[int], str | None]:
    return lambda _: stage.service(address)


class _ExactWatch:
    """Sees every change at the moment it happens."""

    def __init__(self, stage: VirtualStage, placed: Sequence[Placed]) -> None:
        self._stage = stage
        self._watch = stage.cloud_watch(placed)
        self._operator_project = stage.cloud.identity.admin_project.id
        self._commands = stage.settings.admin_tool.maintenance_commands
        self._addresses = frozenset(item.address for item in placed)
        self._unsubscribe: Callable[[], None] | None = None

    def begin(self) -> Flow[None]:
        look = yield from blocking(self._watch.look)
        for record in first_look(look):
            self._stage.recorder.take(record)
        self._unsubscribe = self._stage.cloud.subscribe(self._seen)

    def end(self) -> Flow[None]:
        yield from wait(0.0)
        self.stop()

    def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()

    def _seen(self, event: CloudEvent) -> None:
        told = {**event.fields, "at": event.at, "kind": event.kind}
        record = record_of(told, self._operator_project, self._commands, self._addresses)
        if record is not None:
            self._stage.recorder.take(record)
