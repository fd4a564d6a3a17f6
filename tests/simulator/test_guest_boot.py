# SPDX-License-Identifier: Apache-2.0
"""A guest is ACTIVE for Nova as soon as it executes, and serves only when it has booted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from doctor_maintenance.simulator.compute import Compute
from doctor_maintenance.simulator.profiles import get_profile
from doctor_maintenance.simulator.records import BootRequest, Instance

from .sim import Sim

BOOT_S = 5.0
Act = Callable[[Compute, Instance], None]


class Guest:
    """An instance on compute1 that serves."""

    def __init__(self, **timing: float) -> None:
        profile = replace(get_profile("instant"), guest_boot=BOOT_S, **timing)
        self.sim = Sim(profile, served=False)
        self.compute = self.sim.cloud.compute
        request = BootRequest("one", "m1.small", host="compute1")
        self.instance = self.compute.boot("project", request)[0]

    def after(self, seconds: float) -> tuple[bool, bool]:
        """Return whether it executes and whether it serves, so many seconds later."""
        self.sim.clock.advance(seconds)
        instance_id = self.instance.instance_id
        return self.compute.is_running(instance_id), self.compute.serves(instance_id)


def test_a_guest_serves_when_it_has_booted() -> None:
    guest = Guest()
    assert guest.after(BOOT_S - 0.1) == (True, False)
    assert guest.instance.status == "ACTIVE"
    assert guest.after(0.2) == (True, True)


def _restart(compute: Compute, instance: Instance) -> None:
    compute.reboot(instance.instance_id, hard=True)


def _cold_migrate(compute: Compute, instance: Instance) -> None:
    compute.migrate(instance.instance_id)


def _reboot_host(compute: Compute, instance: Instance) -> None:
    compute.reboot_host(str(instance.host))


@pytest.mark.parametrize("act", [_restart, _cold_migrate, _reboot_host])
def test_what_starts_a_guest_anew_has_it_boot(act: Act) -> None:
    guest = Guest()
    guest.after(60.0)
    act(guest.compute, guest.instance)
    assert guest.after(BOOT_S - 0.1) == (True, False)
    assert guest.after(0.2) == (True, True)


def test_a_live_migration_has_the_guest_stand_still_and_not_boot() -> None:
    guest = Guest(live_running=2.0, live_pause=1.0)
    guest.after(60.0)
    guest.compute.live_migrate(guest.instance.instance_id)
    assert guest.after(1.5) == (False, False)
    assert guest.after(1.0) == (True, True)
    assert guest.instance.host != "compute1"


def test_that_it_serves_is_told_once() -> None:
    guest = Guest()
    told: list[float] = []
    guest.after(1.0)
    guest.sim.cloud.subscribe(lambda event: told.append(guest.sim.clock.now()))
    guest.after(60.0)
    assert len(told) == 1
    assert guest.compute.serves(guest.instance.instance_id)


def test_a_guest_that_is_started_again_while_it_boots_begins_anew() -> None:
    guest = Guest()
    guest.after(BOOT_S - 1.0)
    _restart(guest.compute, guest.instance)
    assert guest.after(BOOT_S - 0.1) == (True, False)
    assert guest.after(0.2) == (True, True)
