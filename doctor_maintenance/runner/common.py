# SPDX-License-Identifier: Apache-2.0
"""What both stages have in common: the operator's calls, the deployment, and its app managers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import requests
from openstack.connection import Connection

from doctor_maintenance.clock import Clock
from doctor_maintenance.cloud import call_json
from doctor_maintenance.cloud_services import Services
from doctor_maintenance.deployment import Account, ApplicationSpec, Deployment, Spec
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.flow import Flow, blocking, together, wait
from doctor_maintenance.leading import Reach
from doctor_maintenance.protocol import times
from doctor_maintenance.remote import HostAddress, Remote
from doctor_maintenance.runner.recorder import Recorder
from doctor_maintenance.runner.stage import ComputeHost, Placed, SshSettings
from doctor_maintenance.runner.watch import COMPUTE_MICROVERSION, CloudWatch
from doctor_maintenance.scenario import Application
from doctor_maintenance.secret_words import guarded
from doctor_maintenance.settings import Settings
from doctor_maintenance.workers import Workers

_TIMEOUT_S = 30.0


def reach_of(strategy: str) -> Reach | None:
    """Return how an address has to lead to its instance for a strategy; None: the best way there is."""
    return Reach(strategy) if strategy in {reach.value for reach in Reach} else None


class CommonStage(ABC):
    """A stage; what a stage must have is said in :class:`~doctor_maintenance.runner.stage.Stage`.

    Args:
        clock: its time.
        workers: who blocks.
        recorder: where all that is seen goes.
        remote: commands on hosts.
        http: carries the runner's own requests.
        operator: the cloud, as its operator.
        connect: the cloud, with a project's login.
        ssh: how hosts are looked at.
        ssh_port: of every host.
        spec: what a deployment is like; its applications come from the scenario.
        poll_s: how often the session is asked about.
        password: returns a password for a project's user.
    """

    exact = False
    settings: Settings
    """The options of the parts."""

    inspector_secret: str | None = None
    """The word that the inspector's URLs end with."""

    def __init__(
        self,
        *,
        clock: Clock,
        workers: Workers,
        recorder: Recorder,
        remote: Remote,
        http: requests.Session,
        operator: Connection,
        connect: Callable[[Mapping[str, str]], Connection],
        ssh: SshSettings,
        ssh_port: int,
        spec: Spec,
        poll_s: float,
        password: Callable[[], str],
    ) -> None:
        self.clock = clock
        self.workers = workers
        self.recorder = recorder
        self.remote = remote
        self.ssh = ssh
        self.poll_s = poll_s
        self._http = http
        self._operator = operator
        self._services = Services(operator, COMPUTE_MICROVERSION)
        self._connect = connect
        self._ssh_port = ssh_port
        self._spec = spec
        self._password = password
        self._deployment: Deployment | None = None
        self._addresses: dict[str, str] = {}
        self._reported_down: set[str] = set()

    @property
    @abstractmethod
    def admin_tool_url(self) -> str:
        """Where the admin tool listens."""

    @property
    @abstractmethod
    def inspector_url(self) -> str:
        """Where the inspector listens."""

    @abstractmethod
    def start_app_manager(self, account: Account, application: Application) -> Flow[str]:
        """Start the app manager of a project, and return its alarm URL."""

    @abstractmethod
    def stop_app_managers(self) -> Flow[None]:
        """End every app manager."""

    @abstractmethod
    def inspector_alarm_url(self) -> str:
        """Return where the alarm on hosts posts to."""

    def operator_project(self) -> str:
        """Return the operator's own project; blocks."""
        return str(self._operator.session.get_project_id())

    def hosts(self) -> Flow[list[ComputeHost]]:
        """Return the compute hosts, by name."""
        services = yield from blocking(lambda: self._nova("/os-services?binary=nova-compute"))
        hypervisors = yield from blocking(lambda: self._nova("/os-hypervisors/detail"))
        for item in hypervisors["hypervisors"]:
            self._addresses[item["service"]["host"]] = item["host_ip"]
        return sorted(
            (
                ComputeHost(item["host"], item["status"] == "enabled", item["state"] == "up")
                for item in services["services"]
            ),
            key=lambda host: host.name,
        )

    def address_of(self, host: str) -> HostAddress:
        """Return where a host answers SSH."""
        return HostAddress(host, self._addresses[host], self._ssh_port)

    def deploy(self, applications: Sequence[Application]) -> Flow[list[Placed]]:
        """Deploy applications with their app managers and alarms."""
        deployment = self._deployment = self._plan(applications)
        accounts = yield from deployment.open_accounts()
        by_name = {application.name: application for application in applications}
        managed = [(account, by_name[account.application]) for account in accounts]
        started = [self.start_app_manager(account, wanted) for account, wanted in managed]
        both: list[Flow[Any]] = [deployment.build(), together(started)]
        built, urls = yield from together(both)
        alarms = {account.application: url for account, url in zip(accounts, urls, strict=True)}
        yield from deployment.subscribe(alarms, self.inspector_alarm_url())
        return [
            Placed(
                name=item.account.application,
                project_id=item.account.project_id,
                address=item.address,
                active=item.active,
                standby=item.standby,
                singles=(*item.singles, *item.everywhere),
                reach=item.reach,
            )
            for item in built
        ]

    def remove(self) -> Flow[list[str]]:
        """Undo what was reported of hosts, remove what was deployed, and return what is left."""
        down = yield from self._hosts_up_again()
        yield from self.stop_app_managers()
        if self._deployment is None:
            return down
        return down + (yield from self._deployment.remove())

    def _hosts_up_again(self) -> Flow[list[str]]:
        """Report hosts up that were reported down; the inspector then undoes what it did for them."""
        reported, self._reported_down = sorted(self._reported_down), set()
        for host in reported:
            yield from blocking(partial(self.report_host, host, "up"))
        deadline = self.clock.now() + _TIMEOUT_S
        while reported:
            hosts = yield from self.hosts()
            down = [host.name for host in hosts if host.name in reported and not host.up]
            if not down:
                break
            if self.clock.now() > deadline:
                return [f"nova-compute of {name} is still down" for name in down]
            yield from wait(self.poll_s)
        return []

    def placement(self) -> Flow[dict[str, str]]:
        """Return the host of every instance."""
        found = yield from blocking(lambda: self._nova("/servers/detail?all_tenants=1"))
        return {
            item["id"]: item["OS-EXT-SRV-ATTR:host"]
            for item in found["servers"]
            if item.get("OS-EXT-SRV-ATTR:host")
        }

    def cloud_watch(self, placed: Sequence[Placed]) -> CloudWatch:
        """Return what looks at the deployed projects and addresses."""
        return CloudWatch(
            self._services["compute"],
            self._services["network"],
            self.clock.now,
            frozenset(item.project_id for item in placed),
            tuple(item.address for item in placed),
        )

    def admin_tool(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request of the operator to the admin tool and return its JSON; blocks.

        Raises:
            CloudError: it refuses, or does not answer.
        """
        what = f"admin tool: {method} {path}"
        return call_json(what, lambda: self._send(method, self.admin_tool_url + path, body))

    def report_host(self, host: str, status: str) -> None:
        """Tell the inspector what a monitor saw of a host, ``down`` or ``up``; blocks.

        Raises:
            CloudError: the inspector refuses.
        """
        if status == "down":
            self._reported_down.add(host)
        event = {
            "time": times.to_iso(self.clock.now()),
            "type": f"compute.host.{status}",
            "details": {
                "hostname": host,
                "status": status,
                "monitor": "runner",
                "monitor_event_id": f"runner-{status}-{host}",
            },
        }
        url = self.inspector_url + guarded("/events", self.inspector_secret)
        call_json(f"inspector: {host} is {status}", lambda: self._send("PUT", url, [event]))

    def _plan(self, applications: Sequence[Application]) -> Deployment:
        wanted = tuple(
            ApplicationSpec(
                item.name,
                item.singles,
                item.one_on_every_host,
                reach_of(item.strategy or self.settings.app_manager.strategy),
            )
            for item in applications
        )
        spec = replace(self._spec, applications=wanted)
        return Deployment(self.clock, self._operator, self._connect, spec, password=self._password)

    def user_data(self, application: Application) -> str | None:
        """Return what an application's pair is started with, base64, or None."""
        return None if self._deployment is None else self._deployment.user_data(application.name)

    def _nova(self, path: str) -> Any:
        return call_json(
            f"nova: GET {path}",
            lambda: self._services["compute"].get(path),
        )

    def _send(self, method: str, url: str, body: Any) -> requests.Response:
        answer = self._send_once(method, url, body)
        if answer.status_code == 401:  # a run may take longer than a token is valid
            self._operator.session.invalidate()
            answer = self._send_once(method, url, body)
        return answer

    def _send_once(self, method: str, url: str, body: Any) -> requests.Response:
        token = self._operator.session.get_token()
        if token is None:
            raise CloudError("the operator has no token", permanent=True)
        return self._http.request(
            method, url, json=body, headers={"X-Auth-Token": token}, timeout=_TIMEOUT_S
        )
