# SPDX-License-Identifier: Apache-2.0
"""A connection's services: found as openstacksdk finds them, once, and asked without looking again."""

from __future__ import annotations

import random
from typing import Any

import pytest
import requests

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.cloud import connect
from doctor_maintenance.cloud_services import ALARMING, Services
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.simulator.app import create_app
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.mount import isolate, mount
from doctor_maintenance.simulator.profiles import get_profile
from doctor_maintenance.simulator.services import keystone, nova
from doctor_maintenance.simulator.topology import build_topology

LOGIN = {
    "auth_url": "http://cloud.sim/identity/v3",
    "username": "admin",
    "password": "admin",
    "project_name": "admin",
}


class Asked:
    """A cloud that notes what it is asked."""

    def __init__(self, served: Any = None) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self.http = requests.Session()
        isolate(self.http)
        topology = build_topology(3)
        cloud = SimCloud(
            VirtualClock(), random.Random(1), get_profile("instant"), topology, self.http
        )
        app = create_app(cloud, served)

        def noting(environ: Any, start: Any) -> Any:
            version = environ.get("HTTP_OPENSTACK_API_VERSION")
            self.requests.append((environ["PATH_INFO"], version))
            return app(environ, start)

        mount(self.http, "http://cloud.sim", noting)
        self.connection = connect(LOGIN, self.http)


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("compute", "/servers"),
        ("network", "/ports"),
        ("identity", "/projects"),
        ("image", "/images"),
        ("placement", "/resource_providers"),
        (ALARMING, "/v2/alarms"),
    ],
)
def test_a_service_is_found_once_and_then_only_asked(service: str, path: str) -> None:
    asked = Asked()
    first, second = Services(asked.connection), Services(asked.connection)
    assert first[service].get(path).ok
    asked.requests.clear()

    assert first[service].get(path).ok
    assert second[service].get(path).ok

    assert len(asked.requests) == 2


def test_the_address_is_the_one_that_openstacksdk_finds() -> None:
    asked = Asked()

    address = Services(asked.connection)["compute"].endpoint_override

    assert address == asked.connection.compute.get_endpoint()


def test_the_microversion_is_told_to_nova_alone() -> None:
    asked = Asked()
    services = Services(asked.connection, "2.79")
    services["network"].get("/ports")
    services["compute"].get("/servers")

    told = {path: version for path, version in asked.requests if version}

    assert told == {"/compute/v2.1/servers": "compute 2.79"}


def test_a_bad_answer_is_returned_and_not_raised() -> None:
    assert Services(Asked().connection)["compute"].get("/servers/none").status_code == 404


def test_a_service_that_the_catalog_does_not_have_is_an_error_that_does_not_pass() -> None:
    services = Services(Asked([keystone.SERVICE, nova.SERVICE]).connection)

    with pytest.raises(CloudError, match="no alarming service") as caught:
        services[ALARMING]

    assert caught.value.permanent


def test_a_service_that_could_not_be_found_for_a_moment_is_looked_for_again() -> None:
    asked = Asked()
    services = Services(asked.connection)
    adapter = asked.http.get_adapter("http://cloud.sim")
    silent = requests.Session()
    isolate(silent)
    asked.http.mount("http://cloud.sim", silent.get_adapter("http://cloud.sim"))
    with pytest.raises(Exception, match=r"cloud\.sim"):
        services["compute"]
    asked.http.mount("http://cloud.sim", adapter)

    assert services["compute"].get("/servers").ok
