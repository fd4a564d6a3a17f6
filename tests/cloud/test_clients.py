# SPDX-License-Identifier: Apache-2.0
"""The official clients, unchanged: ``openstack`` and ``aodh`` do on any cloud what a person with a manual would."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack.config import loader
from simulator_process import Clients, running

from .places import CLOUD

pytestmark = pytest.mark.slow

IMAGE = "DOCTOR_MAINTENANCE_TEST_IMAGE"


class Shell:
    """A person at a command line, logged in as an operator.

    Args:
        clients: of the cloud.
        cloud: its name in ``clouds.yaml``.
    """

    def __init__(self, clients: Clients, cloud: str) -> None:
        self._clients = clients
        self._cloud = cloud
        self.prefix = f"dm-c{uuid.uuid4().hex[:8]}"
        self._undo: list[str] = []

    def openstack(self, *commands: str) -> list[Any]:
        return self._clients.openstack(*commands, cloud=self._cloud)

    def aodh(self, *commands: str) -> list[Any]:
        return self._clients.aodh(*commands, cloud=self._cloud)

    def later(self, *commands: str) -> None:
        """Run commands when the tests are over, the last one first."""
        self._undo.extend(commands)

    def undo(self) -> None:
        if self._undo:
            self.openstack(*reversed(self._undo))


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell on the simulator, as a process of its own, or on the cloud that is named."""
    named = os.environ.get(CLOUD)
    if named:
        files = [os.environ.get("OS_CLIENT_CONFIG_FILE", ""), *loader.CONFIG_FILES]
        found = next(Path(name) for name in files if name and Path(name).exists())
        made = Shell(Clients(found), named)
        try:
            yield made
        finally:
            made.undo()
        return
    with running(tmp_path_factory.mktemp("simulator"), "--profile", "instant") as live:
        yield Shell(live, "sim-admin")


@pytest.fixture(scope="module")
def network(shell: Shell) -> str:
    """A network behind a router, to boot in."""
    name = f"{shell.prefix}-net"
    shell.later(f"network delete {name}")
    shell.openstack(
        f"network create {name} -f json",
        f"subnet create --network {name} --subnet-range 10.9.0.0/24 {name} -f json",
    )
    return name


@pytest.fixture(scope="module")
def flavor(shell: Shell) -> str:
    """A small flavor."""
    name = f"{shell.prefix}-flavor"
    shell.later(f"flavor delete {name}")
    shell.openstack(f"flavor create --ram 256 --disk 1 --vcpus 1 {name} -f json")
    return name


@pytest.fixture(scope="module")
def image(shell: Shell) -> str:
    """A public image."""
    (images,) = shell.openstack("image list --public --status active --long -f json")
    wanted = os.environ.get(IMAGE)
    return next(
        str(item["Name"])
        for item in images
        if wanted in (None, item["Name"]) and item["Container Format"] == "bare"
    )


def test_openstack_creates_shows_migrates_and_deletes_servers(
    shell: Shell, network: str, flavor: str, image: str
) -> None:
    name = f"{shell.prefix}-one"
    shows = f"server show {name} -f json -c status -c OS-EXT-SRV-ATTR:host"

    try:
        made, before, after, cold, listed, migrations = shell.openstack(
            f"server create --image {image} --flavor {flavor} --network {network} --wait {name} -f json",
            shows,
            f"server migrate --live-migration --wait {name}",
            shows,
            f"server migrate --wait {name}",
            f"server migration confirm {name}",
            shows,
            f"server list --long --name {name} -f json",
            f"server migration list --server {name} -f json",
        )
    finally:
        (gone,) = shell.openstack(
            f"server delete --wait {name}", f"server list --name {name} -f json"
        )

    assert (made["name"], made["status"]) == (name, "ACTIVE")
    hosts = [each["OS-EXT-SRV-ATTR:host"] for each in (before, after, cold)]
    assert hosts[0] != hosts[1] != hosts[2]
    assert after["status"] == "ACTIVE"
    assert [server["Name"] for server in listed] == [name]
    assert sorted(migration["Type"] for migration in migrations) == ["live-migration", "migration"]
    assert gone == []


@pytest.mark.operator
def test_openstack_disables_and_enables_compute_services(shell: Shell) -> None:
    services = "compute service list --long --service nova-compute -f json"
    (before,) = shell.openstack(services)
    host = before[-1]["Host"]

    disabled, enabled = shell.openstack(
        f"compute service set --disable --disable-reason maintenance {host} nova-compute",
        services,
        f"compute service set --enable {host} nova-compute",
        services,
    )

    by_host = {service["Host"]: service for service in disabled}
    assert by_host[host]["Status"] == "disabled"
    assert by_host[host]["Disabled Reason"] == "maintenance"
    assert [service["Status"] for service in enabled if service["Host"] == host] == ["enabled"]


def test_openstack_lists_hypervisors_images_and_projects(shell: Shell) -> None:
    hypervisors, images, projects, services = shell.openstack(
        "hypervisor list -f json",
        "image list -f json",
        "project list -f json",
        "compute service list --service nova-compute -f json",
    )

    names = {hypervisor["Hypervisor Hostname"] for hypervisor in hypervisors}
    assert names == {service["Host"] for service in services}
    assert "active" in {image["Status"] for image in images}
    assert "admin" in {project["Name"] for project in projects}


def test_openstack_manages_projects_users_and_roles(shell: Shell) -> None:
    name = f"{shell.prefix}-doctor"

    project, user, granted = shell.openstack(
        f"project create {name} -f json",
        f"user create --project {name} --password secret {name} -f json",
        f"role add --project {name} --user {name} member",
        f"role assignment list --project {name} --names -f json",
        f"user delete {name}",
        f"project delete {name}",
    )

    assert (project["name"], user["name"]) == (name, name)
    assert [assignment["Role"] for assignment in granted] == ["member"]


def test_openstack_uploads_and_deletes_an_image(shell: Shell, tmp_path: Path) -> None:
    name = f"{shell.prefix}-small"
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"x" * 10_000)

    made, shown = shell.openstack(
        f"image create --disk-format raw --file {disk} {name} -f json",
        f"image show {name} -f json",
        f"image delete {name}",
    )

    assert made["name"] == name
    assert (shown["status"], shown["size"]) == ("active", 10_000)


def test_openstack_makes_and_deletes_server_groups_and_security_groups(shell: Shell) -> None:
    name = f"{shell.prefix}-group"

    group, listed, security, rule = shell.openstack(
        f"server group create --policy anti-affinity {name} -f json",
        "server group list -f json",
        f"security group create {name} -f json",
        f"security group rule create --protocol udp --dst-port 7777 {name} -f json",
        f"security group delete {name}",
        f"server group delete {name}",
    )

    assert group["policy"] == "anti-affinity"
    assert name in [item["Name"] for item in listed]
    assert (security["name"], rule["protocol"]) == (name, "udp")


def test_aodhclient_creates_lists_updates_and_deletes_alarms(shell: Shell) -> None:
    name = f"{shell.prefix}-alarm"

    made, listed, changed, left = shell.aodh(
        f"alarm create -f json --name {name} --type event --event-type maintenance.scheduled "
        "--query 'traits.state=string::PLANNED_MAINTENANCE' --alarm-action http://127.0.0.1:9/m "
        "--repeat-actions True --severity moderate",
        "alarm list -f json",
        f"alarm update --name {name} --severity critical -f json",
        f"alarm delete --name {name}",
        "alarm list -f json",
    )

    assert made["alarm_id"] in [alarm["alarm_id"] for alarm in listed]
    assert changed["severity"] == "critical"
    assert name not in [alarm["name"] for alarm in left]
