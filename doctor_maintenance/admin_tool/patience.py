# SPDX-License-Identifier: Apache-2.0
"""Asks a cloud that may be busy or away: waits as long as it says, a bounded number of times, on the Clock.

A broker or a database that was killed is back after some seconds or a minute, and services answer with errors until
then. A maintenance is not to be given up for that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.flow import Flow, blocking, wait

LOG = logging.getLogger(__name__)

T = TypeVar("T")

TRIES = 11
"""How often is asked: for 56 s, if answers come at once."""

_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 10.0  # or it would be noticed that late that a service is back
_LONGEST_TOLD_S = 30.0


def patiently(ask: Callable[[], T], tries: int = TRIES) -> Flow[T]:
    """Ask off the clock; ask again if the cloud says that it may pass.

    Args:
        ask: the blocking question; safe to repeat.
        tries: how often to ask at most (≥ 1).

    Raises:
        CloudError: the answer is final, or the last one was no better.
    """
    for attempt in range(tries):
        try:
            return (yield from blocking(ask))
        except CloudError as error:
            if error.permanent or error.status == 409 or attempt + 1 == tries:
                raise
            wait_s = min(_FIRST_WAIT_S * 2**attempt, _LONGEST_WAIT_S)
            if error.retry_after_s is not None:
                wait_s = min(error.retry_after_s, _LONGEST_TOLD_S)
            LOG.warning("again in %g s: %s", wait_s, error)
        yield from wait(wait_s)
    raise AssertionError("a flow that asks at least once has returned or raised")
