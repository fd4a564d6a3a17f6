# SPDX-License-Identifier: Apache-2.0
"""Whose ports are in use: a process that is not the lab's is named, so that one knows what to end."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from pathlib import Path

from doctor_maintenance.exceptions import PreconditionError
from lab.layout import Lab, Port

_CLIENTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LISTENING = (
    "0A"  # the state of a socket in /proc/net/tcp, see proc_net_tcp in the kernel's documentation
)


def refuse_foreign(lab: Lab, ours: Iterable[int]) -> None:
    """Refuse to start where somebody else listens on a port of the lab.

    Args:
        lab: whose ports.
        ours: the IDs of the lab's own processes.

    Raises:
        PreconditionError: it is so; the message names the port and the process.
    """
    wanted = {lab.port(port): port for port in Port}
    mine = set(ours)
    for number, inode in listening():
        if number not in wanted:
            continue
        pid = owner(inode)
        if pid not in mine:
            who = "a process of another user" if pid is None else f"process {pid} ({_words(pid)})"
            raise PreconditionError(
                f"port {number}, which the lab {lab.name} wants for {wanted[number].name.lower()}, is in use by "
                f"{who}; end it, or choose other ports with --name or --port-base"
            )


def risk(lab: Lab, clients: Path = _CLIENTS) -> str | None:
    """Return what may happen to a lab whose ports are among those that the kernel gives to clients; None: nothing.

    It is no reason to refuse: some machines give all ports to clients.

    Args:
        lab: whose ports.
        clients: where the kernel says which these are, see ip(7).
    """
    low, high = (int(number) for number in clients.read_text(encoding="ascii").split())
    first, last = lab.port(min(Port)), lab.port(max(Port))
    if last < low or high < first:
        return None
    return (
        f"the lab {lab.name} has ports {first} to {last}, and the kernel gives {low} to {high} to whoever connects "
        "somewhere: if one of them is in use, `up` fails. Choose a first port outside with --port-base"
    )


def listening() -> list[tuple[int, int]]:
    """Return the TCP ports that somebody listens on, each with the inode of the socket."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING:
                    found.append((int(fields[1].rpartition(":")[2], 16), int(fields[9])))
    return found


def owner(inode: int) -> int | None:
    """Return the process that has a socket open; None: none that we may look at."""
    wanted = f"socket:[{inode}]"
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(path.readlink()) == wanted:
                return int(path.parts[2])
    return None


def free(port: int, address: str = "127.0.0.1") -> bool:
    """Return whether a TCP port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def _words(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "which has just ended"
    return " ".join(word.decode(errors="replace") for word in words[:4]).strip()
