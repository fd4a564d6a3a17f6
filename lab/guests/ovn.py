# SPDX-License-Identifier: Apache-2.0
"""OVN's two databases and the daemon between them, in the namespace of the switches.

The hosts reach them over the management network, so a host that is cut off is cut off from OVN as well.
"""

from __future__ import annotations

import json
from pathlib import Path

from lab.daemons import Daemon
from lab.guests.commands import call
from lab.guests.host import FIRST
from lab.guests.network import Network
from lab.layout import Lab, Port
from lab.ready import tcp
from lab.service import Service
from lab.steps import Step

NORTH, SOUTH, NORTHD = "ovn-north", "ovn-south", "ovn-northd"
_SCHEMAS = Path("/usr/share/ovn")
_QUIET = ("-vsyslog:off", "-vconsole:info")
# After so long a silence the other end is asked whether it is there; with the usual 5 s a machine that is busy
# starting loses its connections again and again.
_PROBE_MS = 60_000


def service(lab: Lab, needs: tuple[str, ...]) -> Service:
    """Return the service.

    Args:
        lab: whose it is.
        needs: the steps that make the namespace.
    """
    network = Network(lab)
    state, run = lab.state / "ovn", lab.run / "ovn"
    create = Step("create ovn", lambda stopping: _create(network, state), needs=needs)

    def database(name: str, kind: str, root: str, port: Port) -> Daemon:
        return Daemon(
            name,
            [
                *(*FIRST, "ovsdb-server", str(state / f"{kind}.db")),
                f"--remote=punix:{run / f'{kind}.sock'}",
                f"--remote=db:{root},connections",
                f"--unixctl={run / f'{kind}.ctl'}",
                *_QUIET,
            ],
            tcp(lab.port(port), str(network.central)),
            needs=(create.name,),
            namespace=network.hub,
        )

    return Service(
        name="ovn",
        folders=(state, run),
        steps=(create,),
        daemons=(
            database(NORTH, "nb", "OVN_Northbound,NB_Global", Port.OVN_NORTH),
            database(SOUTH, "sb", "OVN_Southbound,SB_Global", Port.OVN_SOUTH),
            Daemon(
                NORTHD,
                [
                    *FIRST,
                    "ovn-northd",
                    f"--ovnnb-db=unix:{run / 'nb.sock'}",
                    f"--ovnsb-db=unix:{run / 'sb.sock'}",
                    f"--unixctl={run / 'northd.ctl'}",
                    *_QUIET,
                ],
                (run / "northd.ctl").exists,
                needs=(NORTH, SOUTH),
                namespace=network.hub,
            ),
        ),
    )


def first_rows(database: str, root: str, target: str) -> str:
    """Return the transaction that lets a new database listen, in OVSDB's notation (RFC 7047).

    Args:
        database: its schema's name.
        root: the table with one row that all others hang on.
        target: where it listens.
    """
    connection = {"target": target, "inactivity_probe": _PROBE_MS}
    rows = [
        {"op": "insert", "table": "Connection", "row": connection, "uuid-name": "listening"},
        {"op": "insert", "table": root, "row": {"connections": ["named-uuid", "listening"]}},
    ]
    return json.dumps([database, *rows])


def _create(network: Network, state: Path) -> None:
    """Create the databases, unless they are there."""
    for kind, database, root, port in (
        ("nb", "OVN_Northbound", "NB_Global", Port.OVN_NORTH),
        ("sb", "OVN_Southbound", "SB_Global", Port.OVN_SOUTH),
    ):
        path = state / f"{kind}.db"
        if path.exists():
            continue
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        target = f"ptcp:{network.lab.port(port)}:{network.central}"
        call("ovsdb-tool", "create", str(new), str(_SCHEMAS / f"ovn-{kind}.ovsschema"))
        call("ovsdb-tool", "transact", str(new), first_rows(database, root, target))
        new.replace(path)
