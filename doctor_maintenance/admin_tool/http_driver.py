# SPDX-License-Identifier: Apache-2.0
"""An oslo.messaging notification driver that posts the envelope over HTTP: a cloud without a broker.

The embedded cloud takes notifications at a URL, as a real one takes them from RabbitMQ. oslo.messaging is
not imported for it: that takes 0.4 s and 23 MiB, and nothing of it is needed to be one of
its drivers (entry point ``oslo.messaging.notify.drivers``: ``http``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from keystoneauth1.session import Session

from doctor_maintenance import cloud
from doctor_maintenance.exceptions import UsageError


@dataclass(frozen=True, slots=True)
class HttpTransport:
    """Where the driver posts to, in place of oslo.messaging's transport.

    Attributes:
        url: takes the envelope; needs the operator's token.
        session: carries the request, and sees to the token.
        timeout_s: for one request.
    """

    url: str
    session: Session
    timeout_s: float = 5.0


class HttpDriver:
    """Posts notifications.

    Args:
        conf: the oslo.config of the notifier; not used.
        topics: what the notifications are published under; told to the receiver.
        transport: a :class:`HttpTransport`.

    Raises:
        UsageError: the transport is a broker's.
    """

    def __init__(self, conf: object, topics: Sequence[str], transport: object) -> None:
        if not isinstance(transport, HttpTransport):
            raise UsageError(
                "the notification driver http posts to a URL; a message broker needs the driver messagingv2"
            )
        self._topics = tuple(topics)
        self._transport = transport

    def notify(
        self, ctxt: object, message: Mapping[str, Any], priority: str, retry: object
    ) -> None:
        """Post one notification.

        Args:
            ctxt: the request's context; not sent.
            message: the envelope.
            priority: ``INFO`` and the like; the envelope has it too.
            retry: not used: the caller counts.

        Raises:
            CloudError: it was not taken.
        """
        transport = self._transport
        for topic in self._topics:
            cloud.call(
                f"publish {message.get('event_type')} to {transport.url}",
                partial(
                    transport.session.post,
                    transport.url,
                    json=dict(message),
                    params={"topic": f"{topic}.{priority.lower()}"},
                    timeout=transport.timeout_s,
                    raise_exc=False,
                ),
            )
