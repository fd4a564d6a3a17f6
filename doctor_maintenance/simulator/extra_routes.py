# SPDX-License-Identifier: Apache-2.0
"""A router's routes of its own, which Neutron calls extra: what may be one (checked against neutron 29)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from doctor_maintenance.simulator.network_records import NetworkRefused, Subnet

_KEYS = {"destination", "nexthop"}


def checked(routes: Any) -> list[dict[str, str]]:
    """Return routes as they may be asked for.

    Raises:
        NetworkRefused: one is malformed, or there twice.
    """
    found: list[dict[str, str]] = []
    if not isinstance(routes, list):
        raise _invalid(f"Invalid data format for hostroute: '{routes}'.")
    for route in routes:
        if not isinstance(route, dict) or set(route) != _KEYS:
            keys = route.keys() if isinstance(route, dict) else route
            raise _invalid(
                "Validation of dictionary's keys failed. Expected keys: {'nexthop', 'destination'} Provided keys: "
                f"{_shown(keys)}."
            )
        _check_cidr(route["destination"])
        _check_address(route["nexthop"])
        if route in found:
            raise _invalid(f"Duplicate hostroute '{_in_order(route)}'.")
        found.append(_in_order(route))
    return found


def check_connected(
    routes: list[dict[str, str]], subnets: Iterable[Subnet], own: frozenset[str]
) -> None:
    """Check that a router can send to every next hop.

    Args:
        routes: checked ones.
        subnets: those that the router is on.
        own: the router's own addresses.

    Raises:
        NetworkRefused: a next hop is on none of the subnets, or is the router itself.
    """
    blocks = [subnet.block for subnet in subnets]
    for route in routes:
        hop = ipaddress.IPv4Address(route["nexthop"])
        reason = None
        if not any(hop in block for block in blocks):
            reason = "the nexthop is not connected with router"
        elif route["nexthop"] in own:
            reason = "the nexthop is used by router"
        if reason is not None:
            text = f"Invalid format for routes: {routes}, {reason}"
            raise NetworkRefused(400, "InvalidRoutes", text)


def lead_into(routes: Iterable[dict[str, str]], subnet: Subnet) -> bool:
    """Whether a next hop of any route is on a subnet."""
    return any(ipaddress.IPv4Address(route["nexthop"]) in subnet.block for route in routes)


def _check_cidr(text: Any) -> None:
    try:
        if "/" in str(text):
            ipaddress.IPv4Network(str(text))
            return
    except ValueError:
        pass
    raise _invalid(f"'{text}' is not a valid CIDR.")


def _check_address(text: Any) -> None:
    try:
        ipaddress.IPv4Address(str(text))
    except ValueError:
        raise _invalid(f"'{text}' is not a valid IP address.") from None


def _in_order(route: dict[str, str]) -> dict[str, str]:
    return {"destination": route["destination"], "nexthop": route["nexthop"]}


def _shown(keys: Iterable[Any]) -> str:
    return "{" + ", ".join(repr(key) for key in keys) + "}"


def _invalid(reason: str) -> NetworkRefused:
    return NetworkRefused(400, "HTTPBadRequest", f"Invalid input for routes. Reason: {reason}")
