# SPDX-License-Identifier: Apache-2.0
"""Those who act, gone wrong: app managers that misbehave, processes that are killed, time that jumps.

They are faults of the simulator's registry like all others, and counted there; but a cloud has no app manager, so
a stage in virtual time that has one carries them out. The parts themselves do not know: an app manager is given a
way of switching over and a way of replying, and every part is given a clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from doctor_maintenance.clock import Clock, TimerHandle, VirtualClock
from doctor_maintenance.flow import Flow, wait
from doctor_maintenance.leading import Lead
from doctor_maintenance.protocol import Action, ProjectNotification, Reply, Verdict
from doctor_maintenance.simulator.cloud import SimCloud
from doctor_maintenance.simulator.faults import Behaviour, Faults, Where
from doctor_maintenance.simulator.faults.actors import REPLY, SWITCH_OVER
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.policy import SwitchOver
from sample_app_manager.seams import Send
from sample_app_manager.strategies import Done, Strategy
from sample_app_manager.strategies import none as pretence

LOG = logging.getLogger(__name__)

T = TypeVar("T")

ADMIN_TOOL = "admin tool"


class Life:
    """The clock of a process that can be killed: what it had planned then never happens.

    Args:
        clock: the time outside.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.over = False

    def now(self) -> float:
        """Return the time."""
        return self._clock.now()

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Run callback at ``when``, if the process lives by then."""
        return self._clock.call_at(when, lambda: None if self.over else callback())

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        """Run callback in ``delay_s`` seconds, if the process lives by then."""
        return self.call_at(self.now() + delay_s, callback)

    def cancel(self, handle: TimerHandle) -> None:
        """Forget a callback."""
        self._clock.cancel(handle)

    def call(self, function: Callable[[], T]) -> T:
        """Run function now."""
        return self._clock.call(function)

    def serve(self, app: WSGIApplication) -> WSGIApplication:
        """Return the application as it is reached: after its process' life nobody listens."""

        def alive(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            if self.over:
                raise ConnectionResetError("the process was killed")
            return app(environ, start)

        return alive


class Actors:
    """The processes of a stage in virtual time, and what faults make of them.

    Args:
        clock: the time.
        cloud: has the faults, and tells the moments.
    """

    def __init__(self, clock: VirtualClock, cloud: SimCloud) -> None:
        self._clock = clock
        self._faults = cloud.faults
        self._faults.staged = frozenset(Where)
        self._lives: dict[str, tuple[Life, Callable[[], None]]] = {}
        cloud.moments.can("admin_tool_killed", lambda wanted: self._kill(ADMIN_TOOL, wanted))
        cloud.moments.can(
            "app_manager_dies", lambda wanted: self._kill(wanted["application"], wanted)
        )
        cloud.moments.can("clock_jumps", lambda wanted: clock.jump(float(wanted["by_s"])))

    def born(self, name: str, again: Callable[[], None]) -> Life:
        """Return the life of a process that is being started.

        Args:
            name: :data:`ADMIN_TOOL`, or the application whose manager it is.
            again: starts it once more.
        """
        life = Life(self._clock)
        self._lives[name] = life, again
        return life

    def strategy(self, strategy: Strategy, application: str, project_id: str) -> Strategy:
        """Return how an app manager really switches over."""
        return _Doubtful(strategy, self._decider(SWITCH_OVER, application, project_id))

    def manners(self, application: str, project_id: str) -> Manners:
        """Return how an app manager replies."""
        return Manners(self._decider(REPLY, application, project_id))

    def _decider(self, point: str, application: str, project_id: str) -> Decide:
        faults: Faults = self._faults
        return lambda: faults.decide(point, application=application, project=project_id)

    def _kill(self, name: str, wanted: Mapping[str, Any]) -> None:
        life, again = self._lives[name]
        if life.over:
            return
        LOG.info("the %s is killed", name)
        life.over = True
        down_s = float(wanted["down_s"])
        if down_s > 0:
            self._clock.call_later(down_s, again)


Decide = Callable[[], Behaviour | None]


class _Doubtful:
    """A strategy that may only pretend.

    Attributes:
        moves: whether the last switch-over was one.
    """

    def __init__(self, strategy: Strategy, decide: Decide) -> None:
        self._strategy = strategy
        self._decide = decide
        self.moves = strategy.moves

    def unfit(self, lead: Lead) -> str | None:
        """Return why it cannot be used for an address, or None."""
        return self._strategy.unfit(lead)

    def switch_over(self, cloud: ProjectCloud, clock: Clock, what: SwitchOver) -> Flow[Done]:
        """Let the other one serve, or say so."""
        really = self._strategy if self._decide() is None else pretence.STRATEGY
        self.moves = really.moves
        return (yield from really.switch_over(cloud, clock, what))


@dataclass(frozen=True, slots=True)
class Manners:
    """How an app manager replies, which a fault may spoil."""

    decide: Decide

    def deliver(
        self, notification: ProjectNotification, reply: Reply, send: Send
    ) -> Flow[str | None]:
        """Send a reply as a fault says, and return why it was not accepted; None: it was."""
        fault = self.decide()
        if fault is None:
            return (yield from send(reply))
        match fault.name:
            case "app_manager_refuses":
                return (yield from send(_refusal(reply)))
            case "app_manager_never_replies":
                yield from wait(0.0)
                return "a fault: it does not reply"
            case "app_manager_replies_late":
                yield from wait(float(fault.parameters["delay_s"]))
                return (yield from send(reply))
            case "app_manager_names_strangers":
                stranger = {str(fault.parameters["instance"]): Action.MIGRATE}
                actions = {**reply.instance_actions, **stranger}
                return (yield from send(replace(reply, instance_actions=actions)))
        problem = yield from send(reply)
        yield from send(reply)
        yield from send(_refusal(reply))
        return problem


def _refusal(reply: Reply) -> Reply:
    return replace(reply, verdict=Verdict.NACK, instance_actions={})
