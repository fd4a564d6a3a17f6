# SPDX-License-Identifier: Apache-2.0
"""What a simulated service is: four words and a Flask blueprint. One file adds one service.

A service is the HTTP edge only: it turns requests into calls on the models of ``SimCloud``, and what
they return or raise into the bodies of the real service. Services never import each other; they
meet in the cloud.

To add a service: write a module here with a ``SERVICE`` (see ``keystone.py``), and add the module's name to
``MODULES``. It is then served at its path, listed in the catalog and covered by the token check.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

from flask import Blueprint

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

MODULES = ("keystone", "nova", "placement", "neutron", "glance", "aodh", "bus", "control")
"""The modules of this package that have a ``SERVICE``, in the order of the catalog."""


class Service(Protocol):
    """One simulated service.

    Every view function runs while no callback of the clock runs (``app.py`` sees to it), so views use the
    models directly. They must not wait.

    Attributes:
        type: the catalog's type, such as ``compute``.
        name: the service's name, such as ``nova``.
        path: where the blueprint is mounted, such as ``/compute``; one path segment. The blueprint's own
            rules are relative to it.
        endpoint: the path that the catalog names, such as ``/compute/v2.1``; empty: not in the catalog.
    """

    @property
    def type(self) -> str:
        """The catalog's type."""

    @property
    def name(self) -> str:
        """The service's name."""

    @property
    def path(self) -> str:
        """Where the views are mounted."""

    @property
    def endpoint(self) -> str:
        """The catalog's path, or nothing."""

    def blueprint(self, cloud: SimCloud) -> Blueprint:
        """Return the views of this service on that cloud, with their error handlers.

        Register a handler for ``RequestRefused`` on the blueprint (it has ``status`` and a text), and
        ``app_errorhandler(404)`` for paths that the service does not know. ``UnauthorizedError`` is answered by
        ``app.py``, as are faults, which are a ``RequestRefused`` too.
        """


def services() -> tuple[Service, ...]:
    """Return every service, in the order of ``MODULES``."""
    return tuple(importlib.import_module(f"{__name__}.{module}").SERVICE for module in MODULES)
