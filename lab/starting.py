# SPDX-License-Identifier: Apache-2.0
"""What ``up`` consists of: the services of a lab as a graph of steps."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from keystoneauth1 import exceptions as keystone_errors
from openstack import exceptions as sdk_errors

from doctor_maintenance.exceptions import PreconditionError
from lab import commands, daemons, seed
from lab.daemons import Daemon
from lab.layout import Lab
from lab.service import Parts, Service, SetUp
from lab.services import glance, neutron, nova
from lab.site import Site
from lab.steps import Step

HOSTS = "hosts known to nova"
EXTERNAL = "external network"
NETWORKS = "networks known to neutron"


def steps_of(site: Site, parts: Parts, services: Sequence[Service]) -> list[Step]:
    """Return the steps that bring a lab up from the state that it is in.

    Args:
        site: the lab.
        parts: what its kind adds.
        services: all its services.
    """
    lab = site.lab
    steps = [_daemon(lab, daemon) for service in services for daemon in service.daemons]
    steps += [step for service in services for step in service.steps]
    steps += [_set_up(lab, set_up) for service in services for set_up in service.set_up]
    steps += _seeds(site, parts)
    done = {step.name for step in steps if done_mark(lab, step.name).exists()}
    left = [step for step in steps if step.name not in done]
    return [
        replace(step, needs=tuple(name for name in step.needs if name not in done)) for step in left
    ]


def done_mark(lab: Lab, step: str) -> Path:
    """Return the file that says that something which is done once is done."""
    return lab.state / "done" / _slug(step)


def log_of(lab: Lab, step: str) -> Path:
    """Return the log of a step."""
    return lab.log_of(_slug(step))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _daemon(lab: Lab, daemon: Daemon) -> Step:
    def run(stopping: threading.Event) -> None:
        process = daemons.start(lab, daemon)
        daemons.wait_ready(lab, daemon, process, stopping)

    return Step(daemon.name, run, daemon.needs, lab.log_of(daemon.name))


def _set_up(lab: Lab, set_up: SetUp) -> Step:
    log = log_of(lab, set_up.name)

    def run(stopping: threading.Event) -> None:
        commands.run(lab, set_up, log, stopping)

    return Step(set_up.name, _once(lab, set_up.name, run), set_up.needs, log, heavy=True)


def _once(
    lab: Lab, name: str, run: Callable[[threading.Event], None]
) -> Callable[[threading.Event], None]:
    def act(stopping: threading.Event) -> None:
        run(stopping)
        mark = done_mark(lab, name)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()

    return act


def _seeds(site: Site, parts: Parts) -> list[Step]:
    def once(name: str, act: Callable[[], None], *needs: str) -> Step:
        return Step(name, _once(site.lab, name, _asking(lambda stopping: act())), needs)

    computes = tuple(nova.compute(host) for host in site.lab.hosts)
    return [
        once("image", lambda: parts.image(seed.operator(site)), glance.READY),
        once(EXTERNAL, partial(seed.network, site, parts.external_range), neutron.READY),
        Step(
            NETWORKS,
            _asking(partial(seed.networks_known, site)),
            (neutron.READY, EXTERNAL),
        ),
        Step(
            HOSTS,
            _asking(partial(seed.hosts_known, site)),
            (nova.API, "nova-scheduler", "placement", *computes),
        ),
    ]


def _asking(act: Callable[[threading.Event], None]) -> Callable[[threading.Event], None]:
    """Return the same, where what a client of OpenStack's raises is the step's failure."""

    def run(stopping: threading.Event) -> None:
        try:
            act(stopping)
        except (sdk_errors.SDKException, keystone_errors.ClientException) as error:
            raise PreconditionError(str(error)) from error

    return run
