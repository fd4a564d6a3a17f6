# SPDX-License-Identifier: Apache-2.0
"""When the hosts are looked at over SSH: before, during and after their maintenance.

A check that cannot be made is an answer too: the record says that the host did not let itself be
looked at, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from doctor_maintenance.checks import CheckKind, CheckPhase, CheckResult, HostChecks
from doctor_maintenance.exceptions import RemoteError
from doctor_maintenance.flow import Flow, blocking, callback, together
from doctor_maintenance.protocol import HostState, MaintenanceType
from doctor_maintenance.remote import CommandResult
from doctor_maintenance.runner.stage import Stage
from doctor_maintenance.scenario import Scenario
from doctor_maintenance.workers import Outcome


def before(stage: Stage, hosts: Sequence[str]) -> Flow[None]:
    """Look at every host before anything is done to it."""
    yield from together([_look(stage, host, CheckPhase.BEFORE) for host in hosts])


def during(stage: Stage, scenario: Scenario, path: str, host: str) -> Flow[None]:
    """Look whether guests are on a host in maintenance; it counts if it is so still afterwards.

    Args:
        stage: where.
        scenario: what is played.
        path: the session's path in the admin tool's API.
        host: the host.
    """
    if scenario.type is not MaintenanceType.FULL or scenario.part:
        return
    seen: list[tuple[str, Mapping[str, Any]]] = []
    checks = _checks(stage, lambda kind, fields: seen.append((kind, fields)))
    address = stage.address_of(host)

    def look(done: Callable[[Outcome[CheckResult]], None]) -> None:
        checks.check(
            CheckKind.GUESTS,
            address,
            CheckPhase.DURING,
            lambda result: done(Outcome(value=result)),
        )

    yield from callback(look)
    view = yield from blocking(lambda: stage.admin_tool("GET", path))
    states = {item["host"]: item["state"] for item in view["hosts"]}
    if states[host] == HostState.IN_MAINTENANCE:
        for kind, fields in seen:
            stage.recorder.add("ssh", kind, fields)


def after(stage: Stage, scenario: Scenario, view: Mapping[str, Any]) -> Flow[None]:
    """Look at every host of a session that is over, and make the operator's test once more."""
    states = {item["host"]: item["state"] for item in view["hosts"]}
    yield from together([_look(stage, host, CheckPhase.AFTER) for host in states])
    if scenario.type is MaintenanceType.FULL and stage.ssh.test_command is not None:
        done = [host for host, state in states.items() if state == HostState.MAINTENANCE_OVER]
        yield from together([_test(stage, host, stage.ssh.test_command) for host in done])


def _checks(stage: Stage, observe: Callable[[str, Mapping[str, Any]], None]) -> HostChecks:
    return HostChecks(stage.clock, stage.remote, observe, timeout_s=stage.ssh.timeout_s)


def _look(stage: Stage, host: str, phase: CheckPhase) -> Flow[list[CheckResult]]:
    checks = _checks(stage, stage.recorder.observer("ssh"))
    address = stage.address_of(host)

    def look(done: Callable[[Outcome[list[CheckResult]]], None]) -> None:
        checks.check_all(address, phase, lambda results: done(Outcome(value=results)))

    return (yield from callback(look))


def _test(stage: Stage, host: str, command: str) -> Flow[None]:
    address = stage.address_of(host)
    begun = stage.clock.now()

    def run(done: Callable[[Outcome[CommandResult]], None]) -> None:
        stage.remote.run(address, command, stage.ssh.timeout_s, done)

    try:
        result = yield from callback(run)
        ok, value = result.ok, (result.stdout or result.stderr).strip()
    except RemoteError as error:
        ok, value = False, str(error)
    fields = {"host": host, "check": "test", "phase": "after", "ok": ok, "value": value}
    stage.recorder.add("ssh", "ssh", {"not_before": begun, **fields})
