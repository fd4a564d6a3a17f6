# SPDX-License-Identifier: Apache-2.0
"""What this kind adds: QEMU under libvirt, an OVN network in user space, and hosts that are namespaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from openstack.connection import Connection

from lab.guests import compute, image, ovn, service_hosts
from lab.guests.host import Host
from lab.guests.network import GATEWAY, Network
from lab.guests.words import to_words
from lab.layout import Lab, Port
from lab.service import Parts, Sections
from lab.site import Site

IMAGE = "doctor-guest"
MAINTAIN = "sudo maintain-host"
TEST = "sudo test-host"
NOTE = "hosts are namespaces of one machine; guests are emulated (lab of kind guests)"

_VIRT = Path(__file__).parent / "virt"
_GENEVE_HEADER = 38
"""What OVN wants room for in every tunnelled packet, in bytes (Neutron's ``ml2_type_geneve``)."""


def parts(site: Site) -> Parts:
    """Return the parts of a lab of this kind."""
    lab = site.lab
    keys = service_hosts.keys_of(lab)
    return Parts(
        compute_options=lambda host: _compute_options(Host(lab, host)),
        compute_argv=lambda host, config: compute.argv(
            to_words(lab, host),
            site.inside("lab_compute.py", str(_VIRT), "--config-file", str(config)),
        ),
        compute_needs=lambda host: (service_hosts.daemon_of(host),),
        network_options=_network_options(lab),
        # Neutron asks its server how many of its kind there are, and ours is none of those that it knows; what it
        # leaves in the folder for temporary files is to go with the lab.
        network_env={"ASGI_WORKERS": "1", "TMPDIR": str(lab.run), "SPT_NOENV": "1"},
        network_needs=(ovn.NORTHD, service_hosts.daemon_of(GATEWAY)),
        external_range=str(Network(lab).outside),
        image=lambda cloud: _upload(cloud, lab),
        services=(
            ovn.service(lab, needs=(service_hosts.NETWORK,)),
            service_hosts.service(lab, needs=(ovn.SOUTH,)),
        ),
        run_options={
            # Emulated guests take the processor from the services at times.
            "cloud": {"image": IMAGE, "request_timeout_s": 120.0},
            "ssh": {"key_file": keys.key_file, "known_hosts": keys.known_hosts},
            "admin_tool": {
                "maintenance_commands": MAINTAIN,
                "test_command": TEST,
                "reply_wait_s": 90.0,
            },
            # A guest that was just migrated boots for as long as the others leave it time.
            "app_manager": {"switch_over_timeout_s": 60.0},
        },
        note=NOTE,
    )


def _compute_options(host: Host) -> Sections:
    lab = host.lab
    return {
        "DEFAULT": {
            "compute_driver": "lab_libvirt.LabDriver",
            "my_ip": host.address,
            "instances_path": lab.state / "instances",
            "force_config_drive": True,
            # Our guests do not heed the power button; waiting for them made a cold migration a minute longer.
            "shutdown_timeout": 0,
            "vif_plugging_timeout": 60,
            # Two cores carry more guests than they could if these worked.
            "initial_cpu_allocation_ratio": 16.0,
            "reserved_host_memory_mb": 512,
        },
        "libvirt": {
            "virt_type": "qemu",
            "cpu_mode": "none",
            "images_type": "raw",
            "live_migration_scheme": "tcp",
            "live_migration_inbound_addr": host.address,
            # Translated code of a guest that does little; QEMU would take a gigabyte's worth.
            "tb_cache_size": 32,
        },
        "os_vif_ovs": {"ovsdb_connection": "unix:/run/openvswitch/db.sock"},
        "image_cache": {"manager_interval": -1},
        **{
            section: {"helper_command": _helper(host)}
            for section in ("nova_sys_admin", "vif_plug_ovs_privileged", "privsep_osbrick")
        },
    }


def _helper(host: Host) -> str:
    config = host.lab.etc / "nova" / f"{host.name}.conf"
    return f"{host.lab.program('privsep-helper')} --config-file {config}"


def _network_options(lab: Lab) -> Sections:
    central = Network(lab).central
    return {
        "DEFAULT": {"service_plugins": "ovn-router,port_forwarding", "global_physnet_mtu": 1500},
        "ml2": {
            "type_drivers": "local,flat,geneve",
            "tenant_network_types": "geneve",
            "mechanism_drivers": "ovn",
        },
        "ml2_type_geneve": {"vni_ranges": "1:65536", "max_header_size": _GENEVE_HEADER},
        "securitygroup": {"enable_security_group": True},
        "ovn": {
            "ovn_nb_connection": f"tcp:{central}:{lab.port(Port.OVN_NORTH)}",
            "ovn_sb_connection": f"tcp:{central}:{lab.port(Port.OVN_SOUTH)}",
            "enable_distributed_floating_ip": True,
            "ovn_metadata_enabled": False,
            # nova-compute is outside the host's network, so the guest's interface is left to libvirt.
            "ovs_create_tap": False,
        },
    }


def _upload(cloud: Connection, lab: Lab) -> None:
    """Put the guests' image there: a kernel and an initramfs, and a disk that they do not look at."""
    if cloud.image.find_image(IMAGE) is not None:
        return
    guest = image.build(image.folder_of(lab))
    # Glance looks into the data, and refuses a kernel that is called a raw disk.
    kernel, initramfs = (
        _create(cloud, path.name, kind, kind, filename=str(path))
        for path, kind in ((guest.kernel, "aki"), (guest.initramfs, "ari"))
    )
    _create(
        cloud,
        IMAGE,
        "raw",
        "bare",
        data=bytes(image.DISK_BYTES),
        kernel_id=kernel,
        ramdisk_id=initramfs,
        os_command_line=image.COMMAND_LINE,
        hw_machine_type="pc",
        hw_video_model="none",
        hw_input_bus="usb",
    )


def _create(cloud: Connection, name: str, disk: str, container: str, **more: Any) -> str:
    """Create an image that everybody may use, and return its ID."""
    created = cloud.create_image(
        name,
        disk_format=disk,
        container_format=container,
        visibility="public",
        wait=True,
        timeout=60,
        **more,
    )
    assert created is not None
    return str(created.id)
