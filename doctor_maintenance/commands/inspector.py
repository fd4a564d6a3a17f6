# SPDX-License-Identifier: Apache-2.0
"""Serve the sample inspector, which stands down for hosts in maintenance."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from doctor_maintenance import lifecycle
from doctor_maintenance.settings import Settings

if TYPE_CHECKING:
    from openstack.connection import Connection

    from doctor_maintenance.clock import Clock
    from doctor_maintenance.inspector.inspector import Publish
    from doctor_maintenance.workers import Workers


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from doctor_maintenance import config

    for name in ("bind", "port"):
        config.add_flag(parser, "inspector", name, f"--{name}")
    parser.add_argument(
        "--observations",
        metavar="FILE",
        type=Path,
        help="append what is witnessed to FILE, as JSON lines of a trace",
    )
    lifecycle.add_arguments(parser)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serve until told to stop."""
    from doctor_maintenance.admin_tool.main import driver_by
    from doctor_maintenance.admin_tool.notifier import Notifier
    from doctor_maintenance.inspector.main import serve

    def make_publish(clock: Clock, workers: Workers, connection: Connection) -> Publish:
        driver = driver_by(settings, connection)
        return Notifier(clock, workers, driver, publisher_id="inspector").publish

    return serve(
        settings, make_publish, seen=args.observations, die_with_parent=args.die_with_parent
    )
