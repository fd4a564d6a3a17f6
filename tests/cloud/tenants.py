# SPDX-License-Identifier: Apache-2.0
"""What the tests have on a cloud: two projects, a network with a way out, a flavor; and what each test makes there."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from doctor_maintenance import flow
from doctor_maintenance.deployment import ApplicationSpec, Deployment, Spec
from doctor_maintenance.deployment.preconditions import Ground
from doctor_maintenance.flow import Flow

from .asking import Answer, Voice
from .places import Place

NEW = "2.79"
"""The microversion that the admin tool speaks."""
BOOT_S = 300.0
MOVE_S = 180.0


@dataclass(frozen=True, slots=True)
class Tenant:
    """A project and somebody who may work in it."""

    name: str
    project_id: str
    voice: Voice
    login: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class House:
    """What all tests share on a cloud.

    Attributes:
        spec: the run, whose prefix everything made has in its name.
        ground: hosts, image, external network.
        flavor_id: of every instance.
        ours: the project that the tests work in.
        theirs: another one, with nothing in it.
        network_id: of ``ours``, behind a router with a gateway.
        subnet_id: its subnet.
    """

    spec: Spec
    ground: Ground
    flavor_id: str
    ours: Tenant
    theirs: Tenant
    network_id: str
    subnet_id: str


def deployment(place: Place, image: str) -> Deployment:
    """Return the deployment that makes the accounts, and removes everything of the run."""
    spec = Spec(
        f"t{uuid.uuid4().hex[:10]}",
        (ApplicationSpec("ours", singles=6), ApplicationSpec("theirs", singles=0)),
        image=image,
        hosts_needed=2,
    )
    return Deployment(place.clock, place.admin, place.connect, spec)


def build(
    made: Deployment, admin: Voice, voice: Callable[[str, Mapping[str, str]], Voice]
) -> Flow[House]:
    """Make the accounts and the network."""
    ground = yield from made.check()
    accounts = {item.application: item for item in (yield from made.open_accounts())}
    ours, theirs = (
        Tenant(
            name, accounts[name].project_id, voice(name, accounts[name].login), accounts[name].login
        )
        for name in ("ours", "theirs")
    )
    ask = partial(_made, ours.voice)
    spec = made.spec
    network = yield from flow.blocking(
        lambda: ask("/v2.0/networks", "network", name=spec.name("net"))
    )
    subnet = yield from flow.blocking(
        lambda: ask(
            "/v2.0/subnets",
            "subnet",
            name=spec.name("sub"),
            network_id=network["id"],
            ip_version=4,
            cidr="10.78.0.0/24",
        )
    )
    router = yield from flow.blocking(
        lambda: ask(
            "/v2.0/routers",
            "router",
            name=spec.name("router"),
            external_gateway_info={"network_id": ground.external_network_id},
        )
    )
    added = yield from flow.blocking(
        lambda: ours.voice.look(
            "PUT",
            "network",
            f"/v2.0/routers/{router['id']}/add_router_interface",
            {"subnet_id": subnet["id"]},
        )
    )
    assert added.status == 200, added
    flavors = yield from flow.blocking(
        lambda: admin.look("GET", "compute", "/v2.1/flavors", version=NEW)
    )
    flavor = next(item for item in flavors.body["flavors"] if item["name"] == spec.name("flavor"))
    return House(spec, ground, flavor["id"], ours, theirs, network["id"], subnet["id"])


def _made(voice: Voice, path: str, kind: str, **fields: Any) -> dict[str, Any]:
    answer = voice.look("POST", "network", path, {kind: fields})
    assert answer.status == 201, answer
    found: dict[str, Any] = answer.body[kind]
    return found


class Stay:
    """What one test makes, and its ways to wait.

    Args:
        place: where.
        house: what is there.
        admin: the operator.
    """

    def __init__(self, place: Place, house: House, admin: Voice) -> None:
        self.place = place
        self.house = house
        self.admin = admin
        self._servers: list[str] = []
        self._paths: list[tuple[Voice, str, str]] = []
        self._disabled: set[str] = set()
        self._numbers = iter(range(1, 1000))

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that were enabled and up when the tests began."""
        return self.house.ground.hosts

    def name(self) -> str:
        """Return an unused name."""
        return self.house.spec.name(f"x{next(self._numbers)}")

    def server_body(self, name: str | None = None, **fields: Any) -> dict[str, Any]:
        """Return what creates an instance in the tests' network."""
        return {
            "name": name or self.name(),
            "imageRef": self.house.ground.image_id,
            "flavorRef": self.house.flavor_id,
            "networks": [{"uuid": self.house.network_id}],
            **fields,
        }

    def keep_server(self, answer: Answer) -> str:
        """Return the ID of an instance that was created, and delete it when the test ends."""
        assert answer.status == 202, answer
        server_id = str(answer.body["server"]["id"])
        self._servers.append(server_id)
        return server_id

    def keep(self, voice: Voice, service: str, path: str) -> None:
        """Delete something when the test ends."""
        self._paths.append((voice, service, path))

    def boot(self, group: str | None = None, host: str | None = None) -> str:
        """Return an instance that is ACTIVE.

        Args:
            group: of a server group.
            host: where; the operator says so, as of 2.74.
        """
        body: dict[str, Any] = {"server": self.server_body()}
        voice, version = self.house.ours.voice, NEW
        if host is not None:
            self.only(host)
        if group is not None:
            body["os:scheduler_hints"] = {"group": group}
        server_id = self.keep_server(
            voice.look("POST", "compute", "/v2.1/servers", body, version=version)
        )
        seen = self.until(server_id, lambda found: found["status"] in ("ACTIVE", "ERROR"), BOOT_S)
        if host is not None:
            self.only(*self.hosts)
        assert seen[-1]["status"] == "ACTIVE", seen[-1].get("fault")
        return server_id

    def show(self, server_id: str, version: str = NEW) -> dict[str, Any]:
        """Return an instance as the operator sees it; ``{}`` if it is gone."""
        answer = self.admin.look("GET", "compute", f"/v2.1/servers/{server_id}", version=version)
        found: dict[str, Any] = answer.body["server"] if answer.status == 200 else {}
        return found

    def host_of(self, server_id: str) -> str:
        """Return where an instance is."""
        return str(self.show(server_id)["OS-EXT-SRV-ATTR:host"])

    def until(
        self, server_id: str, holds: Callable[[dict[str, Any]], bool], within_s: float = MOVE_S
    ) -> list[dict[str, Any]]:
        """Look until it holds; return all looks that differ from the one before."""
        return self.watch(lambda: self.show(server_id), holds, within_s, f"instance {server_id}")

    def settled(self, server_id: str, *statuses: str) -> dict[str, Any]:
        """Wait until an instance has a status and no task."""
        wanted = statuses or ("ACTIVE",)
        looks = self.until(
            server_id,
            lambda found: found["status"] in wanted and not found["OS-EXT-STS:task_state"],
        )
        return looks[-1]

    def acted(self, server_id: str, action: str) -> list[dict[str, Any]]:
        """Return an instance's actions of a kind that are over, the newest first."""
        path = f"/v2.1/servers/{server_id}/os-instance-actions"
        listed = self.admin.look("GET", "compute", path, version=NEW).body["instanceActions"]
        found = [item for item in listed if item["action"] == action]
        shown = [
            self.admin.look("GET", "compute", f"{path}/{item['request_id']}", version=NEW).body[
                "instanceAction"
            ]
            for item in found
        ]
        return [item for item in shown if item["events"] and item["events"][0]["finish_time"]]

    def watch(
        self, look: Callable[[], Any], holds: Callable[[Any], bool], within_s: float, what: str
    ) -> list[Any]:
        """Look until it holds; return all looks that differ from the one before."""
        looks: list[Any] = []

        def ask() -> Any:
            found = look()
            if not looks or looks[-1] != found:
                looks.append(found)
            return found

        self.place.run(
            flow.poll(
                self.place.clock,
                ask,
                until=holds,
                every_s=self.place.look_s,
                within_s=within_s,
                what=what,
            ),
            within_s + 60.0,
        )
        return looks

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.place.run(flow.wait(seconds), seconds + 60.0)

    def service(self, host: str) -> dict[str, Any]:
        """Return the nova-compute of a host."""
        path = f"/v2.1/os-services?binary=nova-compute&host={host}"
        found: dict[str, Any] = self.admin.look("GET", "compute", path, version=NEW).body[
            "services"
        ][0]
        return found

    def only(self, *hosts: str) -> None:
        """Let the scheduler use these hosts alone."""
        for host in self.hosts:
            if (host in hosts) == (host in self._disabled):
                self._switch(host, host in hosts)

    def _switch(self, host: str, on: bool) -> None:
        body = {"status": "enabled"} if on else {"status": "disabled", "disabled_reason": "a test"}
        path = f"/v2.1/os-services/{self.service(host)['id']}"
        answer = self.admin.look("PUT", "compute", path, body, version=NEW)
        assert answer.status == 200, answer
        (self._disabled.discard if on else self._disabled.add)(host)

    def leave(self) -> None:
        """Put the hosts back, and delete what the test made."""
        self.only(*self.hosts)
        for server_id in self._servers:
            self.admin.look("DELETE", "compute", f"/v2.1/servers/{server_id}", version=NEW)
        for server_id in self._servers:
            self.until(server_id, lambda found: not found)
        for voice, service, path in reversed(self._paths):
            answer = voice.look("DELETE", service, path)
            assert answer.status in (200, 202, 204, 404), (path, answer)
