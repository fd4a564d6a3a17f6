# SPDX-License-Identifier: Apache-2.0
"""The services' addresses: to whom each leads, and for how long nobody answered. Exact, as time is virtual.

A small model beside the simulator's network, since a network, a router and ports for each instance would
cost as much as the whole maintenance, and a gap is all that is asked of them here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from doctor_maintenance.clock import TimerHandle, VirtualClock
from doctor_maintenance.explorer.witness import Witness
from doctor_maintenance.judge import records as seen

PROBES_A_SECOND = 100.0


@dataclass(slots=True)
class Service:
    """One ACT-STBY service.

    Attributes:
        address: where its clients reach it.
        project: whose.
        members: its instances; one that is built anew takes its place.
        told: the instance that the API says it leads to.
        holder: the instance that it does lead to.
    """

    address: str
    project: str
    members: list[str]
    told: str | None = None
    holder: str | None = None
    who: str | None = None
    since: float = 0.0
    gaps: list[seen.Gap] = field(default_factory=list)
    answers: list[seen.Answers] = field(default_factory=list)
    timer: TimerHandle | None = None


class Addresses:
    """All services.

    Args:
        clock: the time.
        witness: is told who holds an address.
        runs: tells whether an instance's guest executes.
    """

    def __init__(self, clock: VirtualClock, witness: Witness, runs: Callable[[str], bool]) -> None:
        self.services: dict[str, Service] = {}
        self._clock = clock
        self._witness = witness
        self._runs = runs
        self._by_holder: dict[str, Service] = {}

    def add(self, address: str, project: str, members: list[str]) -> None:
        """Begin a service; its first member is active."""
        service = Service(address, project, members, members[0])
        service.since = self._clock.now()
        self.services[address] = service
        self._lead(service, members[0])

    def of_project(self, project: str) -> list[Service]:
        """Return the services of a project."""
        return [service for service in self.services.values() if service.project == project]

    def move(self, address: str, to_instance: str, gap_s: float) -> None:
        """Let an address lead to another instance, after a silence."""
        service = self.services[address]
        service.told = to_instance
        if service.timer is not None:
            self._clock.cancel(service.timer)
            service.timer = None
        if gap_s <= 0:
            self._lead(service, to_instance)
            return
        self._lead(service, None)
        service.timer = self._clock.call_later(gap_s, lambda: self._lead(service, to_instance))

    def gone(self, instance_id: str) -> None:
        """An instance is gone, and its port with it."""
        for service in self.services.values():
            if service.told == instance_id:
                service.told = None
                if service.timer is not None:
                    self._clock.cancel(service.timer)
                    service.timer = None
                self._lead(service, None)

    def replaced(self, old: str, new: str) -> None:
        """An owner built an instance anew; it takes the old one's place in its service."""
        for service in self.services.values():
            if old in service.members:
                service.members[service.members.index(old)] = new

    def changed(self, instance_id: str) -> None:
        """Look again whether an instance answers, if anybody asks it."""
        service = self._by_holder.get(instance_id)
        if service is not None:
            self._look(service)

    def _lead(self, service: Service, instance_id: str | None) -> None:
        if service.holder is not None:
            self._by_holder.pop(service.holder, None)
        if service.holder != instance_id or not service.answers:
            self._witness.address(service.address, instance_id)
        service.holder = instance_id
        if instance_id is not None:
            self._by_holder[instance_id] = service
        self._look(service)

    def _look(self, service: Service) -> None:
        holder = service.holder
        who = holder if holder is not None and self._runs(holder) else None
        if who != service.who:
            self._close(service)
            service.who, service.since = who, self._clock.now()

    def _close(self, service: Service) -> None:
        now, since = self._clock.now(), service.since
        if now <= since:
            return
        if service.who is None:
            service.gaps.append(
                seen.Gap(lower_s=now - since, upper_s=now - since, begin=since, end=now)
            )
        else:
            service.answers.append(seen.Answers(begin=since, end=now, who=service.who))

    def finish(self, begun: float) -> None:
        """Write down what the probes saw; nothing is looked at afterwards."""
        for service in self.services.values():
            self._close(service)
            lost = sum(max(1, int(gap.lower_s * PROBES_A_SECOND)) for gap in service.gaps)
            longest = max(service.gaps, key=lambda gap: gap.lower_s, default=None)
            self._witness.records.append(
                seen.Probe(
                    at=self._clock.now(),
                    not_before=begun,
                    source="probe",
                    address=service.address,
                    project_id=service.project,
                    sent=max(1, int((self._clock.now() - begun) * PROBES_A_SECOND)),
                    lost=lost,
                    longest_gap=longest,
                    gaps=tuple(service.gaps),
                    answers=tuple(service.answers),
                )
            )
