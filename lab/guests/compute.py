# SPDX-License-Identifier: Apache-2.0
"""Runs nova-compute in its host, and again after each reboot of the host.

It is in the host's mount, UTS and PID namespaces, so libvirtd and Open vSwitch are where they are on any host and a
reboot ends it; it stays in the machine's network, where the services listen. If nova-compute ends without its host it
is not started again, so that a test can take it away.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Sequence

from lab.daemons import Process
from lab.guests import boots
from lab.guests.host import Host
from lab.guests.words import from_words

_LOOK_S = 0.1
_GOING_DOWN_S = 5.0
"""How long the first process of a host may outlive nova-compute while the kernel ends the others."""

_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")


def argv(words: Sequence[str], command: Sequence[str]) -> list[str]:
    """Return the command that runs another one in a host.

    Args:
        words: those that name the host.
        command: what is run there.
    """
    return [sys.executable, "-m", "lab.guests.compute", *words, "--", *command]


def inside_argv(first: int, command: Sequence[str]) -> list[str]:
    """Return the command that runs another one in the namespaces of a host, but for the network's.

    Args:
        first: the host's first process.
        command: what is run there; it ends when its caller does.
    """
    return [
        *_DIE_WITH_PARENT,
        *("nsenter", "--target", str(first), "--mount", "--uts", "--pid"),
        *_DIE_WITH_PARENT,
        *command,
    ]


def main(words: Sequence[str]) -> int:
    """Run a command in a host until it ends by itself."""
    split = words.index("--")
    host, command = Host(*from_words(words[:split])), words[split + 1 :]
    pause = threading.Event()
    while True:
        boot = boots.running(host)
        if boot is None:
            pause.wait(_LOOK_S)
            continue
        status = subprocess.call(inside_argv(boot.first.pid, command))
        if not _gone(boot.first, _GOING_DOWN_S):
            return status


def _gone(process: Process, within_s: float) -> bool:
    """Return whether a process ends in time."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        return not process.alive or bool(ended.poll(within_s * 1000))
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
