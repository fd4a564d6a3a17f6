# SPDX-License-Identifier: Apache-2.0
"""Asks a cloud that may be busy once more, as long as there is time to reply.

A refusal cancels the maintenance of a whole host; one request that found Neutron restarting is no reason for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.flow import Flow, blocking, wait

LOG = logging.getLogger(__name__)

T = TypeVar("T")


def patiently(
    clock: Clock, ask: Callable[[], T], *, tries: int, every_s: float, until: float
) -> Flow[T]:
    """Ask off the clock; ask again if the cloud says that it may pass.

    Args:
        clock: tells when it is too late.
        ask: the blocking question; safe to repeat.
        tries: how often it is asked again (≥ 0).
        every_s: the wait before, in seconds; longer if the cloud says so.
        until: when it is too late to ask again, in seconds since the epoch.

    Raises:
        CloudError: the answer is final, or the last one was no better.
    """
    for left in range(tries, -1, -1):
        try:
            return (yield from blocking(ask))
        except CloudError as error:
            wait_s = max(every_s, error.retry_after_s or 0.0)
            if error.permanent or not left or clock.now() + wait_s > until:
                raise
            LOG.warning("again in %g s: %s", wait_s, error)
        yield from wait(wait_s)
    raise AssertionError("a question that is asked at least once has an answer or an error")
