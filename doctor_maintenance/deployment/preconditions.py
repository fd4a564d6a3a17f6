# SPDX-License-Identifier: Apache-2.0
"""What a cloud must have before anything is created on it; all that is missing is told at once.

Capacity comes from Placement, since Nova's hypervisors have no figures from microversion 2.88 on.
While one host is in maintenance, the others must hold everything: that is what is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from doctor_maintenance import flow
from doctor_maintenance.deployment.rest import Rest
from doctor_maintenance.deployment.service_address import choose, user_data
from doctor_maintenance.deployment.spec import Sizes, Spec
from doctor_maintenance.exceptions import CloudError, PreconditionError
from doctor_maintenance.flow import Flow, blocking


@dataclass(frozen=True, slots=True)
class Ground:
    """What is there to build on.

    Attributes:
        hosts: the compute hosts that are enabled and up.
        image_id: the image.
        external_network_id: the network that floating IPs come from.
        member_role_id: the role of an ordinary user.
        domain_id: the operator's domain.
        extensions: what Neutron offers, by alias.
    """

    hosts: tuple[str, ...]
    image_id: str
    external_network_id: str
    member_role_id: str
    domain_id: str
    extensions: frozenset[str] = frozenset()


def survey(rest: Rest, spec: Spec) -> Flow[Ground]:
    """Look whether the cloud is fit.

    Args:
        rest: the operator's.
        spec: what is to be deployed.

    Raises:
        PreconditionError: it is not; the message has every reason, and what to do about each.
        CloudError: it cannot be asked.
    """
    services = yield from blocking(
        lambda: rest.get("compute", "/os-services", binary="nova-compute")["services"]
    )
    hosts = tuple(
        sorted(
            item["host"]
            for item in services
            if item["status"] == "enabled" and item["state"] == "up"
        )
    )
    problems = _too_few(hosts, services, spec.hosts_needed)
    found: dict[str, str] = {}
    for what, look in (
        ("image", lambda: _image(rest, spec.image)),
        ("network", lambda: _external_network(rest, spec.external_network)),
        ("role", lambda: _member_role(rest)),
        ("alarming", lambda: _alarming(rest)),
        ("names", lambda: _unused(rest, spec)),
    ):
        try:
            found[what] = yield from blocking(look)
        except PreconditionError as error:
            problems.append(str(error))
    extensions = yield from blocking(lambda: _extensions(rest))
    problems += _unreachable(spec, extensions)
    if hosts:
        rooms = yield from _rooms(rest, hosts, spec)
        problems += not_enough_room(rooms, spec)
    if problems:
        raise PreconditionError("the cloud is not fit for this run: " + "; ".join(problems))
    domain_id = yield from blocking(lambda: _domain(rest))
    return Ground(hosts, found["image"], found["network"], found["role"], domain_id, extensions)


def _too_few(hosts: Sequence[str], services: Sequence[Mapping[str, Any]], needed: int) -> list[str]:
    if len(hosts) >= needed:
        return []
    shown = ", ".join(f"{item['host']} ({item['status']}, {item['state']})" for item in services)
    problem = (
        f"expected at least {needed} compute hosts that are enabled and up, found {len(hosts)}:"
        f" {shown or 'none'}; add hosts, or enable those that are disabled"
    )
    return [problem]


def slots(capacity: Mapping[str, float], used: Mapping[str, float], sizes: Sizes) -> int:
    """Return how many instances fit on a host beside those that are there.

    Args:
        capacity: by resource class, what Placement may hand out.
        used: by resource class, what it has handed out.
        sizes: of an instance.
    """
    wanted = {"VCPU": sizes.vcpus, "MEMORY_MB": sizes.memory_mb, "DISK_GB": sizes.disk_gb}
    return min(
        int((capacity.get(name, 0.0) - used.get(name, 0.0)) // amount)
        for name, amount in wanted.items()
        if amount > 0
    )


def not_enough_room(rooms: Mapping[str, int], spec: Spec) -> list[str]:
    """Return why the run does not fit while the roomiest host is in maintenance, or nothing.

    Args:
        rooms: how many instances fit, by host.
        spec: what is to be deployed.
    """
    staying = sum(application.one_on_every_host for application in spec.applications)
    moving = sum(2 + application.singles for application in spec.applications)
    room = sum(rooms.values()) - max(rooms.values(), default=0)
    wanted = moving + staying * max(len(rooms) - 1, 0)
    if room >= wanted:
        return []
    shown = ", ".join(f"{host}: {count}" for host, count in sorted(rooms.items()))
    problem = (
        f"expected room for {wanted} instances while one host is in maintenance, found {room}"
        f" ({shown or 'no host'}); deploy fewer or smaller instances, or make room"
    )
    return [problem]


def _rooms(rest: Rest, hosts: Sequence[str], spec: Spec) -> Flow[dict[str, int]]:
    providers = yield from blocking(
        lambda: rest.get("placement", "/resource_providers")["resource_providers"]
    )
    by_name = {item["name"]: item["uuid"] for item in providers}
    by_name.update({item["name"].split(".")[0]: item["uuid"] for item in providers})
    known = [host for host in hosts if host in by_name]

    def room(provider: str) -> Flow[int]:
        inventories = yield from blocking(
            lambda: rest.get("placement", f"/resource_providers/{provider}/inventories")
        )
        usages = yield from blocking(
            lambda: rest.get("placement", f"/resource_providers/{provider}/usages")
        )
        capacity = {
            name: (item["total"] - item["reserved"]) * item["allocation_ratio"]
            for name, item in inventories["inventories"].items()
        }
        return slots(capacity, usages["usages"], spec.sizes)

    rooms = yield from flow.together([room(by_name[host]) for host in known], spec.at_once)
    return dict(zip(known, rooms, strict=True))


def _image(rest: Rest, wanted: str) -> str:
    images = rest.get("image", "/images", name=wanted)["images"]
    if not images and "-" in wanted:
        images = [_by_id(rest, wanted)]
    active = [item for item in images if item.get("status") == "active"]
    if not active:
        raise PreconditionError(
            f"image {wanted!r} is not there or not active; upload it, or name another"
        )
    return str(active[0]["id"])


def _by_id(rest: Rest, image_id: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = rest.get("image", f"/images/{image_id}")
    except CloudError as error:
        if error.status == 404:
            return {}
        raise
    return found


def _external_network(rest: Rest, wanted: str | None) -> str:
    networks = rest.list("network", "/networks", "networks", **{"router:external": "true"})
    fitting = sorted(
        (item["name"], item["id"])
        for item in networks
        if wanted is None or wanted in (item["name"], item["id"])
    )
    if not fitting:
        names = ", ".join(sorted(item["name"] for item in networks)) or "none"
        raise PreconditionError(
            f"external network {wanted or ''!r} is not there (there are: {names}); a floating IP needs one"
        )
    return str(fitting[0][1])


def _extensions(rest: Rest) -> frozenset[str]:
    found = rest.get("network", "/extensions")["extensions"]
    return frozenset(item["alias"] for item in found)


def _unreachable(spec: Spec, extensions: frozenset[str]) -> list[str]:
    problems = []
    for application in spec.applications:
        try:
            user_data(choose(application.reach, extensions), spec.user_data)
        except PreconditionError as error:
            problems.append(f"application {application.name}: {error}")
    return problems


def _member_role(rest: Rest) -> str:
    roles = {item["name"]: item["id"] for item in rest.list("identity", "/roles", "roles")}
    for name in ("member", "_member_"):
        if name in roles:
            return str(roles[name])
    raise PreconditionError("role member is not there; a project's user needs it")


def _alarming(rest: Rest) -> str:
    try:
        rest.get("alarm", "/alarms", limit="1")
    except CloudError as error:
        raise PreconditionError(
            f"the alarming service cannot be used ({error}); maintenance notifications need Aodh"
        ) from error
    return ""


def _unused(rest: Rest, spec: Spec) -> str:
    names = [
        item["name"]
        for item in rest.list("identity", "/projects", "projects")
        if item["name"].startswith(spec.prefix)
    ]
    if names:
        raise PreconditionError(
            f"run {spec.run_id} is there already ({', '.join(sorted(names))}); remove it, or take another ID"
        )
    return ""


def _domain(rest: Rest) -> str:
    project_id = rest.connection.session.get_project_id()
    return str(rest.get("identity", f"/projects/{project_id}")["project"]["domain_id"])
