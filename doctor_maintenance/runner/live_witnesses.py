# SPDX-License-Identifier: Apache-2.0
"""Who watches a run in real time: the cloud's own word or repeated looks at it, and the probes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.flow import Flow, Task, blocking, pause_s, start, wait
from doctor_maintenance.probe import (
    LiveProbe,
    ProbeConfig,
    ProbeProtocol,
    Snapshot,
    since_first_answer,
)
from doctor_maintenance.runner.exact import record_of
from doctor_maintenance.runner.stage import Placed
from doctor_maintenance.runner.watch import CloudWatch, Look, changes, first_look, sourced
from doctor_maintenance.settings import ProbeSettings

if TYPE_CHECKING:
    from doctor_maintenance.runner.live import LiveStage

POLL_S = 0.1
"""Between two looks, in seconds; longer where a look takes longer."""


class PollingWatch:
    """Looks again and again; what changed happened between two looks.

    Services, instances and addresses are looked at beside each other: the closer two looks are, the more they prove,
    and what is quickly answered is not to wait for the rest. Where addresses lead is a long question for Neutron and
    proves little that the probe does not, so it is asked the least.

    Args:
        stage: whose run.
        watch: what looks.
    """

    def __init__(self, stage: LiveStage, watch: CloudWatch) -> None:
        self._lookers = [
            _Looker(stage, watch.look_at_services),
            _Looker(stage, watch.look_at_instances),
            _Looker(stage, watch.look_at_addresses, rest=3.0),
        ]

    def begin(self) -> Flow[None]:
        """Take the first looks, and go on."""
        for looker in self._lookers:
            yield from looker.begin()

    def end(self) -> Flow[None]:
        """Take the last looks."""
        self.stop()
        for looker in self._lookers:
            yield from looker.look()

    def stop(self) -> None:
        """Look no more."""
        for looker in self._lookers:
            looker.stop()


class _Looker:
    """Looks at one thing.

    Args:
        stage: whose run.
        look: takes a look.
        rest: how long it pauses, as a multiple of how long the look before took (≥ 1).
    """

    def __init__(self, stage: LiveStage, look: Callable[[], Look], rest: float = 1.0) -> None:
        self._stage = stage
        self._look = look
        self._rest = rest
        self._last: Look | None = None
        self._task: Task[None] | None = None

    def begin(self) -> Flow[None]:
        yield from self.look()
        self._task = start(self._stage.clock, self._stage.workers, self._for_ever())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def look(self) -> Flow[None]:
        look = yield from blocking(self._look)
        for record in changes(self._last, look):
            self._stage.recorder.take(sourced(record))
        self._last = look

    def _for_ever(self) -> Flow[None]:
        while True:
            took_s = self._last.ended - self._last.begun if self._last else 0.0
            yield from wait(pause_s(POLL_S, took_s * self._rest))
            try:
                yield from self.look()
            except CloudError as error:
                self._stage.recorder.problem(f"a look at the cloud failed: {error}")


class ToldWatch:
    """Is told by an embedded cloud what changed, and when exactly.

    Args:
        stage: whose run.
        watch: what looks at the beginning.
        control_url: of the cloud's control API.
        addresses: the services' addresses.
    """

    def __init__(
        self,
        stage: LiveStage,
        watch: CloudWatch,
        control_url: str,
        addresses: frozenset[str],
    ) -> None:
        self._stage = stage
        self._watch = watch
        self._control_url = control_url
        self._addresses = addresses
        self._last = 0
        self._operator_project = ""
        self._task: Task[None] | None = None

    def begin(self) -> Flow[None]:
        """Take the first look, and go on."""
        self._operator_project = yield from blocking(self._stage.operator_project)
        told = yield from blocking(self._ask)
        self._last = told["last"]
        look = yield from blocking(self._watch.look)
        for record in first_look(look):
            self._stage.recorder.take(record)
        self._task = start(self._stage.clock, self._stage.workers, self._listen_for_ever())

    def end(self) -> Flow[None]:
        """Take the last look."""
        self.stop()
        yield from self._listen()

    def stop(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()

    def _listen_for_ever(self) -> Flow[None]:
        while True:
            yield from wait(POLL_S)
            yield from self._listen()

    def _listen(self) -> Flow[None]:
        told = yield from blocking(self._ask)
        if told["forgotten"]:
            self._stage.recorder.problem(f"{told['forgotten']} events of the cloud were missed")
        self._last = told["last"]
        commands = self._stage.settings.admin_tool.maintenance_commands
        for event in told["events"]:
            record = record_of(event, self._operator_project, commands, self._addresses)
            if record is not None:
                self._stage.recorder.take(record)

    def _ask(self) -> Any:
        return self._stage.events(self._control_url, self._last)


class LiveProbes:
    """Asks every service of a run.

    Args:
        stage: whose run.
        placed: the services.
        options: how they are asked.
    """

    def __init__(self, stage: LiveStage, placed: Sequence[Placed], options: ProbeSettings) -> None:
        self._stage = stage
        self._probes = [
            (
                item,
                LiveProbe(
                    ProbeConfig(
                        item.address,
                        options.port,
                        ProbeProtocol(options.protocol),
                        options.rate_hz,
                        options.timeout_s,
                    ),
                    now=stage.clock.now,
                    nonce=f"{stage.run_id}-{item.name}",
                ),
            )
            for item in placed
        ]
        for _, probe in self._probes:
            probe.start()

    def answering(self) -> bool:
        """Return whether every service has answered."""
        return all(probe.snapshot().who is not None for _, probe in self._probes)

    def snapshots(self) -> list[tuple[str, Snapshot]]:
        """Return what each probe knows now, by address."""
        return [(item.address, probe.snapshot()) for item, probe in self._probes]

    def stop(self) -> None:
        """Send no more; blocks until the last answers are in."""
        for _, probe in self._probes:
            probe.stop()

    def records(self) -> list[dict[str, Any]]:
        """Return the ``probe`` records."""
        now = self._stage.clock.now()
        return [
            {
                "at": now,
                "source": "probe",
                "kind": "probe",
                **since_first_answer(probe.report()).to_fields(item.address, item.project_id),
            }
            for item, probe in self._probes
        ]
