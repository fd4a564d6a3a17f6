# SPDX-License-Identifier: Apache-2.0
"""What the compute model needs of the network model: a contract, so that each can be read alone.

Nova drives its ports through Neutron; here the compute model calls the network model in the same places. The states in
between (unbound, bound, DOWN, ACTIVE) are the ones that were recorded on ML2/OVN.
"""

from __future__ import annotations

from typing import Any, Protocol

from doctor_maintenance.exceptions import NotFoundError


class PortLike(Protocol):
    """A port, as far as compute looks at it."""

    @property
    def id(self) -> str:
        """Its UUID."""


class ComputeNetwork(Protocol):
    """The calls that compute makes."""

    def create_port(
        self, project_id: str, network_id: str, device_id: str = "", fixed_ip: str | None = None
    ) -> PortLike:
        """Create a port for an instance; DOWN and unbound."""

    def attach_port(self, port_id: str, device_id: str) -> None:
        """Give a port that exists to an instance."""

    def bind(self, port_id: str, host: str) -> None:
        """Bind a port to a host: DOWN until :meth:`set_status`."""

    def set_status(self, port_id: str, status: str) -> None:
        """Say that a port is ``ACTIVE``, ``DOWN`` or ``BUILD``."""

    def ports_of(self, device_id: str) -> list[Any]:
        """Return the ports of an instance, in the order in which they were attached."""

    def delete_ports_of(self, device_id: str) -> None:
        """Delete an instance's ports; floating IPs on them are freed."""


class Unconnected:
    """No network at all: instances have no ports. For whoever wants the compute model alone."""

    def create_port(
        self, project_id: str, network_id: str, device_id: str = "", fixed_ip: str | None = None
    ) -> PortLike:
        """Refuse: there is nothing to connect to."""
        raise NotFoundError(f"Network {network_id} could not be found.")

    def attach_port(self, port_id: str, device_id: str) -> None:
        """Refuse: there is no port."""
        raise NotFoundError(f"Port {port_id} could not be found.")

    def bind(self, port_id: str, host: str) -> None:
        """Refuse: there is no port."""
        raise NotFoundError(f"Port {port_id} could not be found.")

    def set_status(self, port_id: str, status: str) -> None:
        """Refuse: there is no port."""
        raise NotFoundError(f"Port {port_id} could not be found.")

    def ports_of(self, device_id: str) -> list[Any]:
        """Return no ports."""
        return []

    def delete_ports_of(self, device_id: str) -> None:
        """Do nothing: there are none."""
