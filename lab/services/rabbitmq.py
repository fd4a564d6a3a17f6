# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ, the bus between the services, and the port mapper without which Erlang does not start it.

The port mapper would start itself as a daemon that outlives the lab; so it is started before, as one of ours.
"""

from __future__ import annotations

import base64
import hashlib
import json

from lab import ready
from lab.daemons import Daemon
from lab.layout import Port
from lab.service import Service
from lab.site import Site

READY = "rabbitmq"
_SALT = b"dmlb"


def service(site: Site) -> Service:
    """Return the service."""
    lab = site.lab
    folder = lab.etc / "rabbitmq"
    port, mapper = lab.port(Port.RABBITMQ), str(lab.port(Port.EPMD))
    return Service(
        name="rabbitmq",
        folders=(lab.state / "rabbitmq",),
        files={
            folder / "rabbitmq.conf": _config(port, str(folder / "definitions.json")),
            folder / "definitions.json": _definitions(site.password),
            folder / "enabled_plugins": "[].\n",
        },
        daemons=(
            Daemon(
                "epmd",
                ["epmd", "-address", "127.0.0.1", "-port", mapper, "-relaxed_command_check"],
                ready.tcp(int(mapper)),
            ),
            Daemon(
                READY,
                ["/usr/lib/rabbitmq/bin/rabbitmq-server"],
                ready.bus(site),
                needs=("epmd",),
                env={
                    "RABBITMQ_NODENAME": f"lab{port}@localhost",
                    "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
                    "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
                    "RABBITMQ_CONF_ENV_FILE": "/dev/null",
                    "RABBITMQ_MNESIA_BASE": str(lab.state / "rabbitmq"),
                    "RABBITMQ_LOG_BASE": str(lab.log),
                    "RABBITMQ_DIST_PORT": str(lab.port(Port.RABBITMQ_PEERS)),
                    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
                    " -kernel inet_dist_use_interface {127,0,0,1}",
                    "ERL_EPMD_ADDRESS": "127.0.0.1",
                    "ERL_EPMD_PORT": mapper,
                },
            ),
        ),
    )


def _config(port: int, definitions: str) -> str:
    return f"""\
listeners.tcp.1 = 127.0.0.1:{port}
log.console = true
log.console.level = warning
log.file = false
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 200MB
load_definitions = {definitions}
"""


def _definitions(password: str) -> str:
    """Return RabbitMQ's definitions with our only user; its password is salted as RabbitMQ documents it."""
    digest = hashlib.sha256(_SALT + password.encode()).digest()
    user = {
        "name": "lab",
        "password_hash": base64.b64encode(_SALT + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "administrator",
    }
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return json.dumps(
        {
            "users": [user],
            "vhosts": [{"name": "/"}],
            "permissions": [{"user": "lab", "vhost": "/", **everything}],
        }
    )
