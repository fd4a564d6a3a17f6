# SPDX-License-Identifier: Apache-2.0
"""No durations: every state is gone through, none lasts. For tests of decisions, not of waiting."""

from __future__ import annotations

from doctor_maintenance.simulator.profiles.base import TimingProfile

INSTANT = TimingProfile(name="instant")
