# SPDX-License-Identifier: Apache-2.0
"""Keystone: users, projects, tokens and the catalogue."""

from __future__ import annotations

from lab import ready
from lab.daemons import Daemon
from lab.ini import render
from lab.layout import REGION, Port
from lab.service import Service, SetUp
from lab.services.mariadb import CREATED
from lab.site import INSIDE, Site

READY = "keystone"
_SET_UP = "set up keystone"


def service(site: Site) -> Service:
    """Return the service."""
    lab = site.lab
    config = lab.etc / "keystone" / "keystone.conf"
    keys = [lab.state / "keystone" / name for name in ("fernet", "credential")]
    file = ["--config-file", str(config)]
    owner = ["--keystone-user", "root", "--keystone-group", "root"]
    urls = [
        word
        for interface in ("admin", "internal", "public")
        for word in (f"--bootstrap-{interface}-url", site.keystone)
    ]
    bootstrap = ["bootstrap", "--bootstrap-password", site.password, "--bootstrap-region-id"]
    lines = (
        ["db_sync"],
        ["fernet_setup", *owner],
        ["credential_setup", *owner],
        [*bootstrap, REGION, *urls],
    )
    words = [word for line in lines for word in ("--", *file, *line)]
    return Service(
        name="keystone",
        folders=tuple(keys),
        databases=("keystone",),
        files={config: render(_options(site))},
        set_up=(
            SetUp(
                _SET_UP,
                [site.inside("lab_commands.py", "lab_keystone_manage", *words)],
                needs=(CREATED,),
                env={"PYTHONPATH": str(INSIDE)},
            ),
        ),
        daemons=(
            Daemon(
                READY,
                site.wsgi("keystone.wsgi.api", Port.KEYSTONE, 6),
                ready.http(lab.url(Port.KEYSTONE), "/v3"),
                needs=(_SET_UP,),
                env={"OS_KEYSTONE_CONFIG_DIR": str(config.parent)},
            ),
        ),
    )


def _options(site: Site) -> dict[str, dict[str, object]]:
    state = site.lab.state / "keystone"
    return {
        "DEFAULT": {"use_stderr": True},
        "database": dict(site.connection("keystone")),
        "token": {"provider": "fernet"},
        "identity": {"password_hash_rounds": 4},  # a lab's passwords are worth no more
        "fernet_tokens": {"key_repository": state / "fernet"},
        "credential": {"key_repository": state / "credential"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }
