# SPDX-License-Identifier: Apache-2.0
"""What this kind adds: a virt driver without a hypervisor, a network without a data path, and their stand-in."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from openstack.connection import Connection

from lab import ready
from lab.daemons import Daemon
from lab.layout import Lab, Port
from lab.service import Parts, Sections, Service
from lab.site import INSIDE, Site

STAND_IN = "stand-in"
IMAGE = "doctor-guest"
MAINTAIN = "sudo /usr/local/sbin/maintain-host"
TEST = "sudo /usr/local/sbin/test-host"

BOOT_S, LIVE_MIGRATION_S, COLD_MIGRATION_S = 0.5, 1.0, 0.5
"""What a guest takes, in seconds; about what QEMU takes for one that is small and idle."""

REPLY_WAIT_S, OWN_ACTION_WAIT_S = 120.0, 300.0
"""How long projects have, in seconds: two cores that run a whole cloud are slow at times."""

NOTE = "the control plane is real; hosts, guests and the data path are simulated (lab of kind control-plane)"

_IMAGE_BYTES = 65_536


def guests_of(lab: Lab) -> Path:
    """Return the folder with the records of the guests."""
    return lab.state / "guests"


def addresses_of(lab: Lab) -> Path:
    """Return the folder with the records of the floating IPs."""
    return lab.state / "addresses"


def bell_of(lab: Lab) -> Path:
    """Return the socket that is told when a record has changed."""
    return lab.run / "bell.sock"


def keys_of(lab: Lab) -> Path:
    """Return the folder with the keys of SSH."""
    return lab.state / "ssh"


def parts(site: Site) -> Parts:
    """Return the parts of a lab of this kind."""
    lab = site.lab
    guests, addresses, keys = guests_of(lab), addresses_of(lab), keys_of(lab)
    variables = {"LAB_BELL": str(bell_of(lab))}
    plugins = lab.etc / "plugins"
    return Parts(
        compute_options=lambda host: _compute_options(lab, host),
        compute_argv=lambda host, config: site.inside(
            "lab_compute.py", str(INSIDE / "virt"), "--config-file", str(config)
        ),
        compute_env=lambda host: _compute_env(lab, variables),
        network_options={"ml2": {"mechanism_drivers": "lab"}},
        network_env={
            **variables,
            "LAB_ADDRESSES": str(addresses),
            "PYTHONPATH": f"{plugins}:{INSIDE}",
        },
        external_range=lab.floating_range,
        image=_image,
        services=(
            Service(
                name=STAND_IN,
                folders=(guests, addresses, keys),
                files=_plugin(plugins),
                daemons=(
                    Daemon(
                        STAND_IN,
                        [sys.executable, "-m", "lab.control_plane.stand_in", str(lab.home)],
                        ready.tcp(lab.port(Port.SSH), lab.address_of(lab.hosts[-1])),
                    ),
                ),
            ),
        ),
        run_options={
            "cloud": {"image": IMAGE},
            "ssh": {
                "port": lab.port(Port.SSH),
                "key_file": keys / "id_ed25519",
                "known_hosts": keys / "known_hosts",
            },
            "probe": {"port": lab.port(Port.SERVICE)},
            "admin_tool": {
                "maintenance_commands": MAINTAIN,
                "test_command": TEST,
                "reply_wait_s": REPLY_WAIT_S,
                "own_action_wait_s": OWN_ACTION_WAIT_S,
            },
        },
        note=NOTE,
    )


def clear(lab: Lab) -> None:
    """Undo what is outside the lab's folders: of this kind, nothing is."""


def _compute_options(lab: Lab, host: str) -> Sections:
    return {"DEFAULT": {"compute_driver": "lab_driver.LabDriver", "my_ip": lab.address_of(host)}}


def _compute_env(lab: Lab, variables: Mapping[str, str]) -> Mapping[str, str]:
    return {
        **variables,
        "LAB_GUESTS": str(guests_of(lab)),
        "LAB_BOOT_S": str(BOOT_S),
        "LAB_LIVE_MIGRATION_S": str(LIVE_MIGRATION_S),
        "LAB_COLD_MIGRATION_S": str(COLD_MIGRATION_S),
    }


def _plugin(folder: Path) -> dict[Path, str]:
    """Return the files by which Neutron finds our mechanism driver, as if a package had been installed."""
    about = folder / "doctor_lab-0.dist-info"
    entry = "[neutron.ml2.mechanism_drivers]\nlab = lab_network:LabMechanism\n"
    return {
        about / "METADATA": "Metadata-Version: 2.1\nName: doctor-lab\nVersion: 0\n",
        about / "entry_points.txt": entry,
    }


def _image(cloud: Connection) -> None:
    if cloud.image.find_image(IMAGE) is not None:
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(_IMAGE_BYTES))
        file.flush()
        cloud.create_image(
            IMAGE,
            filename=file.name,
            disk_format="raw",
            container_format="bare",
            visibility="public",
            wait=True,
            timeout=60,
        )
