# SPDX-License-Identifier: Apache-2.0
"""The durations that a profile gives, with what each one is the time between.

The names follow the states that real Nova was seen to go through, so that a recorded timeline can be written down
as a profile. All are seconds; a pair is the least and the most, drawn from the cloud's seeded chance.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace

Duration = float | tuple[float, float]


@dataclass(frozen=True, slots=True)
class TimingProfile:
    """How long each thing takes; everything is 0 unless the profile says otherwise.

    Attributes:
        name: what the profile is called on the command line.
        boot_scheduling: BUILD/scheduling until a host is chosen.
        boot_networking: from there until the ports are being made, and until they are.
        boot_block_devices: BUILD/block_device_mapping.
        boot_spawning: BUILD/spawning until ACTIVE.
        delete: ACTIVE/deleting until DELETED.
        delete_visible: how long a deleted instance is still answered as DELETED.
        stop: powering-off until SHUTOFF.
        start: powering-on until ACTIVE.
        reboot_soft: REBOOT until ACTIVE.
        reboot_hard: HARD_REBOOT until ACTIVE.
        live_scheduling: MIGRATING and record ``accepted`` until a host is chosen (or is not).
        live_preparing: record ``preparing``.
        live_running: record ``running``; the guest is copied and runs on.
        live_pause: the last part of the copy, when the guest stands still.
        live_finishing: from the guest's arrival until the instance is ACTIVE on its new host.
        live_record_lag: from there until the record is ``completed``.
        live_port_lag: from the guest's arrival until its ports are ACTIVE again.
        cold_scheduling: RESIZE/resize_prep until a host is chosen (or is not).
        cold_preparing: the rest of resize_prep.
        cold_migrating: resize_migrating; the guest is off from here.
        cold_migrated: resize_migrated; the host is the destination from here.
        cold_finishing: resize_finish until VERIFY_RESIZE.
        confirm: VERIFY_RESIZE with the record ``confirming`` until ACTIVE.
        revert_source: REVERT_RESIZE until the record is ``reverted`` and the host is the old one.
        revert_finish: from there until ACTIVE.
        evacuate: REBUILD until ACTIVE on the new host.
        guest_boot: from the moment at which a guest begins to execute until what it serves is answered.
        host_boot: power off until the host answers again, with a new boot ID.
        service_down: from the loss of a nova-compute until its service is ``down``.
        service_up: from a host's boot until its nova-compute is ``up`` again.
        guest_resume: from there until guests that are resumed run again.
        resume_guests: whether guests that ran when their host went down are started with it; if not they are SHUTOFF.
        group_view_stale: how long the scheduler still believes a live-migrated instance to be on its old host.
        alarm_delay: from a notification until the alarm's POST.
        alarm_cache_ttl: how long the alarm evaluator goes on with the list of alarms it has read.
        floating_ip_move_gap_s: how long a floating IP is silent after it was moved.
        api_read: until a service's API answers a question.
        api_write: until it answers a change.
        route_move_gap_s: how long what lies behind a route is silent after the route was changed.
        port_forwarding_move_gap_s: the same after a port forwarding was changed.
    """

    name: str
    boot_scheduling: Duration = 0.0
    boot_networking: Duration = 0.0
    boot_block_devices: Duration = 0.0
    boot_spawning: Duration = 0.0
    delete: Duration = 0.0
    delete_visible: Duration = 0.0
    stop: Duration = 0.0
    start: Duration = 0.0
    reboot_soft: Duration = 0.0
    reboot_hard: Duration = 0.0
    live_scheduling: Duration = 0.0
    live_preparing: Duration = 0.0
    live_running: Duration = 0.0
    live_pause: Duration = 0.0
    live_finishing: Duration = 0.0
    live_record_lag: Duration = 0.0
    live_port_lag: Duration = 0.0
    cold_scheduling: Duration = 0.0
    cold_preparing: Duration = 0.0
    cold_migrating: Duration = 0.0
    cold_migrated: Duration = 0.0
    cold_finishing: Duration = 0.0
    confirm: Duration = 0.0
    revert_source: Duration = 0.0
    revert_finish: Duration = 0.0
    evacuate: Duration = 0.0
    guest_boot: Duration = 0.0
    host_boot: Duration = 0.0
    service_down: Duration = 0.0
    service_up: Duration = 0.0
    guest_resume: Duration = 0.0
    resume_guests: bool = True
    group_view_stale: Duration = 0.0
    alarm_delay: Duration = 0.0
    alarm_cache_ttl: Duration = 0.0
    floating_ip_move_gap_s: Duration = 0.0
    api_read: Duration = 0.0
    api_write: Duration = 0.0
    route_move_gap_s: Duration = 0.0
    port_forwarding_move_gap_s: Duration = 0.0


def draw(duration: Duration, rng: random.Random) -> float:
    """Return the duration in seconds; of a pair, a random one between the two."""
    if isinstance(duration, tuple):
        return rng.uniform(*duration)
    return duration


def scaled(profile: TimingProfile, name: str, factor: float, **own: Duration) -> TimingProfile:
    """Return a profile of the same shape, without its spread: every duration is ``factor`` times its middle.

    Args:
        profile: what is scaled.
        name: what the new one is called.
        factor: above 0.
        **own: durations that are not scaled but given, in seconds.
    """
    durations = {
        item.name: _middle(getattr(profile, item.name)) * factor
        for item in fields(profile)
        if item.name not in ("name", "resume_guests")
    }
    return replace(profile, name=name, **{**durations, **own})  # type: ignore[arg-type]


def _middle(duration: Duration) -> float:
    return sum(duration) / 2 if isinstance(duration, tuple) else duration
