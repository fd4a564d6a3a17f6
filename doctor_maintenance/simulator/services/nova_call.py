# SPDX-License-Identifier: Apache-2.0
"""One call of Nova's API: who asks, at which microversion, what may be asked, and how a refusal looks.

Every view of the ``nova_…`` files gets a :class:`Call`. Texts, status codes and headers are those of nova 34.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Blueprint, Response, g, request

from doctor_maintenance.exceptions import ForbiddenError, InvalidRequestError, RequestRefused
from doctor_maintenance.simulator.records import Caller
from doctor_maintenance.simulator.services.answers import base_url, json_answer
from doctor_maintenance.simulator.services.auth import Context, require_token
from doctor_maintenance.simulator.services.schema import Schema, first_problem

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud
    from doctor_maintenance.simulator.compute import Compute

NEWEST = 104
"""The newest microversion, 2.104, which is that of nova 34."""
DEFAULT_PAGE = 1000
"""How many entries a list has at most (Nova's ``max_limit``)."""

_FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
_VERSION = re.compile(r"([1-9]\d*)\.([1-9]\d*|0)")

T = TypeVar("T")


class NotAcceptable(RequestRefused):
    """The microversion that was asked for does not exist (406)."""

    status = 406


def parse_microversion() -> int:
    """Return the minor number of the microversion that the request asks for.

    Raises:
        InvalidRequestError: it is no version.
        NotAcceptable: there is no such version.
    """
    wanted = _requested_version()
    if wanted is None:
        return 1
    if wanted == "latest":
        return NEWEST
    match = _VERSION.fullmatch(wanted)
    if match is None:
        raise InvalidRequestError(
            f"API Version String {wanted} is of invalid format. Must be of format MajorNum.MinorNum."
        )
    major, minor = int(match[1]), int(match[2])
    if major != 2 or not 1 <= minor <= NEWEST:
        g.nova_version = wanted
        raise NotAcceptable(
            f"Version {wanted} is not supported by the API. Minimum is 2.1 and maximum is 2.{NEWEST}."
        )
    return minor


def _requested_version() -> str | None:
    header = request.headers.get("OpenStack-API-Version")
    if header is None:
        return request.headers.get("X-OpenStack-Nova-API-Version")
    for part in header.split(","):
        service, _, version = part.strip().partition(" ")
        if service == "compute":
            return version.strip()
    return None


@dataclass(slots=True)
class Call:
    """A call.

    Attributes:
        cloud: the cloud.
        context: who asks.
        minor: the minor number of the microversion.
        prefix: the project's part of the path, if the caller put it there.
        root: Nova's address as the caller used it, without a version.
    """

    cloud: SimCloud
    context: Context
    minor: int
    prefix: str
    root: str

    @property
    def compute(self) -> Compute:
        """The compute model."""
        return self.cloud.compute

    @property
    def caller(self) -> Caller:
        """Who asks, for the record of an action."""
        request_id = request.environ["simulator.request_id"]
        return Caller(self.context.user_id, self.context.project_id, request_id)

    # Policy

    def admin(self, rule: str) -> None:
        """Let only an admin pass.

        Raises:
            ForbiddenError: somebody else asks.
        """
        if not self.context.is_admin:
            raise policy_refusal(rule)

    def reader(self, rule: str, project_id: str) -> None:
        """Let an admin pass, and whoever may read in that project.

        Raises:
            ForbiddenError: somebody else asks.
        """
        if not self.context.sees(project_id):
            raise policy_refusal(rule)

    def member(self, rule: str, project_id: str) -> None:
        """Let an admin pass, and whoever may write in that project.

        Raises:
            ForbiddenError: somebody else asks.
        """
        if not (self.context.sees(project_id) and self.context.can_write):
            raise policy_refusal(rule)

    # What is asked

    def body(self, schema: Schema) -> Any:
        """Return the body, which fits the schema.

        Raises:
            InvalidRequestError: it is no JSON, or does not fit.
        """
        value = raw_body()
        check(value, schema)
        return value

    def flag(self, name: str) -> bool:
        """Return whether a query parameter says yes.

        Raises:
            InvalidRequestError: it says neither yes nor no.
        """
        text = request.args.get(name, "").strip().lower()
        if text in ("1", "t", "true", "on", "y", "yes"):
            return True
        if text in ("", "0", "f", "false", "off", "n", "no"):
            return False
        raise InvalidRequestError(
            f"Unrecognized value '{request.args[name]}', acceptable values are: "
            "'0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'"
        )

    def known_parameters(self, known: Iterable[str], since: int) -> None:
        """Refuse query parameters that do not exist, as Nova does from a microversion on.

        Raises:
            InvalidRequestError: there is one.
        """
        if self.minor < since:
            return
        names = frozenset(known)
        for name in request.args:
            if name not in names:
                raise InvalidRequestError(
                    f"Additional properties are not allowed ('{name}' was unexpected)"
                )

    # What is answered

    def href(self, *path: str) -> str:
        """Return the address of something, at this version."""
        return "/".join((f"{self.root}/v2.1{self.prefix}", *path))

    def links(self, *path: str) -> list[dict[str, str]]:
        """Return the two links that everything has."""
        return [
            {"rel": "self", "href": self.href(*path)},
            {"rel": "bookmark", "href": self.bookmark(*path)},
        ]

    def bookmark(self, *path: str) -> str:
        """Return the address of something, without a version."""
        return "/".join((f"{self.root}{self.prefix}", *path))

    def next_link(self, marker: str, *path: str) -> list[dict[str, str]]:
        """Return the link to the next page of a list."""
        query = {**request.args.to_dict(), "marker": marker}
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return [{"rel": "next", "href": f"{self.href(*path)}?{text}"}]

    def page(self, entries: list[T], key: Callable[[T], str]) -> tuple[list[T], bool]:
        """Return the part of a list that ``marker`` and ``limit`` ask for, and whether there is more.

        Raises:
            InvalidRequestError: the marker is not in the list, or the limit is no number.
        """
        marker = request.args.get("marker")
        if marker is not None:
            for position, entry in enumerate(entries):
                if key(entry) == marker:
                    entries = entries[position + 1 :]
                    break
            else:
                raise InvalidRequestError(f"marker [{marker}] not found")
        limit = min(self._limit(), DEFAULT_PAGE)
        return entries[:limit], "limit" in request.args and len(entries) >= limit > 0

    @staticmethod
    def _limit() -> int:
        text = request.args.get("limit")
        if text is None:
            return DEFAULT_PAGE
        if not text.isdigit():
            raise InvalidRequestError(
                f"Invalid input for query parameters limit. Value: {text}. '{text}' does not match '^[0-9]*$'"
            )
        return int(text)


def service_url() -> str:
    """Return Nova's address as the caller used it, without a version."""
    return base_url() + request.script_root


def policy_refusal(rule: str) -> ForbiddenError:
    """Return the refusal of a policy rule."""
    return ForbiddenError(f"Policy doesn't allow {rule} to be performed.")


def raw_body() -> Any:
    """Return the body as JSON, or None if there is none.

    Raises:
        InvalidRequestError: it is no JSON.
    """
    data = request.get_data()
    if not data:
        return None
    if request.mimetype != "application/json":
        raise InvalidRequestError("Malformed request body")
    try:
        return json.loads(data)
    except ValueError as error:
        raise InvalidRequestError("Malformed request body") from error


def check(value: Any, schema: Schema) -> None:
    """Make sure that a value fits a schema.

    Raises:
        InvalidRequestError: it does not; the text is Nova's.
    """
    problem = first_problem(value, schema)
    if problem is None:
        return
    if not problem.path:
        raise InvalidRequestError(problem.message)
    raise InvalidRequestError(
        f"Invalid input for field/attribute {problem.path[-1]}. Value: {problem.value}. {problem.message}"
    )


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a body as Nova does."""
    return json_answer(body, status, headers)


def no_body(status: int) -> Response:
    """Return an answer without a body; Nova says that it is JSON nevertheless."""
    return Response(status=status, mimetype="application/json")


def refused(error: RequestRefused) -> Response:
    """Return a refusal in Nova's form."""
    status = error.status
    name = _FAULTS.get(status, "computeFault")
    message = str(error) or HTTPStatus(status).phrase
    response = json_answer({name: {"code": status, "message": message}}, status)
    response.headers["Content-Type"] = "application/json; charset=UTF-8"
    return response


def not_found_page(_: Exception) -> Response:
    """Return what Nova's router answers for a path, or a method, that it does not have."""
    return json_answer(
        {
            "message": "The resource could not be found.<br /><br />\n\n\n",
            "code": "404 Not Found",
            "title": "Not Found",
        },
        404,
    )


def add_headers(response: Response) -> Response:
    """Add the headers that every answer of Nova has."""
    version = g.get("nova_version")
    if version is not None:
        response.headers["OpenStack-API-Version"] = f"compute {version}"
        response.headers["X-OpenStack-Nova-API-Version"] = version
        response.headers["Vary"] = "OpenStack-API-Version, X-OpenStack-Nova-API-Version"
    response.headers["x-compute-request-id"] = request.environ["simulator.request_id"]
    return response


class Routes:
    """Adds views to Nova's blueprint, each at its path and at the same path below a project's ID.

    Args:
        views: the blueprint.
        cloud: the cloud that the views are about.
    """

    def __init__(self, views: Blueprint, cloud: SimCloud) -> None:
        self._views = views
        self._cloud = cloud

    def __call__(
        self, method: str, path: str, since: int = 1, until: int = NEWEST
    ) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
        """Return a decorator that adds a view.

        Args:
            method: the HTTP method.
            path: the path below the version.
            since: the first microversion that has it.
            until: the last one; outside of the two the answer is 404.
        """

        def add(view: Callable[..., Response]) -> Callable[..., Response]:
            def handle(project_id: str | None = None, **ids: str) -> Response:
                return view(self._call(project_id, since, until), **ids)

            name = f"{method}_{path}"
            endpoint = re.sub(r"\W", "_", name)
            rules = (f"/v2.1{path}", f"/v2.1/<string(length=32):project_id>{path}")
            for number, rule in enumerate(rules):
                self._views.add_url_rule(rule, f"{endpoint}_{number}", handle, methods=[method])
            return view

        return add

    def _call(self, project_id: str | None, since: int, until: int) -> Call:
        context = require_token(self._cloud)
        minor = parse_microversion()
        g.nova_version = f"2.{minor}"
        if not since <= minor <= until:
            raise RemovedError("The resource could not be found.")
        if project_id is not None and project_id != context.project_id:
            raise InvalidRequestError(
                f"Malformed request URL: URL's project_id '{project_id}' doesn't match "
                f"Context's project_id '{context.project_id}'"
            )
        prefix = "" if project_id is None else f"/{project_id}"
        return Call(self._cloud, context, minor, prefix, service_url())


class RemovedError(RequestRefused):
    """The path exists, but not at this microversion (404)."""

    status = 404
