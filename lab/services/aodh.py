# SPDX-License-Identifier: Apache-2.0
"""Aodh: alarms on events. Its evaluator of metrics is left out: there are no metrics, and event alarms need none."""

from __future__ import annotations

from lab import ready
from lab.daemons import Daemon
from lab.ini import render
from lab.layout import Port
from lab.service import Sections, Service, SetUp
from lab.services.mariadb import CREATED
from lab.services.rabbitmq import READY as BUS
from lab.site import Site

READY = "aodh"
_SET_UP = "set up aodh"
_QUEUES = {"listener": "alarm.all.sample", "notifier": "alarming.sample"}


def service(site: Site) -> Service:
    """Return the service."""
    lab = site.lab
    config = lab.etc / "aodh" / "aodh.conf"
    file = ["--config-file", str(config)]
    # Its WSGI application reads no variable that names a file, but looks into the home of its user.
    home = lab.run / "aodh"
    text = render(_options(site))
    return Service(
        name="aodh",
        databases=("aodh",),
        type="alarming",
        endpoint=lab.url(Port.AODH),
        user=True,
        files={config: text, home / ".aodh" / "aodh.conf": text},
        set_up=(SetUp(_SET_UP, [[lab.program("aodh-dbsync"), *file]], needs=(CREATED,)),),
        daemons=(
            Daemon(
                READY,
                site.wsgi("aodh.wsgi.api", Port.AODH, 4),
                ready.http(lab.url(Port.AODH)),
                needs=(_SET_UP, "keystone"),
                env={"HOME": str(home)},
            ),
            *(
                Daemon(
                    f"aodh-{name}",
                    [lab.program(f"aodh-{name}"), *file],
                    ready.consumer(site, queue),
                    needs=(_SET_UP, "keystone", BUS),
                )
                for name, queue in _QUEUES.items()
            ),
        ),
    )


def _options(site: Site) -> Sections:
    return {
        # Without the TTL here, in DEFAULT, a new alarm is not seen for up to a minute.
        "DEFAULT": {"use_stderr": True, "transport_url": site.bus, "event_alarm_cache_ttl": 0},
        "api": {"auth_mode": "keystone"},
        "database": {
            **site.connection("aodh"),
            "alarm_connection": site.database("aodh"),
        },
        "keystone_authtoken": site.authtoken("aodh"),
        "service_credentials": site.login("aodh"),
        "listener": {"workers": 1},
        "notifier": {"workers": 1},
    }
