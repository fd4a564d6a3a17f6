# SPDX-License-Identifier: Apache-2.0
"""A connection's services, each with an address that is looked up once.

openstacksdk knows which endpoint of the catalog to use and which version of an API is there; that is asked of it,
once a service. Its own proxies search the catalog again for every request, which takes as long as the
request itself, so what sends the requests is keystoneauth's adapter below them.
"""

from __future__ import annotations

import functools
from weakref import WeakKeyDictionary

from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import EndpointNotFound
from openstack.config.cloud_region import CloudRegion
from openstack.connection import Connection
from os_service_types import ServiceTypes

from doctor_maintenance.exceptions import CloudError

ALARMING = "alarming"

_ADDRESSES: WeakKeyDictionary[Connection, dict[str, str]] = WeakKeyDictionary()
"""The services of each connection that were looked up: several parts may share a connection."""


class Services:
    """The services of a connection.

    Args:
        connection: whose rights are used; nothing is asked before it is needed.
        microversion: of every call to Nova.

    Attributes:
        connection: the same.
    """

    def __init__(self, connection: Connection, microversion: str | None = None) -> None:
        self.connection = connection
        self._microversion = microversion
        self._adapters: dict[str, Adapter] = {}

    def __getitem__(self, service: str) -> Adapter:
        """Return what a service is asked with: a path within it; a bad answer is returned, not raised.

        Args:
            service: ``compute``, ``network``, ``identity``, ``image``, ``placement``, or ``alarming``, whose
                address has no version.

        Raises:
            CloudError: the cloud has no such service.
            keystoneauth1.exceptions.ClientException: it cannot be found out now.
        """
        known = self._adapters.get(service)
        if known is None:
            known = self._adapters[service] = self._make(service)
        return known

    def _make(self, service: str) -> Adapter:
        config = self.connection.config
        return Adapter(
            self.connection.session,
            service_type=service,
            endpoint_override=self._address_of(service),
            default_microversion=self._microversion if service == "compute" else None,
            connect_retries=config.get_connect_retries(service),
            raise_exc=False,
        )

    def _address_of(self, service: str) -> str:
        known = _ADDRESSES.setdefault(self.connection, {})
        if service not in known:
            try:
                found = self._alarming() if service == ALARMING else self._find(service)
            except EndpointNotFound as error:
                raise _missing(service) from error
            if found is None:
                raise _missing(service)
            known[service] = found
        return known[service]

    def _find(self, service: str) -> str | None:
        # Not the proxy's own method: Keystone's has one of that name that gets an endpoint of the catalog.
        endpoint = Adapter.get_endpoint(getattr(self.connection, service))
        return None if endpoint is None else str(endpoint)

    def _alarming(self) -> str | None:
        """Return Aodh's root; catalogs name it with its version or without.

        openstacksdk would ask Aodh for its versions before each first call.
        """
        config = self.connection.config
        endpoint = self.connection.session.get_endpoint(
            service_type=ALARMING,
            interface=config.get_interface("alarm"),
            region_name=config.get_region_name("alarm"),
        )
        return None if endpoint is None else str(endpoint).rstrip("/").removesuffix("/v2")


def _missing(service: str) -> CloudError:
    return CloudError(f"the cloud's catalog has no {service} service", permanent=True)


class _Remembering(ServiceTypes):
    """The names of services; each look-up of the library's own copies the table of all of them."""

    @functools.cached_property
    def all_types_by_service_type(self) -> dict[str, list[str]]:
        """Return every name that a service goes by."""
        return super().all_types_by_service_type


_TYPES = _Remembering()


def remember_types(region: CloudRegion) -> None:
    """Let a region look up the names of services cheaply.

    It does so some 16 times for each service that is used first: a tenth of a whole session in virtual time
    (openstacksdk 4.22). In a release that keeps its table elsewhere this does nothing.
    """
    region._service_type_manager = _TYPES
