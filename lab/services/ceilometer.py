# SPDX-License-Identifier: Apache-2.0
"""Ceilometer: turns notifications into events with traits, and hands them to Aodh.

Notifications that no definition names are dropped: a busy cloud has many, and nobody here listens to them.
"""

from __future__ import annotations

from lab import ready
from lab.daemons import Daemon
from lab.ini import render
from lab.service import Service
from lab.services.rabbitmq import READY as BUS
from lab.site import Site

READY = "ceilometer-notification"

_PIPELINE = """\
---
sources:
  - {name: events, events: ['*'], sinks: [alarms]}
sinks:
  - {name: alarms, publishers: ['notifier://?topic=alarm.all']}
"""


def service(site: Site, definitions: str) -> Service:
    """Return the service.

    Args:
        site: the lab.
        definitions: the text of ``event_definitions.yaml``.
    """
    lab = site.lab
    folder = lab.etc / "ceilometer"
    config = folder / "ceilometer.conf"
    return Service(
        name="ceilometer",
        user=True,
        files={
            folder / "event_definitions.yaml": definitions,
            folder / "event_pipeline.yaml": _PIPELINE,
            config: render(
                {
                    "DEFAULT": {
                        "use_stderr": True,
                        "transport_url": site.bus,
                        "event_pipeline_cfg_file": folder / "event_pipeline.yaml",
                    },
                    "notification": {"pipelines": "event", "workers": 1},
                    "event": {
                        "definitions_cfg_file": folder / "event_definitions.yaml",
                        "drop_unmatched_notifications": True,
                    },
                    "service_credentials": site.login("ceilometer"),
                    "keystone_authtoken": site.authtoken("ceilometer"),
                }
            ),
        },
        daemons=(
            Daemon(
                READY,
                [lab.program("ceilometer-agent-notification"), "--config-file", str(config)],
                ready.consumer(site, "notifications.info"),
                needs=(BUS, "keystone"),
            ),
        ),
    )
