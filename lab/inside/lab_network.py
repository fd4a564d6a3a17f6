# SPDX-License-Identifier: Apache-2.0
"""An ML2 mechanism driver without a data path: every port can be bound on every host, and is then up.

Neutron keeps networks, ports, routers and floating IPs in its database and answers its API; what an agent would
report once it had wired something up is reported here at once. Which port a floating IP leads to, by its own or by a
router's route, is written to a file, for what answers in place of the guests. Checked against neutron 29.0.0.
"""

import ipaddress
import json
import os
import socket
from pathlib import Path
from typing import Any

from neutron_lib import constants
from neutron_lib import context as neutron_context
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.plugins import constants as plugins
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api

FOLDER = "LAB_ADDRESSES"
BELL = "LAB_BELL"


class LabMechanism(api.MechanismDriver):
    """The mechanism driver."""

    @property
    def connectivity(self) -> str:
        """Which layers it connects."""
        return str(portbindings.CONNECTIVITY_L2)

    def initialize(self) -> None:
        """Ask to be told of floating IPs, and of routes."""
        for event in (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE):
            registry.subscribe(self._floating_ip, resources.FLOATING_IP, event)
        registry.subscribe(self._router, resources.ROUTER, events.AFTER_UPDATE)

    def bind_port(self, context: Any) -> None:
        """Bind a port on whichever host it is."""
        for segment in context.segments_to_bind[:1]:
            context.set_binding(
                segment[api.ID],
                portbindings.VIF_TYPE_OVS,
                {portbindings.CAP_PORT_FILTER: True},
                status=constants.PORT_STATUS_ACTIVE,
            )

    def update_port_postcommit(self, context: Any) -> None:
        """Report a bound port as up, also after a live migration has bound it anew."""
        port = context.current
        bound = context.vif_type == portbindings.VIF_TYPE_OVS
        if bound and port["status"] == constants.PORT_STATUS_DOWN:
            directory.get_plugin().update_port_status(
                neutron_context.get_admin_context(),
                port["id"],
                constants.PORT_STATUS_ACTIVE,
                context.host,
            )

    def _floating_ip(self, resource: str, event: str, trigger: Any, payload: Any = None) -> None:
        """Write down where a floating IP leads now, and report it as wired up."""
        record = payload.latest_state
        address = str(record["floating_ip_address"])
        if event == events.AFTER_DELETE:
            _write(address, None)
            return
        # Of the payload, as its transaction may still go on (a port is deleted) and would wait for another one's.
        context = payload.context.elevated()
        _write(address, {"address": address, "port": _leads_to(context, record)})
        directory.get_plugin(plugins.L3).update_floatingip_status(
            context,
            payload.resource_id,
            constants.FLOATINGIP_STATUS_ACTIVE
            if record.get("port_id")
            else constants.FLOATINGIP_STATUS_DOWN,
        )

    def _router(self, resource: str, event: str, trigger: Any, payload: Any = None) -> None:
        """Write down where the floating IPs behind a router lead, as its routes may have changed."""
        context = payload.context.elevated()
        found = directory.get_plugin(plugins.L3).get_floatingips(
            context, filters={"router_id": [payload.resource_id]}
        )
        for record in found:
            address = str(record["floating_ip_address"])
            _write(address, {"address": address, "port": _leads_to(context, record)})


def _leads_to(context: Any, floating: Any) -> str | None:
    """Return the port that gets what is sent to a floating IP: its own, or the one that a route leads to."""
    port_id, router_id = floating.get("port_id"), floating.get("router_id")
    if not port_id or not router_id:
        return None
    core = directory.get_plugin()
    fixed_ip = ipaddress.ip_address(str(floating["fixed_ip_address"]))
    router = directory.get_plugin(plugins.L3).get_router(context, router_id)
    for route in router.get("routes") or ():
        if fixed_ip in ipaddress.ip_network(str(route["destination"])):
            return _port_at(context, core, router_id, str(route["nexthop"]), str(fixed_ip))
    return str(port_id)


def _port_at(context: Any, core: Any, router_id: str, nexthop: str, wanted: str) -> str | None:
    """Return the port with an address on a router's networks, if it may have packets for another one as well."""
    interfaces = core.get_ports(context, filters={"device_id": [router_id]})
    networks = sorted({port["network_id"] for port in interfaces})
    ports = core.get_ports(
        context, filters={"network_id": networks, "fixed_ips": {"ip_address": [nexthop]}}
    )
    for port in ports:
        pairs = {str(pair["ip_address"]) for pair in port.get("allowed_address_pairs") or ()}
        if wanted in pairs or not port.get("port_security_enabled", True):
            return str(port["id"])
    return None


def _write(address: str, record: dict[str, Any] | None) -> None:
    path = Path(os.environ[FOLDER]) / f"{address}.json"
    if record is None:
        path.unlink(missing_ok=True)
    else:
        fresh = path.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(json.dumps(record), encoding="utf-8")
        fresh.replace(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        try:
            bell.sendto(b"addresses", os.environ[BELL])
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            return  # it looks by itself later
