# SPDX-License-Identifier: Apache-2.0
"""Holds the project against a real OpenStack: installs a lab, brings it up, runs tests and scenarios on it, ends it.

``python -m lab.check`` is what ``make openstack`` and CI run. It has a lab of its own, so a developer's is left alone.
Where a lab cannot be, it says what is left out and why: with status 0, or 3 where it was asked for with ``--required``.
"""

from __future__ import annotations

import argparse
import configparser
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import MaintenanceError, PreconditionError
from lab import daemons, install, lifecycle
from lab.layout import Kind, Lab, named

TOLD = "DOCTOR_MAINTENANCE_LAB"
"""The variable with the home of the lab that tests may use, and which they do not run without."""

_SCENARIOS = {
    Kind.CONTROL_PLANE: ("full_maintenance", "reboot", "canceled"),
    Kind.GUESTS: ("full_maintenance",),
}
_TESTS = {Kind.CONTROL_PLANE: ("tests/labs", "tests/cloud"), Kind.GUESTS: ("tests/labs",)}
_TOP = Path(__file__).parent.parent


def main(words: Sequence[str] | None = None) -> int:
    """Run the checks of a command line, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m lab.check", description=__doc__)
    parser.add_argument("--kind", choices=[kind.value for kind in Kind], action="append")
    parser.add_argument(
        "--required", action="store_true", help="exit 3, not 0, where no lab can be"
    )
    parser.add_argument("--keep", action="store_true", help="leave the lab up, to look at it")
    args = parser.parse_args(words)
    kinds = [Kind(name) for name in args.kind or [Kind.CONTROL_PLANE.value]]
    for kind in kinds:
        why_not = install.impossible(kind)
        if why_not is not None:
            _say(f"LEFT OUT: the tests and scenarios on a real OpenStack ({kind}): {why_not}")
            return 3 if args.required else 0
    try:
        good = [_Check(named(kind, f"check-{kind}"), args.keep).all() for kind in kinds]
    except PreconditionError as error:
        _say(str(error))
        return 3
    except MaintenanceError as error:
        _say(str(error))
        return 1
    return 0 if all(good) else 1


@dataclass(slots=True)
class _Check:
    """The check of one kind."""

    lab: Lab
    keep: bool

    def all(self) -> bool:
        began = WallClock().now()
        lifecycle.reset(self.lab)
        self._timed("installed", lambda: install.install(self.lab, _say))
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
        words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *_TESTS[self.lab.kind]]
        return self._call("tests", words)

    def _scenarios(self) -> bool:
        run = ["-m", "doctor_maintenance", "run", "--plain", "--cloud"]
        passed = [
            self._call(f"scenario {name}", [*run, lifecycle.cloud_name(self.lab), name])
            for name in _SCENARIOS[self.lab.kind]
        ]
        return all(passed)

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
        began = WallClock().now()
        act()
        _say(f"== {self.lab.kind}: {what} after {WallClock().now() - began:.1f} s")


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
