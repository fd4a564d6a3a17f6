# SPDX-License-Identifier: Apache-2.0
"""A simulator that is a process of its own and answers on sockets: its files, its addresses, its end."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
import requests
from simulator_process import CLIENTS, ROOT, Live, running

pytestmark = pytest.mark.slow


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
    auth = live.login("sim-admin")
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
