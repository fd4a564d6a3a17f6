# SPDX-License-Identifier: Apache-2.0
"""How a scenario is played, from the empty cloud to the last look; the same on every stage.

The play asks for the maintenance and watches. It takes no part in the conversation, and it judges
nothing: what it saw is in the trace.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from doctor_maintenance.deployment.service_address import GUESTS_MUST
from doctor_maintenance.exceptions import CloudError, PreconditionError
from doctor_maintenance.flow import Flow, blocking, start, wait
from doctor_maintenance.protocol import HostState, SessionState
from doctor_maintenance.runner import checks
from doctor_maintenance.runner.filling import fill_in
from doctor_maintenance.runner.stage import ComputeHost, Placed, Stage
from doctor_maintenance.scenario import Scenario

LOG = logging.getLogger(__name__)

MIN_HOSTS = 3
"""A pair on two hosts and a third one to move to."""

_LAST_WORDS_S = 5.0
_SERVICE_S = 120.0
_SETTLED_S = 120.0
_ON_ITS_WAY = frozenset({"BUILD", "REBUILD", "REBOOT", "HARD_REBOOT", "MIGRATING", "RESIZE"})


def play(stage: Stage, scenario: Scenario, session_timeout_s: float) -> Flow[None]:
    """Play a scenario on a stage; what is seen goes to the stage's recorder.

    Args:
        stage: where.
        scenario: what.
        session_timeout_s: how long the maintenance session may take (> 0).

    Raises:
        PreconditionError: the cloud is not fit for it.
        CloudError: a service failed in a way that leaves nothing to judge.
    """
    hosts = yield from stage.hosts()
    usable = fit_hosts(hosts)
    placed = yield from stage.deploy(scenario.applications)
    where = yield from stage.placement()
    maintained = choose_hosts(scenario, usable, where, placed)
    affected = affected_part(scenario, maintained, where, placed)
    stage.recorder.add(
        "runner", "scenario", _facts(stage, scenario, hosts, maintained, placed, affected)
    )
    watch = stage.watch(placed)
    yield from watch.begin()
    probes = stage.probe(placed)
    try:
        what = "the services to answer the probe"
        yield from _until(stage, probes.answering, _SERVICE_S, what, guests_must(placed))
        yield from blocking(probes.stop)
        probes = stage.probe(placed)  # until they answered there was no service to be silent
        stage.inject(fill_in(scenario.faults, maintained, placed))
        yield from checks.before(stage, maintained)
        body = _request(scenario, maintained, affected, placed)
        session = yield from blocking(lambda: stage.admin_tool("POST", "/v1/maintenance", body))
        path = f"/v1/maintenance/{session['session_id']}"
        view = yield from _follow(stage, scenario, path, session_timeout_s)
        yield from checks.after(stage, scenario, view)
        yield from _until(stage, lambda: heard(stage, view), _LAST_WORDS_S, None)
        yield from _until(stage, lambda: settled(stage), _SETTLED_S, None)
        yield from watch.end()
    except BaseException:
        watch.stop()
        probes.stop()
        raise
    yield from blocking(probes.stop)
    for record in probes.records():
        stage.recorder.take(record)
    yield from _late_faults(stage, scenario, maintained)


def _request(
    scenario: Scenario,
    maintained: Sequence[str],
    affected: Mapping[str, Sequence[str]] | None,
    placed: Sequence[Placed],
) -> dict[str, Any]:
    careful = {item.name for item in scenario.applications if item.only_if_agreed}
    request: dict[str, Any] = {
        "hosts": list(maintained),
        "type": scenario.type.value,
        "metadata": {"scenario": scenario.name},
        "rules": dict(scenario.rules),
    }
    if careful:
        agreed = [item.project_id for item in placed if item.name in careful]
        request["rules"]["only_if_agreed"] = agreed
    if affected is not None:
        request["instances"] = {host: list(items) for host, items in affected.items()}
    return request


def fit_hosts(hosts: Sequence[ComputeHost]) -> list[str]:
    """Return the hosts that a scenario can be played on.

    Raises:
        PreconditionError: there are not enough of them.
    """
    usable = [host.name for host in hosts if host.enabled and host.up]
    if len(usable) < MIN_HOSTS:
        found = ", ".join(f"{host.name} ({_condition(host)})" for host in hosts) or "none"
        raise PreconditionError(
            f"expected at least {MIN_HOSTS} compute hosts that are enabled and up; found {len(usable)}: "
            f"{found}. Add hosts, or enable those that are disabled"
        )
    return usable


def _condition(host: ComputeHost) -> str:
    return f"{'enabled' if host.enabled else 'disabled'}, {'up' if host.up else 'down'}"


def choose_hosts(
    scenario: Scenario, usable: Sequence[str], where: Mapping[str, str], placed: Sequence[Placed]
) -> list[str]:
    """Return the hosts to maintain: all, or as many as the scenario says, the active side's first."""
    first = where.get(placed[0].active)
    ordered = sorted(usable, key=lambda host: (host != first, host))
    return ordered[: scenario.max_hosts] if scenario.max_hosts else sorted(usable)


def affected_part(
    scenario: Scenario,
    maintained: Sequence[str],
    where: Mapping[str, str],
    placed: Sequence[Placed],
) -> dict[str, list[str]] | None:
    """Return the affected instances by host if only a part of each host is: the first pair's."""
    if not scenario.part:
        return None
    pair = (placed[0].active, placed[0].standby)
    return {host: [item for item in pair if where.get(item) == host] for host in maintained}


def heard(stage: Stage, view: Mapping[str, Any]) -> bool:
    """Return whether everybody has got the last thing that the admin tool says it told them."""
    seen = {
        (record.get("project_id"), record.get("host"), record["state"])
        for record in stage.recorder.records
        if record["kind"] == "notification" and record["session_id"] == view["session_id"]
    }
    told = {(project, state) for project, _, state in seen}
    hosts = {(host, state) for _, host, state in seen if host}
    for host in view["hosts"]:
        if (
            host["state"] == HostState.MAINTENANCE_OVER
            and (host["host"], host["state"]) not in hosts
        ):
            return False
        for project in host["projects"]:
            if project["subscribed"] and (project["project_id"], project["state"]) not in told:
                return False
    return True


def settled(stage: Stage) -> bool:
    """Return whether every instance rests, as far as it was seen: an app manager may still be building one anew."""
    last = {
        record["instance_id"]: record["status"]
        for record in stage.recorder.records
        if record["kind"] == "instance"
    }
    return not _ON_ITS_WAY & set(last.values())


def _follow(
    stage: Stage, scenario: Scenario, path: str, timeout_s: float
) -> Flow[Mapping[str, Any]]:
    deadline = stage.clock.now() + timeout_s
    last: Mapping[str, Any] = {}
    looked: set[str] = set()
    during = [fault for fault in scenario.host_faults if fault.during]
    tasks = []
    since = stage.clock.now()
    while True:
        asked = stage.clock.now()
        try:
            view: Mapping[str, Any] = yield from blocking(lambda: stage.admin_tool("GET", path))
        except CloudError as error:
            if error.permanent or asked > deadline:
                raise
            LOG.warning("%s", error)  # an operator whose admin tool is down looks again
            yield from wait(stage.poll_s)
            continue
        fields = _session_fields(view)
        if fields != last:
            stage.recorder.add("admin_tool", "session", {"not_before": since, **fields})
            last = fields
        since = asked
        for host, state in fields["hosts"].items():
            if state == HostState.IN_MAINTENANCE and host not in looked:
                looked.add(host)
                tasks.append(
                    start(stage.clock, stage.workers, checks.during(stage, scenario, path, host))
                )
                if during:
                    during.pop()
                    yield from blocking(lambda host=host: stage.report_host(host, "down"))  # type: ignore[misc]
        if SessionState(view["state"]).final:
            yield from _until(
                stage, lambda: not any(task.running for task in tasks), stage.ssh.timeout_s, None
            )
            return view
        if stage.clock.now() > deadline:
            raise CloudError(
                f"session {view['session_id']} is still {view['state']} after {timeout_s:g} s; "
                f"its hosts: {fields['hosts']}"
            )
        yield from wait(stage.poll_s)


def _late_faults(stage: Stage, scenario: Scenario, maintained: Sequence[str]) -> Flow[None]:
    """Report what is reported after the session, and wait until the inspector has done what it does."""
    host = maintained[0]
    if all(fault.during for fault in scenario.host_faults):
        return
    known = len(stage.recorder.records)
    yield from blocking(lambda: stage.report_host(host, "down"))

    def dealt_with() -> bool:
        return any(
            record["kind"] == "inspector"
            and record["host"] == host
            and record["action"] in ("acted", "ignored")
            for record in stage.recorder.records[known:]
        )

    yield from _until(stage, dealt_with, _LAST_WORDS_S, None)


def _session_fields(view: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "session_id": view["session_id"],
        "state": view["state"],
        "hosts": {host["host"]: host["state"] for host in view["hosts"]},
    }


def _facts(
    stage: Stage,
    scenario: Scenario,
    hosts: Sequence[ComputeHost],
    maintained: Sequence[str],
    placed: Sequence[Placed],
    affected: Mapping[str, Sequence[str]] | None,
) -> dict[str, Any]:
    by_name = {application.name: application for application in scenario.applications}
    expected = scenario.expected
    return {
        "name": scenario.name,
        "type": scenario.type.value,
        "hosts": list(maintained),
        "operator_disabled": [host.name for host in hosts if not host.enabled],
        "projects": {
            item.project_id: {
                "pairs": [[item.active, item.standby]],
                "instances": list(item.instances),
                "only_if_agreed": by_name[item.name].only_if_agreed,
            }
            for item in placed
        },
        "allowed_gap_s": expected.allowed_gap_s,
        "affected": affected,
        "exact": stage.exact,
        "expect": {
            "session": expected.state.value,
            "hosts": dict.fromkeys(maintained, expected.hosts.value),
            "require": list(expected.clauses),
        },
    }


def guests_must(placed: Sequence[Placed]) -> str:
    """Return what may be wrong if a service answers nobody: what its guests must do for it."""
    return "; ".join(
        f"{item.address} of {item.name} leads by {item.reach}, for which its guests must {GUESTS_MUST[item.reach]}"
        for item in placed
    )


def _until(
    stage: Stage, holds: Any, within_s: float, what: str | None, hint: str = ""
) -> Flow[None]:
    """Wait until something holds; if it does not in time, go on, or fail if ``what`` names it."""
    deadline = stage.clock.now() + within_s
    while not holds():
        if stage.clock.now() > deadline:
            if what is None:
                return
            more = f". {hint}" if hint else ""
            raise CloudError(f"waited {within_s:g} s for {what}, in vain{more}")
        yield from wait(stage.poll_s)


__all__ = ["MIN_HOSTS", "play"]
