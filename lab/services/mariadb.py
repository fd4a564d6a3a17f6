# SPDX-License-Identifier: Apache-2.0
"""MariaDB, the database of all services: with every promise of durability off, as a lab's data may be lost."""

from __future__ import annotations

from lab import ready
from lab.daemons import Daemon
from lab.layout import Port
from lab.service import Service, SetUp
from lab.site import Site

READY = "mariadb"
CREATED = "create databases"


def service(site: Site, databases: tuple[str, ...]) -> Service:
    """Return the service.

    Args:
        site: the lab.
        databases: what all services together need.
    """
    lab = site.lab
    config = lab.etc / "mariadb.cnf"
    data = lab.state / "mariadb"
    socket = lab.run / "mariadb.sock"
    port = lab.port(Port.MARIADB)
    client = ["mariadb", f"--defaults-file={config}", "-uroot", f"--socket={socket}"]
    return Service(
        name="mariadb",
        folders=(data,),
        files={config: _config(site, str(data), str(socket), port)},
        set_up=(
            SetUp(
                "create the database server's own tables",
                [
                    [
                        "mariadb-install-db",
                        f"--defaults-file={config}",
                        "--auth-root-authentication-method=normal",
                        "--skip-test-db",
                    ]
                ],
            ),
            SetUp(
                CREATED, [[*client, "-e", _statements(site.password, databases)]], needs=(READY,)
            ),
        ),
        daemons=(
            Daemon(
                READY,
                ["mariadbd", f"--defaults-file={config}"],
                ready.tcp(port),
                needs=("create the database server's own tables",),
            ),
        ),
    )


def _config(site: Site, data: str, socket: str, port: int) -> str:
    return f"""\
[mariadbd]
user = root
datadir = {data}
socket = {socket}
pid-file = {site.lab.run}/mariadb.pid
bind-address = 127.0.0.1
port = {port}
skip-log-bin
skip-name-resolve
performance_schema = OFF
max_connections = 500
character-set-server = utf8mb3
innodb_buffer_pool_size = 96M
innodb_log_file_size = 32M
innodb_flush_log_at_trx_commit = 0
innodb_doublewrite = OFF
innodb_flush_method = nosync
innodb_stats_persistent = OFF
# On by default since 11.6 (Debian 13): what was changed meanwhile is an error then (1020), and Nova does not try again.
loose_innodb_snapshot_isolation = OFF
"""


def _statements(password: str, databases: tuple[str, ...]) -> str:
    user = f"lab@'127.0.0.1' IDENTIFIED BY '{password}'"
    return "".join(
        f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb3; GRANT ALL ON {name}.* TO {user};"
        for name in databases
    )
