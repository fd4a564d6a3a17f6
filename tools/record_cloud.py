# SPDX-License-Identifier: Apache-2.0
"""Record what a real cloud answers to the contract tests, for the simulator to be held against.

Usage: python tools/record_cloud.py --cloud NAME [--transport-url URL] [--note TEXT] [-- PYTEST-ARGUMENT…]

The cloud is an operator's entry of clouds.yaml. The answers of the tests that pass replace those in
tests/cloud/recorded; without further arguments those of tests that are gone are dropped. Identifiers, addresses,
tokens and times are recorded by their form alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "tests" / "cloud" / "recorded"
PROVENANCE = "provenance.json"


def main() -> int:
    """Record, and return pytest's exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cloud", required=True, help="an operator's entry of clouds.yaml")
    parser.add_argument("--transport-url", help="the cloud's message bus, for tests that publish")
    parser.add_argument("--note", default="", help="what is recorded: the services' versions, say")
    parser.add_argument("arguments", nargs="*", help="which tests; all by default")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        status = _run(args, Path(folder))
        made = sorted(Path(folder).glob("*.json"))
        if not made:
            sys.stderr.write("nothing was recorded\n")
            return status or 1
        if status == 0 and not args.arguments:
            for old in RECORDED.glob("*.json"):
                if old.name != PROVENANCE:
                    old.unlink()
        for path in made:
            _merge(path)
    _sign(args, [path.stem for path in made])
    return status


def _run(args: argparse.Namespace, folder: Path) -> int:
    environment = {
        **os.environ,
        "DOCTOR_MAINTENANCE_TEST_CLOUD": args.cloud,
        "DOCTOR_MAINTENANCE_TEST_RECORD": str(folder),
    }
    if args.transport_url:
        environment["DOCTOR_MAINTENANCE_TEST_TRANSPORT_URL"] = args.transport_url
    chosen = args.arguments or ["tests/cloud", "-m", "not slow"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *chosen], cwd=ROOT, env=environment, check=False
    ).returncode


def _merge(path: Path) -> None:
    """Put recorded tests into their module's file."""
    kept = RECORDED / path.name
    tests: dict[str, Any] = _read(kept) | _read(path)
    kept.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(
        f"{json.dumps(test)}: [\n"
        + ",\n".join(json.dumps(entry, sort_keys=True, ensure_ascii=False) for entry in tests[test])
        + "\n]"
        for test in sorted(tests)
    )
    kept.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


def _sign(args: argparse.Namespace, modules: list[str]) -> None:
    """Note when, and of what, the modules were recorded."""
    path = RECORDED / PROVENANCE
    signed = _read(path)
    stamp = {"recorded": datetime.now(UTC).strftime("%Y-%m-%d"), "of": args.note}
    signed.update(dict.fromkeys(modules, stamp))
    path.write_text(json.dumps(signed, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


if __name__ == "__main__":
    sys.exit(main())
