# SPDX-License-Identifier: Apache-2.0
"""Emptying a host (step 6): every instance that is to be moved, with as many attempts as the rules give.

A scheduler may refuse for a while what it allows later: after a live migration Nova holds an anti-affinity
group's old host against it until nova-computes have told the scheduler what they have, 62 s as measured and 120 s
at most (nova 34.0.0, ``scheduler_instance_sync_interval``). So a refusal is tried again for
longer than that, and only what failed after it had begun counts as an attempt. Nothing is forced.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.planning.settings import SessionRules
from doctor_maintenance.protocol import Action

Give = Callable[[str, str, str, Action], do.MoveInstance]
"""Makes the command of an attempt from its name, the instance, its owner and the action."""


class Drain:
    """The moves off one host.

    Args:
        host: the host, for the names of timers.
        rules: how often, and until when.
        give: makes and remembers a command.

    Attributes:
        failure: why the host cannot be emptied; empty while it can.
    """

    def __init__(self, host: str, rules: SessionRules, give: Give) -> None:
        self.failure = ""
        self._host = host
        self._rules = rules
        self._give = give
        self._owners: Mapping[str, str] = {}
        self._moving: dict[str, Action] = {}
        self._attempts: dict[str, int] = {}
        self._refused: dict[str, int] = {}
        self._refused_since: dict[str, float] = {}
        self._last_reason = ""
        self._until = math.inf

    @property
    def over(self) -> bool:
        """True if nothing is being moved."""
        return not self._moving

    def begin(
        self, actions: Mapping[str, Action], owners: Mapping[str, str], now: float
    ) -> list[do.Command]:
        """Start to move instances.

        Args:
            actions: what to do, by instance; only migrations are done here.
            owners: the instances' projects.
            now: the time.
        """
        self._owners = owners
        self._until = now + self._rules.drain_timeout_s
        self._moving = {
            item: action
            for item, action in sorted(actions.items())
            if action in (Action.MIGRATE, Action.LIVE_MIGRATE)
        }
        if not self._moving:
            return []
        moves: list[do.Command] = [self._try(item) for item in self._moving]
        return [*moves, do.SetTimer(self._timer, self._until)]

    def moved(self, instance_id: str) -> None:
        """Take note that an instance is off the host."""
        self._moving.pop(instance_id, None)

    def failed(
        self, command: do.MoveInstance, event: saw.CommandFailed, now: float
    ) -> list[do.Command]:
        """Try again later, or give up and say so in ``failure``."""
        instance_id = command.instance_id
        self._last_reason = f"{instance_id}: {event.reason}"
        again_at = now + self._rules.move_retry_s
        spent = self._refused_for_good(instance_id, event, now, again_at)
        if event.permanent or spent or again_at >= self._until:
            self._moving.pop(instance_id, None)
            self.failure = f"instance {instance_id} could not be moved: {event.reason}"
            return []
        return [do.SetTimer(f"{self._host}/retry/{instance_id}", again_at)]

    def _refused_for_good(
        self, instance_id: str, event: saw.CommandFailed, now: float, again_at: float
    ) -> bool:
        """Return whether there were attempts enough; refusals count only when the scheduler must know better."""
        if event.refused:
            since = self._refused_since.setdefault(instance_id, now)
            if again_at - since <= self._rules.refusal_wait_s:
                self._refused[instance_id] = self._refused.get(instance_id, 0) + 1
                return False
            if self._rules.refusal_wait_s > 0:
                return True
        counted = self._attempts[instance_id] - self._refused.get(instance_id, 0)
        return counted >= self._rules.move_attempts

    def timer(self, name: str) -> list[do.Command]:
        """Take a timer that may be one of ours."""
        prefix = f"{self._host}/retry/"
        if name == self._timer:
            waiting = ", ".join(self._moving)
            limit = f"{self._rules.drain_timeout_s:g} s"
            self.failure = (
                f"not every instance could be moved within {limit}: {waiting}; {self._last_reason}"
            )
        elif name.startswith(prefix) and name[len(prefix) :] in self._moving:
            return [self._try(name[len(prefix) :])]
        return []

    def timers(self) -> list[do.Command]:
        """Return what cancels every timer of ours."""
        names = [self._timer, *(f"{self._host}/retry/{item}" for item in self._moving)]
        return [do.CancelTimer(name) for name in names]

    @property
    def _timer(self) -> str:
        return f"{self._host}/drain"

    def _try(self, instance_id: str) -> do.MoveInstance:
        attempt = self._attempts[instance_id] = self._attempts.get(instance_id, 0) + 1
        name = f"move/{instance_id}#{attempt}"
        return self._give(name, instance_id, self._owners[instance_id], self._moving[instance_id])
