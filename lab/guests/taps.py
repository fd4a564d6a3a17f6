# SPDX-License-Identifier: Apache-2.0
"""Guests' interfaces are up, whoever puts them down.

libvirt creates a guest's interface and puts it up; Open vSwitch finds it at the same moment and makes it promiscuous.
Each reads all flags of the interface, changes its own and writes all, so the one may undo what the other did: once in
some 200 starts a guest was seen that nobody could reach for all its life (``error sending Ethernet packet on tap…:
Network is down``). The kernel tells of every change of an interface, and what is down is then put up.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from doctor_maintenance.exceptions import PreconditionError
from lab.guests.commands import call

INTERFACES = Path("/sys/class/net")

_LINKS = 1  # RTMGRP_LINK, see rtnetlink(7)
_ROUTE = 0  # NETLINK_ROUTE
_UP = 1  # IFF_UP, see netdevice(7)
_AT_ONCE = 65_536


class Watch:
    """What the kernel tells of interfaces; to be polled for something to read."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _ROUTE
        )
        self._socket.bind((0, _LINKS))

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def changed(self) -> None:
        """Put up what is down; to be called when there is something to read.

        Raises:
            PreconditionError: an interface cannot be put up, and is there.
        """
        # What was told is not looked at, the state is; so it does not matter either if some of it was lost (ENOBUFS).
        with contextlib.suppress(OSError):
            while self._socket.recv(_AT_ONCE):
                pass
        for name in down(INTERFACES):
            try:
                call("ip", "link", "set", name, "up")
            except PreconditionError:
                if (INTERFACES / name).exists():
                    raise


def down(interfaces: Path) -> list[str]:
    """Return the guests' interfaces that are down.

    Args:
        interfaces: the folder in which the kernel shows each.
    """
    found = []
    for path in sorted(interfaces.glob("tap*")):
        with contextlib.suppress(OSError):  # it may go while it is looked at
            if not int((path / "flags").read_text(encoding="ascii"), 16) & _UP:
                found.append(path.name)
    return found
