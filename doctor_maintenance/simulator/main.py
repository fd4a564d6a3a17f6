# SPDX-License-Identifier: Apache-2.0
"""The embedded cloud as a process: APIs on a port, hosts that answer SSH, floating IPs that answer probes.

What others need to find it is written into a folder: ``clouds.yaml``, an SSH key, ``known_hosts`` and
``simulator.json``. Passwords and tokens come from the operating system's chance, not from the seed, which is told
to everybody.
"""

from __future__ import annotations

import json
import logging
import os
import random
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests
import requests.adapters
import yaml

from doctor_maintenance import lifecycle, serving
from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.serving import Server
from doctor_maintenance.settings import Settings
from doctor_maintenance.simulator.address_blocks import claim_block
from doctor_maintenance.simulator.app import create_app
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.data_plane import DataPlane
from doctor_maintenance.simulator.faults import FAULT_KINDS, IN_A_CLOUD, FaultWords
from doctor_maintenance.simulator.hosts import CommandTable
from doctor_maintenance.simulator.profiles import get_profile
from doctor_maintenance.simulator.ssh_keys import client_key, write_known_hosts
from doctor_maintenance.simulator.ssh_server import SshHosts
from doctor_maintenance.simulator.topology import ProjectSpec, Topology, build_topology
from doctor_maintenance.workers import ThreadWorkers

LOG = logging.getLogger(__name__)

CLOUDS_FILE = "clouds.yaml"
ABOUT_FILE = "simulator.json"
_WORKERS = 8
_POOL = 32


class LiveSimulator:
    """A simulated cloud in real time, in this process; use it as a context manager.

    Args:
        settings: the options.
        directory: where the files are written; it is made if it is missing.
        ssh_port: the port of SSH on every host; 0: one that is free on all.

    Attributes:
        cloud: the models; touch them through ``cloud.clock.call`` only.
        url: where the APIs are.
        about: what ``simulator.json`` says.

    Raises:
        PreconditionError: an address, port or file is not to be had.
    """

    def __init__(self, settings: Settings, directory: Path, ssh_port: int = 0) -> None:
        self._settings = settings
        self._directory = directory
        self._ssh_port = ssh_port
        self._closing = ExitStack()
        self.about: dict[str, Any] = {}
        try:
            self._start()
        except BaseException:
            self._closing.close()
            raise

    @property
    def url(self) -> str:
        """Where the APIs are."""
        return self._server.url

    def close(self) -> None:
        """End everything; the files stay. Closing twice is no error."""
        self._closing.close()

    def __enter__(self) -> LiveSimulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        options = self._settings.simulator
        _make_directory(self._directory)
        block = claim_block(options.hosts)
        self._closing.callback(block.release)
        topology = _with_passwords(
            build_topology(
                options.hosts,
                address_block=block.cidr,
                vcpus=options.vcpus,
                memory_mb=options.memory_mb,
                disk_gb=options.disk_gb,
            )
        )
        clock = WallClock(options.speed)
        workers = ThreadWorkers(clock, threads=_WORKERS)
        self._closing.callback(workers.close)
        self.cloud = SimCloud(
            clock,
            random.Random(self._settings.seed),
            get_profile(options.profile),
            topology,
            http=_http(options.cacert),
            workers=workers,
        )
        self.cloud.identity.token_rng = random.SystemRandom()
        application = create_app(self.cloud)
        clock.start()
        self._closing.callback(clock.stop)
        ssh = self._serve_hosts()
        self._serve_addresses()
        self._server: Server = serving.serve(
            application, options.bind, options.port, threads=options.threads
        )
        self._closing.callback(self._server.close)
        self._write_files(topology, ssh)

    def _serve_hosts(self) -> SshHosts:
        tool = self._settings.admin_tool
        told = [*tool.maintenance_commands, *([tool.test_command] if tool.test_command else [])]
        ssh = SshHosts(
            self.cloud,
            table=CommandTable.succeeding(told),
            client_key=_client_key(self._directory),
            port=self._ssh_port,
        )
        ssh.start()
        self._closing.callback(ssh.close)
        return ssh

    def _serve_addresses(self) -> None:
        plane = DataPlane(self.cloud, self._settings.probe.port)
        plane.start()
        self._closing.callback(plane.close)

    def _write_files(self, topology: Topology, ssh: SshHosts) -> None:
        files = write_known_hosts(self._directory, ssh.known_hosts)
        auth_url = f"{self.url}/identity/v3"
        clouds = {
            f"sim-{project.name}": {
                "auth": {
                    "auth_url": auth_url,
                    "username": project.user,
                    "password": project.password,
                    "project_name": project.name,
                    "user_domain_name": "Default",
                    "project_domain_name": "Default",
                },
                "region_name": topology.region,
                "identity_api_version": "3",
            }
            for project in topology.projects
        }
        clouds_file = self._directory / CLOUDS_FILE
        write_private(clouds_file, yaml.safe_dump({"clouds": clouds}, sort_keys=False))
        self.about = {
            "url": self.url,
            "auth_url": auth_url,
            "bus_url": f"{self.url}/bus/notifications",
            "control_url": f"{self.url}/control",
            "clouds_file": str(clouds_file.resolve()),
            "address_block": topology.address_block,
            "service_port": self._settings.probe.port,
            "ssh": {
                "port": ssh.port,
                "user": self._settings.ssh.user,
                "key_file": str(files.key_file.resolve()),
                "known_hosts": str(files.known_hosts.resolve()),
            },
            "hosts": {host.name: host.address for host in topology.hosts},
        }
        write_private(self._directory / ABOUT_FILE, json.dumps(self.about, indent=2) + "\n")


def serve(
    settings: Settings,
    directory: Path,
    *,
    ssh_port: int = 0,
    faults: Sequence[FaultWords] = (),
    die_with_parent: bool = False,
) -> int:
    """Serve a simulated cloud until told to stop.

    Args:
        settings: the options.
        directory: where the files are written.
        ssh_port: the port of SSH on every host; 0: one that is free on all.
        faults: what is armed from the start.
        die_with_parent: end as well when standard input ends.

    Returns:
        The exit status.

    Raises:
        PreconditionError: an address, port or file is not to be had, or a fault is not the cloud's.
    """
    for fault in faults:
        if FAULT_KINDS[fault.name].where not in IN_A_CLOUD:
            where = FAULT_KINDS[fault.name].where.value
            raise PreconditionError(f"--fault {fault.name}: the simulator has no {where}")
    simulator = LiveSimulator(settings, directory, ssh_port)
    for fault in faults:
        simulator.cloud.faults.add(fault.name, fault.criteria, fault.parameters, fault.times)
    LOG.info("try: OS_CLIENT_CONFIG_FILE=%s", simulator.about["clouds_file"])
    return lifecycle.serve_until_stopped(
        simulator.url, simulator.close, die_with_parent=die_with_parent
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def _make_directory(directory: Path) -> None:
    _or_precondition(directory, lambda: directory.mkdir(parents=True, exist_ok=True))


def _client_key(directory: Path) -> Any:
    return _or_precondition(directory, lambda: client_key(directory))


def _or_precondition(directory: Path, function: Callable[[], Any]) -> Any:
    try:
        return function()
    except OSError as error:
        raise PreconditionError(
            f"the simulator's files cannot be written to {directory}: {error}; name a folder that can be written"
        ) from error


def _with_passwords(topology: Topology) -> Topology:
    def protected(project: ProjectSpec) -> ProjectSpec:
        return replace(project, password=secrets.token_urlsafe(18))

    return replace(topology, projects=tuple(protected(each) for each in topology.projects))


def _http(cacert: str | None) -> requests.Session:
    """Return the session that alarms are posted with: connections enough for all workers, and no proxy."""
    session = requests.Session()
    if cacert is not None:
        if not Path(cacert).is_file():
            raise PreconditionError(f"simulator.cacert: there is no file {cacert}")
        session.verify = cacert
    session.trust_env = False
    adapter = requests.adapters.HTTPAdapter(pool_connections=_POOL, pool_maxsize=_POOL)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
