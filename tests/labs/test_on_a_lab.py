# SPDX-License-Identifier: Apache-2.0
"""The lab itself, while it is up: `make openstack` runs these, elsewhere they are skipped."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest

from doctor_maintenance import config
from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import connect_by
from doctor_maintenance.settings import Settings
from lab import daemons, lifecycle
from lab.layout import Kind, Lab, Port
from lab.services.nova import compute
from labs.outages import wait_for_hosts

pytestmark = pytest.mark.slow

BACK_S = 120.0


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "doctor_maintenance", "lab", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def settings_of(lab: Lab) -> Settings:
    return config.load(files=[str(lab.settings_file)], environ={})


def ssh(lab: Lab, host: str, words: str) -> str:
    options = settings_of(lab).ssh
    assert options.known_hosts is not None
    client = paramiko.SSHClient()
    client.load_host_keys(options.known_hosts)
    addresses = {
        item.name: item.host_ip
        for item in connect_by(settings_of(lab).cloud).compute.hypervisors(details=True)
    }
    client.connect(
        addresses[host], options.port, options.user, key_filename=options.key_file, timeout=30
    )
    try:
        _, stdout, _ = client.exec_command(words, timeout=30)
        return stdout.read().decode().strip()
    finally:
        client.close()


def wait_until(what: Callable[[], bool]) -> None:
    clock = WallClock()
    deadline = clock.now() + BACK_S
    pause = threading.Event()
    while not what():
        assert clock.now() < deadline
        pause.wait(0.5)


def test_lab_that_is_up_is_left_alone(running: Lab) -> None:
    before = {name: daemons.find(running, name) for name in daemons.records(running)}

    done = command("up", "--kind", running.kind, "--name", running.name)

    assert done.returncode == 0
    assert "is up already" in done.stdout
    assert {name: daemons.find(running, name) for name in daemons.records(running)} == before


def test_status_shows_every_daemon(running: Lab) -> None:
    done = command("status", "--kind", running.kind, "--name", running.name)

    assert done.returncode == 0
    for name in lifecycle.expected(running):
        assert name in done.stdout


def test_log_of_a_daemon_is_shown(running: Lab) -> None:
    listed = command("logs", "--kind", running.kind, "--name", running.name)
    assert "keystone" in listed.stdout.split()

    shown = command("logs", "mariadb", "--kind", running.kind, "--name", running.name)
    assert shown.returncode == 0
    assert shown.stdout


def test_hosts_answer_ssh_with_keys_that_are_known(running: Lab) -> None:
    for host in running.hosts:
        assert ssh(running, host, "hostname") == host


def test_reboot_over_ssh_takes_nova_compute_down_and_up(running: Lab) -> None:
    if running.kind is not Kind.CONTROL_PLANE:
        pytest.skip("a host of this kind has a nova-compute outside of it")
    host = running.hosts[-1]
    boot_id = ssh(running, host, "cat /proc/sys/kernel/random/boot_id")
    before = daemons.find(running, compute(host))
    assert before is not None

    ssh(running, host, "sudo systemctl reboot")

    wait_until(lambda: not before.alive)
    wait_until(lambda: daemons.find(running, compute(host)) is not None)
    wait_for_hosts(running)
    assert ssh(running, host, "cat /proc/sys/kernel/random/boot_id") != boot_id


def test_record_that_somebody_else_changed_meanwhile_can_be_written(running: Lab) -> None:
    pymysql = pytest.importorskip("pymysql")
    password = (running.state / "secret").read_text().strip()
    login = {"user": "lab", "password": password, "database": "placement"}
    one, other = (
        pymysql.connect(
            host="127.0.0.1", port=running.port(Port.MARIADB), autocommit=alone, **login
        )
        for alone in (False, True)
    )
    with one, other, one.cursor() as within, other.cursor() as meanwhile:
        meanwhile.execute("CREATE OR REPLACE TABLE lab_test (a INT) SELECT 1 AS a")
        try:
            within.execute("SELECT a FROM lab_test")
            meanwhile.execute("UPDATE lab_test SET a = 2")
            within.execute("UPDATE lab_test SET a = a + 1")
            one.commit()
            meanwhile.execute("SELECT a FROM lab_test")
            assert meanwhile.fetchone() == (3,)
        finally:
            one.rollback()
            meanwhile.execute("DROP TABLE lab_test")


def test_files_with_a_password_are_readable_by_nobody_else(running: Lab) -> None:
    files = [path for path in running.etc.rglob("*") if path.is_file()]
    password = (running.state / "secret").read_text()

    told = [path for path in files if password in path.read_text(errors="replace")]
    assert told
    assert not [str(path) for path in told if path.stat().st_mode & 0o077]
    assert not Path(running.state / "secret").stat().st_mode & 0o077
