# SPDX-License-Identifier: Apache-2.0
"""Run maintenance sessions from random seeds in virtual time, and hold each against the contract."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.explorer import Case, Limits, draw, from_data, shrink, to_data
from doctor_maintenance.explorer import run as run_case
from doctor_maintenance.explorer.farm import Tally, chunks, explore
from doctor_maintenance.explorer.report import progress, summary
from doctor_maintenance.lifecycle import terminate_as_interrupted
from doctor_maintenance.settings import Settings

NEEDS_SETTINGS = False

_SAY_EVERY_S = 5.0
_MAX_SHRUNK = 5
_SHOWN = 8
"""How many failing seeds of a clause are named."""
_INTERRUPTED = 130
"""The exit status of a process that was interrupted, as shells have it."""
_FEWEST_INSTANCES = 2
_SEEDS_A_SECOND = 10_000
"""More than any machine explores, so that runs that begin at other times have other seeds."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Say which seeds, how large, for how long, on how many cores."""
    parser.add_argument("--seeds", type=_count, metavar="N", help="how many seeds (default: 10000)")
    parser.add_argument(
        "--from",
        dest="first",
        type=int,
        metavar="S",
        help="first seed (default: 0; with --for alone, seeds that no run had before)",
    )
    parser.add_argument("--seed", type=int, metavar="S", help="one seed only, with what was found")
    parser.add_argument("--case", type=Path, metavar="FILE", help="one case that was kept as JSON")
    parser.add_argument("--hosts", type=_count, default=3, metavar="H", help="the most hosts (≥ 3)")
    parser.add_argument(
        "--instances", type=_count, default=6, metavar="I", help="about the most instances"
    )
    parser.add_argument(
        "--workers", type=_count, metavar="W", help="processes (default: one a core)"
    )
    parser.add_argument(
        "--for", dest="seconds", type=_seconds, metavar="SECONDS", help="go on for so long instead"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="write failing cases, made small, to this directory",
    )


def _run_one(case: Case) -> int:
    """Run one case, and tell what came of it."""
    result = run_case(case)
    print(json.dumps(to_data(case), indent=1))
    print(f"ended {result.state} after {result.events} events")
    for name, count in result.happened.items():
        print(f"  {name}: {count}")
    for clause, message in result.defects.items():
        print(f"FAILED {clause}: {message}")
    return 1 if result.defects else 0


def _explore_many(args: argparse.Namespace, limits: Limits) -> int:
    """Run many seeds, with progress, a summary, and the failing ones made small."""
    clock = WallClock()
    began = said = clock.now()
    tally = Tally()
    workers = args.workers or os.cpu_count() or 1
    count = args.seeds if args.seeds is not None else None if args.seconds else 10_000
    first = _first(args, began)
    parts: Iterator[range] = chunks(first, count)
    if args.seconds is not None:
        parts = _until(parts, clock, began + args.seconds)
    print(f"seeds from {first}", file=sys.stderr, flush=True)
    interrupted = False
    terminate_as_interrupted()
    try:
        for part in explore(parts, limits, workers):
            for clause, seeds in sorted(part.failed.items()):
                shown = ", ".join(str(seed) for seed in seeds[:_SHOWN])
                print(f"FAILED {clause}: {shown}", file=sys.stderr, flush=True)
            tally.add(part)
            if clock.now() - said >= _SAY_EVERY_S:
                said = clock.now()
                print(progress(tally, said - began), file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        interrupted = True
    return _conclude(tally, clock.now() - began, first, args, interrupted)


def _conclude(
    tally: Tally, seconds: float, first: int, args: argparse.Namespace, interrupted: bool
) -> int:
    """Say what was found, make some of what fails small, and return the exit status."""
    if interrupted:
        print("interrupted; this is what was explored until then")
    print(summary(tally, seconds))
    print(f"seeds {first} to {first + tally.cases - 1}" if tally.cases else "no seed was explored")
    if not tally.failed:
        print("no defect was found")
        return _INTERRUPTED if interrupted else 0
    for clause, seeds in sorted(tally.failed.items()):
        shown = ", ".join(str(seed) for seed in seeds[:_SHOWN])
        print(f"FAILED {clause} ({len(seeds)}): seeds {shown}\n  {tally.evidence[clause]}")
        print(f"  repeat: doctor-maintenance explore --seed {seeds[0]}{_sizes(args)}", flush=True)
    limits = Limits(hosts=args.hosts, instances=args.instances)
    for seed, clause in list(tally.failing_seeds().items())[: 0 if interrupted else _MAX_SHRUNK]:
        _make_small(draw(seed, limits), clause, args)
    return 1


def _first(args: argparse.Namespace, now: float) -> int:
    if args.first is not None:
        return int(args.first)
    return int(now) * _SEEDS_A_SECOND if args.seconds is not None and args.seeds is None else 0


def _until(parts: Iterator[range], clock: WallClock, until: float) -> Iterator[range]:
    for part in parts:
        yield part
        if clock.now() >= until:
            return


def _make_small(case: Case, clause: str, args: argparse.Namespace) -> None:
    small = shrink(case, lambda other: clause in run_case(other).defects)
    text = json.dumps(to_data(small), indent=1)
    print(f"\nthe smallest case found that fails {clause}, from seed {case.seed}:\n{text}")
    print(f"repeat the whole of it: doctor-maintenance explore --seed {case.seed}{_sizes(args)}")
    if args.keep is not None:
        args.keep.mkdir(parents=True, exist_ok=True)
        path = args.keep / f"{clause.replace('.', '_')}_{case.seed}.json"
        path.write_text(text + "\n", encoding="utf-8")
        print(f"repeat the small one: doctor-maintenance explore --case {path}")


def _sizes(args: argparse.Namespace) -> str:
    found = "" if args.hosts == Limits().hosts else f" --hosts {args.hosts}"
    return found + (
        "" if args.instances == Limits().instances else f" --instances {args.instances}"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run one case or many; 1 if a defect was found."""
    if args.hosts < Limits().hosts:
        raise UsageError(f"--hosts: expected at least {Limits().hosts}; found {args.hosts}")
    if args.instances < _FEWEST_INSTANCES:
        raise UsageError(
            f"--instances: expected at least {_FEWEST_INSTANCES}; found {args.instances}"
        )
    limits = Limits(hosts=args.hosts, instances=args.instances)
    if args.case is not None:
        return _run_one(_read(args.case))
    if args.seed is not None:
        return _run_one(draw(args.seed, limits))
    return _explore_many(args, limits)


def _read(path: Path) -> Case:
    try:
        return from_data(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"--case: {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"--case: {path} is not JSON: {error}") from error


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more; found {value}")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected more than 0 seconds; found {text}")
    return value
