# SPDX-License-Identifier: Apache-2.0
"""Holds the project against a real OpenStack: installs a lab, brings it up, runs tests and scenarios on it, ends it.

``make openstack`` and ``tox -e openstack`` run it. It has a lab of its own, so a developer's is left alone.
Where a lab cannot be, or not one that can be relied on, it says what is left out and why: with status 0, or 3 where it
was asked for with ``--required``. A kind that is named with ``--kind`` is checked wherever it can be.
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jsonschema

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import MaintenanceError, PreconditionError
from lab import daemons, install, lifecycle
from lab.guests import versions
from lab.layout import Kind, Lab, named

TOLD = "DOCTOR_MAINTENANCE_LAB"
"""The variable with the home of the lab that tests may use, and which they do not run without."""

_PYTEST = ("pytest", "-q", "-p", "no:cacheprovider")
_TESTS: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    Kind.CONTROL_PLANE: {
        # Most of it waits for the cloud, so six at a time; but what disables a host does so alone.
        "contract": ("-n", "6", "--dist", "worksteal", "-m", "not operator", "tests/cloud"),
        "contract of the operator": ("-m", "operator", "tests/cloud"),
        "the lab itself": ("-m", "lab and not outage", "tests/labs"),
    },
    Kind.GUESTS: {"the lab itself": ("-m", "lab and not outage", "tests/labs")},
}
_OUTAGES = {"outages": ("-m", "lab and outage", "tests/labs")}
_SCENARIOS: Mapping[Kind, tuple[str, ...]] = {
    Kind.CONTROL_PLANE: ("full_maintenance", "reboot", "canceled"),
    Kind.GUESTS: ("full_maintenance",),
}
_TOP = Path(__file__).parent.parent


def main(words: Sequence[str] | None = None) -> int:
    """Run the checks of a command line, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m lab.check", description=__doc__)
    parser.add_argument("--kind", choices=[kind.value for kind in Kind], action="append")
    parser.add_argument(
        "--required", action="store_true", help="exit 3, not 0, where no lab can be"
    )
    parser.add_argument(
        "--outages", action="store_true", help="break services in the middle of sessions as well"
    )
    parser.add_argument("--keep", action="store_true", help="leave the lab up, to look at it")
    args = parser.parse_args(words)
    kinds = [Kind(name) for name in args.kind or list(Kind)]
    left_out = {kind: why for kind in kinds if (why := install.impossible(kind)) is not None}
    for kind, why in left_out.items():
        _say(_left_out(kind, why))
    if left_out and args.required:
        return 3
    labs = [named(kind, f"check-{kind}") for kind in kinds if kind not in left_out]
    if not labs:
        return 0
    try:
        with _alone(labs):
            for lab in labs:
                lifecycle.reset(lab)
            _timed("installed", lambda: install.install(labs, _say))
            fit = [lab for lab in labs if args.kind or _fit(lab)]
            good = [_Check(lab, args.keep, args.outages).all() for lab in fit]
    except PreconditionError as error:
        _say(str(error))
        return 3
    except MaintenanceError as error:
        _say(str(error))
        return 1
    if not all(good):
        return 1
    return 3 if args.required and len(fit) < len(labs) else 0


def _fit(lab: Lab) -> bool:
    """Return whether a kind that is installed can be held to what the scenarios ask; say why not."""
    why = versions.lossy() if lab.kind is Kind.GUESTS else None
    if why is not None:
        _say(_left_out(lab.kind, why))
    return why is None


def _left_out(kind: Kind, why: str) -> str:
    return f"LEFT OUT: the tests and scenarios on a real OpenStack ({kind}): {why}"


@dataclass(slots=True)
class _Check:
    """The check of one kind."""

    lab: Lab
    keep: bool
    outages: bool

    def all(self) -> bool:
        began = WallClock().now()
        try:
            self._timed("up from nothing", lambda: lifecycle.up(self.lab, _say))
            good = self._tests()
            good = self._scenarios() and good
        finally:
            if not self.keep:
                self._timed("down", lambda: lifecycle.down(self.lab))
        if self.keep:
            return good
        good = self._nothing_left() and good
        if good:
            lifecycle.reset(self.lab)  # the logs of a failure stay
        _say(f"{self.lab.kind}: {_word(good)} after {WallClock().now() - began:.0f} s")
        return good

    def _tests(self) -> bool:
        wanted = {**_TESTS[self.lab.kind], **(_OUTAGES if self.outages else {})}
        passed = [
            self._call(f"tests, {what}", ["-m", *_PYTEST, *words]) for what, words in wanted.items()
        ]
        return all(passed)

    def _scenarios(self) -> bool:
        shutil.rmtree(self._reports, ignore_errors=True)
        where = ["--work-dir", str(self._reports), "--cloud", lifecycle.cloud_name(self.lab)]
        run = ["-m", "doctor_maintenance", "run", "--plain", *where]
        names = _SCENARIOS[self.lab.kind]
        passed = [self._call(f"scenario {name}", [*run, name]) for name in names]
        return all(passed) and self._reports_are_as_documented(len(names))

    @property
    def _reports(self) -> Path:
        return self.lab.home / "reports"

    def _reports_are_as_documented(self, count: int) -> bool:
        """Return whether each scenario wrote a report, by the schema that those on the embedded cloud have."""
        schema = json.loads((_TOP / "docs" / "report.schema.json").read_text(encoding="utf-8"))
        reports = sorted(self._reports.glob("*/report.json"))
        for report in reports:
            try:
                jsonschema.validate(json.loads(report.read_text(encoding="utf-8")), schema)
            except jsonschema.ValidationError as error:
                _say(f"{report}: {error.message}")
                return False
        _say(f"== {len(reports)} of {count} reports are as docs/report.schema.json says")
        return len(reports) == count

    def _call(self, what: str, words: Sequence[str]) -> bool:
        _say(f"== {self.lab.kind}: {what}")
        began = WallClock().now()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OS_")},
            TOLD: str(self.lab.home),
            "OS_CLOUD": "lab",
            "OS_CLIENT_CONFIG_FILE": str(self.lab.clouds_file),
            "DOCTOR_MAINTENANCE_TEST_CLOUD": "lab",  # of tests/cloud, as is the next
            "DOCTOR_MAINTENANCE_TEST_TRANSPORT_URL": _bus(self.lab),
        }
        if "pytest" not in words:
            del environment["OS_CLOUD"], environment["OS_CLIENT_CONFIG_FILE"]
        status = subprocess.call([sys.executable, *words], cwd=_TOP, env=environment)
        _say(f"== {what}: {_word(status == 0)} after {WallClock().now() - began:.1f} s")
        return status == 0

    def _nothing_left(self) -> bool:
        left = daemons.marked(self.lab)
        for process in left:
            _say(f"LEFT BEHIND: process {process.pid}")
        return not left

    def _timed(self, what: str, act: Callable[[], object]) -> None:
        _timed(f"{self.lab.kind}: {what}", act)


def _timed(what: str, act: Callable[[], object]) -> None:
    began = WallClock().now()
    act()
    _say(f"== {what} after {WallClock().now() - began:.1f} s")


@contextlib.contextmanager
def _alone(labs: Sequence[Lab]) -> Iterator[None]:
    """Let one check go on at a time: all have the same labs."""
    labs[0].root.mkdir(parents=True, exist_ok=True)
    with (labs[0].root / "check.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another check on this machine to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _bus(lab: Lab) -> str:
    """Return the message bus of a lab that is up, as its options for a run name it."""
    options = configparser.ConfigParser(interpolation=None)
    options.read(lab.settings_file, encoding="utf-8")
    return options["admin_tool"]["transport_url"]


def _word(good: bool) -> str:
    return "passed" if good else "FAILED"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
