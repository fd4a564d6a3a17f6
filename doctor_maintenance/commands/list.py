# SPDX-License-Identifier: Apache-2.0
"""Show the scenarios that can be run."""

from __future__ import annotations

import argparse

from doctor_maintenance.settings import Settings

NEEDS_SETTINGS = False


def configure(parser: argparse.ArgumentParser) -> None:
    """Add no argument: the list is short."""


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print each scenario's name and what it shows, a line each."""
    import scenarios

    found = scenarios.registry()
    width = max((len(name) for name in found), default=0)
    for name in sorted(found):
        print(f"{name:<{width}}  {scenarios.summary(name)}")
    return 0
