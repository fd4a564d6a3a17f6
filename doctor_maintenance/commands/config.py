# SPDX-License-Identifier: Apache-2.0
"""Print a configuration file with every option, its meaning, range and default."""

from __future__ import annotations

import argparse

from doctor_maintenance import config
from doctor_maintenance.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--policy",
        action="store_true",
        help="print a policy.yaml instead: who may do what with the admin tool",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print the sample file."""
    if args.policy:
        from doctor_maintenance.admin_tool import policy

        print(policy.sample())
    else:
        print(config.sample())
    return 0
