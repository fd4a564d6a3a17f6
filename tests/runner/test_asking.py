# SPDX-License-Identifier: Apache-2.0
"""Which scenarios can be played on a real cloud is known before anything is built on it."""

import pytest

from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.runner.asking import on_a_real_cloud
from doctor_maintenance.scenario import find_scenarios

SOUND, FAULTY = find_scenarios(("full_maintenance", "fault_migration_fails"))


def test_scenario_with_a_fault_of_the_embedded_cloud_is_refused_where_it_was_asked_for() -> None:
    with pytest.raises(PreconditionError) as refusal:
        on_a_real_cloud([SOUND, FAULTY], every=False)

    assert "fault_migration_fails" in str(refusal.value)
    assert "migration_fails" in str(refusal.value)


def test_it_is_left_out_where_all_were_asked_for() -> None:
    fit, left_out = on_a_real_cloud([SOUND, FAULTY], every=True)

    assert fit == [SOUND]
    assert [scenario.name for scenario in left_out] == ["fault_migration_fails"]
