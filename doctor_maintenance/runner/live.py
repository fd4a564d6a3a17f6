# SPDX-License-Identifier: Apache-2.0
"""A run in real time: simulator, admin tool, app managers and inspector are processes of their own.

They speak with each other over sockets, and what they witnessed they write into files that are read
here. The cloud is the embedded one or a real one: past its address and its credentials, nothing differs.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import requests
import yaml

from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import call_json, connect, connect_by
from doctor_maintenance.deployment import Account, Spec
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.flow import Flow, blocking, start, wait
from doctor_maintenance.remote import ParamikoRemote
from doctor_maintenance.runner.common import CommonStage
from doctor_maintenance.runner.live_witnesses import POLL_S, LiveProbes, PollingWatch, ToldWatch
from doctor_maintenance.runner.processes import Process, Tail
from doctor_maintenance.runner.recorder import Recorder
from doctor_maintenance.runner.stage import Placed, Probes, SshSettings, Watch
from doctor_maintenance.scenario import Application, Fault
from doctor_maintenance.secret_words import guarded, hide, new_word
from doctor_maintenance.settings import CloudSettings, Settings
from doctor_maintenance.workers import Workers

READY_S = 30.0
"""How long a process may take to be ready, in seconds."""

_STOP_S = 10.0
_ALARM_PATH = "/maintenance"
_SIMULATOR_FILES = "cloud"
_PROJECT_CLOUD = "project"
_OWN_ACCOUNT = frozenset({"session"})
"""What the admin tool says of itself in its own file; the runner asks its API instead."""


@dataclass(frozen=True, slots=True)
class LiveCloud:
    """The cloud of a run.

    Attributes:
        settings: the options of every part, with the cloud's address and credentials.
        control_url: of an embedded cloud; None: a real one.
    """

    settings: Settings
    control_url: str | None = None


def start_simulator(settings: Settings, folder: Path, clock: WallClock) -> Process:
    """Start an embedded cloud.

    Args:
        settings: the options of the run.
        folder: where its files go.
        clock: real time.

    Raises:
        PreconditionError: it cannot be started.
    """
    words = ["simulator", "--dir", str(folder / _SIMULATOR_FILES)]
    return Process("simulator", words, folder, clock, settings)


def embedded_cloud(simulator: Process, settings: Settings, folder: Path) -> LiveCloud:
    """Wait until an embedded cloud is ready, and return where and how it is reached; blocks.

    Raises:
        PreconditionError: it does not become ready.
    """
    home = folder / _SIMULATOR_FILES
    simulator.url(READY_S)
    about = json.loads((home / "simulator.json").read_text(encoding="utf-8"))
    clouds = yaml.safe_load(Path(about["clouds_file"]).read_text(encoding="utf-8"))["clouds"]
    auth = clouds["sim-admin"]["auth"]
    known = replace(
        settings,
        cloud=CloudSettings(**auth, cacert=settings.cloud.cacert),
        ssh=replace(
            settings.ssh,
            user=about["ssh"]["user"],
            port=about["ssh"]["port"],
            key_file=about["ssh"]["key_file"],
            known_hosts=about["ssh"]["known_hosts"],
        ),
        probe=replace(settings.probe, port=about["service_port"]),
        admin_tool=replace(settings.admin_tool, notification_url=about["bus_url"]),
    )
    return LiveCloud(known, about["control_url"])


def _word(configured: str | None) -> str:
    """Return the word that guards an alarm URL: a new one for each run and part, unless one is configured."""
    word = configured or new_word()
    hide(word)
    return word


def as_project(operator: CloudSettings) -> CloudSettings:
    """Return how a project reaches the cloud: by its own login, with the patience of the operator."""
    return CloudSettings(
        os_cloud=_PROJECT_CLOUD,
        request_timeout_s=operator.request_timeout_s,
        connect_retries=operator.connect_retries,
    )


class ProbeDisplay(Protocol):
    """Shows what a probe knows; may be called from any thread."""

    def probe(
        self, address: str, *, who: str | None, sent: int, lost: int, silent_s: float
    ) -> None:
        """Take what a probe knows at this moment."""


class LiveStage(CommonStage):
    """A stage in real time.

    Args:
        cloud: where to play.
        folder: where logs and observations go.
        clock: real time, started.
        workers: who blocks.
        recorder: where all that is seen goes.
        http: carries the runner's own requests.
        simulator: the embedded cloud's process, to be ended with the others; None: a real cloud.
    """

    def __init__(
        self,
        cloud: LiveCloud,
        folder: Path,
        clock: WallClock,
        workers: Workers,
        recorder: Recorder,
        http: requests.Session,
        simulator: Process | None,
    ) -> None:
        settings = cloud.settings
        self._cloud = cloud
        self.settings = settings
        self._folder = folder
        self._simulator = simulator
        self._managers: list[Process] = []
        self._tails: list[Tail] = []
        self._probes: LiveProbes | None = None
        self._shows: list[Callable[[], None]] = []
        self.run_id = secrets.token_hex(4)
        self.clock = clock
        self._admin_tool = self._start("admin-tool")
        self.inspector_secret = _word(settings.inspector.secret)
        guard = replace(settings.inspector, secret=self.inspector_secret)
        self._inspector = self._start("inspector", settings=replace(settings, inspector=guard))
        ssh = settings.ssh
        super().__init__(
            clock=clock,
            workers=workers,
            recorder=recorder,
            remote=ParamikoRemote(
                workers,
                user=ssh.user,
                key_file=ssh.key_file,
                known_hosts=ssh.known_hosts,
                accept_unknown=ssh.accept_unknown,
                connect_timeout_s=ssh.connect_timeout_s,
            ),
            http=http,
            operator=connect_by(settings.cloud, http),
            connect=partial(
                connect,
                http=http,
                cacert=settings.cloud.cacert,
                timeout_s=settings.cloud.request_timeout_s,
            ),
            ssh=SshSettings(ssh.command_timeout_s, settings.admin_tool.test_command),
            ssh_port=ssh.port,
            spec=Spec(
                run_id=self.run_id,
                applications=(),
                image=settings.cloud.image,
                external_network=settings.cloud.external_network,
                service_port=settings.probe.port,
                poll_s=POLL_S,
            ),
            poll_s=POLL_S,
            password=secrets.token_urlsafe,
        )
        self._reading = start(clock, workers, self._read_for_ever())

    @property
    def processes(self) -> list[Process]:
        """Every process of the run."""
        simulator = [self._simulator] if self._simulator else []
        return [self._admin_tool, self._inspector, *self._managers, *simulator]

    @property
    def admin_tool_url(self) -> str:
        """Where the admin tool listens; blocks until it does."""
        return self._admin_tool.url(READY_S)

    @property
    def inspector_url(self) -> str:
        """Where the inspector listens; blocks until it does."""
        return self._inspector.url(READY_S)

    def inspector_alarm_url(self) -> str:
        """Return where the alarm on hosts posts to."""
        return self.inspector_url + guarded(_ALARM_PATH, self.inspector_secret)

    def start_app_manager(self, account: Account, application: Application) -> Flow[str]:
        """Start the app manager of a project, with that project's rights."""
        admin_tool_url = yield from blocking(lambda: self.admin_tool_url)
        yield from blocking(lambda: self.inspector_url)
        policy = "refuse" if application.refuses else "silent" if application.silent else "agree"
        single = application.single_action
        own = replace(
            self.settings.app_manager,
            policy=policy,
            strategy=application.strategy or self.settings.app_manager.strategy,
            action=application.action.value,
            single_action=None if single is None else single.value,
            admin_tool_url=admin_tool_url,
            state_file=str(self._folder / f"app-manager-{application.name}.sqlite3"),
            secret=_word(self.settings.app_manager.secret),
            user_data_file=self._write_user_data(application),
        )
        name = f"app-manager-{application.name}"
        clouds = self._folder / f"{name}.clouds.yaml"
        self._write_login(clouds, account)
        settings = replace(self.settings, app_manager=own, cloud=as_project(self.settings.cloud))
        process = self._start("app-manager", name, settings, clouds)
        self._managers.append(process)
        url = yield from blocking(lambda: process.url(READY_S))
        return url + guarded(_ALARM_PATH, own.secret)

    def stop_app_managers(self) -> Flow[None]:
        """End every app manager."""
        managers, self._managers = self._managers, []
        for process in managers:
            process.ask_to_stop()
        for process in managers:
            yield from blocking(partial(process.stop, _STOP_S))

    def probe(self, placed: Sequence[Placed]) -> Probes:
        """Start to ask every service."""
        self._probes = LiveProbes(self, placed, self.settings.probe)
        return self._probes

    def watch(self, placed: Sequence[Placed]) -> Watch:
        """Return the watch that is told everything, or the one that looks again and again."""
        if self._cloud.control_url is not None:
            addresses = frozenset(item.address for item in placed)
            return ToldWatch(self, self.cloud_watch(placed), self._cloud.control_url, addresses)
        return PollingWatch(self, self.cloud_watch(placed))

    def events(self, control_url: str, since: int) -> Any:
        """Return what an embedded cloud tells of itself; blocks."""
        url = f"{control_url}/events?since={since}"
        return call_json("ask what happened", lambda: self._http.get(url, timeout=10.0))

    def inject(self, faults: Sequence[Fault]) -> None:
        """Make the embedded cloud fail.

        Raises:
            PreconditionError: the cloud is a real one.
        """
        if faults and self._cloud.control_url is None:
            names = ", ".join(fault.name for fault in faults)
            raise PreconditionError(
                f"this scenario needs faults that only an embedded cloud has: {names}"
            )
        for fault in faults:
            body = {
                "name": fault.name,
                "criteria": dict(fault.criteria),
                "parameters": dict(fault.parameters),
                "times": fault.times,
            }
            url = f"{self._cloud.control_url}/faults"
            call_json(f"arm {fault.name}", partial(self._http.post, url, json=body, timeout=10.0))

    def show_probes_on(self, display: ProbeDisplay) -> None:
        """Tell the display again and again what the probes know."""

        def show() -> None:
            for address, snapshot in self._probes.snapshots() if self._probes else ():
                display.probe(
                    address,
                    who=snapshot.who,
                    sent=snapshot.sent,
                    lost=snapshot.lost,
                    silent_s=snapshot.silent_s,
                )

        self._shows.append(show)

    def close(self) -> None:
        """End every process, the cloud last; blocks."""
        self.clock.call(self._reading.cancel)
        others = [process for process in self.processes if process is not self._simulator]
        for process in others:
            process.ask_to_stop()
        for process in others:
            process.stop(_STOP_S)
        self.clock.call(self._read)
        if self._simulator is not None:
            self._simulator.stop(_STOP_S)

    def _write_user_data(self, application: Application) -> str | None:
        """Write what instances that are built anew are started with, and return where, or None."""
        given = self.settings.app_manager.user_data_file
        encoded = self.user_data(application)
        if given is not None or encoded is None:
            return given
        path = self._folder / f"app-manager-{application.name}.user_data"
        path.write_bytes(base64.b64decode(encoded))
        return str(path)

    def _write_login(self, path: Path, account: Account) -> None:
        own = self.settings.cloud
        entry: dict[str, Any] = {"auth": dict(account.login), "interface": own.interface}
        if own.region_name is not None:
            entry["region_name"] = own.region_name
        if own.cacert is not None:
            entry["cacert"] = own.cacert
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump({"clouds": {_PROJECT_CLOUD: entry}}), encoding="utf-8")

    def _start(
        self,
        command: str,
        name: str | None = None,
        settings: Settings | None = None,
        clouds: Path | None = None,
    ) -> Process:
        called = name or command
        seen = self._folder / f"{called}.jsonl"
        self._tails.append(Tail(seen))
        words = [command, "--observations", str(seen)]
        return Process(called, words, self._folder, self.clock, settings or self.settings, clouds)

    def _read_for_ever(self) -> Flow[None]:
        while True:
            self._read()
            for show in self._shows:
                show()
            yield from wait(POLL_S)

    def _read(self) -> None:
        for tail in self._tails:
            for record in tail.read():
                if record["source"] != "admin_tool" or record["kind"] not in _OWN_ACCOUNT:
                    self.recorder.take(record)
