# SPDX-License-Identifier: Apache-2.0
"""Load: one session over many hosts and many projects, each with an alarm of its own; who was told, who was heard.

    python benchmarks/load.py                            # 100 hosts, 200 projects with 2 instances each
    python benchmarks/load.py --hosts 20 --projects 40

Simulator and admin tool are processes of their own. This one is every project's app manager: one server, a
path with a secret word for each project. It answers each announcement with an ACK for every instance.
Exit status 1 if a project was not told, a reply was not taken or the session does not end well.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
import yaml

from doctor_maintenance import serving
from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import connect, http_session
from doctor_maintenance.deployment.rest import Rest
from doctor_maintenance.protocol import (
    Action,
    NotificationState,
    ProjectNotification,
    Reply,
    Verdict,
    parse_alarm,
)
from doctor_maintenance.runner.processes import Process
from doctor_maintenance.secret_words import new_word
from doctor_maintenance.settings import AdminToolSettings, CloudSettings, Settings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

READY_S = 60.0
TIMEOUT_S = 60.0
POLL_S = 0.5
SETTING_UP = 8
"""How many projects are set up at the same time."""
REPLYING = 16
"""How many replies are under way at the same time."""


@dataclass
class Project:
    """A project and its app manager's side.

    Attributes:
        project_id: the project.
        token: its user's.
        word: what its alarm URL ends with.
        told: when it was told what.
        took_s: how long each of its replies took.
        refused: what was answered to replies that were not taken.
    """

    project_id: str
    token: str
    word: str
    told: list[tuple[float, NotificationState]] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class AppManagers:
    """Every project's app manager: takes alarms at once, replies on threads of its own."""

    def __init__(self, http: requests.Session, clock: WallClock) -> None:
        self.projects: dict[str, Project] = {}
        self._http = http
        self._clock = clock
        self._threads = ThreadPoolExecutor(REPLYING)
        self._noting = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Take an alarm."""
        project = self.projects.get(environ["PATH_INFO"].rpartition("/")[2])
        if project is None:
            start("404 Not Found", [])
            return []
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        notification = parse_alarm(json.loads(body)).notification()
        assert isinstance(notification, ProjectNotification)
        with self._noting:
            project.told.append((self._clock.now(), notification.state))
        if notification.reply_url and notification.state is NotificationState.PLANNED_MAINTENANCE:
            self._threads.submit(self._reply, project, notification)
        start("200 OK", [("Content-Length", "0")])
        return []

    def _reply(self, project: Project, notification: ProjectNotification) -> None:
        began = self._clock.now()
        token = {"X-Auth-Token": project.token}
        listed = self._http.get(notification.instance_ids, headers=token, timeout=TIMEOUT_S)
        ids = listed.json().get("instance_ids", [])
        reply = Reply(
            notification.session_id,
            Verdict.ACK,
            notification.state,
            dict.fromkeys(ids, Action.LIVE_MIGRATE),
        )
        assert notification.reply_url is not None
        answer = self._http.put(
            notification.reply_url, json=reply.to_wire(), headers=token, timeout=TIMEOUT_S
        )
        with self._noting:
            if answer.status_code == 200 and ids:
                project.took_s.append(self._clock.now() - began)
            else:
                project.refused.append(f"{answer.status_code} {answer.text:.200}")

    def close(self) -> None:
        """Finish the replies that are under way."""
        self._threads.shutdown()


class Site:
    """A simulator, an admin tool and the projects, ready for a session."""

    def __init__(
        self, folder: Path, clock: WallClock, stack: ExitStack, hosts: int, instances: int
    ) -> None:
        self._clock = clock
        self._instances = instances
        self.http = http_session()
        base = Settings()
        sim = replace(
            base,
            simulator=replace(
                base.simulator, hosts=hosts, vcpus=64, memory_mb=65_536, profile="instant"
            ),
        )
        self.simulator = self._process(
            stack, "simulator", ["simulator", "--dir", str(folder / "cloud")], folder, sim
        )
        about = json.loads((folder / "cloud" / "simulator.json").read_text())
        clouds = yaml.safe_load(Path(about["clouds_file"]).read_text())["clouds"]
        self._auth = clouds["sim-admin"]["auth"]
        settings = replace(
            base,
            log_level="WARNING",
            cloud=CloudSettings(**self._auth),
            ssh=replace(base.ssh, **about["ssh"]),
            admin_tool=AdminToolSettings(
                notification_url=about["bus_url"], poll_s=0.05, settle_s=0.0, reply_wait_s=60.0
            ),
        )
        self.tool = self._process(stack, "admin-tool", ["admin-tool"], folder, settings)
        self.admin = connect(self._auth, self.http)
        self.rest = Rest(self.admin)
        self.managers = AppManagers(self.http, clock)
        stack.callback(self.managers.close)
        self.server = serving.serve(self.managers, threads=16)
        stack.callback(self.server.close)

    def add_projects(self, count: int) -> None:
        """Create projects, each with a user, an alarm and its instances, and wait until these are up."""
        roles = self.rest.get("identity", "/roles", name="member")["roles"]
        images = self.rest.get("image", "/images")["images"]
        with ThreadPoolExecutor(SETTING_UP) as threads:
            for project in threads.map(
                lambda number: self._add_project(number, roles[0]["id"], images[0]["id"]),
                range(count),
            ):
                self.managers.projects[project.word] = project
        wanted = count * self._instances
        while len(self._active()) < wanted:
            wait(self._clock, POLL_S)

    def _add_project(self, number: int, role_id: str, image_id: str) -> Project:
        name, password = f"load-{number}", new_word()
        made = self.rest.post("identity", "/projects", {"project": {"name": name}})["project"]
        user = self.rest.post("identity", "/users", {"user": {"name": name, "password": password}})[
            "user"
        ]
        self.rest.put("identity", f"/projects/{made['id']}/users/{user['id']}/roles/{role_id}")
        login = {
            "auth_url": self._auth["auth_url"],
            "username": name,
            "password": password,
            "project_id": made["id"],
        }
        own = Rest(connect(login, self.http))
        word = new_word()
        alarm = {
            "name": name,
            "type": "event",
            "event_rule": {"event_type": "maintenance.scheduled"},
            "repeat_actions": True,
            "alarm_actions": [f"{self.server.url}/maintenance/{word}"],
        }
        own.post("alarm", "/alarms", alarm)
        flavors = own.get("compute", "/flavors")["flavors"]
        server = {
            "name": name,
            "flavorRef": next(each["id"] for each in flavors if each["name"] == "m1.tiny"),
            "imageRef": image_id,
            "networks": "none",
            "min_count": self._instances,
        }
        own.post("compute", "/servers", {"server": server})
        return Project(made["id"], str(own.connection.session.get_token()), word)

    def _active(self) -> list[dict[str, Any]]:
        query = {"all_tenants": "1", "status": "ACTIVE"}
        return self.rest.list("compute", "/servers/detail", "servers", **query)

    def maintain(self) -> dict[str, Any]:
        """Take all hosts through one session, and return it as it ended."""
        services = self.rest.get("compute", "/os-services", binary="nova-compute")["services"]
        body = {"hosts": sorted(each["host"] for each in services), "type": "full"}
        url = f"{self.tool.url(READY_S)}/v1/maintenance"
        headers = {"X-Auth-Token": str(self.admin.session.get_token())}
        made = self.http.post(url, json=body, headers=headers, timeout=TIMEOUT_S)
        made.raise_for_status()
        one = f"{url}/{made.json()['session_id']}"
        while True:
            view: dict[str, Any] = self.http.get(one, headers=headers, timeout=TIMEOUT_S).json()
            if view["state"] not in ("SCHEDULED", "PLANNED_MAINTENANCE", "IN_MAINTENANCE"):
                return view
            wait(self._clock, POLL_S)

    def _process(
        self, stack: ExitStack, name: str, words: list[str], folder: Path, settings: Settings
    ) -> Process:
        process = Process(name, words, folder, self._clock, settings)
        stack.callback(process.stop, READY_S)
        process.url(READY_S)
        return process


def wait(clock: WallClock, seconds: float) -> None:
    """Wait in real time."""
    over = threading.Event()
    clock.call_later(seconds, over.set)
    over.wait()


def peak_mib(pid: int | str) -> float:
    """Return the most memory that a process had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile of at least two values."""
    return statistics.quantiles(values, n=100)[percent - 1]


def main() -> int:
    """Run it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--projects", type=int, default=200)
    parser.add_argument("--instances", type=int, default=2, help="of each project")
    args = parser.parse_args()
    clock = WallClock()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        clock.start()
        stack.callback(clock.stop)
        began = clock.now()
        site = Site(Path(folder), clock, stack, args.hosts, args.instances)
        site.add_projects(args.projects)
        print(
            f"{args.hosts} hosts, {args.projects} projects with an alarm and {args.instances} instances each; "
            f"set up in {clock.now() - began:.1f} s"
        )
        began = clock.now()
        view = site.maintain()
        return report(site, view, clock.now() - began)


def report(site: Site, view: dict[str, Any], took_s: float) -> int:
    """Print what came of it, and return the exit status."""
    projects = list(site.managers.projects.values())
    told = sum(len(project.told) for project in projects)
    replies = [took for project in projects for took in project.took_s]
    refused = [why for project in projects for why in project.refused]
    silent = [project.project_id for project in projects if not project.told]
    taken = [item["reply"] is not None for host in view["hosts"] for item in host["projects"]]
    print(f"session: {view['state']} in {took_s:.1f} s, {took_s / len(view['hosts']):.2f} s a host")
    print(f"notifications: {told} received, {told / took_s:.1f}/s, {len(silent)} projects not told")
    print(
        f"replies: {len(replies)} taken, {len(replies) / took_s:.1f}/s, {len(refused)} refused; list and reply "
        f"took {percentile(replies, 50) * 1000:.0f} ms (median), {percentile(replies, 99) * 1000:.0f} ms (99 %)"
    )
    for name, pid in (("simulator", site.simulator.pid), ("admin tool", site.tool.pid)):
        print(f"peak memory of the {name}: {peak_mib(pid):.0f} MiB")
    for why in sorted(set(refused))[:5]:
        print(f"refused: {why}")
    good = view["state"] == "MAINTENANCE_OVER" and not silent and not refused and all(taken)
    print("PASSED: all told, all heard" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
