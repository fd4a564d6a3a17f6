# SPDX-License-Identifier: Apache-2.0
"""Run scenarios on the embedded cloud, or on a real one, and judge them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.lifecycle import terminate_as_interrupted
from doctor_maintenance.settings import Settings

if TYPE_CHECKING:
    from doctor_maintenance.scenario import Scenario

DEFAULT_SCENARIO = "full_maintenance"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from doctor_maintenance import config

    parser.add_argument(
        "scenario",
        nargs="*",
        metavar="SCENARIO",
        help=f"what to run; `doctor-maintenance list` shows them all (default: {DEFAULT_SCENARIO})",
    )
    parser.add_argument("--all", action="store_true", help="run every scenario")
    parser.add_argument(
        "--plain", action="store_true", help="print plain lines, as when it is no terminal"
    )
    parser.add_argument(
        "--cloud",
        metavar="NAME",
        help="run on the OpenStack of this name in clouds.yaml instead of an embedded cloud; `lab`: on the one that "
        "`doctor-maintenance lab up` has started",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[:KEY=VALUE,…]",
        help="let this go wrong as well; docs/faults lists what can (may be repeated; embedded cloud only)",
    )
    for group, name, flag in (
        ("simulator", "hosts", "--hosts"),
        ("simulator", "profile", "--profile"),
        ("app_manager", "strategy", "--strategy"),
        ("probe", "allowed_gap_s", "--allowed-gap-s"),
        ("DEFAULT", "work_dir", "--work-dir"),
        ("DEFAULT", "session_timeout_s", "--session-timeout-s"),
    ):
        config.add_flag(parser, group, name, flag)


def config_files(args: argparse.Namespace) -> Sequence[str]:
    """Return the file with the options of the lab, if it is what is run on."""
    if args.cloud is None or args.cloud.partition(":")[0] != "lab":
        return ()
    from lab.found import settings_file

    return (str(settings_file(args.cloud)),)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run the scenarios one after another; 0 if every verdict is good."""
    from doctor_maintenance.runner.asking import on_a_real_cloud, with_faults
    from doctor_maintenance.scenario import find_scenarios, load_scenarios

    if args.cloud is not None:
        name = args.cloud.partition(":")[0]  # a lab is called `lab` in its own clouds.yaml
        cloud = replace(settings.cloud, kind="openstack", os_cloud=name)
        settings = replace(settings, cloud=cloud)
    names = tuple(load_scenarios()) if args.all else tuple(args.scenario or [DEFAULT_SCENARIO])
    chosen = [with_faults(scenario, args.fault) for scenario in find_scenarios(names)]
    if settings.cloud.kind != "embedded":
        chosen, left_out = on_a_real_cloud(chosen, every=args.all)
        for scenario in left_out:
            print(f"left out: {scenario.name} (it needs a fault that only the embedded cloud has)")
    _check_names(settings)
    terminate_as_interrupted()
    passed = [
        _run_one(_allowing(scenario, settings.probe.allowed_gap_s), settings, args.plain)
        for scenario in chosen
    ]
    return 0 if all(passed) else 1


def _check_names(settings: Settings) -> None:
    """Refuse a name that is not known before anything is started.

    Raises:
        UsageError: there is no such timing profile or strategy; the message lists those that exist.
    """
    from doctor_maintenance.simulator.profiles import get_profile
    from sample_app_manager import strategies

    get_profile(settings.simulator.profile)
    strategies.find(settings.app_manager.strategy)


def _run_one(scenario: Scenario, settings: Settings, plain: bool) -> bool:
    from rich.console import Console

    from doctor_maintenance.report import PlainView, print_verdict, view_for, write_report
    from doctor_maintenance.runner.defaults import for_cloud
    from doctor_maintenance.runner.run import run_live

    fitted = for_cloud(settings)
    folder = _new_folder(Path(settings.work_dir), scenario.name)
    console = Console()
    with PlainView(console) if plain else view_for(console) as view:
        report = run_live(
            scenario,
            fitted,
            folder,
            session_timeout_s=settings.session_timeout_s,
            display=view,
        )
    write_report(folder, report)
    print_verdict(console, report, trace_path=str(folder / "trace.jsonl"))
    print(f"report: {folder}")
    return report.passed


def _allowing(scenario: Scenario, gap_s: float) -> Scenario:
    """Return the scenario with the larger of its own allowed gap and the configured one."""
    expected = scenario.expected
    allowed = max(expected.allowed_gap_s, gap_s)
    return replace(scenario, expected=replace(expected, allowed_gap_s=allowed))


def _new_folder(work_dir: Path, name: str) -> Path:
    """Make a folder that no other run has."""
    stamp = datetime.fromtimestamp(WallClock().now(), UTC).strftime("%Y%m%d-%H%M%S")
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        for number in range(1000):
            folder = work_dir / (f"{stamp}-{name}" + (f"-{number}" if number else ""))
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder.resolve()
    except OSError as error:
        raise PreconditionError(
            f"the work folder {work_dir} cannot be written: {error}; name another with --work-dir"
        ) from error
    raise PreconditionError(f"{work_dir} has a thousand runs of this second already")
