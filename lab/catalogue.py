# SPDX-License-Identifier: Apache-2.0
"""Which services a lab has, and which kind brings which parts: the one place where a new one is named."""

from __future__ import annotations

import importlib

from lab import events
from lab.layout import Kind, Lab
from lab.service import Parts, Service
from lab.services import (
    aodh,
    ceilometer,
    glance,
    keystone,
    mariadb,
    neutron,
    nova,
    placement,
    rabbitmq,
)
from lab.site import Site

_KINDS = {Kind.CONTROL_PLANE: "lab.control_plane", Kind.GUESTS: "lab.guests"}


def parts_of(site: Site) -> Parts:
    """Return what a lab's kind adds."""
    found = importlib.import_module(_KINDS[site.lab.kind]).parts(site)
    assert isinstance(found, Parts)
    return found


def clear(lab: Lab) -> None:
    """Undo what a lab's kind made outside its folders; there may be nothing to undo."""
    importlib.import_module(_KINDS[lab.kind]).clear(lab)


def services_of(site: Site, parts: Parts) -> list[Service]:
    """Return the services of a lab, those first that have most behind them: where all could begin, they do."""
    others = [
        placement.service(site),
        nova.service(site, parts),
        neutron.service(site, parts),
        glance.service(site),
        aodh.service(site),
        ceilometer.service(site, events.definitions()),
        *parts.services,
    ]
    own = [keystone.service(site, others), *others]
    databases = tuple(name for service in own for name in service.databases)
    return [mariadb.service(site, databases), rabbitmq.service(site), *own]
