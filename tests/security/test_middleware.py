# SPDX-License-Identifier: Apache-2.0
"""The admin tool's API behind keystonemiddleware, on sockets: its session is its own, so nothing can be mounted."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from doctor_maintenance.admin_tool.api import access_middleware
from doctor_maintenance.admin_tool.api.access_middleware import Guard, MiddlewareIdentity
from doctor_maintenance.admin_tool.api.identity import UnauthorizedError
from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.receiver import answer, create_app
from doctor_maintenance.serving import Server, serve
from doctor_maintenance.simulator.app import create_app as create_cloud_app
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.services import keystone

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

pytestmark = pytest.mark.slow

TIMEOUT_S = 20


def application() -> Any:
    """Return an application that says whom the request is from."""
    app = create_app(__name__)

    def who() -> Any:
        from flask import request

        context = MiddlewareIdentity().of(request.environ)
        return answer(200, [context.project_id, sorted(context.roles)])

    app.register_error_handler(UnauthorizedError, lambda error: answer(401, str(error)))
    app.add_url_rule("/v1/who", "who", who)
    return app


class Site:
    def __init__(self, folder: Path) -> None:
        self.clock = WallClock()
        self.cloud = SimCloud(self.clock, random.Random(1))
        self.clock.start()
        self.keystone = serve(create_cloud_app(self.cloud, [keystone.SERVICE]))
        self.file = folder / "authtoken.conf"
        self.file.write_text(
            "[keystone_authtoken]\nauth_type = password\n"
            f"auth_url = {self.keystone.url}/identity/v3\n"
            f"www_authenticate_uri = {self.keystone.url}/identity\n"
            "username = admin\npassword = admin\nproject_name = admin\n"
            "user_domain_name = Default\nproject_domain_name = Default\n"
            "service_token_roles_required = true\nhttp_request_max_retries = 0\n"
        )
        self.server: Server = serve(Guard(application(), str(self.file)))

    def token(self, user: str, project: str) -> str:
        identity = self.cloud.identity
        found_user, found_project = identity.find_user(user), identity.find_project(project)
        assert found_user is not None
        assert found_project is not None
        return identity.issue(found_user.id, found_project.id).id

    def get(self, path: str, **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.get(self.server.url + path, headers=named, timeout=TIMEOUT_S)

    def close(self) -> None:
        self.server.close()
        self.keystone.close()
        self.clock.stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


def test_a_good_token_names_project_and_roles(site: Site) -> None:
    project = site.cloud.identity.admin_project.id

    found = site.get("/v1/who", X_Auth_Token=site.token("admin", "admin"))

    assert found.status_code == 200, found.text
    assert found.json()[0] == project
    assert "admin" in found.json()[1]


@pytest.mark.parametrize("headers", [{}, {"X_Auth_Token": "rubbish"}])
def test_without_a_good_token_the_answer_is_401_in_json(
    site: Site, headers: dict[str, str]
) -> None:
    refused = site.get("/v1/who", **headers)

    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Keystone")
    assert refused.json()["error"]["code"] == 401


def test_a_client_cannot_say_by_itself_who_it_is(site: Site) -> None:
    forged = {
        "X_Identity_Status": "Confirmed",
        "X_Roles": "admin",
        "X_Project_Id": "p",
        "X_User_Id": "u",
    }

    assert site.get("/v1/who", **forged).status_code == 401
    for path in ("/v1", "//v1/who", "/v1/../v1/who", "/V1/who"):
        assert site.get(path, **forged).status_code in (401, 404)


def test_without_the_middleware_its_headers_are_not_believed(site: Site) -> None:
    environ = {"HTTP_X_IDENTITY_STATUS": "Confirmed", "HTTP_X_ROLES": "admin"}

    with pytest.raises(UnauthorizedError):
        MiddlewareIdentity().of(environ)
    with pytest.raises(UnauthorizedError):
        MiddlewareIdentity().of({**environ, access_middleware._CONFIRMED: "True"})


def test_health_needs_no_token(site: Site) -> None:
    assert site.get("/health").status_code == 200


def test_a_keystone_that_does_not_answer_is_503_in_json(site: Site) -> None:
    token = site.token("admin", "admin")
    site.keystone.close()

    answered = site.get("/v1/who", X_Auth_Token=token)

    assert answered.status_code == 503
    assert "cannot be validated at present" in answered.json()["error"]["message"]


def nothing(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    raise AssertionError("the application was asked")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no such file"),
        ("", "expected auth_type, auth_url and a login"),
        ("[keystone_authtoken]\nauth_type = telepathy\n", "is no configuration for it"),
        ("keystone\n", "is no configuration for it"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_an_unmet_precondition(
    tmp_path: Path, text: str | None, message: str
) -> None:
    file = tmp_path / "authtoken.conf"
    if text is not None:
        file.write_text(text)

    with pytest.raises(PreconditionError, match=message):
        Guard(nothing, str(file))
