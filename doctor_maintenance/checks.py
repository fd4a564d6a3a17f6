# SPDX-License-Identifier: Apache-2.0
"""What SSH shows of a host before, during and after its maintenance, as records for the judge.

The admin tool says that a host was emptied and rebooted; these checks look for themselves. They are also what
an operator would type, so what they ask is an option: service names and guest tools differ between
installations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from doctor_maintenance.clock import Clock
from doctor_maintenance.remote import CommandResult, HostAddress, Remote
from doctor_maintenance.workers import Outcome

Observe = Callable[[str, Mapping[str, Any]], None]

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class CheckKind(StrEnum):
    """What is checked."""

    REACHABLE = "reachable"
    BOOT_ID = "boot_id"
    GUESTS = "guests"
    COMPUTE = "compute"


class CheckPhase(StrEnum):
    """When it is checked, seen from the maintenance of the host."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class CheckCommands:
    """What is run on a host for each check.

    Attributes:
        reachable: anything that succeeds.
        boot_id: prints what changes with every boot.
        guests: prints the ID of every guest that is defined on the host, running or not, one a line.
        compute: succeeds while nova-compute runs.
    """

    reachable: str = "true"
    boot_id: str = "cat /proc/sys/kernel/random/boot_id"
    guests: str = "sudo virsh list --all --uuid"
    compute: str = "systemctl is-active nova-compute"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check showed.

    Attributes:
        host: the host.
        check: what was checked.
        phase: when.
        ok: whether the check could be made and showed nothing wrong by itself; that a boot ID should
            have changed or that a host should be empty is for the judge to say.
        value: what it showed: the boot ID, the sorted IDs of the guests, ``active``; if it is not ok, why.
    """

    host: str
    check: CheckKind
    phase: CheckPhase
    ok: bool
    value: str | list[str] | None


class HostChecks:
    """Makes checks, and reports each as an ``ssh`` record of the trace.

    Args:
        clock: for the time at which a check began: what it showed was so between then and now.
        remote: who runs the commands.
        observe: told the kind and the fields of every record.
        timeout_s: how long the command of a check may take (> 0).
        commands: what to run.
    """

    def __init__(
        self,
        clock: Clock,
        remote: Remote,
        observe: Observe,
        *,
        timeout_s: float = 30.0,
        commands: CheckCommands | None = None,
    ) -> None:
        self._clock = clock
        self._remote = remote
        self._observe = observe
        self._timeout_s = timeout_s
        self._commands = commands or CheckCommands()

    def check(
        self,
        kind: CheckKind,
        host: HostAddress,
        phase: CheckPhase,
        done: Callable[[CheckResult], None],
    ) -> None:
        """Make one check; ``done`` is called on the clock, and never with an error."""
        command, read = {
            CheckKind.REACHABLE: (self._commands.reachable, _succeeded),
            CheckKind.BOOT_ID: (self._commands.boot_id, _boot_id),
            CheckKind.GUESTS: (self._commands.guests, _guests),
            CheckKind.COMPUTE: (self._commands.compute, _first_line),
        }[kind]
        began = self._clock.now()

        def finish(outcome: Outcome[CommandResult]) -> None:
            ok, value = _read(outcome, command, read)
            result = CheckResult(host.name, kind, phase, ok, value)
            self._observe("ssh", {"not_before": began, **_fields(result)})
            done(result)

        self._remote.run(host, command, self._timeout_s, finish)

    def check_all(
        self,
        host: HostAddress,
        phase: CheckPhase,
        done: Callable[[list[CheckResult]], None],
    ) -> None:
        """Make every check, one after another; if the host is not reachable, only that is told."""
        results: list[CheckResult] = []
        waiting = list(CheckKind)

        def another(result: CheckResult) -> None:
            results.append(result)
            unreachable = result.check is CheckKind.REACHABLE and not result.ok
            if unreachable or not waiting:
                done(results)
            else:
                self.check(waiting.pop(0), host, phase, another)

        self.check(waiting.pop(0), host, phase, another)


def _fields(result: CheckResult) -> dict[str, Any]:
    return {
        "host": result.host,
        "check": str(result.check),
        "ok": result.ok,
        "value": result.value,
        "phase": str(result.phase),
    }


Read = Callable[[CommandResult], str | list[str] | None]


def _read(
    outcome: Outcome[CommandResult], command: str, read: Read
) -> tuple[bool, str | list[str] | None]:
    """Return whether a check is ok, and what it showed or why it is not."""
    result = outcome.value
    if result is None:
        return False, str(outcome.error)
    if result.dropped:
        return False, f"the connection was dropped during {command!r}"
    if not result.ok:
        said = (result.stderr or result.stdout).strip()
        return False, f"{command!r} ended with status {result.status}: {said[:200] or 'no output'}"
    value = read(result)
    if value is None:
        return False, f"{command!r}: unexpected output {result.stdout[:200]!r}"
    return True, value


def _succeeded(result: CommandResult) -> str:
    return ""


def _boot_id(result: CommandResult) -> str | None:
    text = result.stdout.strip()
    return text or None


def _first_line(result: CommandResult) -> str:
    return result.stdout.strip().partition("\n")[0]


def _guests(result: CommandResult) -> list[str] | None:
    lines = sorted(line.strip().lower() for line in result.stdout.splitlines() if line.strip())
    return lines if all(_UUID.fullmatch(line) for line in lines) else None
