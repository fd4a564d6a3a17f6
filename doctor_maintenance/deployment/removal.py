# SPDX-License-Identifier: Apache-2.0
"""Removes a run: looks what is there under its name, deletes it, and looks again.

Nothing is remembered from when it was created, so it works after a crash, from another process, half
created, and twice. An error ends nothing: what it is about is tried again until the time is up,
and is then named. Only an operator's rights are used, as a project's user may be gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from doctor_maintenance import flow
from doctor_maintenance.clock import Clock
from doctor_maintenance.deployment.rest import Rest
from doctor_maintenance.deployment.spec import Spec
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.flow import Flow

LOG = logging.getLogger(__name__)

_BACK_S = 90.0
"""How long a nova-compute may take to be back before instances on its host are deleted all the same, in seconds.

Nova forgets an instance at once whose nova-compute is down, and its guest runs on until nova-compute looks for such,
every half hour by default (nova 34.0.0). The usual reason is a message broker that was away, and short.
"""

_ROUTER_PORTS = "network:router"
"""How the ports begin that routers own; they go with the interface."""


class Removal:
    """Removes one run.

    Args:
        clock: for waits.
        rest: the operator's.
        spec: the run; only its ID and limits count.
        blocking: does a call off the clock.
    """

    def __init__(
        self,
        clock: Clock,
        rest: Rest,
        spec: Spec,
        blocking: Callable[[Callable[[], Any]], Flow[Any]],
    ) -> None:
        self._clock = clock
        self._rest = rest
        self._spec = spec
        self._blocking = blocking
        self._problems: list[str] = []
        self._hasty_from = 0.0

    def remove(self) -> Flow[list[str]]:
        """Remove everything.

        Returns:
            What is left, a sentence each; empty if nothing is.
        """
        began = self._clock.now()
        deadline, self._hasty_from = began + self._spec.remove_s, began + _BACK_S
        while True:
            self._problems = []
            began = self._clock.now()
            yield from self._sweep()
            if not self._problems:
                return []
            pause = flow.pause_s(self._spec.poll_s, self._clock.now() - began)
            if self._clock.now() + pause > deadline:
                for problem in self._problems:
                    LOG.error("run %s: left behind: %s", self._spec.run_id, problem)
                return self._problems
            yield from flow.wait(pause)

    def _sweep(self) -> Flow[None]:
        """Delete what can be deleted now; what cannot, and what still is there, is a problem."""
        yield from self._all("alarm", "alarms", self._alarms, "/alarms/{id}")
        projects = yield from self._find("projects", self._ours("projects"))
        users = yield from self._find("users", self._ours("users"))
        yield from flow.together([self._empty(item["id"]) for item in projects])
        yield from self._all("compute", "flavors", self._flavors, "/flavors/{id}")
        if self._problems:
            return
        for kind, found in (("users", users), ("projects", projects)):
            for item in found:
                yield from self._delete("identity", f"/{kind}/{item['id']}", item["name"])

    def _empty(self, project_id: str) -> Flow[None]:
        """Delete everything in a project of ours; what needs something gone waits for it."""
        yield from self._floating_ips(project_id)
        servers = yield from self._find("servers", lambda: self._servers(project_id))
        if servers:
            down = yield from self._down()
            deleted = [item for item in servers if item["OS-EXT-SRV-ATTR:host"] not in down]
            yield from flow.together(
                [
                    self._delete("compute", f"/servers/{item['id']}", item["name"])
                    for item in deleted
                ],
                self._spec.at_once,
            )
            servers = yield from self._find("servers", lambda: self._servers(project_id))
            self._problems += [f"instance {item['name']} is being deleted" for item in servers]
            return
        yield from self._all(
            "compute", "server groups", lambda: self._groups(project_id), "/os-server-groups/{id}"
        )
        yield from self._routers(project_id)
        yield from self._owned("ports", project_id, "/ports/{id}", _free)
        yield from self._owned("networks", project_id, "/networks/{id}")
        yield from self._security_groups(project_id)
        yield from self._delete("compute", f"/os-quota-sets/{project_id}", "quotas")

    def _down(self) -> Flow[set[str]]:
        """Return the hosts whose nova-compute is down, as long as they are waited for."""
        if self._clock.now() >= self._hasty_from:
            return set()
        found = yield from self._find("services", self._services)
        return {item["host"] for item in found if item["state"] == "down"}

    def _security_groups(self, project_id: str) -> Flow[None]:
        """Delete security groups; the default one is Neutron's, and stays where Neutron wants it to."""
        groups = yield from self._find(
            "security groups", lambda: self._network("security-groups", project_id)
        )
        for group in groups:
            path = f"/security-groups/{group['id']}"
            if group["name"] != "default":
                yield from self._delete("network", path, group["name"])
                continue
            try:
                yield from self._blocking(partial(self._rest.delete, "network", path))
            except CloudError as error:
                LOG.debug("run %s: %s", self._spec.run_id, error)

    def _floating_ips(self, project_id: str) -> Flow[None]:
        """Delete floating IPs, and first the port forwardings without which they cannot be."""
        found = yield from self._find(
            "floating IPs", lambda: self._network("floatingips", project_id)
        )
        for item in found:
            path = f"/floatingips/{item['id']}"
            for forwarding in item.get("port_forwardings") or ():
                below = f"{path}/port_forwardings/{forwarding['id']}"
                yield from self._delete("network", below, "port forwarding")
        yield from self._owned("floatingips", project_id, "/floatingips/{id}")

    def _routers(self, project_id: str) -> Flow[None]:
        """Delete routers: first their routes, then their interfaces, then themselves."""
        routers = yield from self._find("routers", lambda: self._network("routers", project_id))
        for router in routers:
            if router.get("routes"):
                path = f"/routers/{router['id']}"
                clear = partial(self._rest.put, "network", path, {"router": {"routes": []}})
                yield from self._try(f"routes of router {router['id']}", clear)
        ports = yield from self._find("ports", lambda: self._network("ports", project_id))
        for port in ports:
            if port["device_owner"].startswith(_ROUTER_PORTS):
                path = f"/routers/{port['device_id']}/remove_router_interface"
                remove = partial(self._rest.put, "network", path, {"port_id": port["id"]})
                yield from self._try(f"interface of router {port['device_id']}", remove)
        yield from self._owned("routers", project_id, "/routers/{id}")

    def _owned(
        self,
        kind: str,
        project_id: str,
        path: str,
        wanted: Callable[[dict[str, Any]], bool] = bool,
    ) -> Flow[None]:
        def find() -> list[dict[str, Any]]:
            return [item for item in self._network(kind, project_id) if wanted(item)]

        yield from self._all("network", kind, find, path)

    def _all(
        self, service: str, kind: str, find: Callable[[], list[dict[str, Any]]], path: str
    ) -> Flow[None]:
        found = yield from self._find(kind, find)
        yield from flow.together(
            [
                self._delete(service, path.format(id=_id(item)), str(item.get("name") or _id(item)))
                for item in found
            ],
            self._spec.at_once,
        )

    def _find(
        self, kind: str, find: Callable[[], list[dict[str, Any]]]
    ) -> Flow[list[dict[str, Any]]]:
        try:
            found: list[dict[str, Any]] = yield from self._blocking(find)
        except CloudError as error:
            self._problems.append(f"{kind} cannot be listed: {error}")
            return []
        return found

    def _delete(self, service: str, path: str, name: str) -> Flow[None]:
        yield from self._try(f"{name} ({path})", lambda: self._rest.delete(service, path))

    def _try(self, what: str, act: Callable[[], None]) -> Flow[None]:
        try:
            yield from self._blocking(act)
        except CloudError as error:
            if error.status != 404:
                self._problems.append(f"{what}: {error}")

    def _ours(self, kind: str) -> Callable[[], list[dict[str, Any]]]:
        """Return a look for identity's things that have a name of this run."""
        return lambda: self._named(self._rest.list("identity", f"/{kind}", kind))

    def _named(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [item for item in items if item["name"].startswith(self._spec.prefix)]

    def _alarms(self) -> list[dict[str, Any]]:
        return self._named(
            self._rest.get(
                "alarm",
                "/alarms",
                **{"q.field": "all_projects", "q.op": "eq", "q.value": "true"},
            )
        )

    def _flavors(self) -> list[dict[str, Any]]:
        return self._named(self._rest.list("compute", "/flavors", "flavors"))

    def _servers(self, project_id: str) -> list[dict[str, Any]]:
        return self._rest.list(
            "compute", "/servers/detail", "servers", all_tenants="1", project_id=project_id
        )

    def _services(self) -> list[dict[str, Any]]:
        found = self._rest.get("compute", "/os-services", binary="nova-compute")
        services: list[dict[str, Any]] = found["services"]
        return services

    def _groups(self, project_id: str) -> list[dict[str, Any]]:
        groups = self._rest.get("compute", "/os-server-groups", all_projects="True")
        return [item for item in groups["server_groups"] if item.get("project_id") == project_id]

    def _network(self, kind: str, project_id: str) -> list[dict[str, Any]]:
        return self._rest.list("network", f"/{kind}", kind.replace("-", "_"), project_id=project_id)


def _id(item: dict[str, Any]) -> str:
    return str(item.get("alarm_id") or item["id"])


def _free(port: dict[str, Any]) -> bool:
    return not str(port["device_owner"]).startswith(("network:", "compute:"))
