# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
from keystoneauth1 import token_endpoint
from keystoneauth1.session import Session

from doctor_maintenance.admin_tool.http_driver import HttpDriver, HttpTransport
from doctor_maintenance.admin_tool.notifier import BusDriver, Notifier, load_driver
from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.exceptions import CloudError, PreconditionError, UsageError
from doctor_maintenance.simulator.mount import mount
from doctor_maintenance.workers import InlineWorkers, Outcome

START = 1_577_836_800.25


class Bus:
    """A bus over HTTP that answers with a list of statuses, the last one for ever."""

    def __init__(self, *statuses: int, retry_after: str | None = None) -> None:
        self.statuses = list(statuses)
        self.retry_after = retry_after
        self.bodies: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.queries: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        self.bodies.append(json.loads(environ["wsgi.input"].read()))
        self.tokens.append(environ["HTTP_X_AUTH_TOKEN"])
        self.queries.append(environ["QUERY_STRING"])
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        headers = [("Retry-After", self.retry_after)] if self.retry_after else []
        start(f"{status} Whatever", headers)
        return [b'{"error": {"message": "not today"}}' if status >= 400 else b""]


class Setting:
    def __init__(self, bus: Bus, retries: int = 3) -> None:
        self.clock = VirtualClock(START)
        http = requests.Session()
        mount(http, "http://cloud.sim", bus)
        session = Session(token_endpoint.Token("http://cloud.sim", "the-token"), session=http)
        driver = HttpDriver(None, ["notifications"], HttpTransport("http://cloud.sim/bus", session))
        self.outcomes: list[tuple[float, str, str]] = []
        self.notifier = Notifier(self.clock, InlineWorkers(self.clock), driver, retries=retries)

    def publish(self, key: str) -> None:
        self.notifier.publish(
            key, "maintenance.host", {"host": "compute1"}, partial(self._done, key)
        )

    def _done(self, key: str, outcome: Outcome[None]) -> None:
        self.outcomes.append((self.clock.now(), key, str(outcome.error or "")))


def test_the_envelope_is_the_one_of_oslo_messaging() -> None:
    bus = Bus(204)
    setting = Setting(bus)

    setting.publish("s/compute1/in")
    setting.clock.run()

    body = bus.bodies[0]
    assert len(body.pop("message_id")) == 36
    assert body == {
        "publisher_id": "admin_tool",
        "event_type": "maintenance.host",
        "priority": "INFO",
        "payload": {"host": "compute1"},
        "timestamp": "2020-01-01 00:00:00.250000",
    }
    assert bus.tokens == ["the-token"]
    assert bus.queries == ["topic=notifications.info"]
    assert setting.outcomes == [(START, "s/compute1/in", "")]


def test_the_same_key_is_the_same_message() -> None:
    bus = Bus(204)
    setting = Setting(bus)

    for key in ("a", "b", "a"):
        setting.publish(key)
    setting.clock.run()

    first, second, third = (body["message_id"] for body in bus.bodies)
    assert first == third
    assert first != second


def test_notifications_are_published_in_order_even_if_one_must_wait() -> None:
    bus = Bus(503, 503, 204)
    setting = Setting(bus)

    setting.publish("first")
    setting.publish("second")
    setting.clock.run()

    keys = [key for _, key, _ in setting.outcomes]
    assert keys == ["first", "second"]
    assert len(bus.bodies) == 4
    assert setting.clock.now() == pytest.approx(START + 0.2 + 0.4)


def test_the_wait_that_the_bus_asks_for_is_kept() -> None:
    setting = Setting(Bus(429, 204, retry_after="7"))

    setting.publish("first")
    setting.clock.run()

    assert setting.outcomes == [(START + 7.0, "first", "")]


def test_what_is_never_taken_is_told_as_an_error_after_so_many_attempts() -> None:
    bus = Bus(500)
    setting = Setting(bus, retries=2)

    setting.publish("first")
    setting.clock.run()

    assert len(bus.bodies) == 3
    assert "answered 500: not today" in setting.outcomes[0][2]


def test_a_refusal_is_not_repeated() -> None:
    bus = Bus(403)
    setting = Setting(bus)

    setting.publish("first")
    setting.clock.run()

    assert len(bus.bodies) == 1
    assert "answered 403" in setting.outcomes[0][2]


def test_nobody_listening_is_an_error_that_may_pass() -> None:
    from doctor_maintenance.simulator.mount import isolate

    http = requests.Session()
    isolate(http)
    session = Session(token_endpoint.Token("http://nowhere.sim", "t"), session=http)
    driver = HttpDriver(None, ["notifications"], HttpTransport("http://nowhere.sim/bus", session))

    with pytest.raises(CloudError) as caught:
        driver.notify({}, {"event_type": "x"}, "info", 0)

    assert not caught.value.permanent


def test_the_http_driver_wants_a_url_and_no_broker() -> None:
    with pytest.raises(UsageError, match="messagingv2"):
        HttpDriver(None, ["notifications"], object())


def test_an_unknown_driver_is_a_precondition_that_is_not_met() -> None:
    with pytest.raises(PreconditionError, match="'pigeon' is not installed"):
        load_driver("pigeon", None)


def test_oslo_messaging_itself_can_use_the_http_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    oslo_messaging = pytest.importorskip("oslo_messaging")
    from oslo_config import cfg

    bus = Bus(204)
    http = requests.Session()
    mount(http, "http://cloud.sim", bus)
    session = Session(token_endpoint.Token("http://cloud.sim", "t"), session=http)
    driver = HttpDriver(None, ["notifications"], HttpTransport("http://cloud.sim/bus", session))
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    transport = oslo_messaging.get_notification_transport(conf, url="fake://")
    notifier = oslo_messaging.Notifier(transport, "somebody", driver="noop", topics=["x"])
    for extension in notifier._driver_mgr.extensions:
        monkeypatch.setattr(extension, "obj", driver)

    notifier.info({}, "compute.instance.update", {"instance_id": "i"})

    assert bus.bodies[0]["event_type"] == "compute.instance.update"
    assert bus.bodies[0]["publisher_id"] == "somebody"


def _listen(url: str) -> tuple[Any, list[dict[str, Any]], Callable[[], None]]:
    """Listen to oslo.messaging's in-process transport."""
    import oslo_messaging
    from oslo_config import cfg

    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    transport = oslo_messaging.get_notification_transport(conf, url=url)
    heard: list[dict[str, Any]] = []
    something = threading.Event()

    class Endpoint:
        def info(self, ctxt: Any, publisher: str, kind: str, payload: Any, meta: Any) -> None:
            heard.append({"publisher": publisher, "event_type": kind, "payload": payload, **meta})
            something.set()

    listener = oslo_messaging.get_notification_listener(
        transport,
        [oslo_messaging.Target(topic="notifications")],
        [Endpoint()],
        executor="threading",
    )
    listener.start()

    def stop() -> None:
        something.wait(10.0)
        listener.stop()
        listener.wait()

    return conf, heard, stop


def test_the_bus_driver_publishes_what_a_listener_on_the_bus_understands() -> None:
    conf, heard, stop = _listen("fake://")
    try:
        clock = VirtualClock(START)
        notifier = Notifier(clock, InlineWorkers(clock), BusDriver("fake://", conf))
        outcomes: list[Outcome[None]] = []

        notifier.publish("k", "maintenance.scheduled", {"session_id": "s"}, outcomes.append)
        clock.run()
    finally:
        stop()

    assert outcomes == [Outcome()]
    assert [(item["event_type"], item["publisher"], item["payload"]) for item in heard] == [
        ("maintenance.scheduled", "admin_tool", {"session_id": "s"})
    ]


def test_a_bus_that_does_not_take_a_message_is_an_error() -> None:
    driver = BusDriver("fake://")

    with pytest.raises(CloudError, match="did not take it"):
        driver.notify({}, {"event_type": "x", "payload": object()}, "info", 0)


def test_a_transport_url_of_nothing_known_is_a_precondition_that_is_not_met() -> None:
    with pytest.raises(PreconditionError, match="transport_url"):
        BusDriver("pigeon://coop/")
