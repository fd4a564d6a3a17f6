# SPDX-License-Identifier: Apache-2.0
"""Plays a small scenario with faults, full stack in virtual time, and tells what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from doctor_maintenance.judge import Trace, Verdict, judge
from doctor_maintenance.protocol import HostState, MaintenanceType, SessionState
from doctor_maintenance.runner.defaults import for_virtual_time
from doctor_maintenance.runner.play import play
from doctor_maintenance.runner.virtual import VirtualSettings, VirtualStage
from doctor_maintenance.scenario import Application, Expected, Fault, Scenario
from doctor_maintenance.settings import Settings

ONE_HOST = Scenario(
    name="one_host",
    summary="one host is emptied; the active side is on it",
    applications=(Application("app", singles=1),),
    max_hosts=1,
    rules={"reply_wait_s": 20.0},
)
CANCELED = Expected(SessionState.MAINTENANCE_CANCELED, HostState.MAINTENANCE_CANCELED)
FAILED = Expected(SessionState.MAINTENANCE_FAILED, HostState.MAINTENANCE_FAILED)
REBOOT = replace(ONE_HOST, type=MaintenanceType.REBOOT)


@dataclass(frozen=True)
class Played:
    """What came of a scenario."""

    stage: VirtualStage
    left: Sequence[str]

    @cached_property
    def verdict(self) -> Verdict:
        lines = [json.dumps(record) for record in self.records()]
        return judge(Trace.read(lines))

    @property
    def failed(self) -> set[str]:
        """The clauses of the contract that do not hold, and the expectations that are not met."""
        return {check.check_id for check in self.verdict.failed}

    @property
    def why(self) -> str:
        return "\n".join(
            f"{check.check_id}: {evidence.message}"
            for check in self.verdict.failed
            for evidence in check.evidence
        )

    def happened(self, fault: str) -> int:
        return self.stage.cloud.faults.happened[fault]

    def records(self, kind: str | None = None, **wanted: Any) -> list[Mapping[str, Any]]:
        return [
            record
            for record in self.stage.recorder.records
            if kind in (None, record["kind"])
            and all(record.get(name) == value for name, value in wanted.items())
        ]

    @property
    def session(self) -> Mapping[str, Any]:
        """The session as the admin tool said last that it is."""
        return self.records("session")[-1]

    @property
    def replies(self) -> list[tuple[str, int]]:
        """What the project replied, and the HTTP status that it got."""
        return [(record["state"], record["status"]) for record in self.records("reply")]

    @property
    def planned(self) -> Mapping[str, Any]:
        """The first announcement, as it was published."""
        return self.records("notification", source="bus", state="PLANNED_MAINTENANCE")[0]

    @property
    def moves(self) -> list[tuple[str, str]]:
        """Every migration with its last status, in order of their beginning."""
        last = {record["migration_id"]: record for record in self.records("migration")}
        return [(record["type"], record["status"]) for record in last.values()]

    @property
    def enabled(self) -> bool:
        """Whether every nova-compute is enabled at the end."""
        hosts = self.stage.cloud.compute.hosts.values()
        return not any(host.service.disabled for host in hosts)

    def heard(self, source: str = "app_manager") -> list[str]:
        """The states that a receiver got, repetitions too."""
        return [
            record["state"]
            for record in self.records("notification")
            if str(record["source"]).startswith(source)
        ]

    def said(self, action: str) -> int:
        """How often the inspector did something."""
        return len(self.records("inspector", action=action))

    def went(self, instance_id: str) -> str | None:
        """Where an instance is at the end; None if it is gone."""
        instance = self.stage.cloud.compute.instances.get(instance_id)
        return None if instance is None else instance.host

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.records("scenario")[0]

    @property
    def pair(self) -> tuple[str, str]:
        """The pair's instances, the one that was active first."""
        project = next(iter(self.facts["projects"].values()))
        active, standby = project["pairs"][0]
        return active, standby

    @property
    def gap_s(self) -> float:
        """The longest silence of the service."""
        longest = self.records("probe")[0]["longest_gap"]
        return 0.0 if longest is None else float(longest["upper_s"])

    def moment(self, kind: str, **wanted: Any) -> float:
        """When something was seen first, in seconds since the epoch."""
        return float(self.records(kind, **wanted)[0]["at"])


def playing(
    faults: Sequence[Fault],
    scenario: Scenario = ONE_HOST,
    expected: Expected | None = None,
    *,
    remove: bool = True,
    admin_tool: Mapping[str, Any] | None = None,
    **stage: Any,
) -> Played:
    """Play a scenario with faults; everything that was deployed is removed afterwards."""
    settings = for_virtual_time(Settings())
    settings = replace(
        settings,
        admin_tool=replace(
            settings.admin_tool, migration_timeout_s=30.0, host_timeout_s=60.0, **(admin_tool or {})
        ),
    )
    # What can be judged depends on how far a fault lets the maintenance come.
    hoped = replace(expected or scenario.expected, clauses=())
    wanted = replace(scenario, faults=tuple(faults), expected=hoped)
    made = VirtualStage(VirtualSettings(settings=settings, **stage))
    made.run(play(made, wanted, session_timeout_s=5000.0))
    played = Played(made, made.run(made.remove()) if remove else [])
    for fault in faults:
        assert played.happened(fault.name), f"{fault.name} was armed and never happened"
    return played


def mended(played: Played, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Let the operator act on a session that failed; return it as it is when it is over again."""
    stage = played.stage
    url = f"/v1/maintenance/{played.session['session_id']}"
    stage.admin_tool("POST", f"{url}/{path}", body)
    stage.clock.advance(300.0)
    view: Mapping[str, Any] = stage.admin_tool("GET", url)
    return view
