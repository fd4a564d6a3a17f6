# SPDX-License-Identifier: Apache-2.0
"""What a real cloud took: three hosts with emulated guests on two cores, nova 34, neutron 29 with ML2/OVN.

Slow, and therefore good for virtual time: what breaks when things take as long as they do shows here.
The host's own times were not measured there; they are those of an ordinary server, as is Nova's 60 s until a
service counts as down. Of the calls to the APIs, the slowest and the quickest tenth are left out.
"""

from __future__ import annotations

from doctor_maintenance.simulator.profiles.base import TimingProfile

REALISTIC = TimingProfile(
    name="realistic",
    boot_scheduling=(0.3, 1.2),
    boot_networking=(0.3, 0.5),
    boot_block_devices=(0.15, 0.3),
    boot_spawning=(4.1, 5.9),
    delete=(3.0, 3.4),
    delete_visible=(0.25, 0.5),
    stop=(1.7, 1.9),
    start=(2.0, 2.3),
    reboot_soft=(2.5, 3.5),
    reboot_hard=(3.0, 3.4),
    live_scheduling=(0.6, 1.4),
    live_preparing=(3.2, 4.0),
    live_running=(4.0, 6.0),
    live_pause=(0.02, 0.1),
    live_finishing=(1.0, 1.8),
    live_record_lag=(0.3, 0.8),
    live_port_lag=(0.9, 4.0),
    cold_scheduling=(0.5, 0.9),
    cold_preparing=(1.5, 2.0),
    cold_migrating=(2.4, 2.9),
    cold_migrated=(2.6, 3.0),
    cold_finishing=(1.4, 2.0),
    confirm=(1.9, 2.1),
    revert_source=(3.4, 3.9),
    revert_finish=(5.4, 5.9),
    evacuate=(6.0, 9.0),
    guest_boot=(3.4, 4.0),
    host_boot=(60.0, 120.0),
    service_down=60.0,
    service_up=(10.0, 30.0),
    guest_resume=(2.0, 5.0),
    group_view_stale=(0.0, 120.0),
    alarm_delay=(0.027, 0.064),
    alarm_cache_ttl=60.0,
    floating_ip_move_gap_s=(1.22, 1.34),
    api_read=(0.008, 0.18),
    api_write=(0.007, 0.33),
)
