# SPDX-License-Identifier: Apache-2.0
"""The public names are these, on purpose; each is where it is said to be."""

import pytest

import doctor_maintenance

PUBLIC = [
    "Clock",
    "MaintenanceError",
    "Report",
    "Scenario",
    "Session",
    "SessionRequest",
    "SessionRules",
    "Settings",
    "SimCloud",
    "Trace",
    "Verdict",
    "VirtualClock",
    "WallClock",
    "run_live",
]


def test_these_names_are_public() -> None:
    assert doctor_maintenance.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_can_be_imported(name: str) -> None:
    assert getattr(doctor_maintenance, name).__module__.startswith("doctor_maintenance.")


def test_what_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="lunch"):
        _ = doctor_maintenance.lunch
