# SPDX-License-Identifier: Apache-2.0
"""What a scenario is: data that says what is deployed, what is maintained, and what must come of it.

A scenario has no code of its own, so that each runs alike in virtual time, in real time on the
simulator and on a real cloud. To add one, add a file to ``scenarios/`` with a docstring and a
``SCENARIO``; its name is the file's.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.protocol import Action, HostState, MaintenanceType, SessionState

ALWAYS_JUDGED = (
    "consent.answered_or_deadline",
    "service.no_gap",
    "service.watched",
    "service.active_runs",
    "hosts.reachable",
    "lost.no_instance",
    "lost.no_service",
    "session.ends",
    "privacy.no_host",
)
"""Clauses of the contract that every run must give something to judge, or it has shown nothing."""


@dataclass(frozen=True, slots=True)
class Application:
    """A project, the application in it and its app manager.

    Attributes:
        name: the project's name in the run.
        singles: how many instances it has besides its ACT-STBY pair.
        one_on_every_host: whether it also has an anti-affinity group with a member on every host,
            none of which can be moved anywhere.
        action: what the app manager asks for.
        single_action: what it asks for its single instances; None: the same.
        strategy: how it switches over (a name in ``sample_app_manager.strategies``); None: as
            configured.
        refuses: it answers NACK.
        silent: it never answers.
        only_if_agreed: nothing may be done without its agreement.
    """

    name: str
    singles: int = 4
    one_on_every_host: bool = False
    action: Action = Action.MIGRATE
    single_action: Action | None = None
    strategy: str | None = None
    refuses: bool = False
    silent: bool = False
    only_if_agreed: bool = False


@dataclass(frozen=True, slots=True)
class HostFault:
    """A fault of the first host that is reported to the inspector; the contract says what must follow.

    Attributes:
        during: True: while the host is in maintenance; False: after the session.
    """

    during: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """A named fault of the simulator, and what it is restricted to.

    In a text of criteria and parameters, ``{host0}`` is the first host that is maintained, ``{active}``,
    ``{standby}``, ``{single0}`` are instances of the first application, ``{address}`` its service's, and
    ``{project}`` its project; ``{host1}`` and ``{single1}`` are the next ones.

    Attributes:
        name: its name in the simulator's registry.
        criteria: what it applies to.
        parameters: what differs from the fault's defaults.
        times: how often it happens; None: as is usual for it.
    """

    name: str
    criteria: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come of a run, besides the contract.

    Attributes:
        state: the session's last state.
        hosts: the state of every host that was in the session.
        allowed_gap_s: the longest silence of the service that the scenario allows, in seconds.
        clauses: clauses of the contract that must have had something to judge.
    """

    state: SessionState = SessionState.MAINTENANCE_OVER
    hosts: HostState = HostState.MAINTENANCE_OVER
    allowed_gap_s: float = 0.0
    clauses: tuple[str, ...] = ALWAYS_JUDGED


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario.

    Attributes:
        name: the name of its file.
        summary: one line.
        type: the type of maintenance.
        applications: who is on the cloud.
        max_hosts: maintain at most so many hosts; None: all.
        part: only the first application's pair is affected, not whole hosts.
        host_faults: what is reported to the inspector.
        faults: what the simulated cloud does wrong; such a scenario needs the simulator.
        rules: differing rules of the admin tool, by the names in ``SessionRules``.
        expected: what must come of it.
    """

    summary: str
    name: str = ""
    type: MaintenanceType = MaintenanceType.FULL
    applications: tuple[Application, ...] = (Application("app"),)
    max_hosts: int | None = None
    part: bool = False
    host_faults: tuple[HostFault, ...] = ()
    faults: tuple[Fault, ...] = ()
    rules: Mapping[str, float | int | bool] = field(default_factory=dict)
    expected: Expected = Expected()


def load_scenarios(package: str = "scenarios") -> dict[str, Scenario]:
    """Return the scenarios in a package, by name, in alphabetical order.

    Args:
        package: an importable package; each module in it with a ``SCENARIO`` is a scenario.
    """
    found: dict[str, Scenario] = {}
    paths = importlib.import_module(package).__path__
    for module in sorted(pkgutil.iter_modules(paths), key=lambda item: item.name):
        if module.name.startswith(("_", "test_", "conftest")):
            continue
        loaded = getattr(importlib.import_module(f"{package}.{module.name}"), "SCENARIO", None)
        if isinstance(loaded, Scenario):
            found[module.name] = replace(loaded, name=module.name)
    return found


def find_scenarios(names: tuple[str, ...]) -> list[Scenario]:
    """Return scenarios by name.

    Raises:
        UsageError: there is no such scenario; the message lists those that exist.
    """
    known = load_scenarios()
    for name in names:
        if name not in known:
            raise UsageError(f"unknown scenario {name}; there are: {', '.join(known)}")
    return [known[name] for name in names]
