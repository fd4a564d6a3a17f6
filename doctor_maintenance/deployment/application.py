# SPDX-License-Identifier: Apache-2.0
"""One application: its network, its instances and its address, made with its project's own rights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from doctor_maintenance import flow
from doctor_maintenance.clock import Clock
from doctor_maintenance.deployment.preconditions import Ground
from doctor_maintenance.deployment.rest import Rest
from doctor_maintenance.deployment.service_address import ServiceAddress, choose, user_data
from doctor_maintenance.deployment.spec import Account, ApplicationSpec, DeployedApplication, Spec
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.flow import Flow

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_CIDR = "10.77.0.0/16"
"""Of every application's own network; they do not meet."""

Run = Callable[[Callable[[], T]], Flow[T]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An instance to be built; ``serves`` if it is one of the pair, ``turn`` says when it is its turn."""

    name: str
    group_id: str | None
    serves: bool = False
    turn: int = 0


class ApplicationBuilder:
    """Builds one application.

    Args:
        clock: for waits.
        rest: the project's.
        spec: the deployment.
        ground: what the cloud has.
        application: what to build.
        account: its project.
        flavor_id: of its instances.
        blocking: does a call off the clock.
    """

    def __init__(
        self,
        clock: Clock,
        rest: Rest,
        spec: Spec,
        ground: Ground,
        application: ApplicationSpec,
        account: Account,
        flavor_id: str,
        blocking: Callable[[Callable[[], Any]], Flow[Any]],
    ) -> None:
        self._clock = clock
        self._rest = rest
        self._spec = spec
        self._ground = ground
        self._application = application
        self._account = account
        self._flavor_id = flavor_id
        self._blocking = blocking
        self._reach = choose(application.reach, ground.extensions)
        self._user_data = user_data(self._reach, spec.user_data)
        self._service = ServiceAddress(
            rest, self._reach, ground.external_network_id, self._name, spec.service_port
        )

    def build(self) -> Flow[DeployedApplication]:
        """Build it, and return it when all instances are active and the address leads to the first.

        Raises:
            CloudError: the cloud refuses, or an instance cannot be started.
            FlowTimeout: it takes too long.
        """
        network_id, router_id = yield from self._blocking(self._network)
        security_group = yield from self._blocking(self._security_group)
        wanted = yield from self._wanted()
        ids = yield from self._instances(wanted, network_id, security_group)
        pair, singles, everywhere = _split(wanted, ids, self._application)
        LOG.info("application %s: its address leads by %s", self._application.name, self._reach)
        serving = dict(zip(pair, (item.name for item in wanted), strict=False))
        address = yield from self._blocking(lambda: self._service.lead(router_id, serving))
        return DeployedApplication(
            self._account,
            address,
            pair[0],
            pair[1],
            tuple(singles),
            tuple(everywhere),
            self._reach,
        )

    def _name(self, *parts: str) -> str:
        return self._spec.name(self._application.name, *parts)

    def _network(self) -> tuple[str, str]:
        """Create a network that has a way out; return it and its router."""
        name = self._name("network")
        network = self._post("/networks", "network", name=name)
        subnet = self._post(
            "/subnets",
            "subnet",
            name=self._name("subnet"),
            network_id=network["id"],
            ip_version=4,
            cidr=_CIDR,
        )
        router = self._post(
            "/routers",
            "router",
            name=self._name("router"),
            external_gateway_info={"network_id": self._ground.external_network_id},
        )
        self._rest.put(
            "network", f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]}
        )
        return str(network["id"]), str(router["id"])

    def _security_group(self) -> str:
        """Create a security group that lets the service be asked, and return its name."""
        name = self._name("service")
        group = self._post("/security-groups", "security_group", name=name)
        rule = {
            "security_group_id": group["id"],
            "direction": "ingress",
            "ethertype": "IPv4",
            "remote_ip_prefix": "0.0.0.0/0",
        }
        port = self._spec.service_port
        for protocol in ("udp", "tcp"):
            self._post(
                "/security-group-rules",
                "security_group_rule",
                **rule,
                protocol=protocol,
                port_range_min=port,
                port_range_max=port,
            )
        self._post("/security-group-rules", "security_group_rule", **rule, protocol="icmp")
        return name

    def _post(self, path: str, kind: str, **fields: Any) -> dict[str, Any]:
        created: dict[str, Any] = self._rest.post("network", path, {kind: fields})[kind]
        return created

    def _wanted(self) -> Flow[list[_Wanted]]:
        """Create the server groups, and return the instances to build: the pair first.

        Of an anti-affinity group one has its turn after the other: Nova's scheduler knows only of members that
        have started, so it gives two at a time the same host. The second is refused there, and the scheduler takes
        the host for occupied for up to two minutes (nova 34.0.0). The others come with the second of the pair, so that
        the pair has its hosts first.
        """
        application = self._application
        pair = yield from self._group("pair", "anti-affinity")
        wanted = [_Wanted(self._name("ha", str(turn + 1)), pair, True, turn) for turn in (0, 1)]
        if application.singles:
            spread = yield from self._group("spread", "soft-anti-affinity")
            wanted += [
                _Wanted(self._name("single", str(number)), spread, turn=1)
                for number in range(1, application.singles + 1)
            ]
        if application.one_on_every_host:
            everywhere = yield from self._group("everywhere", "anti-affinity")
            wanted += [
                _Wanted(self._name("every", str(turn + 1)), everywhere, turn=turn)
                for turn in range(len(self._ground.hosts))
            ]
        return wanted

    def _group(self, name: str, policy: str) -> Flow[str]:
        body = {"server_group": {"name": self._name(name), "policy": policy}}
        answer = yield from self._blocking(
            lambda: self._rest.post("compute", "/os-server-groups", body)
        )
        return str(answer["server_group"]["id"])

    def _instances(
        self, wanted: Sequence[_Wanted], network_id: str, security_group: str
    ) -> Flow[dict[str, str]]:
        """Build instances, turn by turn.

        Returns:
            The ID by name.
        """
        deadline = self._clock.now() + self._spec.boot_s
        ids: dict[str, str] = {}
        for turn in sorted({item.turn for item in wanted}):
            now = [item for item in wanted if item.turn == turn]
            ids.update((yield from self._built(now, network_id, security_group, deadline)))
        return ids

    def _built(
        self, wanted: Sequence[_Wanted], network_id: str, security_group: str, deadline: float
    ) -> Flow[dict[str, str]]:
        """Build instances at a time until all are active; those that fail to start are built again."""
        ids: dict[str, str] = {}
        attempt = 1
        while True:
            missing = [item for item in wanted if item.name not in ids]
            ids.update((yield from self._boot(missing, network_id, security_group)))
            failed = yield from self._until_built(ids, deadline)
            if not failed:
                return ids
            if attempt >= self._spec.boot_attempts:
                raise CloudError(
                    f"application {self._application.name}: {len(failed)} of {len(wanted)} instances did not"
                    f" start in {attempt} attempts: {'; '.join(sorted(failed.values()))}"
                )
            LOG.warning("not started, built again: %s", "; ".join(sorted(failed.values())))
            attempt += 1
            for name in failed:
                server_id = ids.pop(name)
                path = f"/servers/{server_id}"
                yield from self._blocking(partial(self._rest.delete, "compute", path))
            yield from self._until_gone(failed, deadline)

    def _boot(
        self, wanted: Sequence[_Wanted], network_id: str, security_group: str
    ) -> Flow[dict[str, str]]:
        def one(item: _Wanted) -> Flow[tuple[str, str]]:
            body = self._server(item, network_id, security_group)
            answer = yield from self._blocking(lambda: self._rest.post("compute", "/servers", body))
            return item.name, str(answer["server"]["id"])

        pairs = yield from flow.together([one(item) for item in wanted], self._spec.at_once)
        return dict(pairs)

    def _server(self, item: _Wanted, network_id: str, security_group: str) -> dict[str, Any]:
        server: dict[str, Any] = {
            "name": item.name,
            "imageRef": self._ground.image_id,
            "flavorRef": self._flavor_id,
            "networks": [{"uuid": network_id}],
            "security_groups": [{"name": security_group}],
        }
        started_with = self._user_data if item.serves else self._spec.user_data
        if started_with:
            server["user_data"] = started_with
            server["config_drive"] = True  # it is there from the start, whatever the network does
        body: dict[str, Any] = {"server": server}
        if item.group_id is not None:
            body["os:scheduler_hints"] = {"group": item.group_id}
        return body

    def _until_built(self, ids: dict[str, str], deadline: float) -> Flow[dict[str, str]]:
        """Wait until no instance is being built any more.

        Returns:
            What is wrong with those that are not active, by name.
        """
        yield from self._poll(
            lambda: len(self._servers("/servers", status="BUILD")),
            until=lambda building: building == 0,
            deadline=deadline,
            what="instances to be built",
        )
        servers = yield from self._blocking(lambda: self._servers("/servers/detail"))
        states = {item["id"]: item for item in servers}
        return {
            name: _wrong(name, states.get(server_id))
            for name, server_id in ids.items()
            if states.get(server_id, {}).get("status") != "ACTIVE"
        }

    def _until_gone(self, names: dict[str, str], deadline: float) -> Flow[None]:
        yield from self._poll(
            lambda: sum(item["name"] in names for item in self._servers("/servers")),
            until=lambda left: left == 0,
            deadline=deadline,
            what="failed instances to be gone",
        )

    def _servers(self, path: str, **query: str) -> list[dict[str, Any]]:
        return self._rest.list("compute", path, "servers", **query)

    def _poll(
        self,
        ask: Callable[[], int],
        *,
        until: Callable[[int], bool],
        deadline: float,
        what: str,
    ) -> Flow[None]:
        yield from flow.poll(
            self._clock,
            ask,
            until=until,
            every_s=self._spec.poll_s,
            within_s=max(deadline - self._clock.now(), 0.0),
            what=f"application {self._application.name}: {what}",
        )


def _wrong(name: str, server: dict[str, Any] | None) -> str:
    if server is None:
        return f"{name} is gone"
    fault = (server.get("fault") or {}).get("message", "no reason given")
    return f"{name} is {server['status']}: {fault}"


def _split(
    wanted: Sequence[_Wanted], ids: dict[str, str], application: ApplicationSpec
) -> tuple[list[str], list[str], list[str]]:
    """Return the IDs of the pair, of the singles and of those on every host."""
    ordered = [ids[item.name] for item in wanted]
    singles_end = 2 + application.singles
    return ordered[:2], ordered[2:singles_end], ordered[singles_end:]
