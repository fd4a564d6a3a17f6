# SPDX-License-Identifier: Apache-2.0
"""The hosts as a service of the lab: their wires, their keys, and a daemon each."""

from __future__ import annotations

from pathlib import Path

from doctor_maintenance.simulator.ssh_keys import (
    KEY_FILE,
    KNOWN_HOSTS_FILE,
    SshFiles,
    client_key,
    known_hosts,
    write_known_hosts,
)
from lab.daemons import Daemon
from lab.guests import boots, supervisor
from lab.guests.host import Host
from lab.guests.network import Network, create
from lab.guests.words import to_words
from lab.layout import Lab
from lab.service import Service
from lab.steps import Step

NETWORK = "wires between hosts"
_KEYS = "keys of hosts"
_SSH_PORT = 22


def daemon_of(host: str) -> str:
    """Return the name of the daemon that is a host."""
    return f"host-{host}"


def keys_of(lab: Lab) -> SshFiles:
    """Return the files that an SSH client needs."""
    folder = _keys_folder(lab)
    return SshFiles(folder / KEY_FILE, folder / KNOWN_HOSTS_FILE)


def service(lab: Lab, needs: tuple[str, ...]) -> Service:
    """Return the service.

    Args:
        lab: whose hosts.
        needs: the steps before the first host.
    """
    hosts = [Host(lab, name) for name in Network(lab).hosts]
    folder = _keys_folder(lab)
    files: dict[Path, str] = {}
    for host in hosts:
        files |= host.files(_authorized(lab), host.keys / KEY_FILE)
    return Service(
        name="hosts",
        folders=(folder, lab.state / "instances", *(one for host in hosts for one in host.folders)),
        files=files,
        steps=(
            Step(NETWORK, lambda stopping: create(Network(lab))),
            Step(_KEYS, lambda stopping: _make_keys(lab, hosts)),
        ),
        daemons=tuple(_daemon(host, needs) for host in hosts),
    )


def _daemon(host: Host, needs: tuple[str, ...]) -> Daemon:
    return Daemon(
        daemon_of(host.name),
        supervisor.argv(to_words(host.lab, host.name)),
        lambda: boots.running(host) is not None,
        needs=(NETWORK, _KEYS, *needs),
        ready_s=60.0,
    )


def _make_keys(lab: Lab, hosts: list[Host]) -> None:
    """Make the keys of the hosts and of whoever may log in, unless they are there."""
    key = client_key(_keys_folder(lab))
    _authorized(lab).write_text(f"{key.get_name()} {key.get_base64()}\n", encoding="ascii")
    own = {
        host.name: client_key(host.keys) for host in hosts if host.compute
    }  # a host's own is made alike
    addresses = {host.name: host.address for host in hosts if host.compute}
    write_known_hosts(_keys_folder(lab), known_hosts(own, addresses, _SSH_PORT))


def _keys_folder(lab: Lab) -> Path:
    return lab.state / "ssh"


def _authorized(lab: Lab) -> Path:
    return _keys_folder(lab) / "authorized_keys"
