# SPDX-License-Identifier: Apache-2.0
"""Glance: the images, as files."""

from __future__ import annotations

from lab import ready
from lab.daemons import Daemon
from lab.ini import render
from lab.layout import Port
from lab.service import Sections, Service, SetUp
from lab.services.mariadb import CREATED
from lab.site import Site

READY = "glance"
_SET_UP = "set up glance"


def service(site: Site) -> Service:
    """Return the service."""
    lab = site.lab
    config = lab.etc / "glance" / "glance-api.conf"
    manage = [lab.program("glance-manage"), "--config-file", str(config), "db_sync"]
    return Service(
        name="glance",
        folders=tuple(lab.state / "glance" / name for name in ("images", "staging", "tasks")),
        databases=("glance",),
        type="image",
        endpoint=lab.url(Port.GLANCE),
        user=True,
        files={config: render(_options(site))},
        set_up=(SetUp(_SET_UP, [manage], needs=(CREATED,)),),
        daemons=(
            Daemon(
                READY,
                site.wsgi("glance.wsgi.api", Port.GLANCE, 4),
                ready.http(lab.url(Port.GLANCE), "/versions"),
                needs=(_SET_UP, "keystone"),
                env={"OS_GLANCE_CONFIG_DIR": str(config.parent)},
            ),
        ),
    )


def _options(site: Site) -> Sections:
    state = site.lab.state / "glance"
    return {
        "DEFAULT": {
            "use_stderr": True,
            "enabled_backends": "local:file",
            "transport_url": site.bus,
        },
        "database": site.connection("glance"),
        "keystone_authtoken": site.authtoken("glance"),
        "paste_deploy": {
            "flavor": "keystone",
            "config_file": site.share("glance/glance-api-paste.ini"),
        },
        "glance_store": {"default_backend": "local"},
        "local": {"filesystem_store_datadir": state / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": state / "staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": state / "tasks"},
        "oslo_messaging_notifications": {"driver": "noop"},
        "oslo_concurrency": site.locks,
    }
