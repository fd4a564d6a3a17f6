# SPDX-License-Identifier: Apache-2.0
"""The Flask application: routes, and what each does in a line or two."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import Flask, Response, request

from doctor_maintenance.admin_tool.api import forms
from doctor_maintenance.admin_tool.api.access import Access
from doctor_maintenance.admin_tool.api.identity import UnauthorizedError, UnavailableError
from doctor_maintenance.admin_tool.api.peers import Peers
from doctor_maintenance.admin_tool.calls import CloudCalls
from doctor_maintenance.admin_tool.engine import Engine
from doctor_maintenance.admin_tool.policy import NO_SUCH_SESSION, Act
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import (
    CloudError,
    InvalidRequestError,
    NotFoundError,
    RequestRefused,
)
from doctor_maintenance.observations import Observe, ignore
from doctor_maintenance.planning import Session, operator_view, project_view
from doctor_maintenance.protocol import HostState, Reply
from doctor_maintenance.receiver import DEFAULT_MAX_BODY_BYTES, answer, problem, read_json
from doctor_maintenance.receiver import create_app as create_json_app

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_SESSION = "/v1/maintenance/<session_id>"
_ANNOUNCEMENT = f"{_SESSION}/<project_id>/<int:number>"


def create_app(
    engine: Engine,
    *,
    clock: Clock,
    calls: CloudCalls,
    access: Access,
    peers: Peers,
    new_id: Callable[[], str],
    observe: Observe = ignore,
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
) -> Flask:
    """Return the application.

    Args:
        engine: drives the sessions; touched only on its clock.
        clock: the engine's.
        calls: the cloud, to check hosts and instances before a session begins.
        access: lets requests in.
        peers: the other admin tools on the same journal.
        new_id: returns a random session ID.
        observe: told of everything that a project may read (kind ``readable``).
        max_body_bytes: a longer body is refused.
    """
    app = create_json_app(__name__, max_body_bytes=max_body_bytes)
    app.register_error_handler(UnauthorizedError, _unauthorized)
    _Operators(app, engine, clock, calls, access, peers, new_id)
    _Projects(app, engine, clock, access, peers, observe)
    return app


class _Part:
    """What both halves of the API share."""

    def __init__(self, engine: Engine, clock: Clock, access: Access, peers: Peers) -> None:
        self._engine = engine
        self._clock = clock
        self._access = access
        self._peers = peers

    def _let_in(self, act: Act, project_id: str | None = None) -> None:
        self._access.let_in(request.environ, act, project_id)

    def _on_clock(self, function: Callable[[], T]) -> T:
        return self._clock.call(function)


class _Operators(_Part):
    def __init__(
        self,
        app: Flask,
        engine: Engine,
        clock: Clock,
        calls: CloudCalls,
        access: Access,
        peers: Peers,
        new_id: Callable[[], str],
    ) -> None:
        super().__init__(engine, clock, access, peers)
        self._calls = calls
        self._new_id = new_id
        app.add_url_rule("/v1/maintenance", "create", self.create, methods=["POST"])
        app.add_url_rule("/v1/maintenance", "list", self.list, methods=["GET"])
        app.add_url_rule(_SESSION, "show", self.show, methods=["GET"])
        app.add_url_rule(_SESSION, "delete", self.delete, methods=["DELETE"])
        app.add_url_rule(f"{_SESSION}/action", "action", self.act, methods=["POST"])

    def create(self) -> Response:
        self._let_in(Act.CREATE)
        form = forms.read_create(_body(), self._engine.rules, self._clock.now())
        self._check_with_cloud(form)
        wanted = form.request(self._new_id(), self._clock.now())
        session = self._on_clock(lambda: self._engine.open(wanted, form.rules))
        made = answer(201, self._on_clock(lambda: operator_view(session)))
        made.headers["Location"] = f"/v1/maintenance/{session.session_id}"
        return made

    def list(self) -> Response:
        self._let_in(Act.LIST)
        views = self._on_clock(lambda: [operator_view(each) for each in self._engine.sessions()])
        return answer(200, {"sessions": views})

    def show(self, session_id: str) -> Response:
        self._let_in(Act.SHOW)

        def view() -> dict[str, Any]:
            session = self._engine.find(session_id)
            whole = operator_view(session)
            if request.args.get("timeline") == "true":
                whole["timeline"] = self._engine.timeline(session_id)
            return whole

        return answer(200, self._on_clock(view))

    def act(self, session_id: str) -> Response:
        self._let_in(Act.OPERATE)
        body = _body()

        def act() -> dict[str, Any]:
            session = self._engine.find(session_id)
            event = forms.read_action(body, _failed_hosts(session))
            return operator_view(self._engine.operate(session_id, event))

        return self._peers.answer(lambda: answer(202, self._on_clock(act)), body)

    def delete(self, session_id: str) -> Response:
        self._let_in(Act.DELETE)

        def remove() -> Response:
            self._on_clock(lambda: self._engine.remove(session_id))
            return Response(status=204)

        return self._peers.answer(remove)

    def _check_with_cloud(self, form: forms.CreateForm) -> None:
        """Refuse hosts and instances that are not there."""
        try:
            hosts = {service.host for service in self._calls.services()}
            for host in form.hosts:
                if host not in hosts:
                    raise InvalidRequestError(
                        f"hosts: {host} has no nova-compute; there are {', '.join(sorted(hosts))}"
                    )
            for host, wanted in form.instances.items():
                here = {server.instance_id for server in self._calls.servers_on(host)}
                missing = sorted(wanted - here)
                if missing:
                    raise InvalidRequestError(f"instances[{host}]: {missing[0]} is not on the host")
        except CloudError as error:
            LOG.error("a session cannot be begun: %s", error)
            raise UnavailableError(f"the cloud cannot be asked: {error}") from error


class _Projects(_Part):
    def __init__(
        self,
        app: Flask,
        engine: Engine,
        clock: Clock,
        access: Access,
        peers: Peers,
        observe: Observe,
    ) -> None:
        super().__init__(engine, clock, access, peers)
        self._observe = observe
        app.add_url_rule(f"{_SESSION}/<project_id>", "show_latest", self.show, methods=["GET"])
        app.add_url_rule(_ANNOUNCEMENT, "show_project", self.show, methods=["GET"])
        app.add_url_rule(_ANNOUNCEMENT, "reply", self.reply, methods=["PUT"])

    def show(self, session_id: str, project_id: str, number: int | None = None) -> Response:
        self._let_in(Act.SHOW_PROJECT, project_id)

        def view() -> dict[str, Any]:
            return project_view(self._engine.find(session_id), project_id, number)

        return self._readable(project_id, 200, self._told(view))

    def reply(self, session_id: str, project_id: str, number: int) -> Response:
        self._let_in(Act.REPLY, project_id)
        try:
            body = _body()
            reply = Reply.from_wire(body)

            def take() -> Response:
                self._told(lambda: self._engine.reply(session_id, project_id, number, reply))
                taken = {"session_id": session_id, "accepted": True}
                return self._readable(project_id, 200, {**taken, "state": reply.to_wire()["state"]})

            return self._peers.answer(take, body)
        except RequestRefused as error:
            self._tell(project_id, str(error))
            raise

    def _told(self, function: Callable[[], T]) -> T:
        """Do something on the clock; what is not there is always answered in the same words."""
        try:
            return self._on_clock(function)
        except NotFoundError as error:
            raise NotFoundError(NO_SUCH_SESSION) from error

    def _readable(self, project_id: str, status: int, body: Mapping[str, Any]) -> Response:
        self._tell(project_id, json.dumps(body))
        return answer(status, body)

    def _tell(self, project_id: str, text: str) -> None:
        where = f"{request.method} {request.path}"
        record = {"project_id": project_id, "where": where, "text": text}
        self._on_clock(lambda: self._observe("readable", record))


def _body() -> object:
    if not request.is_json:
        raise UnsupportedTypeError(
            f"content type: expected application/json; found {request.content_type or 'none'}"
        )
    return read_json()[0]


class UnsupportedTypeError(RequestRefused):
    """The body is not said to be JSON."""

    status = 415


def _failed_hosts(session: Session) -> list[str]:
    failed = HostState.MAINTENANCE_FAILED
    return [work.host for work in session.works.values() if work.state is failed]


def _unauthorized(error: UnauthorizedError) -> Response:
    refusal = problem(error.status, str(error))
    refusal.headers["WWW-Authenticate"] = "Keystone"
    return refusal
