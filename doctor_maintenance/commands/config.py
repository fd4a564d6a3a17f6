# SPDX-License-Identifier: Apache-2.0
"""Print a configuration file with every option, its meaning, range and default."""

from __future__ import annotations

import argparse

from doctor_maintenance import config
from doctor_maintenance.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add no argument: what is printed is a file to edit."""


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print the sample file."""
    print(config.sample())
    return 0
