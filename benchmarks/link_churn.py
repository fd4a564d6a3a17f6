# SPDX-License-Identifier: Apache-2.0
"""What a service loses while interfaces come and go on the host of its active guest, on a lab of kind ``guests``.

Usage: python benchmarks/link_churn.py [--cloud lab:NAME] [--seconds 20] [--rate 200]

Deploys a pair as a run does it and probes its service twice, equally long: first nothing else happens; then, in the
namespace of the active guest's host, an interface is added, put up and removed again and again, at random moments of a
fixed seed. Nova and libvirt do the same, more rarely, whenever a guest arrives or leaves. Prints the probes sent and
lost of both. Needs root, as the lab itself does.
"""

from __future__ import annotations

import argparse
import random
import subprocess
from collections.abc import Callable
from contextlib import ExitStack

from bed import Bed, add_options

from doctor_maintenance.cloud import connect_by, http_session
from doctor_maintenance.deployment import ApplicationSpec
from doctor_maintenance.probe import LiveProbe, ProbeConfig, ProbeProtocol
from lab.found import lab_up

_READY_S = 120.0
_PAUSE_S = 0.05


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--seconds", type=float, default=20.0, help="each part takes")
    parser.add_argument("--rate", type=float, default=200.0, help="probes a second")
    parser.set_defaults(cloud="lab")
    args = parser.parse_args()
    lab = lab_up(args.cloud.partition(":")[2] or None)
    with ExitStack() as stack:
        bed = Bed(args, stack)
        with bed.deployed(ApplicationSpec("bench", singles=0)) as (application, _):
            operator = connect_by(bed.settings.cloud, http_session())
            host = operator.compute.get_server(application.active).hypervisor_hostname
            config = ProbeConfig(
                application.address, bed.settings.probe.port, ProbeProtocol.UDP, rate_hz=args.rate
            )
            bed.until_answered(config, {application.active}, _READY_S)
            namespace = lab.namespace(host)
            chance = random.Random(1)

            def churn() -> None:
                _come_and_go(namespace)
                bed.wait(_PAUSE_S * chance.random())

            for what, do in (
                ("nothing else", lambda: bed.wait(_PAUSE_S)),
                ("interfaces", churn),
            ):
                print(f"{what}:", _probed(bed, config, args.seconds, do))


def _come_and_go(namespace: str) -> None:
    """Add an interface to a host, put it up, and remove it."""
    for words in (
        ["add", "churn0", "type", "veth", "peer", "name", "churn1"],
        ["set", "churn0", "up"],
        ["set", "churn1", "up"],
        ["delete", "churn0"],
    ):
        subprocess.run(["ip", "-netns", namespace, "link", *words], check=True)


def _probed(bed: Bed, config: ProbeConfig, seconds: float, do: Callable[[], None]) -> str:
    """Do something again and again while the service is probed, and say what was lost."""
    probe = LiveProbe(config, now=bed.clock.now, nonce="link-churn")
    probe.start()
    until, times = bed.clock.now() + seconds, 0
    while bed.clock.now() < until:
        do()
        times += 1
    report = probe.stop()
    return f"{report.lost} of {report.sent} probes lost, {times} times, {seconds:g} s"


if __name__ == "__main__":
    main()
