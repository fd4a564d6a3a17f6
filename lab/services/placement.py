# SPDX-License-Identifier: Apache-2.0
"""Placement: what each host has and what is used of it."""

from __future__ import annotations

from lab import ready
from lab.daemons import Daemon
from lab.ini import render
from lab.layout import Port
from lab.service import Service, SetUp
from lab.services.mariadb import CREATED
from lab.site import Site

READY = "placement"
_SET_UP = "set up placement"


def service(site: Site) -> Service:
    """Return the service."""
    lab = site.lab
    config = lab.etc / "placement" / "placement.conf"
    return Service(
        name="placement",
        databases=("placement",),
        type="placement",
        endpoint=lab.url(Port.PLACEMENT),
        user=True,
        files={
            config: render(
                {
                    "DEFAULT": {"use_stderr": True},
                    "placement_database": site.connection("placement"),
                    "api": {"auth_strategy": "keystone"},
                    "keystone_authtoken": site.authtoken("placement"),
                }
            )
        },
        set_up=(
            SetUp(
                _SET_UP,
                [
                    [
                        lab.program("placement-manage"),
                        "--config-dir",
                        str(config.parent),
                        "db",
                        "sync",
                    ]
                ],
                needs=(CREATED,),
            ),
        ),
        daemons=(
            Daemon(
                READY,
                site.wsgi("placement.wsgi.api", Port.PLACEMENT, 4),
                ready.http(lab.url(Port.PLACEMENT)),
                needs=(_SET_UP, "keystone"),
                env={"OS_PLACEMENT_CONFIG_DIR": str(config.parent)},
            ),
        ),
    )
