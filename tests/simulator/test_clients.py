# SPDX-License-Identifier: Apache-2.0
"""The official clients, unchanged, on a simulator that is a process of its own and answers on sockets."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
import pytest
import requests
import yaml

ROOT = Path(__file__).parents[2]
CLIENTS = Path(sys.executable).parent

pytestmark = pytest.mark.slow


@dataclass
class Live:
    """A simulator that runs."""

    child: subprocess.Popen[str]
    directory: Path
    url: str

    @property
    def about(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.directory / "simulator.json").read_text())
        return read

    def login(self, cloud: str = "sim-admin") -> dict[str, str]:
        clouds = yaml.safe_load((self.directory / "clouds.yaml").read_text())["clouds"]
        found: dict[str, str] = clouds[cloud]["auth"]
        return found

    def environment(self, **more: str) -> Mapping[str, str]:
        own = {k: v for k, v in os.environ.items() if not k.startswith("OS_")}
        return {**own, "OS_CLIENT_CONFIG_FILE": str(self.directory / "clouds.yaml"), **more}

    def openstack(self, *commands: str, cloud: str = "sim-admin") -> list[Any]:
        """Run commands in one ``openstack`` process; return what those with ``-f json`` print."""
        return self._client("openstack", commands, OS_CLOUD=cloud)

    def aodh(self, *commands: str) -> list[Any]:
        """Run commands in one ``aodh`` process."""
        auth = self.login()
        return self._client(
            "aodh",
            commands,
            OS_AUTH_TYPE="password",
            OS_AUTH_URL=auth["auth_url"],
            OS_USERNAME=auth["username"],
            OS_PASSWORD=auth["password"],
            OS_PROJECT_NAME=auth["project_name"],
            OS_USER_DOMAIN_NAME="Default",
            OS_PROJECT_DOMAIN_NAME="Default",
        )

    def _client(self, name: str, commands: Sequence[str], **options: str) -> list[Any]:
        done = subprocess.run(
            [CLIENTS / name],
            input="\n".join(commands) + "\n",
            env=self.environment(**options),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stderr.strip() == "", done.stderr
        return _documents(done.stdout)


def _documents(text: str) -> list[Any]:
    """Return the JSON documents in a client's output; other lines are remarks."""
    decoder, found = json.JSONDecoder(), []
    while text:
        if text[0] not in "[{":
            text = text.partition("\n")[2]
            continue
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].lstrip()
    return found


@contextlib.contextmanager
def running(directory: Path, *words: str) -> Iterator[Live]:
    command = [sys.executable, "-m", "doctor_maintenance", "simulator", "--dir", str(directory)]
    with subprocess.Popen(
        [*command, "--die-with-parent", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line.startswith("ready "):
            child.kill()
            assert child.stderr is not None
            pytest.fail(f"the simulator is not ready: {line!r} {child.stderr.read()}")
        yield Live(child, directory, line.split()[1])
        child.kill()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with running(tmp_path_factory.mktemp("simulator"), "--profile", "instant") as made:
        made.openstack(
            "network create net -f json",
            "subnet create --network net --subnet-range 10.9.0.0/24 sub -f json",
            "router create router -f json",
            "router set --external-gateway public router",
            "router add subnet router sub",
        )
        yield made


def test_openstack_creates_shows_migrates_and_deletes_servers(live: Live) -> None:
    boot = "server create --image cirros --flavor m1.tiny --network net --wait"
    shows = "server show one -f json -c status -c OS-EXT-SRV-ATTR:host"

    made, before, after, cold, listed, migrations, gone = live.openstack(
        f"{boot} one -f json",
        shows,
        "server migrate --live-migration --wait one",
        shows,
        "server migrate --wait one",
        "server migration confirm one",
        shows,
        "server list --long --name one -f json",
        "server migration list --server one -f json",
        "server delete --wait one",
        "server list --name one -f json",
    )

    assert (made["name"], made["status"]) == ("one", "ACTIVE")
    hosts = [each["OS-EXT-SRV-ATTR:host"] for each in (before, after, cold)]
    assert hosts[0] != hosts[1] != hosts[2]
    assert after["status"] == "ACTIVE"
    assert [server["Name"] for server in listed] == ["one"]
    assert sorted(migration["Type"] for migration in migrations) == ["live-migration", "migration"]
    assert gone == []


def test_openstack_disables_and_enables_compute_services(live: Live) -> None:
    services = "compute service list --long --service nova-compute -f json"

    disabled, enabled = live.openstack(
        "compute service set --disable --disable-reason maintenance compute2 nova-compute",
        services,
        "compute service set --enable compute2 nova-compute",
        services,
    )

    by_host = {service["Host"]: service for service in disabled}
    assert sorted(by_host) == ["compute1", "compute2", "compute3"]
    assert by_host["compute2"]["Status"] == "disabled"
    assert by_host["compute2"]["Disabled Reason"] == "maintenance"
    assert {service["Status"] for service in enabled} == {"enabled"}


def test_openstack_lists_hypervisors_images_and_projects(live: Live) -> None:
    hypervisors, images, projects = live.openstack(
        "hypervisor list -f json", "image list -f json", "project list -f json"
    )

    names = [hypervisor["Hypervisor Hostname"] for hypervisor in hypervisors]
    assert names == ["compute1", "compute2", "compute3"]
    assert [(image["Name"], image["Status"]) for image in images] == [("cirros", "active")]
    assert {"admin", "demo"} <= {project["Name"] for project in projects}


def test_cloud_can_be_named_on_the_command_line(live: Live) -> None:
    done = subprocess.run(
        [CLIENTS / "openstack", "--os-cloud", "sim-demo", "network", "list", "-f", "json"],
        env=live.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert [network["Name"] for network in json.loads(done.stdout)] == ["public"]


def test_floating_ip_answers_on_the_wire_when_it_is_set(live: Live) -> None:
    _, server, floating, shown = live.openstack(
        "port create --network net two -f json",
        "server create --image cirros --flavor m1.tiny --port two --wait two -f json",
        "floating ip create --description two public -f json",
        "floating ip list -f json",
    )
    address = floating["floating_ip_address"]
    (listed,) = live.openstack(f"floating ip set --port two {address}", "floating ip list -f json")

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(5.0)
        probe.sendto(b"7 nonce", (address, live.about["service_port"]))
        answer = probe.recv(512)

    assert [each["Port"] for each in shown] == [None]
    assert [each["Floating IP Address"] for each in listed] == [address]
    assert answer == f"7 nonce two {server['id']}".encode()


def test_openstack_manages_projects_users_and_roles(live: Live) -> None:
    project, user, granted = live.openstack(
        "project create doctor -f json",
        "user create --project doctor --password secret doctor -f json",
        "role add --project doctor --user doctor member",
        "role assignment list --project doctor --names -f json",
        "user delete doctor",
        "project delete doctor",
    )

    assert (project["name"], user["name"]) == ("doctor", "doctor")
    assert [assignment["Role"] for assignment in granted] == ["member"]


def test_openstack_uploads_and_deletes_an_image(live: Live, tmp_path: Path) -> None:
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"x" * 10_000)

    made, shown = live.openstack(
        f"image create --disk-format raw --file {disk} small -f json",
        "image show small -f json",
        "image delete small",
    )

    assert made["name"] == "small"
    assert (shown["status"], shown["size"]) == ("active", 10_000)


def test_aodhclient_creates_lists_updates_and_deletes_alarms(live: Live) -> None:
    made, listed, changed, left = live.aodh(
        "alarm create -f json --name maint --type event --event-type maintenance.scheduled "
        "--query 'traits.state=string::PLANNED_MAINTENANCE' --alarm-action http://127.0.0.1:9/m "
        "--repeat-actions True --severity moderate",
        "alarm list -f json",
        "alarm update --name maint --severity critical -f json",
        "alarm delete --name maint",
        "alarm list -f json",
    )

    assert [alarm["alarm_id"] for alarm in listed] == [made["alarm_id"]]
    assert changed["severity"] == "critical"
    assert left == []


def test_files_that_open_something_can_be_read_by_their_owner_only(live: Live) -> None:
    for name in ("clouds.yaml", "id_ed25519", "simulator.json"):
        mode = (live.directory / name).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600, name


def test_hosts_answer_ssh_with_the_key_and_the_host_keys_that_are_written(live: Live) -> None:
    ssh = live.about["ssh"]
    client = paramiko.SSHClient()
    client.load_host_keys(ssh["known_hosts"])
    client.set_missing_host_key_policy(paramiko.RejectPolicy())

    with contextlib.closing(client):
        client.connect(
            live.about["hosts"]["compute3"],
            ssh["port"],
            ssh["user"],
            key_filename=ssh["key_file"],
            allow_agent=False,
            look_for_keys=False,
            timeout=10.0,
        )
        _, output, _ = client.exec_command("hostname", timeout=10.0)
        said = output.read()

    assert said == b"compute3\n"


def test_password_is_another_one_every_time_and_the_default_one_opens_nothing(live: Live) -> None:
    auth = live.login()
    user = {"name": "admin", "domain": {"name": "Default"}, "password": "admin"}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}

    answer = requests.post(f"{auth['auth_url']}/auth/tokens", json=body, timeout=10)

    assert answer.status_code == 401
    assert len(auth["password"]) >= 16


def test_two_simulators_beside_each_other_do_not_meet_and_end_when_told(
    live: Live, tmp_path: Path
) -> None:
    with running(tmp_path / "second") as second:
        blocks = {live.about["address_block"], second.about["address_block"]}

        second.child.send_signal(signal.SIGTERM)

        assert second.child.wait(10) == 0
        assert len(blocks) == 2
    assert requests.get(f"{live.url}/control/state", timeout=10).status_code == 200


def test_folder_that_cannot_be_written_and_a_port_in_use_are_told_with_status_3(
    live: Live, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    port = live.url.rpartition(":")[2]
    for words, named in (
        (("--dir", str(tmp_path / "file" / "x")), "cannot be written"),
        (("--dir", str(tmp_path / "y"), "--port", port), port),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "doctor_maintenance", "simulator", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

        assert done.returncode == 3, done.stderr
        assert named in done.stderr
        assert "Traceback" not in done.stderr
