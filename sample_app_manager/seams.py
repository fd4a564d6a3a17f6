# SPDX-License-Identifier: Apache-2.0
"""What the app manager is given from outside, and its limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sample_app_manager.recreate import RecreateRules

Ask = Callable[[str], str | None]
"""Asks the service at an address once who answers: the instance's ID or name, or None."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long things may take and how often they are tried; durations in seconds.

    Attributes:
        switch_over_s: until the standby answers after a switch-over.
        poll_s: between two questions.
        reply_retries: how often a request to the admin tool is sent again.
        retry_s: between two tries.
        queue: how many announcements may wait to be worked on; further ones are refused.
        recreate: the limits of building instances anew.
    """

    switch_over_s: float = 30.0
    poll_s: float = 0.05
    reply_retries: int = 5
    retry_s: float = 0.5
    queue: int = 1000
    recreate: RecreateRules = field(default_factory=RecreateRules)
