# SPDX-License-Identifier: Apache-2.0
"""Start, stop and look at a real OpenStack on this machine, to run scenarios on."""

from __future__ import annotations

import argparse
from collections import deque
from typing import TYPE_CHECKING

from doctor_maintenance.exceptions import PreconditionError, UsageError
from doctor_maintenance.lifecycle import terminate_as_interrupted
from doctor_maintenance.settings import Settings

if TYPE_CHECKING:
    from lab.layout import Lab

NEEDS_SETTINGS = False

_ACTIONS = {
    "install": "install what a lab runs: Debian's packages, and OpenStack's services in an environment of their own",
    "up": "install if need be, and start everything; a lab that is up is left alone",
    "down": "end everything, and keep the data",
    "reset": "end everything, and remove the data",
    "status": "a line for each daemon, with its memory",
    "logs": "show the end of a log; without a name, list the logs",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    told = "; ".join(f"{name}: {what}" for name, what in _ACTIONS.items())
    parser.add_argument("action", choices=list(_ACTIONS), metavar="ACTION", help=told)
    parser.add_argument("log", nargs="?", metavar="LOG", help="of `logs`: a daemon or a step")
    parser.add_argument(
        "--kind",
        choices=("control-plane", "guests"),
        default="control-plane",
        help="control-plane: every service is real, guests and network are not; guests: those are as well "
        "(default: %(default)s)",
    )
    parser.add_argument("--name", help="of the lab, to have several (default: that of its kind)")
    parser.add_argument(
        "--hosts", type=int, metavar="N", help="compute hosts, 1 to 9 (default: 3, or as it was)"
    )
    parser.add_argument(
        "--port-base",
        type=int,
        metavar="PORT",
        help="the first of a hundred ports (default: follows from the name)",
    )
    parser.add_argument(
        "--lines", type=int, default=50, help="how much `logs` shows (default: %(default)s)"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Do what is asked."""
    if args.log is not None and args.action != "logs":
        raise UsageError(f"`lab {args.action}` takes no further word; found {args.log!r}")
    lab = _lab(args)
    match args.action:
        case "install":
            from lab.install import install

            install([lab], _say)
        case "up":
            return _up(lab)
        case "down":
            from lab import lifecycle

            lifecycle.down(lab)
        case "reset":
            from lab import lifecycle

            lifecycle.reset(lab)
        case "status":
            return _status(lab)
        case "logs":
            return _logs(lab, args.log, args.lines)
    return 0


def _lab(args: argparse.Namespace) -> Lab:
    """Return the lab that is meant: with data, it is what it was, unless something else is asked for."""
    from lab import about, layout

    kind = layout.Kind(args.kind)
    lab = layout.named(kind, args.name, args.hosts or 3, port_base=args.port_base)
    if not (lab.home / about.FILE).exists():
        return lab
    before = about.read(lab.home)
    return layout.named(
        before.kind if args.name is not None else kind,
        args.name,
        args.hosts or len(before.hosts),
        port_base=args.port_base or before.port_base,
    )


def _up(lab: Lab) -> int:
    from lab import lifecycle
    from lab.install import install

    terminate_as_interrupted()
    install([lab], _say)
    lifecycle.up(lab, _say)
    return 0


def _status(lab: Lab) -> int:
    from lab import daemons, lifecycle
    from lab.memory import used_mb

    names = sorted({*daemons.records(lab), *lifecycle.expected(lab)})
    total = 0.0
    for name in names:
        process = daemons.find(lab, name)
        if process is None:
            print(f"{name:28} ended; see {lab.log_of(name)}")
            continue
        memory = used_mb(process)
        total += memory
        print(f"{name:28} process {process.pid:7}  {memory:7.0f} MiB")
    up = lifecycle.is_up(lab)
    state = "up" if up else "not wholly up" if names else "down"
    print(f"the lab {lab.name} ({lab.kind}) is {state}; {total:.0f} MiB")
    return 0 if up else 1


def _logs(lab: Lab, name: str | None, lines: int) -> int:
    if name is None:
        for path in sorted(lab.log.glob("*.log")):
            print(path.stem)
        return 0
    path = lab.log_of(name)
    try:
        with path.open(errors="replace") as log:
            for line in deque(log, lines):
                print(line, end="")
    except FileNotFoundError:
        raise PreconditionError(
            f"there is no log {path}; `doctor-maintenance lab logs` lists those that are there"
        ) from None
    return 0


def _say(line: str) -> None:
    print(line, flush=True)
