# SPDX-License-Identifier: Apache-2.0
"""Serve the embedded cloud alone, for the official clients and for your own."""

from __future__ import annotations

import argparse
from pathlib import Path

from doctor_maintenance import lifecycle
from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from doctor_maintenance import config

    for name in ("bind", "port", "hosts", "vcpus", "memory_mb", "disk_gb", "profile", "speed"):
        config.add_flag(parser, "simulator", name, "--" + name.replace("_", "-"))
    parser.add_argument(
        "--dir",
        metavar="DIRECTORY",
        type=Path,
        help="where clouds.yaml, the SSH key and known_hosts are written; default: a folder of the work_dir",
    )
    parser.add_argument(
        "--ssh-port",
        metavar="PORT",
        type=int,
        default=0,
        help="the port of SSH on every host; 0: a free one (22 needs the rights for it)",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[:KEY=VALUE,…]",
        help="arm this fault from the start; docs/faults lists them (may be repeated)",
    )
    lifecycle.add_arguments(parser)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serve until told to stop."""
    from doctor_maintenance.simulator.faults import parse_fault
    from doctor_maintenance.simulator.main import serve

    if not 0 <= args.ssh_port <= 65_535:
        raise UsageError(f"--ssh-port: expected a port from 0 to 65535; found {args.ssh_port}")
    directory = args.dir if args.dir is not None else Path(settings.work_dir) / "simulator"
    return serve(
        settings,
        directory,
        ssh_port=args.ssh_port,
        faults=[parse_fault(text) for text in args.fault],
        die_with_parent=args.die_with_parent,
    )
