# SPDX-License-Identifier: Apache-2.0
"""The first process of a host: mounts, starts what the host runs, again if it ends, and ends to reboot.

It is called in namespaces of its own (see ``supervisor``); outside of them it would hide folders of the machine, so it
refuses to be anything but process 1. Whatever it had started is ended by the kernel with it.
"""

from __future__ import annotations

import json
import logging
import os
import select
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import PreconditionError
from lab.guests import versions
from lab.guests.boots import write
from lab.guests.commands import call, said
from lab.guests.host import INIT_PIPE, SHIMS, SHIMS_IN_HOST, SWITCH, Host, Service
from lab.guests.keeping import Keeper
from lab.guests.network import INTERFACES
from lab.guests.taps import Watch
from lab.guests.words import from_words

LOG = logging.getLogger(__name__)

REBOOT = 64
"""The exit status with which a host that is to be started again ends."""

_READY_S = 60.0
_LOOK_S = 0.05
_OVS_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
_NULL_SNAT = "ct_zero_snat"
_RUN_FOLDERS = ("libvirt", "lock", "openvswitch", "ovn", "sshd")


def main(words: Sequence[str]) -> int:
    """Be a host until it is rebooted."""
    if os.getpid() != 1:
        raise PreconditionError("a host's first process is started by its supervisor only")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    host = Host(*from_words(words))
    addresses = _interfaces()
    _mount(host.mounts)
    os.mkfifo(INIT_PIPE)
    pipe = os.open(INIT_PIPE, os.O_RDWR | os.O_NONBLOCK)
    dead, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    socket.sethostname(host.name)
    keeper = Keeper(partial(_start, host), WallClock().now, LOG.warning)
    _start_all(host, addresses, keeper)
    write(host.ready, host.boot_id.read_text(encoding="ascii"))
    return _serve(host, pipe, dead, keeper)


def _mount(mounts: Mapping[Path, Path]) -> None:
    call("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for name in _RUN_FOLDERS:
        Path("/run", name).mkdir()
    for target, source in mounts.items():
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        call("mount", "--bind", str(source), str(target))
    # A copy: who works on the project may change the original under a host that runs.
    call("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(SHIMS_IN_HOST))
    shutil.copytree(SHIMS, SHIMS_IN_HOST, dirs_exist_ok=True)


def _interfaces() -> dict[str, str]:
    """Return the MAC addresses of the host's interfaces, and remove what Open vSwitch left of the boot before.

    Its interfaces outlive it; those of a machine that was switched off do not.
    """
    links = {
        link["ifname"]: link["address"] for link in json.loads(said("ip", "-json", "link", "show"))
    }
    for name in links.keys() - {"lo", *INTERFACES}:
        call("ip", "link", "delete", name)
    return {name: links[name] for name in INTERFACES}


def _start_all(host: Host, addresses: Mapping[str, str], keeper: Keeper) -> None:
    """Start what the host runs, and wait until all of it is there."""
    database, switch, controller = host.network_services(follows_kernel=versions.follows_kernel())
    for service in host.services():
        keeper.begin(service)
    call("ovsdb-tool", "create", "/run/openvswitch/conf.db", _OVS_SCHEMA)
    keeper.begin(database)
    _set("--no-wait", "init")
    _set("--no-wait", *host.switch_settings())
    keeper.begin(switch)
    _set(*host.switch_bridges(addresses))
    call("ip", "link", "set", "br-tun", "addrgenmode", "none", "up")
    call("ip", "address", "add", str(host.tunnels), "dev", "br-tun")
    _know_tunnels(host)
    keeper.begin(controller)
    _no_null_translation()
    for path in host.sockets:
        _until(partial(_answers, path), f"{path} to answer")


def _begin_again(host: Host, service: Service, keeper: Keeper) -> None:
    if service.name != SWITCH:
        keeper.begin(service)
        return
    # It will say again what it is capable of, and must not be thought to have said so already.
    for record in _capabilities():
        _set("--no-wait", "remove", "datapath", record.split(",")[0], "capabilities", _NULL_SNAT)
    keeper.begin(service)
    _set("init")  # it answers when the switch has its bridges
    _know_tunnels(host)
    _no_null_translation()


def _know_tunnels(host: Host) -> None:
    """Tell the switch the way to the other ends of tunnels, and where they are for as long as it can: an hour unused.

    It does not follow the kernel's routes, where OVN allows that. Open vSwitch (3.1.0, 3.5.0) would forget all of them,
    and with them which packets belong to a tunnel, at every change of any interface or route, and read them again; a
    flow looked at in between sends such packets to the kernel, where they are lost.
    """
    if not versions.follows_kernel():
        call("ovs-appctl", "ovs/route/add", str(host.tunnels.network), "br-tun")
    call("ovs-appctl", "tnl/neigh/aging", "3600")
    for address, mac in host.tunnel_ends.items():
        call("ovs-appctl", "tnl/neigh/set", "br-tun", address, mac)


def _no_null_translation() -> None:
    """Hide a capability of the switch: OVN uses it for every connection, and Open vSwitch 3.1.0 dies of it.

    A translation to no address makes two entries with one hash; a packet of a connection that was silent for half a
    minute finds the wrong one: ``assertion conn->conn_type == CT_CONN_TYPE_DEFAULT failed``.
    """

    # ovn-controller makes the record, and the switch then says in it what it is capable of.
    def hidden() -> bool:
        for record in _capabilities():
            if _NULL_SNAT in record:
                _set("set", "datapath", record.split(",")[0], f"capabilities:{_NULL_SNAT}=false")
                return True
        return False

    _until(hidden, "Open vSwitch to say what it is capable of")


def _capabilities() -> list[str]:
    """Return a line for each kind of switch, its ID first."""
    words = ("--format=csv", "--no-headings", "--columns=_uuid,capabilities", "list", "datapath")
    return said("ovs-vsctl", "--retry", f"--timeout={_READY_S:.0f}", *words).splitlines()


def _start(host: Host, service: Service) -> int:
    with host.lab.log_of(f"{host.name}-{service.name}").open("ab") as log:
        null = os.open(os.devnull, os.O_RDONLY)
        # Not a Popen: that would take the dead as well, and two cannot.
        pid = os.posix_spawnp(
            service.argv[0],
            list(service.argv),
            os.environ,
            setsigdef=(
                signal.SIGPIPE,
                signal.SIGXFSZ,
            ),  # Python ignores these, and nobody else does
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
            ],
        )
        os.close(null)
    return pid


def _set(*words: str) -> None:
    call("ovs-vsctl", "--retry", f"--timeout={_READY_S:.0f}", *words)


def _answers(path: str) -> bool:
    """Return whether a socket accepts a connection."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


def _until(ready: Callable[[], bool], what: str) -> None:
    """Wait for something that nobody tells of; blocks."""
    clock = WallClock()
    deadline = clock.now() + _READY_S
    pause = threading.Event()
    while not ready():
        if clock.now() > deadline:
            raise PreconditionError(f"expected {what} within {_READY_S:g} s")
        pause.wait(_LOOK_S)


def _serve(host: Host, pipe: int, dead: int, keeper: Keeper) -> int:
    """Take the dead, and start what is to run, until somebody asks for a reboot."""
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    waiting.register(dead, select.POLLIN)
    taps = Watch()
    waiting.register(taps, select.POLLIN)
    while True:
        _reap(keeper)
        for service in keeper.due():
            _begin_again(host, service, keeper)
        wait_s = keeper.wait_s
        for ready, _ in waiting.poll(None if wait_s is None else wait_s * 1000 + 1):
            if ready == pipe and os.read(pipe, 4096).split() == [b"reboot"]:
                return REBOOT
            if ready == dead:
                os.read(dead, 4096)
            if ready == taps.fileno():
                taps.changed()


def _reap(keeper: Keeper) -> None:
    """Take the exit status of all that ended: what lost its parent is a child of ours."""
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            keeper.ended(*ended)
    except ChildProcessError:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
