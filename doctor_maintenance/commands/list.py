# SPDX-License-Identifier: Apache-2.0
"""Show the scenarios that can be run."""

from __future__ import annotations

import argparse

from doctor_maintenance.scenario import load_scenarios
from doctor_maintenance.settings import Settings

NEEDS_SETTINGS = False


def configure(parser: argparse.ArgumentParser) -> None:
    """Add no argument: the list is short."""


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print each scenario's name and what it shows, a line each."""
    found = load_scenarios()
    width = max((len(name) for name in found), default=0)
    for name, scenario in found.items():
        print(f"{name:<{width}}  {scenario.summary}")
    return 0
