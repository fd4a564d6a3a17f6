# SPDX-License-Identifier: Apache-2.0
"""SSH on simulated hosts, over real sockets, with our own client and with OpenSSH's."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import (
    PreconditionError,
    RemoteAuthError,
    RemoteError,
    RemoteHostKeyError,
    RemoteTimeout,
    RemoteUnreachable,
)
from doctor_maintenance.remote import CommandResult, ParamikoRemote
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.hosts import CommandAnswer, CommandTable
from doctor_maintenance.simulator.ssh_keys import client_key, new_key, write_known_hosts
from doctor_maintenance.simulator.ssh_server import SshHosts
from doctor_maintenance.workers import InlineWorkers, Outcome, ThreadWorkers

PATIENCE_S = 20.0
BIG = CommandAnswer(3, "x" * 300_000, "y" * 200_000)
SLOW = CommandAnswer(duration_s=600.0)


class Commands(dict[str, CommandAnswer]):
    """Commands that a host knows; ``begun`` is set when the first of them is run."""

    def __init__(self) -> None:
        super().__init__(big=BIG, slow=SLOW)
        self.begun = threading.Event()

    def __getitem__(self, command: str) -> CommandAnswer:
        self.begun.set()
        return super().__getitem__(command)


class Lab:
    """A cloud in real time whose hosts answer SSH, and a remote that may log in."""

    def __init__(self, directory: Path) -> None:
        self.clock = WallClock()
        self.cloud = SimCloud(self.clock, random.Random(1))
        self.commands = Commands()
        self.hosts = SshHosts(
            self.cloud,
            table=CommandTable(self.commands),
            client_key=client_key(directory),
            user="root",
        )
        self.clock.start()
        self.hosts.start()
        self.files = write_known_hosts(directory, self.hosts.known_hosts)
        self.remote = self.make_remote()

    def make_remote(self, **options: object) -> ParamikoRemote:
        known = {
            "user": "root",
            "key_file": str(self.files.key_file),
            "known_hosts": str(self.files.known_hosts),
            "connect_timeout_s": PATIENCE_S,
        }
        return ParamikoRemote(InlineWorkers(self.clock), **{**known, **options})  # type: ignore[arg-type]

    def run(
        self, command: str, host: str = "compute1", *, timeout_s: float = PATIENCE_S
    ) -> CommandResult:
        return self.remote.run_and_wait(self.hosts.addresses[host], command, timeout_s)

    def error(self, command: str = "true", *, timeout_s: float = PATIENCE_S) -> RemoteError:
        with pytest.raises(RemoteError) as raised:
            self.run(command, timeout_s=timeout_s)
        return raised.value

    def power_off(self, host: str) -> None:
        self.clock.call(lambda: self.cloud.compute.machines.power_off(host))

    def wait_until_up(self, host: str, boot_id: str) -> None:
        """Wait for another boot, and until the servers have heard of it."""
        up = threading.Event()

        def seen() -> None:
            record = self.cloud.compute.hosts[host]
            if record.powered and record.boot_id != boot_id:
                self.hosts.do(up.set)

        self.clock.call(lambda: self.cloud.subscribe(lambda _: seen()))
        self.clock.call(seen)
        assert up.wait(PATIENCE_S)

    def close(self) -> None:
        self.hosts.close()
        self.clock.stop()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.close()


def test_every_host_answers_on_its_own_address_with_its_own_key(lab: Lab) -> None:
    names = [lab.run("hostname", host).stdout for host in lab.hosts.addresses]

    assert names == ["compute1\n", "compute2\n", "compute3\n"]
    keys = {line.split()[2] for line in lab.hosts.known_hosts.splitlines()}
    assert len(keys) == 3


def test_status_output_and_errors_arrive_whole(lab: Lab) -> None:
    assert lab.run("big") == CommandResult(3, "x" * 300_000, "y" * 200_000)


def test_an_unknown_command_ends_with_status_127(lab: Lab) -> None:
    result = lab.run("firmware-update")

    assert (result.status, result.ok) == (127, False)
    assert "command not found" in result.stderr


def test_a_worker_runs_the_command_and_the_clock_is_told(lab: Lab) -> None:
    told = threading.Event()
    outcomes: list[Outcome[CommandResult]] = []

    def done(outcome: Outcome[CommandResult]) -> None:
        outcomes.append(outcome)
        told.set()

    with ThreadWorkers(lab.clock, threads=1) as workers:
        remote = ParamikoRemote(
            workers,
            user="root",
            key_file=str(lab.files.key_file),
            known_hosts=str(lab.files.known_hosts),
        )
        remote.run(lab.hosts.addresses["compute2"], "hostname", PATIENCE_S, done)
        assert told.wait(PATIENCE_S)

    assert outcomes[0].get().stdout == "compute2\n"


def test_a_reboot_ends_or_drops_the_connection_and_the_host_comes_back_with_another_boot_id(
    lab: Lab,
) -> None:
    boot_id = lab.run("cat /proc/sys/kernel/random/boot_id").stdout.strip()

    reboot = lab.run("sudo systemctl reboot")

    assert reboot.ok or reboot.dropped
    lab.wait_until_up("compute1", boot_id)
    assert lab.run("cat /proc/sys/kernel/random/boot_id").stdout.strip() != boot_id


def test_a_host_that_is_off_refuses_connections_and_the_others_do_not(lab: Lab) -> None:
    lab.power_off("compute1")

    error = lab.error()

    assert isinstance(error, RemoteUnreachable)
    assert "compute1" in str(error)
    assert lab.run("true", "compute2").ok


def test_a_command_is_dropped_when_its_host_goes_off(lab: Lab) -> None:
    results: list[CommandResult] = []
    client = threading.Thread(target=lambda: results.append(lab.run("slow")))
    client.start()
    assert lab.commands.begun.wait(PATIENCE_S)
    lab.power_off("compute1")
    client.join(PATIENCE_S)

    assert results[0].dropped


def test_a_command_that_does_not_end_times_out(lab: Lab) -> None:
    error = lab.error("slow", timeout_s=0.2)

    assert isinstance(error, RemoteTimeout)
    assert "did not end within 0.2 s" in str(error)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("ssh_refused", RemoteUnreachable),
        ("ssh_hangs", RemoteTimeout),
        ("ssh_host_key_changed", RemoteHostKeyError),
        ("command_hangs", RemoteTimeout),
    ],
)
def test_a_fault_fails_once_and_the_host_is_well_again(
    lab: Lab, fault: str, expected: type[RemoteError]
) -> None:
    lab.cloud.faults.add(fault, {"host": "compute1"}, times=1)
    if fault == "ssh_hangs":
        lab.remote = lab.make_remote(connect_timeout_s=0.3)

    assert type(lab.error(timeout_s=0.3)) is expected
    lab.remote = lab.make_remote()
    assert lab.run("true").ok


def test_another_key_is_not_let_in(lab: Lab, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    client_key(other)
    lab.remote = lab.make_remote(key_file=str(other / "id_ed25519"))

    error = lab.error()

    assert isinstance(error, RemoteAuthError)
    assert "authorized_keys" in str(error)


def test_another_user_is_not_let_in(lab: Lab) -> None:
    lab.remote = lab.make_remote(user="somebody")

    assert isinstance(lab.error(), RemoteAuthError)


def test_a_host_without_a_known_key_is_refused_unless_unknown_ones_are_accepted(
    lab: Lab, tmp_path: Path
) -> None:
    nobody = tmp_path / "nobody"
    nobody.write_text("")
    lab.remote = lab.make_remote(known_hosts=str(nobody))
    error = lab.error()
    assert isinstance(error, RemoteHostKeyError)
    assert "ssh.accept_unknown" in str(error)

    lab.remote = lab.make_remote(known_hosts=str(nobody), accept_unknown=True)
    assert lab.run("true").ok
    lab.cloud.faults.add("ssh_host_key_changed", {"host": "compute1"}, times=1)
    assert isinstance(lab.error(), RemoteHostKeyError)
    assert nobody.read_text() == ""


def test_a_host_is_known_by_its_name_too(lab: Lab, tmp_path: Path) -> None:
    by_name = tmp_path / "by_name"
    address = lab.hosts.addresses["compute1"].address
    by_name.write_text(lab.hosts.known_hosts.replace(address, "compute1"))
    lab.remote = lab.make_remote(known_hosts=str(by_name))

    assert lab.run("true").ok


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    cloud = SimCloud(WallClock(), random.Random(1))
    with socket.socket() as taken:
        taken.bind((cloud.compute.hosts["compute2"].address, 0))
        taken.listen()
        port = taken.getsockname()[1]
        hosts = SshHosts(cloud, table=CommandTable(), client_key=new_key(), port=port)

        with pytest.raises(PreconditionError, match=rf"compute2.*port {port}.*choose another"):
            hosts.start()


def test_the_private_key_is_for_its_owner_only_and_is_kept(tmp_path: Path) -> None:
    first = client_key(tmp_path)

    assert (tmp_path / "id_ed25519").stat().st_mode & 0o777 == 0o600
    assert client_key(tmp_path).get_base64() == first.get_base64()


def test_many_clients_at_the_same_time_are_all_answered(lab: Lab) -> None:
    results: list[CommandResult] = []
    hosts = [*lab.hosts.addresses] * 4
    clients = [
        threading.Thread(target=lambda host=host: results.append(lab.run("hostname", host)))
        for host in hosts
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join(PATIENCE_S)

    assert sorted(result.stdout for result in results) == sorted(f"{host}\n" for host in hosts)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no OpenSSH client")
def test_the_client_of_openssh_works_unchanged(lab: Lab) -> None:
    address = lab.hosts.addresses["compute3"]
    options = [
        f"UserKnownHostsFile={lab.files.known_hosts}",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        "BatchMode=yes",
    ]
    command = ["ssh", "-F", "none", "-i", str(lab.files.key_file), "-p", str(address.port)]
    for option in options:
        command += ["-o", option]

    done = subprocess.run(
        [*command, f"root@{address.address}", "hostname; true"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        check=False,
    )
    known = subprocess.run(
        [*command, f"root@{address.address}", "hostname"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        check=False,
    )

    assert (known.returncode, known.stdout, known.stderr) == (0, "compute3\n", "")
    assert (done.returncode, done.stdout) == (127, "")
