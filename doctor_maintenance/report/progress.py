# SPDX-License-Identifier: Apache-2.0
"""How a run goes, told while it goes: each record of the trace as a line, and the state of each host.

It reads plain records one by one, as they come in, and judges nothing: what it shows may be put right by
what comes later, and the verdict is the judge's. The views show what it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from doctor_maintenance.protocol import EventType, HostState, NotificationState
from doctor_maintenance.report.timeline import TOLD_BY

STEPS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "work", "10", "11", "12", "13")
"""The steps of one host, in order; ``work`` is the maintenance itself."""

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened.

    Attributes:
        at_s: when, in seconds since the first record.
        host: the host that it is about, if any.
        step: the guideline's step, if any.
        text: what happened.
    """

    at_s: float
    host: str | None
    step: str | None
    text: str


@dataclass(slots=True)
class HostProgress:
    """How far a host is.

    Attributes:
        state: its state in the session.
        enabled: whether its nova-compute is.
        steps: the steps that were seen.
        instances: the instances on it, by ID: the name, and the status if it is not ACTIVE.
    """

    state: str = "PENDING"
    enabled: bool = True
    steps: set[str] = field(default_factory=set)
    instances: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ServiceProgress:
    """How a service is.

    Attributes:
        who: the instance that its address leads to, by name.
        sent: probes sent.
        lost: probes lost.
        silent_s: how long it has been silent by now, in seconds.
    """

    who: str | None = None
    sent: int = 0
    lost: int = 0
    silent_s: float = 0.0


class Progress:
    """What is known of a run so far.

    Attributes:
        scenario: the scenario's name, once it is told.
        session: the state of the session.
        hosts: the hosts by name.
        services: the services by floating IP.
    """

    def __init__(self) -> None:
        self.scenario: str | None = None
        self.session: str | None = None
        self.hosts: dict[str, HostProgress] = {}
        self.services: dict[str, ServiceProgress] = {}
        self._names: dict[str, str] = {}
        self._where: dict[str, str] = {}
        self._maintained: set[str] = set()
        self._current: str | None = None
        self._early: set[str] = set()
        self._begin: float | None = None
        self._readers: dict[str, Callable[[Entry], tuple[str | None, str | None, str] | None]] = {
            "scenario": self._scenario,
            "service": self._service,
            "notification": self._notification,
            "reply": self._reply,
            "switch_over": self._switch_over,
            "migration": self._migration,
            "instance": self._instance,
            "address": self._address,
            "ssh": self._ssh,
            "host": self._power,
            "inspector": self._inspector,
            "session": self._session,
            "probe": self._probe,
        }

    def update(self, record: Entry) -> Line | None:
        """Take a record.

        Returns:
            What it tells, or None if it tells nothing new.
        """
        if self._begin is None:
            self._begin = record["at"]
        reader = self._readers.get(record["kind"])
        told = reader(record) if reader is not None else None
        if told is None:
            return None
        host, step, text = told
        if step is not None:
            self._tick(host, step)
        return Line(record["at"] - self._begin, host, step, text)

    def _tick(self, host: str | None, step: str) -> None:
        """Tick a step; one before it is known of which host waits for the next that is disabled."""
        if host is None:
            self._early.add(step)
        else:
            self._host(host).steps.add(step)

    def _present(self, step: str | None) -> str | None:
        """Return the host that a project's step is about; None if it is not known yet.

        Nova is looked at now and then, so a project may be told of the next host before anybody has seen
        that it was disabled.
        """
        if self._current is None:
            return None
        host = self._host(self._current)
        ended = host.steps & {"7", "11"} or host.state == HostState.MAINTENANCE_CANCELED
        return None if ended and step in ("2", "3", "4", "5", None) else self._current

    def _host(self, name: str) -> HostProgress:
        return self.hosts.setdefault(name, HostProgress())

    def _called(self, instance_id: str | None) -> str:
        return self._names.get(instance_id or "", instance_id or "nobody")

    def _scenario(self, record: Entry) -> tuple[str | None, str | None, str]:
        self.scenario = record["name"]
        self._maintained.update(record["hosts"])
        for host in record["hosts"]:
            self._host(host)
        hosts = ", ".join(record["hosts"])
        return None, None, f"scenario {record['name']}: {record['type']} maintenance of {hosts}"

    def _service(self, record: Entry) -> tuple[str | None, str | None, str] | None:
        host = self._host(record["host"])
        enabled = record["status"] == "enabled"
        if enabled == host.enabled:
            return None
        host.enabled = enabled
        if not enabled:
            self._current = record["host"]
            host.steps |= self._early
            self._early = set()
        step = "10" if enabled else "1"
        return record["host"], step, f"nova-compute {record['status']}"

    def _notification(self, record: Entry) -> tuple[str | None, str | None, str]:
        state = record["state"]
        if record["event_type"] == EventType.HOST:
            step = "7" if state == NotificationState.IN_MAINTENANCE else "11"
            if record["source"] == "bus":
                return record["host"], step, f"{state} published for the inspector"
            return record["host"], step, f"{state} at the inspector"
        sent, arrived = TOLD_BY.get(state, (None, None))
        short = record["project_id"][:8]
        host = self._present(sent)
        if record["source"] == "bus":
            return host, sent, f"{state} published for project {short}"
        if sent is not None:
            self._tick(host, sent)
        return host, arrived, f"{state} at the app manager of project {short}"

    def _reply(self, record: Entry) -> tuple[str | None, str | None, str]:
        actions = sorted(set(record.get("instance_actions", {}).values()))
        what = f" ({', '.join(actions)})" if actions else ""
        text = (
            f"project {record['project_id'][:8]}: {record['state']}{what}, HTTP {record['status']}"
        )
        return self._present("5"), "5", text

    def _switch_over(self, record: Entry) -> tuple[str | None, str | None, str]:
        target = self._called(record.get("to_instance"))
        step = "4" if record["phase"] == "done" else None
        how = f" by {record['strategy']}" if step and record.get("strategy") else ""
        return self._present(step), step, f"switch-over to {target}: {record['phase']}{how}"

    def _migration(self, record: Entry) -> tuple[str | None, str | None, str]:
        host = record.get("source_compute")
        text = f"{record['type']} of {self._called(record['instance_id'])}: {record['status']}"
        target = record.get("dest_compute")
        return host, "6", text if target is None else f"{text}, to {target}"

    def _instance(self, record: Entry) -> tuple[str | None, str | None, str] | None:
        instance_id, host, status = record["instance_id"], record.get("host"), record["status"]
        self._names[instance_id] = record.get("name") or instance_id
        before = self._where.get(instance_id)
        known = self._host(before).instances.pop(instance_id, None) if before is not None else None
        name = self._names[instance_id]
        told = name if status == "ACTIVE" else f"{name} {status}"
        if host is not None and status != "DELETED":
            self._where[instance_id] = host
            self._host(host).instances[instance_id] = told
        if known == told and before == host:
            return None
        return host, None, f"instance {name} {status}"

    def _address(self, record: Entry) -> tuple[str | None, str | None, str]:
        who = self._called(record.get("instance_id"))
        self.services.setdefault(record["address"], ServiceProgress()).who = who
        return None, None, f"{record['address']} leads to {who}"

    def _ssh(self, record: Entry) -> tuple[str | None, str | None, str]:
        during = record["phase"] == "during" and record["check"] in ("maintenance", "test")
        result = "ok" if record["ok"] else "not ok"
        value = record.get("value")
        shown = f": {value}" if value not in (None, "", []) else ""
        text = f"ssh {record['phase']}: {record['check']} {result}{shown}"
        return record["host"], "work" if during else None, text

    def _power(self, record: Entry) -> tuple[str | None, str | None, str] | None:
        host = record["host"]
        if record["powered"] and "work" not in self._host(host).steps:
            return None
        return host, "work", "the host is up" if record["powered"] else "the host is down"

    def _inspector(self, record: Entry) -> tuple[str | None, str | None, str]:
        return record["host"], None, f"inspector: {record['action'].replace('_', ' ')}"

    def _session(self, record: Entry) -> tuple[str | None, str | None, str]:
        self.session = record["state"]
        for host, state in record.get("hosts", {}).items():
            self._host(host).state = state
        return None, None, f"session {record['session_id']}: {record['state']}"

    def _probe(self, record: Entry) -> tuple[str | None, str | None, str]:
        service = self.services.setdefault(record["address"], ServiceProgress())
        service.sent, service.lost, service.silent_s = record["sent"], record["lost"], 0.0
        gap = record.get("longest_gap")
        longest = f", longest silence {gap['lower_s']:.3f} to {gap['upper_s']:.3f} s" if gap else ""
        text = f"probe of {record['address']}: {record['lost']} of {record['sent']} lost{longest}"
        return None, None, text
