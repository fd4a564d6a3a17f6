# SPDX-License-Identifier: Apache-2.0
"""A host's power supply: starts it, and starts it again with another boot ID whenever it reboots.

It is a daemon of the lab. When it is told to end, or dies, the host ends with it.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from doctor_maintenance.exceptions import PreconditionError
from lab.guests.boots import first_of, write
from lab.guests.host import Host
from lab.guests.host_init import REBOOT
from lab.guests.words import from_words

LOG = logging.getLogger(__name__)


def argv(words: Sequence[str]) -> list[str]:
    """Return the command of a host's supervisor.

    Args:
        words: those that name the host.
    """
    return [sys.executable, "-m", "lab.guests.supervisor", *words]


def init_argv(host: Host, words: Sequence[str]) -> list[str]:
    """Return the command of a host's first process: in namespaces that end with it, and it with us."""
    return [
        *("setpriv", "--pdeathsig", "KILL"),
        *("ip", "netns", "exec", host.lab.namespace(host.name)),
        *("unshare", "--pid", "--fork", "--kill-child=SIGKILL"),
        *("--mount", "--uts", "--mount-proc", "--propagation", "private"),
        *(sys.executable, "-m", "lab.guests.host_init", *words),
    ]


def main(words: Sequence[str]) -> int:
    """Keep a host running until told to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    host = Host(*from_words(words))
    signal.signal(signal.SIGTERM, _end)
    while True:
        host.ready.unlink(missing_ok=True)
        boot_id = str(uuid.uuid4())
        write(host.boot_id, f"{boot_id}\n")
        with subprocess.Popen(init_argv(host, words), stdin=subprocess.DEVNULL) as running:
            try:
                first_of(host, running)
                LOG.info("host %s: boot %s", host.name, boot_id)
                status = running.wait()
            finally:
                running.kill()
        if status != REBOOT:
            raise PreconditionError(
                f"host {host.name}: expected it to run until it is rebooted; it ended with status {status}"
            )
        LOG.info("host %s: rebooted", host.name)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
