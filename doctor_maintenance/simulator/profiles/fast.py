# SPDX-License-Identifier: Apache-2.0
"""The realistic profile in miniature, the default of ``run``: every state can be seen, and a run is over in seconds.

What an instance goes through takes a thirtieth of the middle of its time; without the spread, a run is easier to
foretell. A host's own times are shorter still: a reboot of minutes would be most of a run. What makes a cloud wait
without doing anything is left out, for it would look like a fault, and so is the moment in which a live migration stops
the guest: of 20 to 100 ms it would leave 2. The silence of a floating IP that is moved is a tenth, so that no probe
of 100 a second misses it.
"""

from __future__ import annotations

from doctor_maintenance.simulator.profiles.base import scaled
from doctor_maintenance.simulator.profiles.realistic import REALISTIC

FAST = scaled(
    REALISTIC,
    "fast",
    1 / 30,
    live_pause=0.0,
    host_boot=0.6,
    service_down=0.1,
    service_up=0.1,
    guest_resume=0.1,
    group_view_stale=0.0,
    alarm_cache_ttl=0.0,
    floating_ip_move_gap_s=(0.122, 0.134),
    api_read=0.0,
    api_write=0.0,
)
