# SPDX-License-Identifier: Apache-2.0
"""What a service of the lab offers: files, what is done once, daemons. A new one is a file with one of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openstack.connection import Connection

from lab.daemons import Daemon
from lab.steps import Step

Options = Mapping[str, object]
Sections = Mapping[str, Options]


@dataclass(frozen=True, slots=True)
class SetUp:
    """Commands that are run once in the life of a lab's data.

    Attributes:
        name: the step's; what needs the result names it.
        commands: run one after the other.
        needs: the steps that come before.
        env: variables besides the usual ones.
    """

    name: str
    commands: Sequence[Sequence[str]]
    needs: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Service:
    """A service.

    Attributes:
        name: its name, and its user's.
        files: path and text; written before every start.
        folders: made before every start.
        databases: the names of its databases.
        type: what the catalogue calls it; None: it is not there.
        endpoint: its URL in the catalogue.
        user: whether it logs in at Keystone.
        set_up: what is done once.
        steps: what is done at every start, where commands and daemons do not say it.
        daemons: its processes.
    """

    name: str
    files: Mapping[Path, str] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()
    databases: tuple[str, ...] = ()
    type: str | None = None
    endpoint: str | None = None
    user: bool = False
    set_up: tuple[SetUp, ...] = ()
    steps: tuple[Step, ...] = ()
    daemons: tuple[Daemon, ...] = ()


def _no_needs(host: str) -> tuple[str, ...]:
    return ()


def _no_variables(host: str) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Parts:
    """What a kind of lab adds to the services that all have.

    Attributes:
        compute_options: of the configuration of one host's nova-compute, over what all have.
        compute_argv: the command of one host's nova-compute, given its configuration file.
        run_options: the project's options for a run on this lab, by group.
        external_range: the range that floating IPs come from.
        image: puts the guests' image there, if it is not; called with the operator's rights when Glance serves.
        services: services of its own.
        compute_env: variables of one host's nova-compute.
        compute_needs: the steps before one host's nova-compute.
        network_options: of Neutron's configuration, over what all have.
        network_env: variables of Neutron.
        network_needs: the steps before Neutron.
        note: what a reader of a report must know of this kind; empty: nothing.
    """

    compute_options: Callable[[str], Sections]
    compute_argv: Callable[[str, Path], Sequence[str]]
    run_options: Sections
    external_range: str
    image: Callable[[Connection], None]
    services: tuple[Service, ...] = ()
    compute_env: Callable[[str], Mapping[str, str]] = _no_variables
    compute_needs: Callable[[str], tuple[str, ...]] = _no_needs
    network_options: Sections = field(default_factory=dict)
    network_env: Mapping[str, str] = field(default_factory=dict)
    network_needs: tuple[str, ...] = ()
    note: str = ""
