# SPDX-License-Identifier: Apache-2.0
"""How long things take on a cloud, in the words of the simulator's timing profiles.

Usage: python benchmarks/cloud_timings.py [--cloud NAME|lab|lab:NAME] [--rounds 5] [--every 0.1] [--image NAME]

Boots, stops, starts, reboots, migrates live and cold, confirms, reverts and deletes instances on a cloud of
clouds.yaml (without one: on the simulator, in virtual time), and looks at them every 0.1 s. Prints for each duration
of a profile how often it was seen, and its least, median and most, in seconds, then the same for the calls
themselves; and last a profile to copy. Nobody else should use the cloud meanwhile. A state that is shorter than a look
takes is not seen, so nor is its duration. ``cold_scheduling`` has ``cold_preparing`` in it, and ``live_running`` has
``live_pause`` and ``live_finishing``: no API tells where one ends and the other begins. A port that Neutron
still calls DOWN half a minute after a live migration gives no ``live_port_lag``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from bed import settings_of
from cloud import tenants
from cloud.asking import Voice, roots
from cloud.places import Place, RealPlace, SimulatedPlace
from cloud.tenants import NEW, House, Stay
from cloud.transcript import Transcript

from doctor_maintenance.simulator.profiles import TimingProfile

PORT_S = 30.0
"""How long a port may take to be ACTIVE on its new host, in seconds."""


@dataclass(frozen=True, slots=True)
class Look:
    """An instance, its newest migration and its port at one moment."""

    at: float
    status: str
    task: str | None
    host: str | None
    record: str
    port: tuple[str, str]


class Watch:
    """Looks at one instance, and keeps what changed."""

    def __init__(self, stay: Stay, server_id: str) -> None:
        self._stay = stay
        self._server_id = server_id

    def look(self) -> Look:
        """Look once."""
        stay, at = self._stay, self._stay.place.clock.now()
        server = stay.show(self._server_id)
        if not server:
            return Look(at, "gone", None, None, "", ("", ""))
        query = f"instance_uuid={self._server_id}"
        found = stay.admin.look("GET", "compute", f"/v2.1/os-migrations?{query}", version=NEW)
        newest = max(found.body["migrations"], key=lambda item: int(item["id"]), default=None)
        ports = stay.admin.look("GET", "network", f"/v2.0/ports?device_id={self._server_id}").body
        port = next(iter(ports["ports"]), None)
        return Look(
            at,
            server["status"],
            server["OS-EXT-STS:task_state"],
            server["OS-EXT-SRV-ATTR:host"],
            newest["status"] if newest else "",
            (port["status"], port["binding:host_id"]) if port else ("", ""),
        )

    def until(self, ends: Callable[[Look], bool]) -> list[Look]:
        """Look until it is over; return every look."""
        return self._stay.watch(self.look, ends, 600.0, f"instance {self._server_id}")


class Timings:
    """What was measured, by name."""

    def __init__(self) -> None:
        self.seen: dict[str, list[float]] = defaultdict(list)

    def between(
        self,
        name: str,
        looks: Sequence[Look],
        begins: Callable[[Look], bool],
        ends: Callable[[Look], bool],
    ) -> None:
        """Note the time from the first look at which one thing holds to the next at which another does."""
        begun = next((place for place, look in enumerate(looks) if begins(look)), None)
        if begun is None:
            return
        ended = next((look for look in looks[begun:] if ends(look)), None)
        if ended is not None:
            self.seen[name].append(ended.at - looks[begun].at)

    def task(
        self, name: str, looks: Sequence[Look], task: str | None, nxt: Callable[[Look], bool]
    ) -> None:
        """Note how long a task lasted."""
        self.between(name, looks, lambda look: look.task == task, nxt)

    def report(self) -> None:
        """Print everything, and a profile."""
        for name in sorted(self.seen):
            values = sorted(self.seen[name])
            print(
                f"{name:28} {len(values):3} times, least {values[0]:.3f} median {statistics.median(values):.3f} "
                f"most {values[-1]:.3f} s"
            )
        known = [item.name for item in fields(TimingProfile) if item.name in self.seen]
        print("\nTimingProfile(")
        for name in known:
            values = self.seen[name]
            print(f"    {name}=({min(values):.3g}, {max(values):.3g}),")
        print(")")


def active(look: Look) -> bool:
    """Whether an instance rests and runs."""
    return look.status == "ACTIVE" and look.task is None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cloud", help="an entry of clouds.yaml; without one, the simulator")
    parser.add_argument("--profile", default="realistic", help="of the simulator")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every", type=float, default=0.1, help="seconds between two looks")
    parser.add_argument("--image", help="default: the lab's, or cirros")
    args = parser.parse_args()
    place: Any
    if args.cloud:
        cloud = settings_of(args.cloud).cloud
        if cloud.clouds_file is not None:
            os.environ["OS_CLIENT_CONFIG_FILE"] = cloud.clouds_file
        place, image = RealPlace(str(cloud.os_cloud)), args.image or cloud.image
    else:
        place, image = SimulatedPlace(args.profile), args.image or "cirros"
    place.look_s = args.every
    talk = Transcript()
    admin = Voice("operator", place.http, roots(place.admin), talk, place.admin)
    made = tenants.deployment(place, image)

    def voice(name: str, login: Any) -> Voice:
        return Voice(name, place.http, roots(place.admin), talk, place.connect(login))

    timings = Timings()
    try:
        house = place.run(tenants.build(made, admin, voice))
        for _ in range(args.rounds):
            one_round(place, house, admin, timings)
    finally:
        left = place.run(made.remove())
        place.close()
    print(
        f"{place.name}, {args.rounds} rounds, a look every {place.look_s:g} s; left behind: {left or 'nothing'}"
    )
    timings.report()


def one_round(place: Place, house: House, admin: Voice, timings: Timings) -> None:
    """Let one instance live through everything."""
    stay = Stay(place, house, admin)
    try:
        server_id = boot(stay, timings)
        watch = Watch(stay, server_id)
        power(stay, server_id, watch, timings)
        live(stay, server_id, watch, timings)
        cold(stay, server_id, watch, timings, "confirmResize")
        cold(stay, server_id, watch, timings, "revertResize")
        call(stay, timings, "DELETE", f"/v2.1/servers/{server_id}", None)
        looks = watch.until(lambda look: look.status == "gone")
        timings.task("delete", looks, "deleting", lambda look: look.task != "deleting")
        timings.between(
            "delete_visible",
            looks,
            lambda look: look.status == "DELETED",
            lambda look: look.status == "gone",
        )
    finally:
        stay.leave()


def call(stay: Stay, timings: Timings, method: str, path: str, body: Any, name: str = "") -> Any:
    """Call, and note how long the answer took."""
    begun = stay.place.clock.now()
    answer = stay.admin.look(method, "compute", path, body, version=NEW)
    timings.seen[f"call {method} {name or path.rpartition('/')[0].rpartition('/')[2]}"].append(
        stay.place.clock.now() - begun
    )
    assert answer.status in (200, 202, 204), answer
    return answer


def boot(stay: Stay, timings: Timings) -> str:
    """Boot an instance."""
    ours = stay.house.ours.voice
    begun = stay.place.clock.now()
    made = ours.look(
        "POST", "compute", "/v2.1/servers", {"server": stay.server_body()}, version=NEW
    )
    timings.seen["call POST servers"].append(stay.place.clock.now() - begun)
    server_id = stay.keep_server(made)
    looks = Watch(stay, server_id).until(lambda look: look.status != "BUILD")
    assert active(looks[-1]), looks[-1]
    timings.task("boot_scheduling", looks, "scheduling", lambda look: look.task != "scheduling")
    timings.task(
        "boot_networking",
        looks,
        "networking",
        lambda look: look.task in ("block_device_mapping", "spawning"),
    )
    timings.task(
        "boot_block_devices", looks, "block_device_mapping", lambda look: look.task == "spawning"
    )
    timings.task("boot_spawning", looks, "spawning", active)
    timings.seen["boot in all"].append(looks[-1].at - begun)
    return server_id


def act(stay: Stay, server_id: str, timings: Timings, name: str, argument: Any = None) -> None:
    """Let an instance do something."""
    path = f"/v2.1/servers/{server_id}/action"
    call(stay, timings, "POST", path, {name: argument}, name)


def power(stay: Stay, server_id: str, watch: Watch, timings: Timings) -> None:
    """Stop, start and reboot."""
    act(stay, server_id, timings, "os-stop")
    looks = watch.until(lambda look: look.status == "SHUTOFF")
    timings.task("stop", looks, "powering-off", lambda look: look.status == "SHUTOFF")
    act(stay, server_id, timings, "os-start")
    timings.task("start", watch.until(active), "powering-on", active)
    for kind in ("soft", "hard"):
        act(stay, server_id, timings, "reboot", {"type": kind.upper()})
        timings.between(
            f"reboot_{kind}", watch.until(active), lambda look: "REBOOT" in look.status, active
        )


def live(stay: Stay, server_id: str, watch: Watch, timings: Timings) -> None:
    """Migrate live."""
    source = stay.host_of(server_id)
    act(stay, server_id, timings, "os-migrateLive", {"host": None, "block_migration": "auto"})

    arrived: list[float] = []

    def over(look: Look) -> bool:
        if not (active(look) and look.record in ("completed", "error")):
            return False
        arrived.append(look.at)
        return look.port == ("ACTIVE", look.host) or look.at > arrived[0] + PORT_S

    looks = watch.until(over)
    assert looks[-1].host != source, "the live migration came to nothing"
    migrating = [look for look in looks if look.status == "MIGRATING" or active(look)]

    def there(look: Look) -> bool:
        return look.host != source and active(look)

    timings.between(
        "live_scheduling",
        migrating,
        lambda look: look.record == "accepted",
        lambda look: look.record not in ("accepted", "queued"),
    )
    timings.between(
        "live_preparing",
        looks,
        lambda look: look.record == "preparing",
        lambda look: look.record != "preparing",
    )
    timings.between("live_running", looks, lambda look: look.record == "running", there)
    timings.between("live_record_lag", looks, there, lambda look: look.record == "completed")
    timings.between("live_port_lag", looks, there, lambda look: look.port == ("ACTIVE", look.host))
    timings.between("live migration in all", looks, lambda look: look.status == "MIGRATING", there)


def cold(stay: Stay, server_id: str, watch: Watch, timings: Timings, answer: str) -> None:
    """Migrate cold, and confirm or revert."""
    act(stay, server_id, timings, "migrate")
    looks = watch.until(lambda look: look.status == "VERIFY_RESIZE" and look.task is None)
    order = (
        ("cold_scheduling", "resize_prep", "resize_migrating"),
        ("cold_migrating", "resize_migrating", "resize_migrated"),
        ("cold_migrated", "resize_migrated", "resize_finish"),
    )
    for name, task, nxt in order:
        timings.task(name, looks, task, lambda look, nxt=nxt: look.task == nxt)  # type: ignore[misc]
    timings.task(
        "cold_finishing", looks, "resize_finish", lambda look: look.status == "VERIFY_RESIZE"
    )
    timings.between(
        "cold migration in all",
        looks,
        lambda look: look.status == "RESIZE",
        lambda look: look.status == "VERIFY_RESIZE",
    )
    act(stay, server_id, timings, answer)
    looks = watch.until(lambda look: active(look) and look.record in ("confirmed", "reverted"))
    if answer == "confirmResize":
        timings.between("confirm", looks, lambda look: look.record == "confirming", active)
        return
    timings.between(
        "revert_source",
        looks,
        lambda look: look.status == "REVERT_RESIZE",
        lambda look: look.record == "reverted",
    )
    timings.between("revert_finish", looks, lambda look: look.record == "reverted", active)


if __name__ == "__main__":
    main()
