# SPDX-License-Identifier: Apache-2.0
"""The descriptions of our APIs are true: they tell every route, and what is answered is what they say."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from flask import Blueprint, Flask
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.failures import FailureGroup
from security.tool_world import ToolWorld
from sim_world import World
from werkzeug.routing import Map

from doctor_maintenance.simulator.app import create_app
from doctor_maintenance.simulator.faults import FAULT_KINDS
from doctor_maintenance.simulator.services import control

FOLDER = Path(__file__).parent.parent / "docs" / "openapi"
EXAMPLES = 25
METHODS = ("get", "put", "post", "delete", "patch")


@dataclass
class Described:
    """An API and its description.

    Attributes:
        document: the description.
        app: the API, as it is served.
        routes: the API's own table of them.
        token: for every request; None: it needs none.
        prepare: puts a value that there is into a generated path.
    """

    document: dict[str, Any]
    app: Any
    routes: Map
    token: str | None = None
    prepare: Callable[[Any], None] = lambda case: None


@lru_cache
def admin_tool() -> Described:
    world = ToolWorld(max_sessions=5)
    session_id = world.begin(hosts=["compute1", "compute2"])
    blue = world.projects["blue"]

    def prepare(case: Any) -> None:
        """Let every other request be about the session that there is."""
        case.path_parameters = dict(case.path_parameters or {})
        for name, value in (("session_id", session_id), ("project_id", blue), ("number", 1)):
            if name in case.path_parameters and len(str(case.path_parameters[name])) % 2:
                case.path_parameters[name] = value
        if isinstance(case.body, dict) and isinstance(case.body.get("hosts"), list):
            case.body["hosts"] = ["compute3", *case.body["hosts"][2:]]

    flask = world.tool.app
    return Described(read("admin_tool"), flask, flask.url_map, world.token("admin"), prepare)


@lru_cache
def as_project() -> Described:
    described = admin_tool()
    world = ToolWorld()
    session_id = world.begin()

    def prepare(case: Any) -> None:
        for name, value in (
            ("session_id", session_id),
            ("project_id", world.projects["blue"]),
            ("number", 1),
        ):
            if name in (case.path_parameters or {}):
                case.path_parameters[name] = value
        if isinstance(case.body, dict) and len(str(case.body)) % 2:
            case.body["session_id"] = session_id

    flask = world.tool.app
    return Described(described.document, flask, flask.url_map, world.token("blue"), prepare)


@lru_cache
def simulator_control() -> Described:
    world = World()

    def prepare(case: Any) -> None:
        """Let faults be some that there are."""
        if isinstance(case.body, dict) and isinstance(case.body.get("name"), str):
            kinds = sorted(FAULT_KINDS)
            case.body["name"] = kinds[len(case.body["name"]) % len(kinds)]

    return Described(
        read("simulator_control"),
        create_app(world.cloud, [control.SERVICE]),
        routes_of(control.SERVICE.blueprint(world.cloud)),
        prepare=prepare,
    )


APIS = {
    "admin tool": admin_tool,
    "admin tool, asked by a project": as_project,
    "simulator's control": simulator_control,
}


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return document


def routes_of(blueprint: Blueprint) -> Map:
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(blueprint)
    return app.url_map


def served(routes: Map) -> set[tuple[str, str]]:
    """Return methods and paths; HEAD and OPTIONS come with every route by themselves."""
    return {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in routes.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }


def told(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (method, path)
        for path, item in document["paths"].items()
        for method in item
        if method in METHODS
    }


@pytest.mark.parametrize("name", ["admin tool", "simulator's control"])
def test_every_route_is_described_and_every_described_one_is_there(name: str) -> None:
    described = APIS[name]()

    assert told(described.document) == served(described.routes)


def modes(item: dict[str, Any], method: str) -> list[GenerationMode]:
    """Return what can be sent: where nothing is asked for, nothing can be wrong."""
    takes = {"parameters", "requestBody"} & {*item, *item[method]}
    return [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if takes else [])]


OPERATIONS = [
    pytest.param(name, method, path, mode, id=f"{name}: {method} {path} ({mode.value})")
    for name, file in (
        ("admin tool", "admin_tool"),
        ("admin tool, asked by a project", "admin_tool"),
        ("simulator's control", "simulator_control"),
    )
    for method, path in sorted(told(read(file)))
    for mode in modes(read(file)["paths"][path], method)
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "method", "path", "mode"), OPERATIONS)
def test_whatever_is_sent_is_answered_as_described(
    name: str, method: str, path: str, mode: GenerationMode
) -> None:
    described = APIS[name]()
    send(described, described.document, method, path, mode)


@pytest.mark.parametrize("status", ["200", "404"])
def test_a_description_that_is_not_true_is_found(status: str) -> None:
    described = admin_tool()
    path = "/v1/maintenance/{session_id}"
    document = copy.deepcopy(described.document)
    if status == "200":
        document["components"]["schemas"]["Session"]["required"].append("colour")
    else:
        del document["paths"][path]["get"]["responses"][status]

    with pytest.raises(FailureGroup):
        send(described, document, "get", path, GenerationMode.POSITIVE)


def send(
    described: Described, document: dict[str, Any], method: str, path: str, mode: GenerationMode
) -> None:
    """Send what the description allows, or what it forbids, and compare the answers with it."""
    schema = schemathesis.openapi.from_dict(document)
    schema.app = described.app
    headers = {} if described.token is None else {"X-Auth-Token": described.token}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method.upper()].as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        described.prepare(case)
        answer = case.call(headers=headers)
        case.validate_response(
            answer,
            checks=[
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ],
        )

    check()
