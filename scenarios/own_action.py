# SPDX-License-Identifier: Apache-2.0
"""The app manager deletes its instances on the host and re-creates them elsewhere by itself."""

from doctor_maintenance.protocol import Action
from doctor_maintenance.scenario import Application, Scenario

SCENARIO = Scenario(
    summary="deleted and re-created elsewhere by the app manager",
    applications=(Application("app", action=Action.OWN_ACTION),),
)
