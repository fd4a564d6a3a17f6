# SPDX-License-Identifier: Apache-2.0
"""Switching over so that nobody notices: the standby must answer, or everything is as it was.

That the cloud did what it was asked says nothing of the service; only an answer from the standby at
the service's own address does, and not one: old and new may share the address for a while, and whoever agrees
to the maintenance then takes half of the service down. Where the guests cannot be asked, Neutron's word has to do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from doctor_maintenance import flow
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import CloudError, MaintenanceError
from doctor_maintenance.flow import Flow, blocking
from doctor_maintenance.observations import Observe
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.policy import SwitchOver
from sample_app_manager.seams import Ask, Waits
from sample_app_manager.strategies import Done, Strategy

LOG = logging.getLogger(__name__)


class Switching:
    """Switches the services of one project over.

    Args:
        clock: for waits.
        cloud: the project's cloud.
        strategy: how.
        name: what the strategy is called in what is observed.
        project_id: the project.
        ask: asks the service who answers; None: the guests cannot be asked.
        waits: limits.
        observe: is told of every start and end.
    """

    def __init__(
        self,
        clock: Clock,
        cloud: ProjectCloud,
        strategy: Strategy,
        *,
        name: str,
        project_id: str,
        ask: Ask | None,
        waits: Waits,
        observe: Observe,
    ) -> None:
        self._clock = clock
        self._cloud = cloud
        self._strategy = strategy
        self._name = name
        self._project_id = project_id
        self._ask = ask
        self._waits = waits
        self._observe = observe

    def switch_over(self, wanted: tuple[SwitchOver, ...], until: float) -> Flow[str | None]:
        """Switch services over, one after another: all of them or none.

        Whoever takes over must serve already, where that can be asked: an instance is active for Nova as soon as it
        is started, long before what runs in it is.

        Args:
            wanted: which ones.
            until: when it must be over, so that a refusal is still in time; seconds since the epoch.

        Returns:
            None, or why every service is (again) where it was.
        """
        for what in wanted:
            problem = yield from self._ready(what, until)
            if problem is not None:
                return f"{what.to_instance} cannot take over {what.address}: {problem}"
        for number, what in enumerate(wanted):
            problem = yield from self._one(what, until)
            if problem is not None:
                for done in reversed(wanted[: number + 1]):
                    yield from self._back(done)
                return f"{what.to_instance} did not take over {what.address}: {problem}"
        return None

    def _ready(self, what: SwitchOver, until: float) -> Flow[str | None]:
        """Wait until who takes over serves at its own address, and return why it does not; None: it does."""
        if self._ask is None or not self._strategy.moves:
            return None
        try:
            own = yield from blocking(lambda: self._cloud.addresses.own(what.to_instance))
            if own is not None:
                # Nobody shares this address, so that one answer will do.
                yield from self._until_answers(own, what.to_instance, until, in_a_row=1)
        except MaintenanceError as error:
            LOG.error("switching %s over was not begun: %s", what.address, error)
            return str(error)
        return None

    def _one(self, what: SwitchOver, until: float) -> Flow[str | None]:
        self._tell("start", what)
        try:
            done = yield from self._switch(what, until)
            if self._strategy.moves:
                often = self._waits.answers_in_a_row
                yield from self._until_answers(what.address, what.to_instance, until, often)
        except MaintenanceError as error:
            self._tell("failed", what)
            LOG.error("switching %s over failed: %s", what.address, error)
            return str(error)
        self._tell("done", what, done)
        return None

    def _switch(self, what: SwitchOver, until: float) -> Flow[Done]:
        """Do it; again if the cloud says that it may pass, as a strategy may be repeated."""
        left = self._waits.reply_retries
        while True:
            try:
                return (yield from self._strategy.switch_over(self._cloud, self._clock, what))
            except CloudError as error:
                wait_s = max(self._waits.retry_s, error.retry_after_s or 0.0)
                if error.permanent or not left or self._clock.now() + wait_s > until:
                    raise
                LOG.warning("switching %s over, again in %g s: %s", what.address, wait_s, error)
            left -= 1
            yield from flow.wait(wait_s)

    def _back(self, done: SwitchOver) -> Flow[None]:
        """Let the former one serve again; if that fails too, it can only be logged."""
        back = SwitchOver(done.address, done.to_instance, done.from_instance)
        self._tell("start", back)
        try:
            undone = yield from self._strategy.switch_over(self._cloud, self._clock, back)
        except MaintenanceError as error:
            self._tell("failed", back)
            LOG.error("switching %s back failed as well: %s", done.address, error)
        else:
            self._tell("done", back, undone)

    def _until_answers(
        self, address: str, instance_id: str, until: float, in_a_row: int
    ) -> Flow[None]:
        expected = {instance_id}
        if self._ask is not None:
            expected.add((yield from blocking(lambda: self._cloud.name(instance_id))))
        ask = self._question(address)
        deadline = min(self._clock.now() + self._waits.switch_over_s, until)
        answers = 0
        while True:
            who = yield from blocking(ask)
            answers = answers + 1 if who in expected else 0
            if answers >= in_a_row:
                return
            if self._clock.now() >= deadline:
                raise flow.FlowTimeout(
                    f"expected {instance_id} alone to answer at {address} in time; found"
                    f" {who or 'nobody'}"
                )
            yield from flow.wait(self._waits.poll_s)

    def _question(self, address: str) -> Callable[[], str | None]:
        ask = self._ask
        if ask is None:
            return lambda: self._cloud.holder(address)
        return lambda: ask(address)

    def _tell(self, phase: str, what: SwitchOver, done: Done | None = None) -> None:
        reason = done.reason if done is not None else None
        how = done.strategy if done is not None else self._name
        LOG.info(
            "switch-over of %s from %s to %s (%s): %s",
            what.address,
            what.from_instance,
            what.to_instance,
            f"{how}, as {reason}" if reason else how,
            phase,
        )
        fields = {
            "project_id": self._project_id,
            "phase": phase,
            "from_instance": what.from_instance,
            "to_instance": what.to_instance,
            "strategy": how,
        }
        self._observe("switch_over", fields if reason is None else {**fields, "reason": reason})
