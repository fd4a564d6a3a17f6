# SPDX-License-Identifier: Apache-2.0
"""Neutron: its API; what the network is made of is the kind's."""

from __future__ import annotations

from lab import ready
from lab.daemons import Daemon
from lab.ini import over, render
from lab.layout import Port
from lab.service import Parts, Sections, Service, SetUp
from lab.services.mariadb import CREATED
from lab.services.rabbitmq import READY as BUS
from lab.site import Site

READY = "neutron"
_SET_UP = "set up neutron"


def service(site: Site, parts: Parts) -> Service:
    """Return the service."""
    lab = site.lab
    config = lab.etc / "neutron" / "neutron.conf"
    manage = [lab.program("neutron-db-manage"), "--config-file", str(config), "upgrade", "heads"]
    env = {"OS_NEUTRON_CONFIG_DIR": str(config.parent), "OS_NEUTRON_CONFIG_FILES": config.name}
    return Service(
        name="neutron",
        folders=(lab.state / "neutron",),
        databases=("neutron",),
        type="network",
        endpoint=lab.url(Port.NEUTRON),
        user=True,
        files={config: render(over(_options(site), parts.network_options))},
        set_up=(SetUp(_SET_UP, [manage], needs=(CREATED,)),),
        daemons=(
            Daemon(
                READY,
                site.wsgi("neutron.wsgi.api", Port.NEUTRON, 4),
                ready.http(lab.url(Port.NEUTRON)),
                needs=(_SET_UP, "keystone", BUS, *parts.network_needs),
                env={**env, **parts.network_env},
            ),
        ),
    )


def _options(site: Site) -> Sections:
    return {
        "DEFAULT": {
            "use_stderr": True,
            "transport_url": site.bus,
            "core_plugin": "ml2",
            "service_plugins": "router",
            "api_paste_config": site.share("neutron/api-paste.ini"),
            "state_path": site.lab.state / "neutron",
            "auth_strategy": "keystone",
            "dhcp_agent_notification": False,
            "notify_nova_on_port_status_changes": True,
            "notify_nova_on_port_data_changes": True,
            "rpc_workers": 0,
            "rpc_state_report_workers": 0,
            "api_workers": 1,
        },
        "database": site.connection("neutron"),
        "keystone_authtoken": site.authtoken("neutron"),
        "nova": site.login("nova"),
        "placement": site.login("placement"),
        "ml2": {
            "type_drivers": "local,flat",
            "tenant_network_types": "local",
            "extension_drivers": "port_security",
        },
        "ml2_type_flat": {"flat_networks": "*"},
        "oslo_messaging_notifications": {"driver": "noop"},
        "oslo_concurrency": site.locks,
    }
