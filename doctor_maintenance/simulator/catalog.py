# SPDX-License-Identifier: Apache-2.0
"""The catalog: where each service is.

A service of the cloud itself has a path for an address, so that a caller is always led back to the address
that it used, whatever name or port that was.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from doctor_maintenance.simulator.identity_records import look_up
from doctor_maintenance.simulator.ids import new_hex

REGION = "RegionOne"
INTERFACES = ("internal", "public", "admin")


@dataclass(slots=True)
class CatalogService:
    """A service in the catalog."""

    id: str
    name: str
    type: str
    description: str | None = None
    enabled: bool = True


@dataclass(slots=True)
class Endpoint:
    """Where a service is.

    Attributes:
        url: absolute, or a path, which is then below the address that the caller used.
    """

    id: str
    service_id: str
    interface: str
    url: str
    region: str = REGION
    enabled: bool = True

    def absolute_url(self, base_url: str) -> str:
        """Return the endpoint's address for a caller who reached the cloud at ``base_url``."""
        return base_url + self.url if self.url.startswith("/") else self.url


class Catalog:
    """The services of a cloud and their endpoints.

    Args:
        rng: what IDs are drawn from.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.services: dict[str, CatalogService] = {}
        self.endpoints: dict[str, Endpoint] = {}

    def get_service(self, service_id: str) -> CatalogService:
        """Return a service of the catalog; raise NotFoundError with Keystone's text."""
        return look_up(self.services, service_id, "service")

    def register(self, type_: str, name: str, url: str) -> CatalogService:
        """Put a service into the catalog, once, with an endpoint for each interface."""
        for known in self.services.values():
            if (known.type, known.name) == (type_, name):
                return known
        service = CatalogService(new_hex(self._rng), name, type_)
        self.services[service.id] = service
        for interface in INTERFACES:
            endpoint = Endpoint(new_hex(self._rng), service.id, interface, url)
            self.endpoints[endpoint.id] = endpoint
        return service

    def add_service(self, type_: str, name: str, description: str | None = None) -> CatalogService:
        """Put a service without endpoints into the catalog."""
        service = CatalogService(new_hex(self._rng), name, type_, description)
        self.services[service.id] = service
        return service

    def add_endpoint(self, service_id: str, interface: str, url: str, region: str) -> Endpoint:
        """Put an endpoint into the catalog; raise NotFoundError if there is no such service."""
        look_up(self.services, service_id, "service")
        endpoint = Endpoint(new_hex(self._rng), service_id, interface, url, region)
        self.endpoints[endpoint.id] = endpoint
        return endpoint

    def endpoints_of(self, service_id: str) -> list[Endpoint]:
        """Return the endpoints of a service."""
        return [e for e in self.endpoints.values() if e.service_id == service_id]

    def regions(self) -> list[str]:
        """Return the names of the regions that endpoints are in."""
        return list(dict.fromkeys([REGION, *(e.region for e in self.endpoints.values())]))

    def check_region(self, name: str) -> None:
        """Raise NotFoundError unless there is a region of that name."""
        look_up(dict.fromkeys(self.regions(), name), name, "region")

    def delete_service(self, service_id: str) -> None:
        """Remove a service and its endpoints."""
        look_up(self.services, service_id, "service")
        del self.services[service_id]
        for endpoint in self.endpoints_of(service_id):
            del self.endpoints[endpoint.id]
