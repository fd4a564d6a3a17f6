# SPDX-License-Identifier: Apache-2.0
"""How many maintenance sessions a minute the explorer runs and judges, on one core.

``python benchmarks/explore.py [SECONDS]``. The aim is 10,000 a minute with 3 hosts and 6 instances, faults
and judgement included. On a machine that does other things as well the second figure counts: it is per
minute of the processor's time that was really had.
"""

from __future__ import annotations

import resource
import sys

from doctor_maintenance.clock import WallClock
from doctor_maintenance.explorer import Limits
from doctor_maintenance.explorer.farm import Tally, chunks, explore, explore_some
from doctor_maintenance.explorer.report import rate, summary

WARM_UP = range(100)


def processor_s() -> float:
    """Return the processor time that this process has had, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Explore for a while, and print the rates; 1 if a defect was found."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    limits = Limits(hosts=3, instances=6)
    explore_some(WARM_UP, limits)
    clock, tally = WallClock(), Tally()
    began, used = clock.now(), processor_s()
    for part in explore(chunks(1_000_000, None), limits, workers=1):
        tally.add(part)
        if clock.now() - began > seconds:
            break
    took, had = clock.now() - began, processor_s() - used
    print(summary(tally, took))
    print(f"on one core: {rate(tally, took):,.0f} sessions a minute")
    print(f"by processor time: {rate(tally, had):,.0f} sessions a minute")
    for clause, seeds in tally.failed.items():
        print(f"FAILED {clause}: seeds {seeds[:5]}")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
