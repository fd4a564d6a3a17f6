# SPDX-License-Identifier: Apache-2.0
"""How long a guest takes to serve after Nova says that it is ACTIVE: ``guest_boot`` of the simulator's profiles.

Usage: python benchmarks/guest_boot.py [--cloud NAME|lab|lab:NAME] [--times 10] [--image NAME] [--external-network NAME]

Deploys a pair as a run does it, starts its active guest anew (a hard reboot) again and again, and asks it a
hundred times a second. Prints the time from ACTIVE until the first answer, each and in the middle. Nova is looked at
every 50 ms, so each is up to that much too short. Without ``--cloud``, the embedded cloud is measured.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack

from bed import Bed, add_options
from openstack.connection import Connection

from doctor_maintenance.deployment import ApplicationSpec, DeployedApplication
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.probe import LiveProbe, ProbeConfig, ProbeProtocol
from sample_app_manager.actions import ProjectCloud

READY_S = 120.0
_LOOK_S = 0.05


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--times", type=int, default=10)
    args = parser.parse_args()
    with ExitStack() as stack:
        bed = Bed(args, stack)
        with bed.deployed(ApplicationSpec("bench", singles=0)) as (application, connection):
            cloud = ProjectCloud(connection)
            config = ProbeConfig(
                application.address, bed.settings.probe.port, ProbeProtocol.UDP, rate_hz=100.0
            )
            who = {application.active, cloud.name(application.active)}
            bed.until_answered(config, who, READY_S)
            found = []
            for _ in range(args.times):
                _restart(connection, application.active)
                found.append(_boot_s(bed, cloud, application, config))
    print("from ACTIVE until it serves, s:", ", ".join(f"{seconds:.2f}" for seconds in found))
    print(f"least {min(found):.2f}, middle {statistics.median(found):.2f}, most {max(found):.2f}")


def _restart(connection: Connection, instance_id: str) -> None:
    answer = connection.compute.post(
        f"/servers/{instance_id}/action", json={"reboot": {"type": "HARD"}}
    )
    answer.raise_for_status()


def _boot_s(
    bed: Bed, cloud: ProjectCloud, application: DeployedApplication, config: ProbeConfig
) -> float:
    """Return how long the active guest, which is being started anew, was ACTIVE before it served."""
    _until_active(bed, cloud, application.active)
    active_at = bed.clock.now()
    probe = LiveProbe(config, now=bed.clock.now, nonce="guest-boot")
    probe.start()
    try:
        while probe.snapshot().who is None:
            if bed.clock.now() - active_at > READY_S:
                raise PreconditionError(
                    f"{config.address}: expected an answer within {READY_S:g} s; found none"
                )
            bed.wait(0.01)
        return bed.clock.now() - active_at
    finally:
        probe.stop()


def _until_active(bed: Bed, cloud: ProjectCloud, instance_id: str) -> None:
    """Wait until a guest that is being started anew is ACTIVE again."""
    while cloud.status(instance_id) == "ACTIVE":
        bed.wait(_LOOK_S)
    while cloud.status(instance_id) != "ACTIVE":
        bed.wait(_LOOK_S)


if __name__ == "__main__":
    main()
