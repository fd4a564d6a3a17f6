# SPDX-License-Identifier: Apache-2.0
"""How a service is switched over: one file a strategy.

To add one, add a module with a ``STRATEGY``; its name is the module's. What is best depends on the cloud and on how
the application's address leads to it: moving a floating IP was measured to silence it for more than a second with
ML2/OVN, changing a route behind it for not at all. ``auto`` chooses.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Protocol

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.flow import Flow
from doctor_maintenance.leading import Lead, Reach
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.policy import SwitchOver


@dataclass(frozen=True, slots=True)
class Done:
    """What was done to switch over.

    Attributes:
        strategy: the name of the strategy that did it.
        reason: why this one, if there was a choice.
    """

    strategy: str
    reason: str | None = None


class Strategy(Protocol):
    """A way of switching over.

    Attributes:
        moves: whether the service is elsewhere afterwards; then the standby must answer before the
            maintenance is agreed to.
    """

    moves: bool

    def unfit(self, lead: Lead) -> str | None:
        """Return why it cannot be used for an address that leads so, or None if it can."""

    def switch_over(self, cloud: ProjectCloud, clock: Clock, what: SwitchOver) -> Flow[Done]:
        """Let ``what.to_instance`` serve; safe to repeat.

        Args:
            cloud: the project's cloud.
            clock: for waits.
            what: who hands over what to whom; exchanged, it undoes the switch-over.

        Returns:
            What was done.

        Raises:
            CloudError: the cloud refused; nothing is known of who serves.
        """


def led(lead: Lead, wanted: Reach) -> str | None:
    """Return why an address is not led as wanted, or None if it is."""
    if lead.reach is wanted:
        return None
    return f"{wanted} needs an address that leads by {wanted}; {lead.address} leads by {lead.reach}"


def names() -> list[str]:
    """Return the names of the strategies."""
    return sorted(
        module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")
    )


def find(name: str) -> Strategy:
    """Return the strategy of a name.

    Raises:
        UsageError: there is none; the message lists those that exist.
    """
    if name not in names():
        raise UsageError(f"unknown switch-over strategy {name!r}; there are: {', '.join(names())}")
    strategy: Strategy = importlib.import_module(f"{__name__}.{name}").STRATEGY
    return strategy
