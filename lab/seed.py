# SPDX-License-Identifier: Apache-2.0
"""What a new cloud is given before instances can be built on it: an external network; and how it is logged in to.

Its users and its catalogue are there already, see :mod:`lab.services.keystone`; its image is the kind's.
"""

from __future__ import annotations

import threading

from openstack.connection import Connection

from doctor_maintenance import cloud
from doctor_maintenance.exceptions import PreconditionError
from lab.layout import REGION, Lab
from lab.services.keystone import ORDINARY
from lab.site import Site

EXTERNAL_NETWORK = "public"
_READY_S = 60.0


def operator(site: Site) -> Connection:
    """Return a connection with the operator's rights."""
    return cloud.connect(
        {
            "auth_url": site.keystone,
            "username": "admin",
            "password": site.password,
            "project_name": "admin",
        },
        region_name=REGION,
        connect_retries=3,
    )


def network(site: Site, external_range: str) -> None:
    """Create the network that floating IPs come from."""
    neutron = operator(site).network
    if neutron.find_network(EXTERNAL_NETWORK) is not None:
        return
    external = neutron.create_network(
        name=EXTERNAL_NETWORK,
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network="physnet1",
    )
    neutron.create_subnet(
        name=EXTERNAL_NETWORK,
        network_id=external.id,
        ip_version=4,
        cidr=external_range,
        is_dhcp_enabled=False,
    )


def networks_known(site: Site, stopping: threading.Event) -> None:
    """Wait until Neutron shows the external network to an operator; blocks.

    A Neutron (29) that has just been started sets its policy up at its first requests, and of several that come at once
    some are answered with no networks at all. So the first one is asked here, alone.

    Raises:
        PreconditionError: it has not within a minute.
    """
    neutron = operator(site).network
    for _ in range(int(_READY_S * 2)):
        if any(neutron.networks(name=EXTERNAL_NETWORK)):
            return
        if stopping.wait(0.5):
            raise PreconditionError("not waited for any more")
    raise PreconditionError(f"neutron shows no network {EXTERNAL_NETWORK!r} after {_READY_S:g} s")


def hosts_known(site: Site, stopping: threading.Event) -> None:
    """Wait until Nova's scheduler has found every host; blocks.

    Raises:
        PreconditionError: it has not within a minute.
    """
    nova = operator(site).compute
    found: set[str] = set()
    for _ in range(int(_READY_S * 2)):
        found = {host.name for host in nova.hypervisors() if host.state == "up"}
        if found >= set(site.lab.hosts):
            return
        if stopping.wait(0.5):
            raise PreconditionError("not waited for any more")
    missing = ", ".join(sorted(set(site.lab.hosts) - found))
    raise PreconditionError(f"nova does not know {missing} after {_READY_S:g} s")


def clouds(site: Site) -> dict[str, dict[str, object]]:
    """Return the entries of ``clouds.yaml``: the operator, and the ordinary user."""
    return {
        name: {
            "auth": {
                "auth_url": site.keystone,
                "username": user,
                "password": site.password,
                "project_name": user,
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
            "region_name": REGION,
            "identity_api_version": 3,
        }
        for name, user in clouds_of(site.lab).items()
    }


def clouds_of(lab: Lab) -> dict[str, str]:
    """Return the names of a lab's clouds, and the user of each."""
    return {"lab": "admin", "lab-demo": ORDINARY}
