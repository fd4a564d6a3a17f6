# SPDX-License-Identifier: Apache-2.0
"""Keystone: users, projects, tokens and the catalogue."""

from __future__ import annotations

import json
from collections.abc import Sequence

from lab import ready
from lab.daemons import Daemon
from lab.ini import render
from lab.layout import REGION, Port
from lab.service import Service, SetUp
from lab.services.mariadb import CREATED
from lab.site import INSIDE, Site

READY = "keystone"
ORDINARY = "demo"
"""The ordinary user of a new cloud, and that user's project."""

_SET_UP = "set up keystone"


def service(site: Site, others: Sequence[Service]) -> Service:
    """Return the service.

    Args:
        site: the lab.
        others: all other services, for their users and the catalogue.
    """
    lab = site.lab
    seed = lab.etc / "keystone" / "seed.json"
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
        ["lab_seed", str(seed)],
    )
    words = [word for line in lines for word in ("--", *file, *line)]
    return Service(
        name="keystone",
        folders=tuple(keys),
        databases=("keystone",),
        files={config: render(_options(site)), seed: _seed(site, others)},
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


def _seed(site: Site, others: Sequence[Service]) -> str:
    """Return what a new cloud is given, as ``lab_keystone_manage`` reads it."""
    users = [(service.name, "service", ["admin", "service"]) for service in others if service.user]
    users.append((ORDINARY, ORDINARY, ["member"]))
    return json.dumps(
        {
            "region": REGION,
            "users": [
                {"name": name, "password": site.password, "project": project, "roles": roles}
                for name, project, roles in users
            ],
            "services": [
                {"name": service.name, "type": service.type, "url": service.endpoint}
                for service in others
                if service.type is not None
            ],
        }
    )


def _options(site: Site) -> dict[str, dict[str, object]]:
    state = site.lab.state / "keystone"
    return {
        "DEFAULT": {"use_stderr": True},
        "database": dict(site.connection("keystone")),
        "token": {"provider": "fernet", "caching": False},
        # One process serves all, so what it remembers is never behind what another one did. A token is looked at anew.
        "cache": {"enabled": True, "backend": "oslo_cache.dict"},
        "identity": {"password_hash_rounds": 4},  # a lab's passwords are worth no more
        "fernet_tokens": {"key_repository": state / "fernet"},
        "credential": {"key_repository": state / "credential"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }
