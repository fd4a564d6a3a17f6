# SPDX-License-Identifier: Apache-2.0
"""keystone-manage, with the same ``main`` as the other services' programs, and with one command more.

``lab_seed FILE`` creates the services' users, an ordinary user and the catalogue of a new cloud by Keystone's own
managers, as its ``bootstrap`` does for the first user. By the API it takes seventy requests, one after the other, and
everything else waits for them. Checked against keystone 30.0.0.
"""

import json
import sys
import uuid
from pathlib import Path
from typing import Any

from keystone.cmd import cli
from keystone.common import driver_hints, provider_api
from keystone.server import backends

API = provider_api.ProviderAPIs


class LabSeed(cli.BaseApp):
    """Fill a cloud that was just bootstrapped; what is there already is left alone."""

    name = "lab_seed"

    @classmethod
    def add_argument_parser(cls, subparsers: Any) -> Any:
        """Declare the arguments."""
        parser = super().add_argument_parser(subparsers)
        parser.add_argument("file", help="what is to be there, as JSON")
        return parser

    @staticmethod
    def main() -> None:
        """Create what a file says."""
        backends.load_backends()
        wanted = json.loads(Path(cli.CONF.command.file).read_text("utf-8"))
        roles = {role["name"]: role["id"] for role in API.role_api.list_roles()}
        domain = cli.CONF.identity.default_domain_id
        projects: dict[str, str] = {}
        for user in wanted["users"]:
            name = user["project"]
            if name not in projects:
                projects[name] = _project(name, domain)
            user_id = _user(user["name"], user["password"], domain)
            for role in user["roles"]:
                API.assignment_api.add_role_to_user_and_project(
                    user_id, projects[name], roles[role]
                )
        for service in wanted["services"]:
            _service(service["name"], service["type"], service["url"], wanted["region"])


def _project(name: str, domain: str) -> str:
    found = API.resource_api.list_projects(_with("name", name))
    if found:
        return str(found[0]["id"])
    project_id = uuid.uuid4().hex
    API.resource_api.create_project(
        project_id, {"id": project_id, "name": name, "domain_id": domain, "enabled": True}
    )
    return project_id


def _user(name: str, password: str, domain: str) -> str:
    found = API.identity_api.list_users(domain_scope=domain, hints=_with("name", name))
    if found:
        return str(found[0]["id"])
    user = {"name": name, "domain_id": domain, "enabled": True, "password": password}
    return str(API.identity_api.create_user(user)["id"])


def _service(name: str, kind: str, url: str, region: str) -> None:
    if API.catalog_api.list_services(_with("type", kind)):
        return
    service_id = uuid.uuid4().hex
    API.catalog_api.create_service(
        service_id, {"id": service_id, "name": name, "type": kind, "enabled": True}
    )
    for interface in ("public", "internal", "admin"):
        endpoint_id = uuid.uuid4().hex
        API.catalog_api.create_endpoint(
            endpoint_id,
            {
                "id": endpoint_id,
                "interface": interface,
                "url": url,
                "region_id": region,
                "service_id": service_id,
                "enabled": True,
            },
        )


def _with(field: str, value: str) -> Any:
    hints = driver_hints.Hints()
    hints.add_filter(field, value)
    return hints


def main() -> None:
    """Run the command line of this process."""
    cli.CMDS.append(LabSeed)
    cli.main(argv=sys.argv)
