# SPDX-License-Identifier: Apache-2.0
"""What only a simulated cloud can do: show everything, go wrong on request, repeat its chance, jump in time.

Nothing of the project's own parts uses it; it is for tests, for scenarios that inject faults, and for people at a
terminal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.exceptions import ConflictError, InvalidRequestError, LimitError
from doctor_maintenance.simulator.events import CloudEvent
from doctor_maintenance.simulator.faults import FAULT_KINDS, Fault

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

MOST_EVENTS = 20_000
"""How many events are kept; older ones are forgotten."""
MOST_FAULTS = 1_000
"""How many faults may be armed at once."""
MOST_SECONDS = 86_400.0
"""How far time may be told to jump at once."""
_POSTS = 100


class Control:
    """The control of one cloud; it remembers what happened from its making on.

    Args:
        cloud: what is controlled.
    """

    def __init__(self, cloud: SimCloud) -> None:
        self._cloud = cloud
        self._events: deque[tuple[int, CloudEvent]] = deque(maxlen=MOST_EVENTS)
        self._count = 0
        cloud.subscribe(self._remember)

    def _remember(self, event: CloudEvent) -> None:
        self._count += 1
        self._events.append((self._count, event))

    def events(self, since: int = 0) -> dict[str, Any]:
        """Return what happened after event number ``since``, and the number to ask with next."""
        found = [
            {"number": number, "at": event.at, "kind": event.kind, **event.fields}
            for number, event in self._events
            if number > since
        ]
        first = self._events[0][0] if self._events else self._count + 1
        return {"events": found, "last": self._count, "forgotten": max(0, first - 1 - since)}

    def state(self) -> dict[str, Any]:
        """Return the cloud as it is, whatever an API would say of it."""
        cloud = self._cloud
        return {
            "now": cloud.clock.now(),
            "profile": cloud.profile.name,
            "address_block": cloud.topology.address_block,
            "hosts": {name: self._host(name) for name in cloud.compute.hosts},
            "instances": {
                instance.instance_id: {
                    "name": instance.name,
                    "project_id": instance.project_id,
                    "status": instance.status,
                    "task_state": instance.task_state,
                    "host": instance.host,
                    "guest_on": instance.domain_host,
                    "running": cloud.compute.is_running(instance.instance_id),
                }
                for instance in cloud.compute.instances.values()
                if not instance.deleted
            },
            "addresses": {
                address: cloud.network.holder(address)
                for address in cloud.network.floating_addresses()
            },
            "alarms": len(cloud.alarms.alarms),
            "notifications": cloud.bus.count,
            "posted": [
                {
                    "at": post.at,
                    "url": post.url,
                    "message_id": post.message_id,
                    "result": post.result,
                }
                for post in list(cloud.alarms.delivery.posted)[-_POSTS:]
            ],
            "faults": [fault.as_dict() for fault in cloud.faults.armed()],
        }

    def _host(self, name: str) -> dict[str, Any]:
        host = self._cloud.compute.hosts[name]
        return {
            "address": host.address,
            "powered": host.powered,
            "boot_id": host.boot_id,
            "service": {
                "status": host.service.status,
                "state": host.service.state,
                "reason": host.service.disabled_reason,
            },
            "guests": [guest.instance_id for guest in self._cloud.compute.guests_on(name)],
        }

    def kinds(self) -> list[dict[str, Any]]:
        """Return every fault that can be armed."""
        return [
            {
                "name": kind.name,
                "point": kind.point,
                "criteria": list(kind.criteria),
                "parameters": dict(kind.parameters),
                "doc": kind.doc,
            }
            for kind in FAULT_KINDS.values()
        ]

    def arm(self, wanted: object) -> Fault:
        """Arm a fault.

        Raises:
            InvalidRequestError: there is none such, or a part of it is not of its type.
            LimitError: too many are armed.
        """
        if not isinstance(wanted, Mapping) or not isinstance(wanted.get("name"), str):
            raise InvalidRequestError(
                'expected {"name": …, "criteria": {…}, "parameters": {…}, "times": …}; '
                f"found {wanted!r:.80}"
            )
        unknown = sorted(set(wanted) - {"name", "criteria", "parameters", "times"})
        if unknown:
            raise InvalidRequestError(f"a fault has no {', '.join(unknown)}")
        times = wanted.get("times")
        if times is not None and (isinstance(times, bool) or not isinstance(times, int)):
            raise InvalidRequestError(f"times: expected a number or null; found {times!r:.80}")
        for name in ("criteria", "parameters"):
            if not isinstance(wanted.get(name) or {}, Mapping):
                raise InvalidRequestError(f"{name}: expected an object; found {wanted[name]!r:.80}")
        if len(self._cloud.faults.armed()) >= MOST_FAULTS:
            raise LimitError(f"{MOST_FAULTS} faults are armed already; disarm some")
        for name, value in (wanted.get("criteria") or {}).items():
            if not isinstance(value, str):
                raise InvalidRequestError(
                    f"criteria[{name:.80}]: expected a text; found {value!r:.80}"
                )
        _check_parameters(wanted["name"], wanted.get("parameters") or {})
        return self._cloud.faults.add(
            wanted["name"], wanted.get("criteria"), wanted.get("parameters"), times
        )

    def disarm(self, fault_id: int | None = None) -> None:
        """Disarm a fault, or all."""
        if fault_id is None:
            self._cloud.faults.clear()
        else:
            self._cloud.faults.remove(fault_id)

    def seed(self, number: float) -> None:
        """Let the cloud's chance begin anew.

        Raises:
            InvalidRequestError: the seed is no whole number from 0 on.
        """
        if number < 0 or number != int(number):
            raise InvalidRequestError(f"seed: expected a whole number from 0 on; found {number}")
        self._cloud.rng.seed(int(number))

    def reset(self) -> None:
        """Remove what users made, disarm all faults and forget all events.

        Instances, floating IPs, routers, networks, alarms and security groups go; hosts, projects, users, flavors and
        images stay as they are. Instances take as long to go as the profile says.
        """
        cloud = self._cloud
        self.disarm()
        cloud.alarms.alarms.clear()
        for floating_id in list(cloud.network.floating.floating_ips):
            cloud.network.floating.delete(floating_id)
        for instance in list(cloud.compute.instances.values()):
            if not instance.deleted:
                cloud.compute.delete(instance.instance_id)
        cloud.network.clear()
        self._events.clear()

    def tick(self, seconds: float) -> int:
        """Let virtual time pass, and return how many callbacks ran.

        Raises:
            ConflictError: time passes by itself here.
            InvalidRequestError: it cannot go back, nor too far at once.
        """
        clock = self._cloud.clock
        if not isinstance(clock, VirtualClock):
            raise ConflictError("time passes by itself here; only a virtual clock can be told to")
        if not 0 <= seconds <= MOST_SECONDS:
            raise InvalidRequestError(
                f"seconds: expected a number from 0 to {MOST_SECONDS:g}; found {seconds}"
            )
        return clock.advance(seconds)


def _check_parameters(name: str, given: Mapping[str, Any]) -> None:
    """Refuse a parameter now that the model could not use later, in the middle of somebody else's request."""
    kind = FAULT_KINDS.get(name)
    known = {} if kind is None else kind.parameters
    for parameter, value in given.items():
        if parameter not in known:
            continue  # it is refused where names are
        default = known[parameter]
        if isinstance(default, str):
            good, expected = isinstance(value, str), "a text"
        elif kind is not None and kind.point == "api" and parameter == "status":
            good, expected = (
                _number(value, 400, 599) and value == int(value),
                "an HTTP error's status",
            )
        else:
            good = _number(value, 0, MOST_SECONDS) or (value is None and default is None)
            expected = f"a number from 0 to {MOST_SECONDS:g}"
        if not good:
            raise InvalidRequestError(
                f"parameters[{parameter}]: expected {expected}; found {value!r:.80}"
            )


def _number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
