# SPDX-License-Identifier: Apache-2.0
"""An ML2 mechanism driver without a data path: every port can be bound on every host, and is then up.

Neutron keeps networks, ports, routers and floating IPs in its database and answers its API; what an agent would
report once it had wired something up is reported here at once. Which port a floating IP leads to is written to a
file, for what answers in place of the guests. Checked against neutron 29.0.0.
"""

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
        """Ask to be told of floating IPs."""
        for event in (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE):
            registry.subscribe(self._floating_ip, resources.FLOATING_IP, event)

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
        record = payload.latest_state
        address = str(record["floating_ip_address"])
        if event == events.AFTER_DELETE:
            _write(address, None)
            return
        port = record.get("port_id")
        _write(address, {"address": address, "port": port})
        directory.get_plugin(plugins.L3).update_floatingip_status(
            neutron_context.get_admin_context(),
            payload.resource_id,
            constants.FLOATINGIP_STATUS_ACTIVE if port else constants.FLOATINGIP_STATUS_DOWN,
        )


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
