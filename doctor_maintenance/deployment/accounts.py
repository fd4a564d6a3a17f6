# SPDX-License-Identifier: Apache-2.0
"""A project for each application, with a user of its own and quotas that are large enough.

A project that exists already is never used: what belongs to somebody else cannot be deleted by
mistake if it is never mixed with ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from doctor_maintenance.deployment.preconditions import Ground
from doctor_maintenance.deployment.rest import Rest
from doctor_maintenance.deployment.spec import Account, ApplicationSpec, Spec
from doctor_maintenance.secret_words import hide

_SPARE = 2
"""Room in the quotas for an instance that is built while the one it replaces is being deleted."""


def create_flavor(rest: Rest, spec: Spec) -> str:
    """Create the run's own flavor and return its ID.

    It is public, since its name is the run's; granting it to each project would only be more calls.
    """
    sizes = spec.sizes
    flavor = {
        "name": spec.name("flavor"),
        "vcpus": sizes.vcpus,
        "ram": sizes.memory_mb,
        "disk": sizes.disk_gb,
    }
    return str(rest.post("compute", "/flavors", {"flavor": flavor})["flavor"]["id"])


def create_account(
    rest: Rest,
    spec: Spec,
    ground: Ground,
    application: ApplicationSpec,
    password: Callable[[], str],
) -> Account:
    """Create an application's project and user.

    Args:
        rest: the operator's.
        spec: the deployment.
        ground: what the cloud has.
        application: whose project it is.
        password: returns a password that nobody can guess.
    """
    name = spec.name(application.name)
    described = f"doctor-maintenance run {spec.run_id}"
    project = rest.post(
        "identity",
        "/projects",
        {"project": {"name": name, "domain_id": ground.domain_id, "description": described}},
    )["project"]
    secret = password()
    hide(secret)
    user = rest.post(
        "identity",
        "/users",
        {"user": {"name": name, "domain_id": ground.domain_id, "password": secret}},
    )["user"]
    rest.put(
        "identity", f"/projects/{project['id']}/users/{user['id']}/roles/{ground.member_role_id}"
    )
    quotas = needed_quotas(spec, application, len(ground.hosts))
    rest.put("compute", f"/os-quota-sets/{project['id']}", {"quota_set": quotas})
    return Account(
        application.name, project["id"], _login(rest, name, project["id"], secret, ground.domain_id)
    )


def needed_quotas(spec: Spec, application: ApplicationSpec, hosts: int) -> Mapping[str, int]:
    """Return the Nova quotas of an application's project."""
    instances = 2 + application.singles + hosts * application.one_on_every_host + _SPARE
    return {
        "instances": instances,
        "cores": instances * spec.sizes.vcpus,
        "ram": instances * spec.sizes.memory_mb,
        "server_groups": 3,
        "server_group_members": instances,
    }


def _login(
    rest: Rest, user_name: str, project_id: str, password: str, domain_id: str
) -> dict[str, str]:
    auth: Any = rest.connection.session.auth
    return {
        "auth_url": str(auth.auth_url),
        "username": user_name,
        "user_domain_id": domain_id,
        "password": password,
        "project_id": project_id,
    }
