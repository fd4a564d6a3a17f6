# SPDX-License-Identifier: Apache-2.0
"""Serve the admin tool."""

from __future__ import annotations

import argparse
from pathlib import Path

from doctor_maintenance import lifecycle
from doctor_maintenance.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from doctor_maintenance import config

    for name in ("bind", "port", "reply_wait_s", "notify_driver"):
        config.add_flag(parser, "admin_tool", name, "--" + name.replace("_", "-"))
    parser.add_argument(
        "--observations",
        metavar="FILE",
        type=Path,
        help="append what is witnessed to FILE, as JSON lines of a trace",
    )
    lifecycle.add_arguments(parser)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serve until told to stop."""
    from doctor_maintenance.admin_tool.main import serve

    return serve(settings, seen=args.observations, die_with_parent=args.die_with_parent)
