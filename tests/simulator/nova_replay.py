# SPDX-License-Identifier: Apache-2.0
"""Replays what a real Nova was asked against the simulated one, and compares the answers field by field.

The recording is one story, told in order: each call depends on what the calls before it did. So the story is
replayed as a whole, in virtual time; where the real cloud was waited for, the clock is advanced until the
instance is in the state that the recorded answer shows. Identifiers, addresses and times differ between any two
clouds; they are compared by form, everything else by value.
"""

from __future__ import annotations

import ipaddress
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.simulator.app import create_app
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.mount import mount
from doctor_maintenance.simulator.services import keystone, nova, placement
from doctor_maintenance.simulator.topology import FlavorSpec, HostSpec, Topology

RECORDED = Path(__file__).parent / "recorded"
BASE = "http://cloud.sim"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
HEX = re.compile(r"\b[0-9a-f]{32}\b")
FORMS = (
    ("<uuid>", UUID),
    ("<hash>", re.compile(r"\b[0-9a-f]{56}\b")),
    ("<hex>", HEX),
    ("<time>", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")),
    ("<mac>", re.compile(r"fa:16:3e(:[0-9a-f]{2}){3}")),
    ("<url>", re.compile(r"http://127\.0\.0\.1:8774|http://cloud\.sim/compute")),
    ("<address>", re.compile(r"\b(127|10|198)(\.\d{1,3}){3}\b")),
    ("<request>", re.compile(r"req-<uuid>")),
    ("<reservation>", re.compile(r"\br-[0-9a-z]{8}\b")),
    ("<controller>", re.compile(r"^(vm|controller)$")),
    ("<instance name>", re.compile(r"instance-[0-9a-f]{8}")),
    ("<uptime>", re.compile(r" \d\d:\d\d:\d\d up .*load average.*\n")),
)


def recorded(name: str) -> list[dict[str, Any]]:
    """Return the entries of a recording, in order."""
    lines = (RECORDED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def in_form(value: Any) -> Any:
    """Return a value with everything that differs between two clouds replaced by its form."""
    if isinstance(value, dict):
        return {in_form(name): in_form(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [in_form(inner) for inner in value]
    if isinstance(value, str):
        for name, pattern in FORMS:
            value = pattern.sub(name, value)
    return value


def differences(wanted: Any, found: Any, path: str = "") -> Iterator[str]:
    """Tell where two values differ."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name in wanted.keys() | found.keys():
            where = f"{path}.{name}"
            if name not in found:
                yield f"{where}: missing, recorded {wanted[name]!r}"
            elif name not in wanted:
                yield f"{where}: not recorded, found {found[name]!r}"
            else:
                yield from differences(wanted[name], found[name], where)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for position, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, f"{path}[{position}]")
    elif wanted != found or type(wanted) is not type(found):
        yield f"{path}: recorded {wanted!r}, found {found!r}"


class Replay:
    """A simulated cloud like the recorded one, and the identifiers of the two matched."""

    def __init__(self, hosts: tuple[str, ...] = ("compute3", "compute1", "compute2")) -> None:
        self.clock = VirtualClock()
        specs = tuple(
            HostSpec(name, f"127.77.0.{number}", vcpus=2, memory_mb=9177, disk_gb=251)
            for number, name in enumerate(hosts, 1)
        )
        topology = Topology(hosts=specs, flavors=(FlavorSpec("small", 1, 96, 1),))
        self.cloud = SimCloud(self.clock, random.Random(7), topology=topology)
        self.http = requests.Session()
        served = (keystone.SERVICE, nova.SERVICE, placement.SERVICE)
        mount(self.http, BASE, create_app(self.cloud, served))
        self.tokens = {name: self._token(name) for name in ("admin", "demo")}
        self.names: dict[str, str] = {}

    def _token(self, name: str) -> str:
        user = {"name": name, "password": name, "domain": {"id": "default"}}
        scope = {"project": {"name": name, "domain": {"id": "default"}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        answer = self.http.post(
            f"{BASE}/identity/v3/auth/tokens",
            json={"auth": {"identity": identity, "scope": scope}},
            timeout=10,
        )
        return answer.headers["X-Subject-Token"]

    def know(self, recorded_name: str, name: str) -> None:
        """Take an identifier of the recording for one of ours."""
        self.names[recorded_name] = name

    def translated(self, text: str) -> str:
        """Return a text with the recording's identifiers replaced by ours."""
        for pattern in (UUID, HEX):
            text = pattern.sub(lambda match: self.names.get(match[0], match[0]), text)
        return text

    def ask(self, entry: dict[str, Any], service: str) -> requests.Response:
        """Make a recorded call."""
        headers = {"Accept": "application/json", **entry["headers"]}
        if entry["as"] is not None:
            headers["X-Auth-Token"] = self.tokens[entry["as"]]
        if entry["slug"] == "bad-token":
            headers["X-Auth-Token"] = "nonsense"
        data = entry.get("raw")
        if "body" in entry:
            data = self.translated(json.dumps(entry["body"]))
        url = f"{BASE}/{service}{self.translated(entry['path'])}"
        return self.http.request(entry["method"], url, headers=headers, data=data, timeout=10)

    def settle(self, entry: dict[str, Any]) -> None:
        """Let time pass until our instance is in the state that the recorded answer shows."""
        shown = (entry["answer"] or {}).get("server")
        if not isinstance(shown, dict) or "OS-EXT-STS:vm_state" not in shown:
            return
        state = (shown["OS-EXT-STS:vm_state"], shown["OS-EXT-STS:task_state"])
        self.until(self.translated(shown["id"]), state)

    def until(self, instance_id: str, state: tuple[str | None, str | None]) -> bool:
        """Let time pass until an instance is in a state, by vm_state, task_state (None: any)."""

        def reached() -> bool:
            instance = self.cloud.compute.instances.get(instance_id)
            if instance is None:
                return state[0] == "deleted"
            return (str(instance.vm_state), instance.task_state) == state

        return self.clock.run_until(reached, self.clock.now() + 60)

    def add_network(self, project: str, recorded_id: str) -> None:
        """Make the private network of the recording."""
        project_id = self.cloud.identity.find_project(project).id
        network = self.cloud.network.create_network(project_id, name="private")
        block = ipaddress.IPv4Network("10.77.0.0/24")
        self.cloud.network.create_subnet(network, block, project_id=project_id)
        self.know(recorded_id, network.id)
