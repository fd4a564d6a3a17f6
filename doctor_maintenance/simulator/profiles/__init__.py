# SPDX-License-Identifier: Apache-2.0
"""How long things take in the simulated cloud: one file a profile, found by its name.

Durations are the only thing that a profile says: the states that are gone through are the model's, and
are the same in every profile. To add a profile, copy ``fast.py`` and give it to :data:`PROFILES`.
"""

from __future__ import annotations

from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.simulator.profiles.base import Duration, TimingProfile
from doctor_maintenance.simulator.profiles.fast import FAST
from doctor_maintenance.simulator.profiles.instant import INSTANT
from doctor_maintenance.simulator.profiles.realistic import REALISTIC

PROFILES: dict[str, TimingProfile] = {
    profile.name: profile for profile in (FAST, INSTANT, REALISTIC)
}


def get_profile(name: str) -> TimingProfile:
    """Return the profile of that name.

    Raises:
        UsageError: there is none.
    """
    try:
        return PROFILES[name]
    except KeyError:
        known = ", ".join(sorted(PROFILES))
        raise UsageError(f"there is no timing profile {name!r}; there are: {known}") from None


__all__ = ["PROFILES", "Duration", "TimingProfile", "get_profile"]
