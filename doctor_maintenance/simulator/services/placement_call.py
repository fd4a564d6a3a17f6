# SPDX-License-Identifier: Apache-2.0
"""One call of Placement's API: who asks, at which microversion, and how a refusal looks (placement 16)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request

from doctor_maintenance.exceptions import ForbiddenError, RequestRefused
from doctor_maintenance.simulator.placement_model import Placement
from doctor_maintenance.simulator.services.answers import json_answer
from doctor_maintenance.simulator.services.auth import require_token

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

NEWEST = 39
"""The newest microversion, 1.39."""
_TITLES = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    409: "There was a conflict when trying to complete your request.",
}


class VersionRefused(RequestRefused):
    """The microversion that was asked for is none of ours."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Call:
    """A call: the model, the time and the microversion."""

    placement: Placement
    minor: int


class Routes:
    """Adds views; every one needs a token, an admin and a microversion."""

    def __init__(self, views: Blueprint, cloud: SimCloud) -> None:
        self._views = views
        self._cloud = cloud

    def __call__(
        self, path: str, rule: str, since: int = 0
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return a decorator that adds a view at a path, since a microversion."""

        def add(view: Callable[..., Any]) -> Callable[..., Any]:
            def handle(**ids: str) -> Response:
                context = require_token(self._cloud)
                minor = microversion()
                g.placement_minor, g.placement_now = minor, self._cloud.clock.now()
                if not context.is_admin:
                    raise ForbiddenError(f"Policy does not allow placement:{rule} to be performed.")
                if minor < since:
                    return no_page()
                return json_answer(view(Call(self._cloud.compute.placement, minor), **ids))

            self._views.add_url_rule(path, re.sub(r"\W", "_", path), handle, methods=["GET"])
            return view

        return add


def microversion() -> int:
    """Return the minor number of the microversion that the request asks for."""
    for part in request.headers.get("OpenStack-API-Version", "").split(","):
        service, _, version = part.strip().partition(" ")
        if service != "placement":
            continue
        if version == "latest":
            return NEWEST
        major, _, minor = version.partition(".")
        if not (major.isdigit() and minor.isdigit()):
            bad = next(text for text in (major, minor) if not text.isdigit())
            raise VersionRefused(
                400,
                f"Invalid microversion: invalid version string: {version}; invalid literal for int() with base 10: "
                f"{bad!r}  ",
            )
        if int(major) != 1 or int(minor) > NEWEST:
            raise VersionRefused(
                406, f"Invalid microversion: Unacceptable version header: {version}"
            )
        return int(minor)
    return 0


def _error(status: int, detail: str, code: str | None, **more: str) -> Response:
    entry: dict[str, Any] = {
        "status": status,
        "title": HTTPStatus(status).phrase,
        "detail": detail,
    }
    if code is not None:
        entry["code"] = code
    entry["request_id"] = request.environ["simulator.request_id"]
    return json_answer({"errors": [entry | more]}, status)


def refused(error: RequestRefused) -> Response:
    """Return a refusal in Placement's form."""
    if isinstance(error, VersionRefused):
        if error.status == 406:
            accept = request.headers.get("Accept", "*/*")
            title = (
                "The resource could not be generated that was acceptable to your browser "
                f"(content of type {accept}. "
            )
            versions = {"max_version": f"1.{NEWEST}", "min_version": "1.0"}
            return _error(406, f"{title}\n\n {error}", None, **versions)
        return _error(400, f"{_TITLES[400]}\n\n {error}", None)
    title = _TITLES.get(error.status, HTTPStatus(error.status).phrase)
    return _error(error.status, f"{title}\n\n {error}  ", _code(error))


def _code(error: RequestRefused | None = None) -> str | None:
    if g.get("placement_minor", 0) < 23:
        return None
    return getattr(error, "code", "placement.undefined_code")


def no_page(_: Exception | None = None) -> Response:
    """Return what is answered for a path that does not exist."""
    if "placement_minor" not in g:
        g.placement_minor = microversion()
    return _error(404, f"{_TITLES[404]}\n\n   ", _code())


def no_method(_: Exception) -> Response:
    """Return what is answered for a method that a path does not have."""
    if "placement_minor" not in g:
        g.placement_minor = microversion()
    title = f"The method {request.method} is not allowed for this resource."
    return _error(
        405, f"{title}\n\n The method specified is not allowed for this resource.  ", _code()
    )


def add_headers(response: Response) -> Response:
    """Add the headers that every answer of Placement has."""
    minor = g.get("placement_minor")
    if minor is None:
        return response
    response.headers["OpenStack-API-Version"] = f"placement 1.{minor}"
    if response.status_code in (200, 400):
        response.headers["Vary"] = "openstack-api-version"
    now = g.get("placement_now")
    if response.status_code == 200 and minor >= 15 and now is not None:
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Last-Modified"] = formatdate(now, usegmt=True)
    return response
