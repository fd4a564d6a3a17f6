# SPDX-License-Identifier: Apache-2.0
"""Every recorded answer of a real Nova, asked of the simulated one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tallying import fields, tally

from doctor_maintenance.simulator.records import BootRequest, NetworkRequest

from .nova_replay import Replay, differences, in_form, recorded

ENTRIES = recorded("nova")
BY_SLUG = {entry["slug"]: entry for entry in ENTRIES}
DEMO, ADMIN = "5e02cc38adfe4c54a9fbb4f27479d403", "f2ca7f8d1ddb407faed18773e01e2f02"
NETWORK = "9eef4690-e7d5-4c7a-9d37-a33b2d03725f"
IMAGE = "701395b0-4f32-4de6-81ae-e63f63627bcd"
FLAVOR = "66d84e54-4568-493d-8126-9ea0f7de81e6"
FIRST = "1478b442-2dcd-48de-be08-87a8addc504c"
LATE, LATER = "f721c0e6-ca6d-4470-8779-1c62501d6d52", "4bda8c67-432c-445b-a7c5-40c70aead071"
FOREIGN = "904f9482-4923-4a0a-9ca2-93d81edc1866"
PAIRED = "8cffe815-929d-444d-a274-ce306d8e143f"

LAB = {
    "kernel_id", "ramdisk_id", "properties", "disk_available_least", "cpu_info", "adminPass", "private_key",
    "fingerprint", "public_key", "output", "traceback", "details", "hours", "uptime", "disk_details", "cpu_details",
    "nic_details", "memory_details", "total_hours", "total_vcpus_usage", "total_memory_mb_usage",
    "total_local_gb_usage",
}  # fmt: skip
"""Fields whose value is the lab's own: its image, its processor, secrets, load; that they are there is compared."""
NUMBERS = {"id", "old_instance_type_id", "new_instance_type_id"}
SORTED: dict[str, Callable[[Any], Any]] = {
    "services": lambda service: (service["binary"], service["host"]),
    "hypervisors": lambda hypervisor: hypervisor["hypervisor_hostname"],
}
"""Lists whose order is the lab's own."""
LISTS_OF_THE_PAST = {"migrations", "instanceActions", "server_usages"}
"""Lists that also have what the recording does not show; the newest entry is compared by its fields."""
DEVIATIONS = {
    "extensions-404": "Nova's removed proxies are answered like any unknown path",
}


class Story(Replay):
    """The recorded story, with what happened between the recorded calls."""

    def __init__(self) -> None:
        super().__init__()
        identity, compute = self.cloud.identity, self.cloud.compute
        self.compute = compute
        self.add_network("demo", NETWORK)
        self.know(DEMO, identity.find_project("demo").id)
        self.know(ADMIN, identity.find_project("admin").id)
        self.know(IMAGE, next(iter(self.cloud.images.images)))
        self.know(FLAVOR, compute.flavors.all()[0].flavor_id)
        for shown in BY_SLUG["hypervisors-2.104"]["answer"]["hypervisors"]:
            self.know(shown["id"], compute.hosts[shown["hypervisor_hostname"]].host_id)
        for shown in BY_SLUG["services-2.104"]["answer"]["services"]:
            for service in compute.services.values():
                if service.binary == shown["binary"] and service.host in (
                    shown["host"],
                    "controller",
                ):
                    self.know(shown["id"], service.service_id)
        self.quota(instances=50, cores=50)()
        self.directions: dict[str, Callable[[], object]] = {
            "create-over-quota-cores": self.quota(instances=50, cores=0),
            "create-over-quota-cores-ram-two": self.quota(ram=0),
            "quota-put-as-demo": self.quota(cores=50, ram=51200),
            "server-create-2.1": self.towards("compute3"),
            "server-create-newest": self.towards("compute1"),
            "servers-detail-2.1-demo": self.rest,
            "server-of-other-project-as-demo": lambda: self.begin_to_boot(FOREIGN, ADMIN, None),
            "server-put-name": lambda: (
                self.rest(), self.compute.delete(self.names[FOREIGN]), self.rest()
            ),
            "migrate-to-own-host": self.rest,
            "start": self.rest,
            "live-migrate": lambda: (self.rest(), self.towards("compute2")()),
            "server-migrations-running-2.23": lambda: self.clock.advance(0.3),
            "server-migrations-none": self.rest,
            "migrate": self.towards("compute3"),
            "migrate-host": lambda: self.clock.advance(1),
            "migrations-2.1": self.rest,
            "nvh-live-migrate-2.1": lambda: self.only("compute3"),
            "nvh-create": lambda: (self.rest(), self.only()),
            "nvh-delete": self.rest,
            "flavors-2.1": lambda: self.only("compute1", "compute2", "compute3"),
            "server-get-after-delete": self.rest,
            "evacuate-as-demo": lambda: self.boot(LATE, DEMO, "compute1"),
            "server-get-with-floating-ip": lambda: self.confirm_and_add_floating_ip(LATE),
            "live-migrate-to-host0": lambda: self.move_away(LATE),
            "live-migrate-to-host1": self.rest,
            "live-migrate-to-own-host": lambda: self.boot(LATER, DEMO, "compute1"),
            "live-migrate-to-own-host-instance-action": self.rest,
            "reboot-soft": self.rest,
            "anti-affinity-live-migrate-b-after-a-moved": self.a_pair_of_which_one_has_just_moved,
        }  # fmt: skip

    def quota(self, **limits: int) -> Callable[[], None]:
        project_id = self.cloud.identity.find_project("demo").id
        return lambda: self.compute.quotas.set_limits(project_id, limits)

    def rest(self) -> None:
        self.clock.run()

    def only(self, *names: str) -> None:
        self.rest()
        for host in self.compute.hosts:
            (self.compute.machines.enable if host in names else self.compute.machines.disable)(host)

    def towards(self, host: str) -> Callable[[], object]:
        fault = ("lands_on_unmaintained_host", {}, {"host": host})
        return lambda: self.cloud.faults.add(*fault, times=1)

    def boot(self, name: str, project: str, host: str | None, group_id: str | None = None) -> str:
        instance_id = self.begin_to_boot(name, project, host, group_id)
        self.rest()
        return instance_id

    def begin_to_boot(
        self, name: str, project: str, host: str | None, group_id: str | None = None
    ) -> str:
        request = BootRequest(
            "g5", "small", self.names[IMAGE], (NetworkRequest(self.names[NETWORK]),), group_id, host
        )
        project_id = self.names[project]
        instance = self.compute.boot(
            project_id, request, user_id=self.cloud.identity.find_user("demo").id
        )[0]
        self.know(name, instance.instance_id)
        return instance.instance_id

    def move_away(self, name: str) -> None:
        host = self.compute.get(self.names[name]).host
        if host == "compute1":
            self.compute.live_migrate(self.names[name], "compute3")
            self.rest()

    def confirm_and_add_floating_ip(self, name: str) -> None:
        self.rest()
        self.compute.confirm_resize(self.names[name])
        self.rest()
        port = self.cloud.network.ports_of(self.names[name])[0]
        router = self.cloud.network.routers
        project_id = self.names[DEMO]
        made = router.create(project_id, name="r", gateway=self.cloud.network.external.id)
        subnet_id = port.fixed_ips[0][0]
        router.add_interface(made.id, subnet_id=subnet_id)
        self.cloud.network.floating.create(
            project_id, self.cloud.network.external.id, port_id=port.id
        )

    def a_pair_of_which_one_has_just_moved(self) -> None:
        group = self.compute.groups.create(self.names[DEMO], "somebody", "pair", "anti-affinity")
        one = self.boot("a", DEMO, "compute3", group.group_id)
        self.boot(PAIRED, DEMO, "compute2", group.group_id)
        self.compute.machines.disable("compute1")
        self.compute.machines.enable("compute1")
        self.compute.live_migrate(one, "compute1")
        self.rest()
        later = self.clock.now() + 60
        self.compute.scheduler.departed(one, "compute3", later)

    def tell(self, entry: dict[str, Any]) -> list[str]:
        """Make a recorded call, and return how its answer differs."""
        direction = self.directions.get(entry["slug"])
        if direction is not None:
            direction()
        self.settle(entry)
        number = next(iter(self.compute.migrations), 0)
        path = re.sub(r"/migrations/14\b", f"/migrations/{number}", entry["path"])
        entry = {**entry, "path": path}
        answer = self.ask(entry, "compute")
        if answer.status_code == 409 != entry["status"]:
            self.rest()
            answer = self.ask(entry, "compute")
        body = answer.json() if answer.content else None
        found = []
        if answer.status_code == entry["status"]:
            self.learn(entry, answer.headers, body)
        else:
            found.append(f"status: recorded {entry['status']}, found {answer.status_code}")
        found += differences(comparable(entry["answer"]), comparable(body))
        for name, value in entry["answer_headers"].items():
            if in_form(value) != in_form(answer.headers.get(name)):
                found.append(f"header {name}: recorded {value}, found {answer.headers.get(name)}")
        return found

    def learn(self, entry: dict[str, Any], headers: Any, body: Any) -> None:
        request_id = entry["answer_headers"].get("x-openstack-request-id")
        if request_id is not None:
            self.know(request_id[4:], headers["x-openstack-request-id"][4:])
        if entry["method"] == "POST" and isinstance(body, dict):
            for kind, shown in entry["answer"].items():
                if isinstance(shown, dict) and isinstance(shown.get("id"), str):
                    self.know(shown["id"], body[kind]["id"])


def comparable(value: Any) -> Any:
    """Return an answer with what is the lab's own taken out, and the rest in its form."""
    return in_form(_reduced(value))


def _reduced(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        reduced = {key: _reduced(inner, key) for key, inner in value.items()}
        for key, inner in reduced.items():
            short = key.rpartition(":")[2]
            if short in LAB:
                reduced[key] = "<lab>"
            elif short in NUMBERS and isinstance(inner, int):
                reduced[key] = "<number>"
        if "Live migration" in str(reduced.get("message", "")):
            reduced["message"] = "<number>".join(reduced["message"].split(" ")[:2])
        return reduced
    if isinstance(value, list) and name in LISTS_OF_THE_PAST:
        return [{key: "" for key in value[0] if key != "links"}] if value else []
    if name in SORTED:
        return sorted((_reduced(item) for item in value), key=SORTED[name])
    if isinstance(value, list):
        return [_reduced(item) for item in value]
    return value


@pytest.fixture(scope="module")
def findings() -> dict[str, list[str]]:
    story = Story()
    return {entry["slug"]: story.tell(entry) for entry in ENTRIES}


@pytest.mark.parametrize("slug", BY_SLUG)
def test_the_answer_is_the_recorded_one(findings: dict[str, list[str]], slug: str) -> None:
    compared = 1 + fields(BY_SLUG[slug]["answer"]) + len(BY_SLUG[slug]["answer_headers"])
    tally(
        "story-nova", slug, compared, [(item, DEVIATIONS.get(slug, "")) for item in findings[slug]]
    )
    if slug in DEVIATIONS:
        assert findings[slug], f"{slug} is not different any more; take it out of DEVIATIONS"
    else:
        assert findings[slug] == []
