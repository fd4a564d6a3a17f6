# SPDX-License-Identifier: Apache-2.0
"""Connects to a cloud: the only place that knows whether it is simulated, and that is only an address.

What a caller gets is openstacksdk's own connection, over keystoneauth. The ``requests.Session`` that
carries every request is the caller's, so a cloud that is mounted in process is reached by the same code
as one on the network.

openstacksdk builds an object with a hundred attributes for each server it lists (0.4 ms and more each),
and negotiates microversions that we know. Callers therefore send paths through
:class:`~doctor_maintenance.cloud_services.Services` and name the microversion.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import requests
import requests.adapters
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1 import session as keystone_session
from keystoneauth1.identity import v3
from openstack import exceptions as sdk_errors
from openstack.config import OpenStackConfig, cloud_region, loader
from openstack.connection import Connection

from doctor_maintenance.cloud_services import remember_types
from doctor_maintenance.exceptions import CloudError, PreconditionError
from doctor_maintenance.secret_words import hide
from doctor_maintenance.settings import CloudSettings

T = TypeVar("T")

APP_NAME = "doctor-maintenance"
_POOL_SIZE = 32
_PASSING_CLIENT_ERRORS = frozenset({401, 408, 409, 425, 429})


def connect(
    cloud: str | Mapping[str, str],
    http: requests.Session | None = None,
    *,
    region_name: str | None = None,
    interface: str = "public",
    cacert: str | None = None,
    timeout_s: float = 30.0,
    connect_retries: int = 0,
    clouds_file: str | None = None,
) -> Connection:
    """Return a connection; nothing is asked of the cloud before it is used.

    Args:
        cloud: the name of a cloud in ``clouds.yaml``, or what Keystone's password login wants:
            ``auth_url``, ``username``, ``password``, ``project_name``, ``user_domain_name``,
            ``project_domain_name``, or the same by ID.
        http: carries the requests; by default a session of its own. What the caller sends with it
            itself is from then on verified with the same authorities.
        region_name: the region, where there are several.
        interface: which endpoints of the catalog are used.
        cacert: the file with the authorities that endpoints are verified with.
        timeout_s: for one request, in seconds (> 0).
        connect_retries: how often a request without an answer is sent again. Retrying sleeps in the
            caller's thread, so it is 0 where a Clock does the waiting.
        clouds_file: the ``clouds.yaml`` that a name is looked up in; None: the usual places.

    Raises:
        PreconditionError: there is no such cloud in ``clouds.yaml``, or it is not complete.
    """
    carrier = http if http is not None else http_session()
    if isinstance(cloud, str):
        region = _named_region(cloud, carrier, timeout_s, clouds_file)
    else:
        session = keystone_session.Session(
            auth=_password(cloud),
            verify=cacert or True,
            session=carrier,
            timeout=timeout_s,
            app_name=APP_NAME,
        )
        region = cloud_region.from_session(
            session, region_name=region_name, app_name=APP_NAME, interface=interface
        )
    region.config["connect_retries"] = connect_retries
    remember_types(region)
    connection = Connection(config=region)
    if isinstance(connection.session.verify, str):
        carrier.verify = connection.session.verify  # what else it carries is verified alike
    return connection


def connect_by(settings: CloudSettings, http: requests.Session | None = None) -> Connection:
    """Return a connection to the cloud that the settings name.

    Raises:
        PreconditionError: they name none, or not all that a login needs.
    """
    if settings.os_cloud is not None:
        cloud: str | Mapping[str, str] = settings.os_cloud
    elif settings.auth_url is not None:
        given = {
            "auth_url": settings.auth_url,
            "username": settings.username,
            "password": settings.password,
            "project_name": settings.project_name,
            "user_domain_name": settings.user_domain_name,
            "project_domain_name": settings.project_domain_name,
        }
        cloud = {name: value for name, value in given.items() if value is not None}
    else:
        raise PreconditionError(
            "no cloud is named; set OS_CLOUD (a cloud in clouds.yaml), or OS_AUTH_URL, OS_USERNAME, "
            "OS_PASSWORD and OS_PROJECT_NAME"
        )
    return connect(
        cloud,
        http,
        region_name=settings.region_name,
        interface=settings.interface,
        cacert=settings.cacert,
        timeout_s=settings.request_timeout_s,
        connect_retries=settings.connect_retries,
        clouds_file=settings.clouds_file,
    )


class _Session(requests.Session):
    """A session whose own authorities outweigh those that the environment names.

    requests has it the other way around: REQUESTS_CA_BUNDLE would silently replace what was configured.
    """

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Return the settings of a request."""
        own = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, own, cert)


def http_session() -> requests.Session:
    """Return a session for several threads: it keeps as many connections as they need."""
    session = _Session()
    adapter = requests.adapters.HTTPAdapter(pool_connections=_POOL_SIZE, pool_maxsize=_POOL_SIZE)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def call(what: str, request: Callable[[], requests.Response]) -> requests.Response:
    """Make a request and return a good answer.

    Args:
        what: what is asked for, for the error: "disable nova-compute on compute1".
        request: makes the request, with an adapter of a connection.

    Raises:
        CloudError: there was no answer, or a bad one.
    """
    try:
        answer = request()
    except keystone_errors.HttpError as error:
        raise _refused(what, int(error.http_status), str(error), _retry_after(error)) from error
    except (keystone_errors.EndpointNotFound, keystone_errors.EmptyCatalog) as error:
        raise CloudError(f"{what}: {error}", permanent=True) from error
    except (keystone_errors.ClientException, requests.RequestException) as error:
        raise CloudError(f"{what}: no answer: {error}") from error
    except sdk_errors.SDKException as error:
        raise CloudError(f"{what}: {error}", permanent=True) from error
    if answer.status_code >= 400:
        wait_s = _seconds(answer.headers.get("Retry-After"))
        raise _refused(what, answer.status_code, reason(answer), wait_s)
    return answer


def call_json(what: str, request: Callable[[], requests.Response]) -> Any:
    """Make a request and return the JSON of a good answer.

    Raises:
        CloudError: there was no answer, a bad one, or one that is no JSON.
    """
    answer = call(what, request)
    try:
        return answer.json()
    except ValueError as error:
        raise CloudError(
            f"{what}: expected JSON; found {answer.text[:80]!r}", status=answer.status_code
        ) from error


def reason(answer: requests.Response) -> str:
    """Return what a service says of its refusal: each wraps a ``message`` in a way of its own."""
    try:
        body = answer.json()
    except ValueError:
        return answer.text[:200].strip()
    found = body
    while isinstance(found, Mapping):
        nested = [value for value in found.values() if isinstance(value, Mapping)]
        for name in ("message", "faultstring"):
            if isinstance(found.get(name), str):
                return str(found[name])
        if not nested:
            break
        found = nested[0]
    return str(body)[:200]


def _named_region(
    name: str, carrier: requests.Session, timeout_s: float, clouds_file: str | None
) -> Any:
    named = os.environ.get("OS_CLIENT_CONFIG_FILE")
    usual = [named, *loader.CONFIG_FILES] if named else None
    config = OpenStackConfig(
        config_files=usual if clouds_file is None else [clouds_file],
        load_envvars=False,  # other OS_* variables come through our own settings
        app_name=APP_NAME,
        # a function that makes one does as well as the class
        session_constructor=partial(keystone_session.Session, session=carrier),  # type: ignore[arg-type]
    )
    try:
        region = config.get_one(cloud=name, api_timeout=timeout_s)
        hide(region.config.get("auth", {}).get("password"))
        return region
    except sdk_errors.SDKException as error:
        raise PreconditionError(
            f"cloud {name!r} cannot be used: {error}; look at clouds.yaml, and at OS_CLIENT_CONFIG_FILE "
            "if it is not in the usual places"
        ) from error
    except keystone_errors.ClientException as error:
        raise PreconditionError(f"cloud {name!r} is not complete: {error}") from error


def _password(auth: Mapping[str, str]) -> v3.Password:
    missing = [name for name in ("auth_url", "password") if not auth.get(name)]
    missing += [
        name
        for name, by_id in (("username", "user_id"), ("project_name", "project_id"))
        if not auth.get(name) and not auth.get(by_id)
    ]
    if missing:
        raise PreconditionError(f"the login to the cloud lacks {', '.join(missing)}")
    whole: dict[str, Any] = dict(auth)
    if "username" in whole and "user_domain_id" not in whole:
        whole.setdefault("user_domain_name", "Default")
    if "project_name" in whole and "project_domain_id" not in whole:
        whole.setdefault("project_domain_name", "Default")
    hide(whole["password"])
    return v3.Password(**whole)


def _refused(what: str, status: int, why: str, retry_after_s: float | None) -> CloudError:
    passing = status >= 500 or status in _PASSING_CLIENT_ERRORS
    return CloudError(
        f"{what}: answered {status}: {why}",
        status=status,
        retry_after_s=retry_after_s,
        permanent=not passing,
    )


def _retry_after(error: keystone_errors.HttpError) -> float | None:
    return _seconds(str(getattr(error, "retry_after", "") or ""))


def _seconds(text: str | None) -> float | None:
    """Return the seconds of a ``Retry-After``; one that is a date is not used by any OpenStack service."""
    try:
        seconds = float(text) if text else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 < seconds < 3600 else None
