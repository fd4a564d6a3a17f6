# SPDX-License-Identifier: Apache-2.0
"""Who sends much, or slowly, stops nobody else; and who is not asked for does not get near."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from app_manager.app_world import AppWorld, alarm

from doctor_maintenance.inspector.actions import OperatorCloud
from doctor_maintenance.inspector.api import create_app as create_inspector_app
from doctor_maintenance.inspector.inspector import Inspector, Limits
from doctor_maintenance.options import groups
from doctor_maintenance.receiver import DEFAULT_MAX_BODY_BYTES
from doctor_maintenance.serving import Server, serve
from doctor_maintenance.settings import Settings
from doctor_maintenance.simulator.app import create_app as create_cloud_app
from sample_app_manager.api import create_app as create_manager_app
from sample_app_manager.seams import Waits
from security.tool_world import ToolWorld

TIMEOUT_S = 5


def admin_tool() -> Any:
    return ToolWorld().tool.app


def app_manager() -> Any:
    world = AppWorld()
    return create_manager_app(world.manager, world.clock)


def inspector_app(limits: Limits | None = None) -> Any:
    world = AppWorld()
    inspector = Inspector(
        world.clock,
        world.workers,
        OperatorCloud(world.admin),
        lambda key, event_type, payload, done: None,
        limits=limits,
    )
    return create_inspector_app(inspector, world.clock)


def simulator() -> Any:
    return create_cloud_app(AppWorld().cloud)


APPS: dict[str, tuple[Callable[[], Any], str]] = {
    "admin tool": (admin_tool, "/health"),
    "app manager": (app_manager, "/health"),
    "inspector": (inspector_app, "/health"),
    "simulator": (simulator, "/control/state"),
}


@pytest.fixture(params=list(APPS))
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Server, str]]:
    """Each of our services on a socket, with two threads and the usual limit, and a path that answers 200."""
    make, path = APPS[request.param]
    with serve(make(), threads=2, max_body_bytes=DEFAULT_MAX_BODY_BYTES) as server:
        yield server, path


def answers(server: Server, path: str) -> bool:
    with requests.Session() as http:
        http.trust_env = False
        return http.get(server.url + path, timeout=TIMEOUT_S).status_code == 200


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"G",
        b"GET /v1/maintenance HTTP/1.1\r\nHost: x\r\nX-",
        b"POST /maintenance HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /maintenance HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["silent", "a letter", "half a header", "half a body", "half a chunk"],
)
def test_clients_that_do_not_go_on_hold_up_nobody(served: Any, begun: bytes) -> None:
    server, path = served
    with ExitStack() as stack:
        for _ in range(16):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            slow.sendall(begun)

        assert answers(server, path)


def test_clients_that_do_not_read_hold_up_nobody(served: Any) -> None:
    server, path = served
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(8):
            deaf = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            deaf.sendall(request * 20)

        assert answers(server, path)


@pytest.mark.parametrize(
    "head",
    [
        f"Content-Length: {10 * DEFAULT_MAX_BODY_BYTES}",
        "Content-Length: 99999999999999999999999999",
    ],
)
def test_a_body_that_is_announced_as_too_long_is_refused_before_it_is_sent(
    served: Any, head: str
) -> None:
    server, path = served
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as client:
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())

        status = client.recv(4096).split(b"\r\n")[0]

    assert status.split()[1] in (b"400", b"413"), status
    assert answers(server, path)


def test_a_body_that_never_says_how_long_it_is_is_cut_off(served: Any) -> None:
    server, path = served
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as client:
        client.sendall(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        status = b""
        try:
            for _ in range(DEFAULT_MAX_BODY_BYTES // 0x10000 + 50):
                client.sendall(chunk)
        except OSError:  # the server has closed
            status = b"HTTP/1.1 413"
        else:
            status = client.recv(4096)

    assert status.split()[1] == b"413"
    assert answers(server, path)


def test_too_long_a_head_is_refused(served: Any) -> None:
    server, path = served
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nX-Long: ".encode())
        try:
            client.sendall(b"x" * 1_000_000)
            status = client.recv(4096).split(b" ")[1]
        except OSError:
            status = b"431"

    assert status in (b"431", b"400")
    assert answers(server, path)


def test_only_so_many_alarms_wait_at_the_app_manager() -> None:
    world = AppWorld(waits=Waits(queue=2))
    bodies = [alarm(world.notification(number=number), f"m-{number}") for number in range(1, 6)]

    statuses = [
        world.http.post("http://app-manager.sim/maintenance", json=body, timeout=5).status_code
        for body in bodies
    ]

    assert statuses == [200, 200, 200, 429, 429]
    world.settle()
    assert world.http.post("http://app-manager.sim/maintenance", json=bodies[3], timeout=5).ok


def test_only_so_many_events_wait_at_the_inspector() -> None:
    client = inspector_app(Limits(queue=3)).test_client()
    event = {
        "time": "2100-01-01T00:00:00",
        "type": "compute.host.down",
        "details": {"hostname": "compute1", "status": "down"},
    }

    taken = [client.put("/events", data=json.dumps([event] * count)) for count in (2, 2, 1, 1)]

    assert [answer.status_code for answer in taken] == [200, 429, 200, 429]


def test_every_service_listens_on_loopback_unless_told_otherwise() -> None:
    settings = Settings()
    binds = {
        name: getattr(settings, name).bind
        for name, group in groups(Settings).items()
        if name != "DEFAULT" and "bind" in group.__dataclass_fields__
    }

    assert binds == dict.fromkeys(
        ("admin_tool", "app_manager", "inspector", "simulator"), "127.0.0.1"
    )


def test_what_listens_on_loopback_is_not_reached_at_another_address() -> None:
    with serve(app_manager()) as server, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), timeout=TIMEOUT_S)
