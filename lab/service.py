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
        statuses: the exit statuses that are good.
    """

    name: str
    commands: Sequence[Sequence[str]]
    needs: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Service:
    """A service.

    Attributes:
        name: its name, and its user in the project ``service`` if it has a type or says so.
        files: path and text; written before every start.
        folders: made before every start.
        databases: the names of its databases.
        type: what the catalogue calls it; None: it is not there.
        endpoint: its URL in the catalogue.
        user: whether it logs in at Keystone.
        set_up: what is done once.
        steps: what is done at every start, where commands and daemons do not say it.
        daemons: its processes.
        clear: undoes what its steps made outside the lab's folders (namespaces, mounts); must bear that there is
            nothing to undo.
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
    clear: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What a kind of lab adds to the services that all have.

    Attributes:
        services: services of its own.
        compute_options: of the configuration of one host's nova-compute, over what all have.
        compute_argv: the command of one host's nova-compute, given its configuration file.
        compute_needs: the steps before one host's nova-compute.
        network_options: of Neutron's configuration, over what all have.
        network_needs: the steps before Neutron.
        network_path: folders that Neutron's Python finds modules in.
        image: puts the guests' image there, if it is not; called with the operator's rights when Glance serves.
        run_options: the project's options for a run on this lab, by group.
    """

    services: tuple[Service, ...]
    compute_options: Callable[[str], Sections]
    compute_argv: Callable[[str, Path], Sequence[str]]
    network_options: Sections
    run_options: Sections
    image: Callable[[Connection], None]
    compute_needs: Callable[[str], tuple[str, ...]] = lambda host: ()
    network_needs: tuple[str, ...] = ()
    network_path: tuple[Path, ...] = ()
