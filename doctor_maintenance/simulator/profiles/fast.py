# SPDX-License-Identifier: Apache-2.0
"""A quick cloud, the default of ``run``: every state lasts long enough to be seen, and a run is over in seconds."""

from __future__ import annotations

from doctor_maintenance.simulator.profiles.base import TimingProfile

FAST = TimingProfile(
    name="fast",
    boot_scheduling=0.05,
    boot_networking=0.05,
    boot_block_devices=0.05,
    boot_spawning=0.15,
    delete=0.1,
    delete_visible=0.01,
    stop=0.1,
    start=0.1,
    reboot_soft=0.1,
    reboot_hard=0.15,
    live_scheduling=0.05,
    live_preparing=0.1,
    live_running=0.2,
    live_pause=0.0,
    live_finishing=0.05,
    live_record_lag=0.02,
    live_port_lag=0.1,
    cold_scheduling=0.05,
    cold_preparing=0.05,
    cold_migrating=0.15,
    cold_migrated=0.1,
    cold_finishing=0.15,
    confirm=0.2,
    revert_source=0.2,
    revert_finish=0.2,
    evacuate=0.4,
    host_boot=0.6,
    service_down=0.1,
    service_up=0.1,
    guest_resume=0.1,
    alarm_delay=0.005,
)
