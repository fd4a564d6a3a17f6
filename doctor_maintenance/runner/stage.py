# SPDX-License-Identifier: Apache-2.0
"""What a scenario is played on: a cloud, the parts that speak with each other, and the witnesses.

There are two stages: everything in one process in virtual time, and processes of their own in real
time, with an embedded or a real cloud. The play is the same on each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from doctor_maintenance.clock import Clock
from doctor_maintenance.flow import Flow
from doctor_maintenance.leading import Reach
from doctor_maintenance.remote import HostAddress, Remote
from doctor_maintenance.runner.recorder import Recorder
from doctor_maintenance.scenario import Application, Fault
from doctor_maintenance.workers import Workers


@dataclass(frozen=True, slots=True)
class Placed:
    """An application that is deployed.

    Attributes:
        name: its name in the scenario.
        project_id: its project.
        address: where its service answers.
        active: the member of its pair that serves at first.
        standby: the other one.
        singles: its other instances.
        reach: how the address leads to the active side.
    """

    name: str
    project_id: str
    address: str
    active: str
    standby: str
    singles: tuple[str, ...]
    reach: Reach = Reach.FLOATING_IP

    @property
    def instances(self) -> tuple[str, ...]:
        """All its instances."""
        return (self.active, self.standby, *self.singles)


@dataclass(frozen=True, slots=True)
class ComputeHost:
    """A compute host as Nova shows it before the run.

    Attributes:
        name: the host.
        enabled: whether its nova-compute is enabled.
        up: whether it is up.
    """

    name: str
    enabled: bool
    up: bool


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How the hosts are looked at from outside.

    Attributes:
        timeout_s: for one command.
        test_command: the operator's test; None: there is none.
    """

    timeout_s: float = 10.0
    test_command: str | None = None


class Probes(Protocol):
    """The probes of all services of a run."""

    def answering(self) -> bool:
        """Return whether every service has answered."""

    def stop(self) -> None:
        """Send no more."""

    def records(self) -> list[dict[str, Any]]:
        """Return the ``probe`` records."""


class Watch(Protocol):
    """A witness of what Nova and Neutron say."""

    def begin(self) -> Flow[None]:
        """Look at the cloud as it is, and go on looking."""

    def end(self) -> Flow[None]:
        """Look a last time."""

    def stop(self) -> None:
        """Look no more, whatever is missed."""


class Stage(Protocol):
    """A place to play a scenario on."""

    @property
    def clock(self) -> Clock:
        """Its time."""

    @property
    def workers(self) -> Workers:
        """Who blocks."""

    @property
    def recorder(self) -> Recorder:
        """Where all that is seen goes."""

    @property
    def remote(self) -> Remote:
        """Commands on hosts."""

    @property
    def ssh(self) -> SshSettings:
        """How hosts are looked at."""

    @property
    def exact(self) -> bool:
        """Whether everything is seen at the moment it happens."""

    @property
    def poll_s(self) -> float:
        """How often the session is asked about, in seconds."""

    def hosts(self) -> Flow[list[ComputeHost]]:
        """Return the compute hosts, by name."""

    def address_of(self, host: str) -> HostAddress:
        """Return where a host answers SSH."""

    def deploy(self, applications: Sequence[Application]) -> Flow[list[Placed]]:
        """Deploy applications with their app managers and alarms."""

    def remove(self) -> Flow[list[str]]:
        """Remove what was deployed, and return what is left."""

    def placement(self) -> Flow[dict[str, str]]:
        """Return the host of every deployed instance."""

    def probe(self, placed: Sequence[Placed]) -> Probes:
        """Start to probe services."""

    def watch(self, placed: Sequence[Placed]) -> Watch:
        """Return the watch over the cloud."""

    def inject(self, faults: Sequence[Fault]) -> None:
        """Make the simulated cloud fail; raises PreconditionError on a real one."""

    def admin_tool(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request of the operator to the admin tool and return its JSON; blocks."""

    def report_host(self, host: str, status: str) -> None:
        """Tell the inspector what a monitor saw of a host, ``down`` or ``up``; blocks."""
