# SPDX-License-Identifier: Apache-2.0
"""Publishes notifications in order, off the clock, and says whether each was taken.

oslo.messaging's own ``Notifier`` was refused for two things that it does: it swallows every error of
its drivers, and it draws the message's identity and time itself, so neither could a failed notification
be told to the session nor a run be repeated. Its drivers are used as it uses them, with the same
envelope (checked against oslo.messaging 18.3, ``notify/notifier.py``).
"""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import CloudError, MaintenanceError, PreconditionError
from doctor_maintenance.workers import Outcome, Workers

LOG = logging.getLogger(__name__)

TOPIC = "notifications"
PRIORITY = "INFO"
DRIVERS = "oslo.messaging.notify.drivers"
MAX_WAITING = 10_000
"""How many notifications may wait to be published."""

_MESSAGE_SPACE = uuid.UUID("6c2f0a52-7d0c-4c80-9d0f-3f1f5fd1b0a4")
_LONGEST_WAIT_S = 10.0

Done = Callable[[Outcome[None]], None]


class Driver(Protocol):
    """A driver of oslo.messaging's, as far as it is used."""

    def notify(self, ctxt: Any, message: Any, priority: str, retry: Any) -> None:
        """Send one envelope."""


class Notifier:
    """Publishes, one notification after the other.

    Args:
        clock: gives the time stamps, and waits between attempts.
        workers: who does the sending.
        driver: sends.
        publisher_id: who says so.
        retries: how often a notification that was not taken is sent again (≥ 0).
        retry_wait_s: the wait before the first repetition; each further one is twice as long, up to 10 s.
    """

    def __init__(
        self,
        clock: Clock,
        workers: Workers,
        driver: Driver,
        *,
        publisher_id: str = "admin_tool",
        retries: int = 9,
        retry_wait_s: float = 0.2,
    ) -> None:
        self._clock = clock
        self._workers = workers
        self._driver = driver
        self._publisher_id = publisher_id
        self._retries = retries
        self._retry_wait_s = retry_wait_s
        self._waiting: deque[tuple[dict[str, Any], Done]] = deque()
        self._sending = False

    def publish(self, key: str, event_type: str, payload: Mapping[str, Any], done: Done) -> None:
        """Publish; to be called on the clock.

        Args:
            key: the notification's identity: the same key is the same message, sent again.
            event_type: what it is published as.
            payload: what it says.
            done: told on the clock when it was taken, or that it was not.
        """
        message = {
            "message_id": str(uuid.uuid5(_MESSAGE_SPACE, key)),
            "publisher_id": self._publisher_id,
            "event_type": event_type,
            "priority": PRIORITY,
            "payload": dict(payload),
            "timestamp": _stamp(self._clock.now()),
        }
        if len(self._waiting) >= MAX_WAITING:
            error = CloudError(f"{event_type} {key}: {MAX_WAITING} notifications wait already")
            self._clock.call_later(0.0, lambda: done(Outcome(error=error)))
            return
        self._waiting.append((message, done))
        self._next()

    def _next(self) -> None:
        if not self._sending and self._waiting:
            self._sending = True
            self._send(0)

    def _send(self, attempt: int) -> None:
        message, _ = self._waiting[0]
        LOG.debug("publish %s", message)
        self._workers.submit(
            lambda: self._driver.notify({}, message, PRIORITY.lower(), 0),
            partial(self._sent, attempt),
        )

    def _sent(self, attempt: int, outcome: Outcome[None]) -> None:
        error = outcome.error
        if error is not None and attempt < self._retries and not _permanent(error):
            wait_s = min(self._retry_wait_s * 2**attempt, _LONGEST_WAIT_S)
            if isinstance(error, CloudError) and error.retry_after_s is not None:
                wait_s = error.retry_after_s
            LOG.warning("not published, again in %g s: %s", wait_s, error)
            self._clock.call_later(wait_s, lambda: self._send(attempt + 1))
            return
        message, done = self._waiting.popleft()
        self._sending = False
        if error is not None:
            LOG.error("not published: %s: %s", message["event_type"], error)
        done(outcome)
        self._next()


def load_driver(name: str, transport: object, conf: object = None) -> Driver:
    """Return an installed driver of oslo.messaging's.

    Args:
        name: its entry point: ``messagingv2`` or ``http``.
        transport: an ``HttpTransport`` for ``http``, otherwise oslo.messaging's.
        conf: the ``oslo_config.cfg.ConfigOpts`` that the transport was made with.

    Raises:
        PreconditionError: there is no such driver.
    """
    from stevedore import driver
    from stevedore.exception import NoMatches

    try:
        manager: driver.DriverManager[Driver] = driver.DriverManager(
            DRIVERS,
            name,
            invoke_on_load=True,
            invoke_args=(conf,),
            invoke_kwds={"topics": [TOPIC], "transport": transport},
        )
    except NoMatches as error:
        raise PreconditionError(
            f"the notification driver {name!r} is not installed; `pip install` this project and "
            "oslo.messaging in the environment that it runs in"
        ) from error
    loaded = manager.driver
    assert not callable(loaded), "the driver was asked for as an object"
    return loaded


class BusDriver:
    """The driver ``messagingv2``: on a message bus, RabbitMQ for instance.

    oslo.messaging's driver logs an error and goes on; this one says that there was one, so that the
    notification is sent again.

    Args:
        transport_url: of the bus, like ``rabbit://user:password@host:5672/``; None: what ``conf`` says.
        conf: an ``oslo_config.cfg.ConfigOpts``; None: an empty one.

    Raises:
        PreconditionError: the URL names no transport that is installed.
    """

    def __init__(self, transport_url: str | None, conf: Any = None) -> None:
        import oslo_messaging
        from oslo_config import cfg

        if conf is None:
            conf = cfg.ConfigOpts()
            conf([], project="doctor-maintenance", default_config_files=[], default_config_dirs=[])
        try:
            transport = oslo_messaging.get_notification_transport(conf, url=transport_url)
        except (oslo_messaging.DriverLoadFailure, oslo_messaging.InvalidTransportURL) as error:
            raise PreconditionError(
                f"transport_url names no message bus that can be used: {error}"
            ) from error
        self._transport = _CountingTransport(transport)
        self._driver = load_driver("messagingv2", self._transport, conf)

    def notify(self, ctxt: Any, message: Any, priority: str, retry: Any) -> None:
        """Send one envelope.

        Raises:
            CloudError: the bus did not take it.
        """
        before = self._transport.sent
        self._driver.notify(ctxt, message, priority, retry)
        if self._transport.sent == before:
            raise CloudError(
                f"publish {message['event_type']}: the message bus did not take it; oslo.messaging's "
                "log says why"
            )


class _CountingTransport:
    """oslo.messaging's transport; counts what was sent. One thread at a time, as the queue is one."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.sent = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send_notification(self, *args: Any, **named: Any) -> None:
        self._transport._send_notification(*args, **named)
        self.sent += 1


def _permanent(error: Exception) -> bool:
    if isinstance(error, CloudError):
        return error.permanent
    return not isinstance(error, MaintenanceError)


def _stamp(now: float) -> str:
    """Return the time as oslo.messaging writes it: UTC, no zone, microseconds."""
    return datetime.fromtimestamp(now, UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
