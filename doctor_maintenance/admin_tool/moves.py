# SPDX-License-Identifier: Apache-2.0
"""Moves one instance off its host, by looking rather than by believing (step 6).

Nova answers 202 and does the rest later, or not at all; a call that failed may have worked, and one that
worked may have failed since. So each round looks at the instance and decides from what is seen alone
(``next_steps``), which also makes a move safe to take up again after a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from doctor_maintenance.admin_tool.calls import CloudCalls, Server
from doctor_maintenance.admin_tool.memos import Memos
from doctor_maintenance.admin_tool.next_steps import GONE, Step, next_step, settled
from doctor_maintenance.admin_tool.patience import patiently
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.flow import Flow, blocking, callback, wait
from doctor_maintenance.planning.commands import MoveInstance
from doctor_maintenance.planning.events import CommandFailed, InstanceGone, InstanceMoved
from doctor_maintenance.workers import Outcome, Workers

LOG = logging.getLogger(__name__)

_NOT_BEGUN = frozenset({"resize_prep", "migrating"})
"""The tasks that Nova's API sets, before anybody has begun with a migration."""

_STUCK_S = 10.0
"""How long an instance in ERROR may have the task of its migration before nobody works on that any more, in seconds."""

_CONFIRM_AGAIN_S = 15.0
_ABORT_WAIT_S = 30.0
_RECOVERY_WAIT_S = 120.0
_BUSY_TRIES = 5
_BUSY_WAIT_S = 1.0


class Watch:
    """Looks at instances in flight: once for all of a host that are waited for.

    Args:
        clock: tells when to look.
        workers: who looks.
        calls: the cloud.
        poll_s: the time between two looks.
    """

    def __init__(self, clock: Clock, workers: Workers, calls: CloudCalls, poll_s: float) -> None:
        self._clock = clock
        self._workers = workers
        self._calls = calls
        self._poll_s = poll_s
        self._waiting: dict[str, list[tuple[str, Callable[[Outcome[Server | None]], None]]]] = {}
        self._away: set[tuple[str, str]] = set()

    def next_look(self, host: str, instance_id: str) -> Flow[Server | None]:
        """Return what an instance looks like at the next look at its old host.

        Raises:
            CloudError: that look failed.
        """
        seen: Server | None = yield from callback(partial(self._enlist, host, instance_id))
        return seen

    def _enlist(
        self, host: str, instance_id: str, done: Callable[[Outcome[Server | None]], None]
    ) -> None:
        if host not in self._waiting:
            self._waiting[host] = []
            self._clock.call_later(self._poll_s, lambda: self._look(host))
        self._waiting[host].append((instance_id, done))

    def _look(self, host: str) -> None:
        waiting = self._waiting.pop(host)
        ids = sorted({instance_id for instance_id, _ in waiting})
        here = [item for item in ids if (host, item) not in self._away]
        away = [item for item in ids if (host, item) in self._away]

        def tell(outcome: Outcome[dict[str, Server | None]]) -> None:
            for instance_id, done in waiting:
                if outcome.error is not None:
                    done(Outcome(error=outcome.error))
                    continue
                server = outcome.get()[instance_id]
                self._note(host, instance_id, server)
                done(Outcome(value=server))

        self._workers.submit(lambda: self._calls.look(host, here, away), tell)

    def _note(self, host: str, instance_id: str, server: Server | None) -> None:
        """Remember who has left a host, as long as there is something to wait for."""
        if server is not None and server.host != host and (server.task or not settled(server)):
            self._away.add((host, instance_id))
        else:
            self._away.discard((host, instance_id))


@dataclass(slots=True)
class _Attempt:
    """What has been done about an instance so far."""

    asked: bool = False
    ours: bool = False
    live: bool = False
    stuck: tuple[str, float] | None = None
    confirmed_at: float | None = None
    aborted: bool = False
    trouble: str = ""
    refused: bool = False


def earlier_keys(key: str) -> list[str]:
    """Return the keys of the attempts before one; an attempt's key ends with its number."""
    base, _, number = key.rpartition("#")
    return [f"{base}#{earlier}" for earlier in range(1, int(number))] if number.isdigit() else []


def _unless_busy(ask: Callable[[], None]) -> Flow[None]:
    """Ask; again only if the cloud says that it is asked too much, as then it did nothing.

    Raises:
        CloudError: any other refusal, or it is still too busy.
    """
    for _ in range(_BUSY_TRIES - 1):
        try:
            return (yield from blocking(ask))
        except CloudError as error:
            if error.status != 429:
                raise
            LOG.warning("%s", error)
            wait_s = _BUSY_WAIT_S if error.retry_after_s is None else error.retry_after_s
        yield from wait(wait_s)
    return (yield from blocking(ask))


MoveEvent = InstanceMoved | InstanceGone | CommandFailed


class Mover:
    """Performs :class:`MoveInstance`.

    Args:
        clock: the time.
        calls: the cloud.
        watch: looks at instances in flight.
        timeout_s: how long one attempt may take before it is given up.
        memos: where it is kept that Nova was about to be asked: an instance in ERROR is ours to mend
            only if it was.
    """

    def __init__(
        self, clock: Clock, calls: CloudCalls, watch: Watch, timeout_s: float, memos: Memos
    ) -> None:
        self._clock = clock
        self._calls = calls
        self._watch = watch
        self._timeout_s = timeout_s
        self._memos = memos

    def move(self, command: MoveInstance) -> Flow[MoveEvent]:
        """Make one attempt, and return how it ended."""
        asked = self._memos.recall(command.key).get("asked")
        attempt = _Attempt(
            asked=asked is not None,
            ours=any("asked" in self._memos.recall(key) for key in earlier_keys(command.key)),
            live=asked == Step.LIVE_MIGRATE,
        )
        deadline = self._clock.now() + self._timeout_s
        instance_id, source = command.instance_id, command.host
        server = yield from patiently(lambda: self._calls.server(instance_id))
        while True:
            step = next_step(server, source, command.action, attempt.asked, attempt.ours)
            ended = yield from self._take(step, command, server, attempt)
            if ended is not None:
                return ended
            if self._clock.now() >= deadline:
                if attempt.aborted:
                    return self._failed(command, server, attempt)
                yield from self._give_up(server, attempt)
                deadline = self._clock.now() + _ABORT_WAIT_S
            server = yield from self._look(command, server)

    def _take(
        self, step: Step, command: MoveInstance, server: Server | None, attempt: _Attempt
    ) -> Flow[MoveEvent | None]:
        """Take a step; return how the attempt ended, if it did."""
        match step:
            case Step.GONE:
                return InstanceGone(command.key, command.instance_id)
            case Step.MOVED:
                assert server is not None
                return InstanceMoved(command.key, command.instance_id, server.host)
            case Step.IMMOVABLE:
                return self._failed(command, server, attempt, permanent=True)
            case Step.UNMOVED:
                yield from self._explain(command.instance_id, attempt)
                return self._failed(command, server, attempt)
            case Step.STUCK:
                assert server is not None
                yield from self._free(server, attempt)
            case Step.RECOVER:
                return (yield from self._recover(command, server))
            case Step.CONFIRM:
                yield from self._confirm(command.instance_id, attempt)
            case Step.LIVE_MIGRATE | Step.MIGRATE:
                return (yield from self._ask(command, step, attempt))
        return None

    def _look(self, command: MoveInstance, before: Server | None) -> Flow[Server | None]:
        """Return what is seen next; a look that failed shows nothing new."""
        try:
            return (yield from self._watch.next_look(command.host, command.instance_id))
        except CloudError as error:
            LOG.warning("instance %s: %s", command.instance_id, error)
            return before

    def _ask(
        self, command: MoveInstance, step: Step, attempt: _Attempt
    ) -> Flow[CommandFailed | None]:
        """Ask Nova to migrate; return its refusal.

        A call without an answer, or that ended in an error of the server, may have worked: what is seen next
        tells. So does a 404, as the owner may have deleted the instance.
        """
        attempt.live = step is Step.LIVE_MIGRATE
        self._memos.remember(command.key, {"asked": step.value})
        ask = self._calls.live_migrate if attempt.live else self._calls.migrate
        try:
            yield from _unless_busy(lambda: ask(command.instance_id))
        except CloudError as error:
            LOG.warning("instance %s: %s", command.instance_id, error)
            attempt.trouble = str(error)
            if error.status is not None and error.status < 500 and error.status != 404:
                no_room = error.status == 400 and "No valid host" in str(error)
                compute_down = error.status == 409 and "unavailable at this time" in str(error)
                refused = no_room or compute_down
                return CommandFailed(
                    command.key, str(error), error.permanent and not refused, refused=refused
                )
            if error.status == 404:
                return None
        attempt.asked = True
        return None

    def _confirm(self, instance_id: str, attempt: _Attempt) -> Flow[None]:
        now = self._clock.now()
        if attempt.confirmed_at is None or now - attempt.confirmed_at >= _CONFIRM_AGAIN_S:
            attempt.confirmed_at = now
            yield from self._try(attempt, lambda: self._calls.confirm(instance_id))

    def _free(self, server: Server, attempt: _Attempt) -> Flow[None]:
        """Let go of a task that nobody works on: Nova refuses even a reboot until then.

        A nova-compute that was killed clears the task of an instance when it starts, and then takes from its queue
        what it was to do for the migration: that fails, and leaves ERROR with a task (seen with nova 34.0.0).
        """
        now = self._clock.now()
        if attempt.stuck is None or attempt.stuck[0] != server.task:
            attempt.stuck = (server.task, now)
        elif now - attempt.stuck[1] >= _STUCK_S:
            attempt.stuck = None
            LOG.warning("instance %s is in ERROR with a task that does not end", server.instance_id)
            yield from self._try(attempt, lambda: self._calls.end_task(server.instance_id, "error"))

    def _give_up(self, server: Server | None, attempt: _Attempt) -> Flow[None]:
        """Give a migration up; a cold one cannot be aborted, but may still come to an end that needs us."""
        assert server is not None, "an instance that is gone is not waited for"
        attempt.aborted = True
        attempt.trouble = attempt.trouble or f"given up after {self._timeout_s:g} s"
        try:
            lost = yield from self._is_lost(server)
        except CloudError as error:
            LOG.warning("instance %s: %s", server.instance_id, error)
            return
        if lost:
            attempt.trouble += ", as Nova had not begun with it"
            yield from self._try(
                attempt, lambda: self._calls.end_task(server.instance_id, server.vm_state)
            )
        elif attempt.live:
            yield from self._try(
                attempt, lambda: self._calls.abort_live_migration(server.instance_id)
            )

    def _is_lost(self, server: Server) -> Flow[bool]:
        """Return whether what Nova was asked for got lost between its services, so that nobody works on it.

        Messages end with the broker that has them (nova 34.0.0: by default its queues do not outlive RabbitMQ), and an
        instance then has its task for ever. One that waits in the queue of a nova-compute that is down is not lost.
        """
        if server.task not in _NOT_BEGUN or server.vm_state != "active":
            return False
        migration = yield from blocking(lambda: self._calls.last_migration(server.instance_id))
        if migration is None or migration.ended:
            return True
        if migration.begun:
            return False
        for host in filter(None, (server.host, migration.dest)):
            service = yield from blocking(partial(self._calls.service, host))
            if not service.up:
                return False
        return True

    def _explain(self, instance_id: str, attempt: _Attempt) -> Flow[None]:
        """Find out what Nova says of a migration that came to nothing."""
        if not attempt.asked:
            attempt.trouble = "its owner's resize waits to be confirmed"
            return
        try:
            migration = yield from blocking(lambda: self._calls.last_migration(instance_id))
        except CloudError as error:
            LOG.warning("instance %s: %s", instance_id, error)
            return
        if migration is not None:
            said = f"its migration {migration.migration_id} ended as {migration.status}"
            attempt.trouble = f"{attempt.trouble}; {said}" if attempt.trouble else said
            attempt.refused = migration.refused

    def _try(self, attempt: _Attempt, act: Callable[[], None]) -> Flow[None]:
        """Do what the next look will judge."""
        try:
            yield from blocking(act)
        except CloudError as error:
            LOG.warning("%s", error)
            attempt.trouble = str(error)

    def _recover(self, command: MoveInstance, server: Server | None) -> Flow[MoveEvent]:
        """Start an instance again that its migration left in ERROR; it may then be tried again."""
        instance_id = command.instance_id
        LOG.warning("instance %s is in ERROR after its migration: starting it again", instance_id)
        deadline = self._clock.now() + _RECOVERY_WAIT_S
        try:
            yield from patiently(lambda: self._calls.hard_reboot(instance_id))
        except CloudError as error:
            return CommandFailed(command.key, f"instance {instance_id}: {error}", permanent=True)
        while self._clock.now() < deadline:
            server = yield from self._look(command, server)
            if server is None or server.status in GONE:
                return InstanceGone(command.key, instance_id)
            if server.status == "ACTIVE" and not server.task:
                if server.host != command.host:
                    return InstanceMoved(command.key, instance_id, server.host)
                return CommandFailed(
                    command.key,
                    f"instance {instance_id} was in ERROR after its migration; it was started again and is ACTIVE",
                )
        return CommandFailed(
            command.key,
            f"instance {instance_id} is in ERROR after its migration, and could not be started again "
            f"within {_RECOVERY_WAIT_S:g} s",
            permanent=True,
        )

    def _failed(
        self,
        command: MoveInstance,
        server: Server | None,
        attempt: _Attempt,
        permanent: bool = False,
    ) -> CommandFailed:
        assert server is not None, "an instance that is gone is no failure"
        task = f"/{server.task}" if server.task else ""
        trouble = f": {attempt.trouble}" if attempt.trouble else ""
        return CommandFailed(
            command.key,
            f"instance {server.instance_id}: expected it to leave {command.host}; found it there as "
            f"{server.status}{task}{trouble}",
            permanent,
            attempt.refused,
        )
