# SPDX-License-Identifier: Apache-2.0
"""The daemon that stands in for hosts and guests: SSH on every host, and floating IPs that answer.

Both are the simulator's own. A host that is told to reboot over SSH does: its nova-compute is killed, its guests stop,
and after a while nova-compute is started again and starts them, as it is configured to after a boot.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from doctor_maintenance.clock import WallClock
from doctor_maintenance.simulator.data_plane import DataPlane
from doctor_maintenance.simulator.hosts import CommandTable
from doctor_maintenance.simulator.ssh_keys import client_key, write_known_hosts
from doctor_maintenance.simulator.ssh_server import SshHosts
from lab import about, daemons
from lab.control_plane.machines import Machines
from lab.control_plane.parts import MAINTAIN, TEST, bell_of, guests_of, keys_of, parts
from lab.layout import Lab, Port
from lab.services.nova import compute, compute_daemon
from lab.site import Site, site_of

LOG = logging.getLogger(__name__)

OFF_S = 4.0
"""How long a host is off when it reboots, in seconds."""

_COMMAND_S = 0.5
_LOOK_S = 1.0  # for a record whose writer could not ring
_MOST = 4096


class StandIn:
    """The daemon.

    Args:
        site: the lab.
        clock: real time, started.
    """

    def __init__(self, site: Site, clock: WallClock) -> None:
        self._site = site
        self._clock = clock
        self.machines = Machines(site.lab, clock, self._reboot)

    def boot_all(self) -> None:
        """Stop the guests of hosts without a nova-compute: the lab was down, so they were off."""
        for host, machine in self.machines.hosts.items():
            if not machine.service.alive:
                stop_guests(self._site.lab, host)
        self.machines.read()

    def _reboot(self, host: str) -> None:
        """Let a host go down, and boot again later; called on the clock."""
        LOG.info("host %s reboots", host)
        self.machines.power(host, on=False)
        threading.Thread(target=self._off, args=(host,), name=f"reboot-{host}").start()

    def _off(self, host: str) -> None:
        daemons.stop(self._site.lab, compute(host), grace_s=0.0)
        stop_guests(self._site.lab, host)
        self._clock.call(self.machines.read)
        self._clock.call(
            lambda: self._clock.call_later(
                OFF_S,
                lambda: threading.Thread(
                    target=self._on, args=(host,), name=f"boot-{host}"
                ).start(),
            )
        )

    def _on(self, host: str) -> None:
        daemon = compute_daemon(self._site, parts(self._site), host)
        daemons.start(self._site.lab, daemon)
        self._clock.call(lambda: self.machines.power(host, on=True))
        LOG.info("host %s has booted", host)


def stop_guests(lab: Lab, host: str) -> None:
    """Write down that no guest of a host runs."""
    for path in sorted(guests_of(lab).glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["host"] == host and record["running"]:
            fresh = path.with_suffix(f".{os.getpid()}.new")
            fresh.write_text(json.dumps({**record, "running": False}), encoding="utf-8")
            fresh.replace(path)


def serve(lab: Lab) -> None:
    """Stand in until told to end."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with ExitStack() as stack:
        clock = WallClock()
        clock.start()
        stack.callback(clock.stop)
        stand_in = StandIn(site_of(lab), clock)
        clock.call(stand_in.boot_all)
        bell = stack.enter_context(_bell(bell_of(lab)))
        plane = DataPlane(stand_in.machines, lab.port(Port.SERVICE))
        plane.start()
        stack.callback(plane.close)
        keys = keys_of(lab)
        hosts = SshHosts(
            stand_in.machines,
            table=CommandTable.succeeding([MAINTAIN, TEST], _COMMAND_S),
            client_key=client_key(keys),
            port=lab.port(Port.SSH),
        )
        write_known_hosts(keys, hosts.known_hosts)
        hosts.start()
        stack.callback(hosts.close)
        LOG.info("standing in for %s", ", ".join(lab.hosts))
        while not ended.is_set():
            try:
                bell.recv(_MOST)
            except TimeoutError:
                LOG.debug("nobody rang")
            clock.call(stand_in.machines.read)


def _bell(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bell.bind(str(path))
    bell.settimeout(_LOOK_S)
    return bell


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    logging.getLogger("paramiko").setLevel(logging.WARNING)
    serve(about.read(Path(sys.argv[1])))
