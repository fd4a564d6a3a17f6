# SPDX-License-Identifier: Apache-2.0
"""The checks of hosts over SSH, on a simulated cloud in virtual time."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from doctor_maintenance.checks import CheckKind, CheckPhase, CheckResult, HostChecks
from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.judge.records import SshCheck
from doctor_maintenance.judge.trace import read_record
from doctor_maintenance.remote import HostAddress
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.hosts import CommandAnswer, CommandTable
from doctor_maintenance.simulator.records import BootRequest
from doctor_maintenance.simulator.sim_remote import SimRemote

HOST = HostAddress("compute1", "127.77.0.1")


class Lab:
    """A cloud in virtual time whose first host is checked."""

    def __init__(self, table: CommandTable | None = None) -> None:
        self.clock = VirtualClock()
        self.cloud = SimCloud(self.clock, random.Random(1))
        self.records: list[Mapping[str, Any]] = []
        remote = SimRemote(self.cloud, table)
        self.checks = HostChecks(self.clock, remote, self.observe, timeout_s=10.0)

    def observe(self, kind: str, fields: Mapping[str, Any]) -> None:
        self.records.append({"at": self.clock.now(), "source": "ssh", "kind": kind, **fields})

    def check(self, kind: CheckKind) -> CheckResult:
        results: list[CheckResult] = []
        self.checks.check(kind, HOST, CheckPhase.BEFORE, results.append)
        self.clock.advance(60.0)
        return results[0]

    def check_all(self) -> list[CheckResult]:
        results: list[CheckResult] = []
        self.checks.check_all(HOST, CheckPhase.AFTER, results.extend)
        self.clock.advance(60.0)
        return results


def test_a_healthy_host_passes_every_check() -> None:
    lab = Lab()

    results = lab.check_all()

    assert [(result.check, result.ok) for result in results] == [
        (CheckKind.REACHABLE, True),
        (CheckKind.BOOT_ID, True),
        (CheckKind.GUESTS, True),
        (CheckKind.COMPUTE, True),
    ]
    assert results[1].value == lab.cloud.compute.hosts["compute1"].boot_id
    assert results[2].value == []
    assert results[3].value == "active"


def test_every_check_is_a_record_that_the_judge_reads() -> None:
    lab = Lab(CommandTable({"true": CommandAnswer(duration_s=2.0)}))
    began = lab.clock.now()

    lab.check(CheckKind.REACHABLE)

    record = read_record(lab.records[0])
    assert isinstance(record, SshCheck)
    assert (record.host, record.check, record.phase, record.ok) == (
        "compute1",
        "reachable",
        "before",
        True,
    )
    assert (record.not_before, record.at) == (began, began + 2.0)


def test_the_guests_of_a_host_are_told_by_their_ids() -> None:
    lab = Lab()
    project_id = lab.cloud.identity.admin_project.id
    request = BootRequest("app", "m1.tiny", host="compute1")
    ids = [lab.cloud.compute.boot(project_id, request)[0].instance_id for _ in range(2)]
    lab.clock.advance(60.0)
    lab.cloud.compute.stop(ids[0])
    lab.clock.advance(60.0)

    assert lab.check(CheckKind.GUESTS).value == sorted(ids)


def test_a_nova_compute_that_does_not_run_fails_its_check() -> None:
    lab = Lab()
    lab.cloud.compute.machines.stop_service("compute1")

    result = lab.check(CheckKind.COMPUTE)

    assert not result.ok
    assert result.value == "'systemctl is-active nova-compute' ended with status 3: inactive"


def test_of_a_host_that_is_not_reachable_only_that_is_told() -> None:
    lab = Lab()
    lab.cloud.compute.machines.power_off("compute1")

    results = lab.check_all()

    assert [(result.check, result.ok) for result in results] == [(CheckKind.REACHABLE, False)]
    assert "check that the host is up" in str(results[0].value)


def test_output_that_lists_no_guests_is_not_taken_for_an_empty_host() -> None:
    lab = Lab(
        CommandTable({"sudo virsh list --all --uuid": CommandAnswer(0, "error: no connection\n")})
    )

    result = lab.check(CheckKind.GUESTS)

    assert not result.ok
    assert "unexpected output" in str(result.value)


def test_a_host_that_goes_down_during_a_check_fails_it() -> None:
    lab = Lab(CommandTable({"true": CommandAnswer(duration_s=5.0)}))
    results: list[CheckResult] = []
    lab.checks.check(CheckKind.REACHABLE, HOST, CheckPhase.AFTER, results.append)
    lab.clock.advance(1.0)
    lab.cloud.compute.machines.power_off("compute1")
    lab.clock.advance(60.0)

    assert not results[0].ok
    assert "dropped" in str(results[0].value)
