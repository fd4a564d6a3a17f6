# SPDX-License-Identifier: Apache-2.0
"""What a simulated host's shell answers, and how commands on it go in virtual time."""

from __future__ import annotations

import random

import pytest

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.exceptions import (
    RemoteError,
    RemoteHostKeyError,
    RemoteTimeout,
    RemoteUnreachable,
)
from doctor_maintenance.remote import CommandResult, HostAddress
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.hosts import CommandAnswer, CommandTable, Guest, HostView
from doctor_maintenance.simulator.sim_remote import SimRemote
from doctor_maintenance.workers import Outcome

HOST = HostView(
    name="compute1",
    boot_id="5f0c8b1e-6d1f-4c7e-9a43-2a6f6f0c1c55",
    booted_at=1_577_836_800.0,
    compute_running=True,
    guests=(Guest("id-a", "instance-a", running=True), Guest("id-b", "instance-b", running=False)),
)


@pytest.mark.parametrize(
    ("command", "status", "stdout"),
    [
        ("true", 0, ""),
        ("exit", 0, ""),
        ("", 0, ""),
        ("false", 1, ""),
        ("hostname", 0, "compute1\n"),
        ("  sudo   hostname ", 0, "compute1\n"),
        ("sudo -n hostname", 0, "compute1\n"),
        ("uptime -s", 0, "2020-01-01 00:00:00\n"),
        ("cat /proc/sys/kernel/random/boot_id", 0, "5f0c8b1e-6d1f-4c7e-9a43-2a6f6f0c1c55\n"),
        ("virsh list --uuid", 0, "id-a\n\n"),
        ("sudo virsh list --all --uuid", 0, "id-a\nid-b\n\n"),
        ("virsh list --name", 0, "instance-a\n\n"),
        ("systemctl is-active nova-compute", 0, "active\n"),
    ],
)
def test_a_host_answers_what_a_real_one_would(command: str, status: int, stdout: str) -> None:
    answer = CommandTable().answer(HOST, command)

    assert (answer.status, answer.stdout, answer.stderr) == (status, stdout, "")


def test_a_stopped_nova_compute_is_inactive_with_status_3() -> None:
    stopped = HostView("compute1", "b", 0.0, compute_running=False)

    answer = CommandTable().answer(stopped, "systemctl is-active nova-compute")

    assert (answer.status, answer.stdout) == (3, "inactive\n")


def test_an_unknown_command_is_not_found() -> None:
    answer = CommandTable().answer(HOST, "rm -rf /")

    assert (answer.status, answer.stderr) == (127, "bash: line 1: rm: command not found\n")


@pytest.mark.parametrize("command", ["reboot", "sudo systemctl reboot", "sudo shutdown -r now"])
def test_a_reboot_reboots(command: str) -> None:
    assert CommandTable().answer(HOST, command).reboots


def test_commands_that_the_simulator_is_told_of_succeed_and_others_keep_their_meaning() -> None:
    table = CommandTable.succeeding(["firmware-update --all", "sudo reboot", "false"], 3.0)

    assert table.answer(HOST, "firmware-update --all") == CommandAnswer(duration_s=3.0)
    assert table.answer(HOST, "sudo reboot").reboots
    assert table.answer(HOST, "false").status == 1


class Lab:
    """A cloud in virtual time and a remote on its hosts."""

    def __init__(self, table: CommandTable | None = None) -> None:
        self.clock = VirtualClock()
        self.cloud = SimCloud(self.clock, random.Random(1))
        self.remote = SimRemote(self.cloud, table, connect_timeout_s=10.0)
        self.outcomes: list[Outcome[CommandResult]] = []
        self.ended_at: list[float] = []

    def run(self, command: str, *, host: str = "compute1", timeout_s: float = 30.0) -> None:
        address = HostAddress(host, "127.77.0.1")
        self.remote.run(address, command, timeout_s, self._done)

    def result(self, command: str) -> CommandResult:
        self.run(command)
        self.clock.advance(60.0)
        return self.outcomes[-1].get()

    def error(self, command: str = "true", host: str = "compute1") -> RemoteError:
        self.run(command, host=host)
        self.clock.advance(60.0)
        with pytest.raises(RemoteError) as raised:
            self.outcomes[-1].get()
        return raised.value

    def _done(self, outcome: Outcome[CommandResult]) -> None:
        self.outcomes.append(outcome)
        self.ended_at.append(self.clock.now())


def test_a_command_in_virtual_time_takes_the_time_that_its_table_says() -> None:
    lab = Lab(CommandTable({"update": CommandAnswer(4, "out", "err", duration_s=2.5)}))
    began = lab.clock.now()

    result = lab.result("update")

    assert result == CommandResult(4, "out", "err")
    assert lab.ended_at == [began + 2.5]


def test_a_reboot_takes_the_host_down_and_brings_another_boot_id() -> None:
    lab = Lab()
    before = lab.result("cat /proc/sys/kernel/random/boot_id").stdout
    lab.run("sudo systemctl reboot")
    lab.clock.advance(0.01)

    assert lab.outcomes[-1].get().ok
    lab.run("true")
    lab.clock.advance(0.01)
    assert isinstance(lab.outcomes[-1].error, RemoteUnreachable)
    lab.clock.advance(60.0)
    assert lab.result("cat /proc/sys/kernel/random/boot_id").stdout != before


def test_a_command_on_a_host_that_goes_down_is_dropped() -> None:
    lab = Lab(CommandTable({"update": CommandAnswer(duration_s=5.0)}))
    lab.run("update")
    lab.clock.advance(1.0)
    lab.cloud.compute.machines.power_off("compute1")
    lab.clock.advance(10.0)

    assert lab.outcomes[-1].get().dropped


def test_a_host_that_is_off_is_unreachable() -> None:
    lab = Lab()
    lab.cloud.compute.machines.power_off("compute1")

    error = lab.error()

    assert isinstance(error, RemoteUnreachable)
    assert error.host == "compute1"
    assert "check that the host is up" in str(error)


def test_a_host_that_does_not_exist_is_unreachable() -> None:
    assert isinstance(Lab().error(host="compute99"), RemoteUnreachable)


def test_a_command_that_takes_longer_than_its_limit_times_out_at_the_limit() -> None:
    lab = Lab(CommandTable({"update": CommandAnswer(duration_s=31.0)}))
    began = lab.clock.now()

    error = lab.error("update")

    assert isinstance(error, RemoteTimeout)
    assert lab.ended_at == [began + 30.0]


@pytest.mark.parametrize(
    ("fault", "expected", "after_s"),
    [
        ("ssh_refused", RemoteUnreachable, 0.0),
        ("ssh_hangs", RemoteTimeout, 10.0),
        ("ssh_host_key_changed", RemoteHostKeyError, 0.0),
        ("command_hangs", RemoteTimeout, 30.0),
    ],
)
def test_a_fault_of_ssh_fails_as_the_real_thing(
    fault: str, expected: type[RemoteError], after_s: float
) -> None:
    lab = Lab()
    lab.cloud.faults.add(fault, {"host": "compute1"}, times=1)
    began = lab.clock.now()

    assert type(lab.error()) is expected
    assert lab.ended_at == [began + after_s]
    assert lab.result("true").ok


def test_a_command_that_is_told_to_fail_fails() -> None:
    lab = Lab()
    lab.cloud.faults.add("command_fails", {"command": "true"}, {"status": 7, "output": "no"})

    assert lab.result("true") == CommandResult(7, "", "no\n")
    assert lab.result("hostname").ok
