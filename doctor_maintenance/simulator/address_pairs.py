# SPDX-License-Identifier: Apache-2.0
"""The addresses that a port may use besides its own: what may be asked for (checked against neutron 29)."""

from __future__ import annotations

import ipaddress
from typing import Any

from doctor_maintenance.simulator.network_records import NetworkRefused


def checked(pairs: Any, mac: str) -> list[dict[str, str]]:
    """Return allowed address pairs as a port keeps them.

    Args:
        pairs: as they were asked for; None: none.
        mac: the port's own MAC address, which a pair without one gets.

    Raises:
        NetworkRefused: one is malformed, or there twice.
    """
    if not isinstance(pairs or [], list) or not all(isinstance(pair, dict) for pair in pairs or []):
        raise _refused("HTTPBadRequest", "Allowed address pairs must be a list.")
    found: list[dict[str, str]] = []
    for pair in pairs or []:
        address = pair.get("ip_address")
        if address is None:
            raise _refused(
                "AllowedAddressPairsMissingIP", "AllowedAddressPair must contain ip_address"
            )
        try:
            ipaddress.IPv4Interface(str(address))
        except ValueError:
            raise _refused("HTTPBadRequest", f"'{address}' is not a valid IP address") from None
        whole = {"mac_address": str(pair.get("mac_address") or mac), "ip_address": str(address)}
        if whole in found:
            raise _refused(
                "DuplicateAddressPairInRequest",
                f"Request contains duplicate address pair: mac_address {pair.get('mac_address')} "
                f"ip_address {address}.",
            )
        found.append(whole)
    return found


def _refused(kind: str, message: str) -> NetworkRefused:
    return NetworkRefused(400, kind, message)
