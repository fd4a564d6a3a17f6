# SPDX-License-Identifier: Apache-2.0
"""Plays a scenario on a lab while a test breaks something of the lab, and mends the lab whatever came of it.

When to break something is told by the run itself: each record of its trace is handed over as it is seen. So nothing
is broken "after some seconds", which would be another moment on every machine.
"""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from doctor_maintenance import config
from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import connect_by
from doctor_maintenance.report import Report, write_report
from doctor_maintenance.runner.run import run_live
from doctor_maintenance.scenario import Scenario
from doctor_maintenance.settings import Settings
from lab import catalogue, daemons, lifecycle
from lab.daemons import Daemon
from lab.layout import Lab
from lab.site import site_of

MOMENT_S = 300.0
"""How long the moment to break something may be waited for, in seconds: a busy machine deploys for a minute."""

END_S = 400.0
"""How long a run may take to come to its end after that, in seconds."""

_LOOK_S = 0.2

Record = Mapping[str, Any]


def settings_of(lab: Lab) -> Settings:
    """Return the options of a run on a lab."""
    return config.load(files=[str(lab.settings_file)], environ={})


@functools.cache
def daemons_of(lab: Lab) -> Mapping[str, Daemon]:
    """Return what the daemons of a lab are, by name."""
    site = site_of(lab)
    services = catalogue.services_of(site, catalogue.parts_of(site))
    return {daemon.name: daemon for service in services for daemon in service.daemons}


def kill(lab: Lab, name: str) -> None:
    """End a daemon and all that it started as ``kill -9`` does: at once, with no chance to say anything."""
    process = daemons.find(lab, name)
    assert process is not None, f"{name} does not run"
    family = [process, *daemons.below(process)]
    for member in family:
        member.signal(signal.SIGKILL)
    wait_until(lambda: not any(member.alive for member in family), 10.0, f"the end of {name}")


def start(lab: Lab, name: str) -> None:
    """Start a daemon again, as an init system would, and wait until it serves."""
    daemon = daemons_of(lab)[name]
    daemons.wait_ready(lab, daemon, daemons.start(lab, daemon))


def wait_until(holds: Callable[[], bool], within_s: float, what: str) -> None:
    """Look again and again until something holds.

    Raises:
        AssertionError: it does not in time.
    """
    clock = WallClock()
    deadline = clock.now() + within_s
    pause = threading.Event()
    while not holds():
        assert clock.now() < deadline, f"waited {within_s:g} s for {what}, in vain"
        pause.wait(_LOOK_S)


def mend(lab: Lab) -> None:
    """See to it that all daemons of a lab run and its hosts are enabled and up."""
    for name in lifecycle.expected(lab):
        start(lab, name)
    compute = connect_by(settings_of(lab).cloud).compute
    for service in compute.services(binary="nova-compute"):
        if service.status == "disabled":
            compute.enable_service(service)
    wait_for_hosts(lab)


def wait_for_hosts(lab: Lab) -> None:
    """Wait until every nova-compute is enabled and has reported after this was called.

    Nova calls one that was killed up for as long as its last report is young enough; and it disables one that has
    lost its libvirtd until it has it again.
    """
    compute = connect_by(settings_of(lab).cloud).compute
    now = datetime.now(UTC).replace(tzinfo=None)  # as Nova says it
    since = now.isoformat(timespec="microseconds")
    wait_until(
        lambda: all(
            (each.status, each.state) == ("enabled", "up") and (each.updated_at or "") > since
            for each in compute.services(binary="nova-compute")
        ),
        120.0,
        f"every nova-compute to be enabled and to report after {since}",
    )


@dataclass
class _Seen:
    """The records of a run so far; a display of the runner's."""

    records: list[Record] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def update(self, record: Mapping[str, Any]) -> None:
        """Take a record of the trace."""
        with self.changed:
            self.records.append(record)
            self.changed.notify_all()

    def probe(
        self, address: str, *, who: str | None, sent: int, lost: int, silent_s: float
    ) -> None:
        """Take what a probe knows: not of interest before the end."""


class Playing(AbstractContextManager["Playing"]):
    """A scenario that is being played on a lab.

    Args:
        lab: where.
        scenario: what.
        folder: where its logs and its report go.
        settings: its options; None: those of the lab.
    """

    def __init__(
        self, lab: Lab, scenario: Scenario, folder: Path, settings: Settings | None = None
    ) -> None:
        self._lab = lab
        self._seen = _Seen()
        self._folder = folder
        self._scenario = scenario
        self._settings = settings or settings_of(lab)
        self._report: Report | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._play, name="run")

    def __enter__(self) -> Playing:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            mend(self._lab)  # or the run would wait for what nobody starts again
        self._thread.join()

    def moment(self, what: str, holds: Callable[[Record], bool]) -> Record:
        """Wait until something is seen and return its record.

        Args:
            what: what is waited for, in words.
            holds: whether a record shows it.

        Raises:
            AssertionError: it is not seen in time, or the run is over before.
        """
        clock = WallClock()
        deadline = clock.now() + MOMENT_S
        looked_at = 0
        seen = self._seen
        while True:
            with seen.changed:
                fresh, looked_at = seen.records[looked_at:], len(seen.records)
                if not fresh:
                    seen.changed.wait(_LOOK_S)
            for record in fresh:
                if holds(record):
                    return record
            assert fresh or self._thread.is_alive(), f"the run ended before {what}: {self._end()}"
            assert clock.now() < deadline, f"waited {MOMENT_S:g} s for {what}, in vain"

    def report(self) -> Report:
        """Wait for the end of the run and return what came of it; it is written into the folder as well."""
        self._thread.join(END_S)
        assert not self._thread.is_alive(), f"the run is not over after {END_S:g} s"
        if self._error is not None:
            raise self._error
        assert self._report is not None
        return self._report

    def records(self, kind: str, **wanted: object) -> list[Record]:
        """Return what was seen so far of a kind."""
        return [
            record
            for record in list(self._seen.records)
            if record["kind"] == kind and all(record.get(key) == wanted[key] for key in wanted)
        ]

    def log(self, name: str) -> str:
        """Return what a process of the run has logged."""
        return (self._folder / f"{name}.log").read_text(encoding="utf-8")

    def _play(self) -> None:
        try:
            self._report = run_live(
                self._scenario,
                self._settings,
                self._folder,
                session_timeout_s=END_S,
                display=self._seen,
            )
            write_report(self._folder, self._report)
        except BaseException as error:  # noqa: BLE001 - told to the thread that waits
            self._error = error

    def _end(self) -> str:
        if self._error is not None:
            return repr(self._error)
        return "it passed" if self._report is not None and self._report.passed else "it failed"


def why(report: Report) -> str:
    """Return why a run did not pass."""
    return "\n".join(
        f"{check.check_id}: {evidence.message}"
        for check in report.verdict.failed
        for evidence in check.evidence
    )
