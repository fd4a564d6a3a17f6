# SPDX-License-Identifier: Apache-2.0
"""What is to be deployed, and what was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.leading import Reach

_RUN_ID = re.compile(r"[a-z0-9]{4,24}")
_APPLICATION = re.compile(r"[a-z][a-z0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class ApplicationSpec:
    """A project with an ACT-STBY pair and other instances.

    Attributes:
        name: lower-case letters and digits; unique in the run.
        singles: how many instances there are besides the pair.
        one_on_every_host: whether there is also an anti-affinity group with a member on each host, so
            that none of them can be moved anywhere.
        reach: how its service's address leads to the active instance; None: the best way that there is.
    """

    name: str
    singles: int = 4
    one_on_every_host: bool = False
    reach: Reach | None = None

    def __post_init__(self) -> None:
        if not _APPLICATION.fullmatch(self.name):
            raise UsageError(
                "an application's name has 1 to 16 lower-case letters and digits and begins with a"
                f" letter; found {self.name!r}"
            )
        if self.singles < 0:
            raise UsageError(
                f"application {self.name}: expected 0 singles or more; found {self.singles}"
            )


@dataclass(frozen=True, slots=True)
class Sizes:
    """The size of an instance.

    Attributes:
        vcpus: virtual CPUs.
        memory_mb: memory in MiB.
        disk_gb: disk in GiB.
    """

    vcpus: int = 1
    memory_mb: int = 256
    disk_gb: int = 1


@dataclass(frozen=True, slots=True)
class Spec:
    """A deployment; durations in seconds.

    Attributes:
        run_id: 4 to 24 lower-case letters and digits; part of every name.
        applications: what is deployed.
        image: the name or ID of the instances' image.
        external_network: the name or ID of the network that floating IPs come from; None: the only
            external one, or the first by name.
        sizes: of every instance.
        service_port: the UDP and TCP port of the service, opened in the security group.
        user_data: what the instances are started with, base64; None: nothing.
        hosts_needed: how many hosts must be enabled and up.
        boot_s: how long all instances together may take to be active.
        boot_attempts: how often an instance that fails to start is built (≥ 1).
        remove_s: how long removing may take.
        poll_s: between two looks.
        at_once: how many calls are under way at the same time.
    """

    run_id: str
    applications: tuple[ApplicationSpec, ...]
    image: str = "cirros"
    external_network: str | None = None
    sizes: Sizes = field(default_factory=Sizes)
    service_port: int = 7_777
    user_data: str | None = None
    hosts_needed: int = 3
    boot_s: float = 600.0
    boot_attempts: int = 3
    remove_s: float = 300.0
    poll_s: float = 0.2
    at_once: int = 8

    def __post_init__(self) -> None:
        if not _RUN_ID.fullmatch(self.run_id):
            raise UsageError(
                f"a run ID has 4 to 24 lower-case letters and digits; found {self.run_id!r}"
            )
        names = [application.name for application in self.applications]
        if len(set(names)) != len(names):
            raise UsageError(f"each application has a name of its own; found {', '.join(names)}")

    @property
    def prefix(self) -> str:
        """What every name of this run begins with; no other run's does."""
        return f"dm-{self.run_id}-"

    def name(self, *parts: str) -> str:
        """Return a name of this run."""
        return self.prefix + "-".join(parts)


@dataclass(frozen=True, slots=True)
class Account:
    """A project of the run, and who may work in it.

    Attributes:
        application: the application's name.
        project_id: the project.
        login: what a client needs to log in, as :func:`doctor_maintenance.cloud.connect` takes it;
            it holds a password.
    """

    application: str
    project_id: str
    login: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeployedApplication:
    """An application that is deployed.

    Attributes:
        account: its project.
        address: the floating IP that its service answers at.
        active: the member of the pair that the address leads to.
        standby: the other member.
        singles: its other instances.
        everywhere: the members of the group with one on every host.
        reach: how the address leads to the active side.
    """

    account: Account
    address: str
    active: str
    standby: str
    singles: tuple[str, ...] = ()
    everywhere: tuple[str, ...] = ()
    reach: Reach = Reach.FLOATING_IP

    @property
    def instances(self) -> tuple[str, ...]:
        """All its instances."""
        return (self.active, self.standby, *self.singles, *self.everywhere)
